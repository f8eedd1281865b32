"""What is known of a run while it lasts, from ticks that are written by hand."""

from typing import Any

import pytest

from countermand.runtime.settings import ConfigurationError
from lab.load.figures.thresholds import Threshold
from lab.load.play.gauges import Gauges, check_conditions
from lab.load.play.wire import Tick

RATE = 100.0
WARMUP_S = 2.0


def gauges(workers: int = 1) -> Gauges:
    """Of a run of 1,000 orders."""
    return Gauges(1_000, RATE, workers, WARMUP_S)


def ticking(told: Gauges, until: int, completed_a_second: int = 80, index: int = 0, **counts: Any) -> None:
    """A worker that ticks at each whole second, from 0."""
    for second in range(until + 1):
        told.hear(Tick(index, float(second), completed=completed_a_second * second, **counts))


def test_there_is_no_live_rate_before_five_seconds_were_measured_nor_while_draining() -> None:
    """`rate.achieved<100` would be true at the first beat, and in every drain."""
    told, slow = gauges(), Threshold.parse("rate.achieved<100")
    assert slow.holds(told.document()) is None
    ticking(told, until=6)
    assert slow.holds(told.document()) is None
    ticking(told, until=7)
    assert told.document()["rate"] == {"target": 100.0, "achieved": 80.0}
    assert slow.holds(told.document()) is True
    told.draining = True
    assert told.document()["rate"] == {"target": 100.0}
    assert slow.holds(told.document()) is None


@pytest.mark.parametrize(
    "text",
    [
        "rate.achieved<100",
        "flows.started>50",
        "request_to_email.p99>1s",
        "outcomes.completed>5",
        "violations>0",
        "generator.late_share>1%",
        "backlog.max>1000",
    ],
)
def test_a_condition_may_ask_for_what_is_known_meanwhile(text: str) -> None:
    check_conditions([Threshold.parse(text)])


@pytest.mark.parametrize(
    "text",
    ["emails.lost>0", "start_lag.p99>5ms", "order_to_seller.p99>1s", "backlog.at_end>5", "resources.order.cpu_s>1"],
)
def test_a_condition_that_could_never_come_true_is_refused_with_what_there_is(text: str) -> None:
    """In one line."""
    with pytest.raises(ConfigurationError) as refused:
        check_conditions([Threshold.parse(text)])
    message = str(refused.value)
    assert message.startswith(f"--abort-on {text}: ")
    assert "flows.started" in message
    assert "request_to_email.p99" in message
    assert "\n" not in message


def test_a_worker_that_says_nothing_is_told_though_it_is_the_only_one() -> None:
    """Thirty seconds after its last tick; one that never spoke counts from the start."""
    told = gauges(workers=2)
    told.hear(Tick(0, 12.0, pid=321, host="here"))
    assert told.silent(29.0, 30) == []
    assert told.silent(31.0, 30) == ["worker 2"]
    assert told.silent(42.5, 30) == ["worker 1 (process 321 on here)", "worker 2"]


def test_nobody_is_silent_while_the_broker_is_away_nor_just_after() -> None:
    """`kill:nats@10s+40s` loses no worker: silence counts from the last time that the broker did not answer."""
    told = gauges()
    told.hear(Tick(0, 10.0))
    for second in range(11, 51):
        told.wait(None, second)
    assert told.silent(50.0, 30) == []
    assert told.silent(80.0, 30) == []
    assert told.silent(80.5, 30) == ["worker 1 (process 0 on )"]


def test_when_nothing_waited_last_is_remembered() -> None:
    """Nothing, until it was so; an audit before everything is done must not miss what cannot be there yet."""
    told = gauges()
    told.wait(5, 1.0)
    assert (told.done_at, told.backlog, told.backlog_max) == (None, 5, 5)
    told.wait(0, 2.0)
    told.wait(7, 3.0)
    told.wait(None, 4.0)
    assert (told.done_at, told.backlog, told.backlog_max, told.unanswered_at) == (2.0, None, 7, 4.0)


def test_why_commands_were_sent_again_is_told_once_for_all_workers() -> None:
    told = gauges(workers=3)
    for index, why in enumerate(("the broker was away", "", "the broker was away")):
        told.hear(Tick(index, 1.0, resent_why=why))
    assert told.reasons_of_resends == ["the broker was away"]
