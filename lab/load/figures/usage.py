"""What a run took: work waiting, memory and processor time, and how well its own generator kept up."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_MEGABYTE: Final = 1e6

_STEP_S_MIN: Final = 0.2
"""Processor time is counted in hundredths of a second: over less than this its rate is chance."""


@dataclass(slots=True)
class Meter:
    """The processor time and memory of one process, whose counters begin again when it is started again."""

    cpu_s: float = 0.0
    rss_bytes_max: int = 0
    rss_bytes_end: int = 0
    cores: dict[int, float] = field(default_factory=dict[int, float])
    rss_bytes: dict[int, int] = field(default_factory=dict[int, int])
    _last: tuple[float, float] | None = None

    def read(self, second: float, cpu_s: float, rss_bytes: int, step_s: int) -> None:
        """Note a reading. Only what was used since the first one counts."""
        row = int(second // step_s)
        if self._last is not None:
            before_s, used_before_s = self._last
            used_s = cpu_s - used_before_s if cpu_s >= used_before_s else cpu_s
            self.cpu_s += used_s
            if second - before_s >= _STEP_S_MIN:
                self.cores[row] = used_s / (second - before_s)
        self._last = (second, cpu_s)
        self.rss_bytes_max = max(self.rss_bytes_max, rss_bytes)
        self.rss_bytes_end = self.rss_bytes[row] = rss_bytes

    def document(self, flows: int) -> dict[str, float | None]:
        """`{cpu_s, cpu_ms_per_flow, rss_mb_max, rss_mb_end}`; a megabyte is a million bytes."""
        return {
            "cpu_s": round(self.cpu_s, 3),
            "cpu_ms_per_flow": round(self.cpu_s * 1e3 / flows, 4) if flows else None,
            "rss_mb_max": round(self.rss_bytes_max / _MEGABYTE, 1),
            "rss_mb_end": round(self.rss_bytes_end / _MEGABYTE, 1),
        }


def meters(
    samples: Iterable[Mapping[str, Any]], ticks: Iterable[Mapping[str, Any]], until: float, step_s: int
) -> dict[str, Meter]:
    """A meter for each process of the system and each worker of the generator, until a second of the run."""
    found: dict[str, Meter] = {}
    readings: list[tuple[float, Mapping[str, Mapping[str, Any]]]] = []
    readings += [(sample["second"], sample["processes"]) for sample in samples]
    readings += [(tick["second"], {f"load {tick['index']}": tick}) for tick in ticks]
    for second, processes in sorted(readings, key=lambda reading: reading[0]):
        if second <= until:
            for name, used in processes.items():
                found.setdefault(name, Meter()).read(second, used["cpu_s"], used["rss_bytes"], step_s)
    return dict(sorted(found.items()))


def last_ticks(ticks: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The last tick of each worker: its totals."""
    latest: dict[int, Mapping[str, Any]] = {}
    for tick in ticks:
        if tick["second"] >= latest.get(tick["index"], tick)["second"]:
            latest[tick["index"]] = tick
    return list(latest.values())


def total(ticks: Sequence[Mapping[str, Any]], name: str) -> int:
    """The sum of a count over last ticks."""
    return sum(int(tick[name]) for tick in ticks)


def clock_drift_ms(ticks: Iterable[Mapping[str, Any]]) -> float | None:
    """The most that the broker's clock had gone away from a worker's since they were compared; nothing if none looked."""
    drifts_s: list[float] = [abs(tick["drift_s"]) for tick in ticks if tick.get("drift_s") is not None]
    return round(max(drifts_s) * 1e3, 3) if drifts_s else None


def in_flight(ticks: Iterable[Mapping[str, Any]], rows: int, step_s: int) -> list[int]:
    """How many orders were open at the end of each row; a worker that says nothing has what it last said."""
    changes: dict[int, dict[int, int]] = {}
    for tick in sorted(ticks, key=lambda tick: tick["second"]):
        # The tick that ends a second comes a moment after it.
        row = max(0, round(tick["second"]) - 1) // step_s
        changes.setdefault(row, {})[tick["index"]] = tick["open"]
    now: dict[int, int] = {}
    found: list[int] = []
    for row in range(rows):
        now.update(changes.get(row, {}))
        found.append(sum(now.values()))
    return found


def backlog(samples: Iterable[Mapping[str, Any]], rows: int, step_s: int) -> list[int | None]:
    """The most messages that waited in each row, over all consumers; nothing where none was sampled."""
    most: dict[int, int] = {}
    for second, messages in waiting(samples):
        row = int(second // step_s)
        most[row] = max(most.get(row, 0), messages)
    return [most.get(row) for row in range(rows)]


def waiting(samples: Iterable[Mapping[str, Any]]) -> list[tuple[float, int]]:
    """When how many messages waited, over all consumers; a sample that the broker did not answer has none."""
    return [(sample["second"], sum(of.values())) for sample in samples if (of := sample.get("backlog")) is not None]
