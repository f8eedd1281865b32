"""How one run differs from another: what was set up differently, what became better or worse, and how sure that is."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lab.load.figures.bootstrap import Interval, blocks_of, ratio_of_means, ratio_of_quantiles
from lab.load.figures.metrics import HEADLINES, LATENCIES
from lab.load.figures.result import Verdict
from lab.load.figures.sparse import QUANTILES

_COMPARED: Final = ("p50", "p90", "p99")
BETTER, WORSE, SAME, UNSURE = "better", "worse", "same", ""

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delta:
    """One figure of both runs.

    Attributes:
        ratio: after / before; nothing where that says nothing.
        interval: where the ratio lies with 95 % confidence, if blocks could be drawn.
        change: `better`, `worse`, or `same` if the interval holds 1; empty where there is no interval.
        regressed: whether it is worse beyond the margin.
    """

    name: str
    unit: str
    before: float | None
    after: float | None
    ratio: float | None = None
    interval: Interval | None = None
    change: str = UNSURE
    regressed: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs, `a` before and `b` after.

    Attributes:
        a, b: their verdicts.
        differences: what was set up differently: name, before, after.
        deltas: every figure of both.
        doubts: why `b` cannot be said to be as good, in sentences, whatever its figures are.
    """

    a: str
    b: str
    differences: tuple[tuple[str, str, str], ...]
    deltas: tuple[Delta, ...]
    doubts: tuple[str, ...]

    @classmethod
    def of(cls, before: Document, after: Document, margin: float) -> "Comparison":
        """Compare two results; `margin` is how much worse, as a share, the second may be.

        Raises:
            KeyError, TypeError, ValueError: one of them is no whole result.
        """
        return cls(
            a=before["verdict"],
            b=after["verdict"],
            differences=tuple(_differences(before, after)),
            deltas=(*_latencies(before, after, margin), *_figures(before, after, margin)),
            doubts=tuple(_doubts(before, after)),
        )

    @property
    def regressed(self) -> list[str]:
        """The figures that are worse beyond the margin."""
        return [delta.name for delta in self.deltas if delta.regressed]

    @property
    def is_regression(self) -> bool:
        """Whether `b` is worse, or cannot be said not to be."""
        return bool(self.regressed or self.doubts)


def _doubts(before: Document, after: Document) -> Iterator[str]:
    if after["violations"] is None:
        yield "B was not audited: nobody knows whether its orders came out right."
    elif after["verdict"] == Verdict.INVALID:
        yield f"B is invalid: {' '.join(after['reasons'])}"
    for name in HEADLINES:
        if name in before["latency_ms"] and name not in after["latency_ms"]:
            yield f"B has no {name} at all, and A has."


def _latencies(before: Document, after: Document, margin: float) -> Iterator[Delta]:
    blocks = (len(before["blocks"]), len(after["blocks"]))
    for name in LATENCIES:
        old, new = before["latency_ms"].get(name), after["latency_ms"].get(name)
        if old is None or new is None:
            continue
        sides = blocks_of(before, name), blocks_of(after, name)
        intervals = ratio_of_quantiles(*sides, blocks, [QUANTILES[quantile] for quantile in _COMPARED])
        for quantile, interval in zip(_COMPARED, intervals, strict=True):
            ratio = _ratio(old[quantile], new[quantile])
            worse = interval is not None and interval[0] > 1 + margin
            yield Delta(
                f"{name}.{quantile}", "ms", old[quantile], new[quantile], ratio, interval, _change(interval), worse
            )


def _figures(before: Document, after: Document, margin: float) -> Iterator[Delta]:
    old, new = before["rate"]["achieved"], after["rate"]["achieved"]
    rates = ([float(block["completed"]) for block in document["blocks"]] for document in (before, after))
    ratio, interval = _ratio(old, new), _scaled(ratio_of_means(*rates), before, after)
    change = _change(interval, more_is_better=True)
    yield Delta("rate.achieved", "flows/s", old, new, ratio, interval, change, ratio is not None and ratio < 1 - margin)
    for name, old, new in (
        ("violations", before["violations"], after["violations"]),
        ("emails.lost", before["emails"]["lost"], after["emails"]["lost"]),
    ):
        change = WORSE if (new or 0) > (old or 0) else UNSURE
        yield Delta(name, "", old, new, change=change, regressed=bool(new and not old))
    yield Delta("emails.duplicates", "", before["emails"]["duplicates"], after["emails"]["duplicates"])
    for name in sorted(before["resources"].keys() & after["resources"].keys()):
        old, new = (document["resources"][name]["cpu_ms_per_flow"] for document in (before, after))
        yield Delta(f"resources.{name}.cpu_ms_per_flow", "ms", old, new, _ratio(old, new))


def _scaled(interval: Interval | None, before: Document, after: Document) -> Interval | None:
    """An interval of counts as one of rates: the blocks of the two runs may have different lengths."""
    lengths = [document["blocks"][0]["to"] - document["blocks"][0]["from"] for document in (before, after)]
    if interval is None or not all(lengths):
        return None
    return interval[0] * lengths[0] / lengths[1], interval[1] * lengths[0] / lengths[1]


def _ratio(before: float | None, after: float | None) -> float | None:
    return after / before if before and after is not None else None


def _change(interval: Interval | None, *, more_is_better: bool = False) -> str:
    if interval is None:
        return UNSURE
    low, high = interval
    if low <= 1 <= high:
        return SAME
    return BETTER if (low > 1) == more_is_better else WORSE


def _differences(before: Document, after: Document) -> Iterator[tuple[str, str, str]]:
    """What was set up differently: name, before, after."""
    for name in ("plan_hash", "seed"):
        if before[name] != after[name]:
            yield name, str(before[name]), str(after[name])
    for group in ("plan", "environment"):
        old, new = before[group], after[group]
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                yield f"{group}.{name}", _said(old.get(name)), _said(new.get(name))


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
