"""The plan of a load run, the search for a capacity, and the raw log: no system needed."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import zstandard

from countermand.runtime.settings import ConfigurationError
from lab.load.plan import Arrivals, LoadPlan, arrivals_of, schedule
from lab.load.rawlog import CUT_SHORT, SCHEMA, RawLog, RawLogWriter
from lab.load.search import highest
from lab.plan.mix import built_in
from lab.spans import seconds

RATE = 200.0
DURATION_S = 10.0


def plan(arrivals: Arrivals = Arrivals.POISSON, **fields: Any) -> LoadPlan:
    """A plan of the peer mix."""
    usual: dict[str, Any] = {
        "run": "load-1",
        "mix": built_in("peer"),
        "seed": 7,
        "rate": RATE,
        "duration_s": DURATION_S,
        "warmup_s": 2,
        "arrivals": arrivals,
        "clock_rate": 86_400,
        "in_flight_max": 1_000,
    }
    return LoadPlan(**(usual | fields))


@pytest.mark.parametrize("arrivals", list(Arrivals))
def test_arrivals_are_in_order_and_within_the_duration(arrivals: Arrivals) -> None:
    """Whatever their kind."""
    moments = list(schedule(plan(arrivals)))
    assert all(before <= after for before, after in pairwise(moments))
    assert moments[0] >= 0
    assert moments[-1] < DURATION_S


def test_constant_and_burst_have_exactly_the_rate() -> None:
    """Two thousand in ten seconds."""
    assert arrivals_of(plan(Arrivals.CONSTANT)) == RATE * DURATION_S
    assert arrivals_of(plan(Arrivals.BURST)) == RATE * DURATION_S


def test_a_burst_is_a_second_s_arrivals_at_once() -> None:
    """At its beginning."""
    moments = list(schedule(plan(Arrivals.BURST)))
    assert sorted(set(moments)) == [float(second) for second in range(int(DURATION_S))]


def test_a_ramp_grows_evenly_to_the_rate() -> None:
    """Half of the arrivals in all, and a quarter of those in the first half."""
    moments = list(schedule(plan(Arrivals.RAMP)))
    assert len(moments) == RATE * DURATION_S / 2
    assert sum(moment < DURATION_S / 2 for moment in moments) == pytest.approx(len(moments) / 4, abs=1)


def test_poisson_arrivals_have_the_rate_in_the_long_run_and_follow_from_the_seed() -> None:
    """Their number varies with its root."""
    moments = list(schedule(plan()))
    assert len(moments) == pytest.approx(RATE * DURATION_S, abs=5 * (RATE * DURATION_S) ** 0.5)
    assert moments == list(schedule(plan()))
    assert moments != list(schedule(plan(seed=8)))


def test_the_hash_names_what_is_played_and_not_the_run() -> None:
    """Two runs of one plan share it; another seed, rate or clock has another one."""
    assert plan().hash == plan(run="load-2").hash
    others = {plan(seed=8).hash, plan(rate=201).hash, plan(clock_rate=1440).hash, plan(Arrivals.CONSTANT).hash}
    assert len(others | {plan().hash}) == 5


def test_a_plan_travels_as_json() -> None:
    """Workers get it so."""
    assert LoadPlan.model_validate_json(plan().model_dump_json()) == plan()


@pytest.mark.parametrize(
    ("text", "span_s"), [("250ms", 0.25), ("10s", 10), ("1.5m", 90), ("2h", 7_200), ("1d", 86_400)]
)
def test_spans_are_read(text: str, span_s: float) -> None:
    """With their unit."""
    assert seconds(text) == pytest.approx(span_s)


@pytest.mark.parametrize("capacity", [1.5, 40, 130, 1_000, 5_000])
async def test_the_search_finds_the_capacity_within_five_percent(capacity: float) -> None:
    """From a guess some times off, in twelve steps."""
    tried: list[float] = []

    async def holds(rate: float) -> bool:
        tried.append(rate)
        return rate <= capacity

    found = await highest(holds, 100.0)
    assert found is not None
    assert found <= capacity <= found * 1.05
    assert len(tried) <= 12
    assert len(set(tried)) == len(tried)


async def test_the_search_gives_up_at_the_lowest_rate() -> None:
    """A system that sustains nothing has no capacity."""

    async def never(_rate: float) -> bool:
        return False

    assert await highest(never, 4.0) is None


async def test_the_search_stops_where_a_plan_cannot_go_further() -> None:
    """And after so many steps."""
    tried: list[float] = []

    async def always(rate: float) -> bool:
        tried.append(rate)
        return True

    assert await highest(always, 60_000.0) == 100_000
    assert tried == [60_000, 100_000]
    assert await highest(always, 1.0, steps_max=3) == 4


def written(folder: Path, *, to_its_end: bool) -> RawLogWriter:
    """A log with a line of each kind."""
    share = folder / "share"
    share.write_bytes(zstandard.ZstdCompressor().compress(b'{"n":0,"order":"a"}\n{"n":2,"order":"b"}\n'))
    writer = RawLogWriter(folder)
    writer.write("run", {"schema": SCHEMA, "run": "load-1"})
    writer.write("tick", {"index": 0, "second": 1.0})
    writer.write("fault", {"text": "kill:order@1s"})
    assert writer.write_orders(share) == 2
    writer.write("phase", {"name": "arrivals", "began": 0, "ended": 1})
    if to_its_end:
        writer.write("end", {"stopped": None, "drained": True, "audit": None})
    return writer


def test_a_raw_log_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """Its orders are read from the file."""
    written(tmp_path, to_its_end=True).close()
    log = RawLog.read(tmp_path)
    assert log == RawLog.read(tmp_path / "run.jsonl.zst")
    assert (log.run["run"], log.ticks, log.faults) == (
        "load-1",
        [{"index": 0, "second": 1.0}],
        [{"text": "kill:order@1s"}],
    )
    assert log.phases == [{"name": "arrivals", "began": 0, "ended": 1}]
    assert [order["n"] for order in log.orders()] == [0, 2]
    assert log.end == {"stopped": None, "drained": True, "audit": None}


def test_what_a_killed_run_left_can_be_read(tmp_path: Path) -> None:
    """As far as it was flushed."""
    writer = written(tmp_path, to_its_end=False)
    writer.flush()
    log = RawLog.read(tmp_path)
    assert (len(log.ticks), len(list(log.orders())), log.end["stopped"]) == (1, 2, CUT_SHORT)
    writer.close()


@pytest.mark.parametrize("content", [b"", b"no log at all", zstandard.ZstdCompressor().compress(b'{"type":"run"}\n')])
def test_another_file_is_no_raw_log(tmp_path: Path, content: bytes) -> None:
    """One clear line."""
    (tmp_path / "run.jsonl.zst").write_bytes(content)
    with pytest.raises(ConfigurationError, match="is no raw log"):
        RawLog.read(tmp_path)


def test_a_missing_log_is_said_to_be_missing(tmp_path: Path) -> None:
    """With its name."""
    with pytest.raises(ConfigurationError, match="nowhere: cannot be read"):
        RawLog.read(tmp_path / "nowhere")
