"""The search for the highest rate: what makes a step fail, and what the search comes to."""

from pathlib import Path
from typing import Any

import pytest

from lab.load.capacity import Step, step_of, verdict_of
from lab.load.figures.result import Verdict
from lab.load.figures.thresholds import Threshold
from tests.support.raw_logs import AUDIT, BROKEN_AUDIT, measured, plain, sample, tick

RATE = 2.0
OBJECTIVE = "request_to_email.p99<250ms"
KEEPS_UP = [sample(float(second), 2) for second in range(1, 21)]
FALLS_BEHIND = [sample(float(second), second) for second in range(1, 21)]


def _played(folder: Path, *, objective: str = OBJECTIVE, **log: Any) -> Step:
    orders = [plain(n / RATE) for n in range(40)]
    lines = log.pop("lines", KEEPS_UP)
    return step_of(measured(folder, orders, lines=lines, **log), (Threshold.parse(objective),), RATE, folder)


def test_a_step_holds_if_its_run_passes_and_its_objectives_hold(tmp_path: Path) -> None:
    step = _played(tmp_path)
    assert (step.failed, step.verdict) == ((), Verdict.PASS)
    document = step.document()
    assert (document["ok"], document["verdict"], document["rate"]) == (True, "pass", RATE)
    assert document["figures"][OBJECTIVE] == pytest.approx(30.0, rel=1e-3)


def test_a_step_whose_objective_does_not_hold_fails(tmp_path: Path) -> None:
    assert _played(tmp_path / "a", objective="request_to_email.p99<1ms").failed == ("request_to_email.p99<1ms",)
    assert _played(tmp_path / "b", objective="order_to_smtp.p99<1ms").failed == ("order_to_smtp.p99<1ms",)


def test_a_step_whose_backlog_grows_fails(tmp_path: Path) -> None:
    """A system that keeps up has a moment's messages in hand; those of the last quarter are 19 here, and two a second's orders may be."""
    assert _played(tmp_path, lines=FALLS_BEHIND).failed == ("a backlog of 19 messages",)


def test_a_step_in_which_nobody_saw_what_waits_fails(tmp_path: Path) -> None:
    assert _played(tmp_path, lines=[]).failed == ("nobody knows how many messages waited",)


@pytest.mark.parametrize(
    ("log", "verdict", "why"),
    [
        ({"lines": [*KEEPS_UP, tick(3.0, lost=1)]}, Verdict.INVALID, "1 command of the generator could not be"),
        ({"lines": [*KEEPS_UP, tick(3.0, started=50)]}, Verdict.INVALID, "10 orders started but missing from the log"),
        ({"end": {"stopped": None, "drained": False, "audit": AUDIT}}, Verdict.INVALID, "when the wait for the last"),
        ({"end": {"stopped": None, "drained": True, "audit": None}}, Verdict.INVALID, "There was no audit"),
        ({"end": {"stopped": None, "drained": True, "audit": BROKEN_AUDIT}}, Verdict.BROKEN, "I4 was violated once"),
        ({"end": {"stopped": "flows.late>9", "drained": False, "audit": AUDIT}}, Verdict.ABORTED, "aborted: flows.late>9"),
    ],
)  # fmt: skip
def test_a_step_fails_for_whatever_its_own_run_failed(
    tmp_path: Path, log: dict[str, Any], verdict: Verdict, why: str
) -> None:
    step = _played(tmp_path, **log)
    assert step.verdict is verdict
    assert len(step.failed) == 1
    assert why in step.failed[0]


@pytest.mark.parametrize(
    ("verdicts", "found", "interrupted", "comes_to"),
    [
        ([Verdict.PASS, Verdict.INVALID], 100.0, False, Verdict.PASS),
        ([Verdict.INVALID], None, False, Verdict.THRESHOLD),
        ([Verdict.PASS], 100.0, True, Verdict.INTERRUPTED),
        ([Verdict.PASS, Verdict.BROKEN], 100.0, False, Verdict.BROKEN),
        ([Verdict.BROKEN], None, True, Verdict.BROKEN),
        ([], None, True, Verdict.INTERRUPTED),
    ],
)
def test_a_search_in_which_an_invariant_broke_is_broken_whatever_rate_held(
    tmp_path: Path, verdicts: list[Verdict], found: float | None, *, interrupted: bool, comes_to: Verdict
) -> None:
    steps = [Step(RATE, 7, tmp_path, RATE, {}, verdict, ()) for verdict in verdicts]
    assert verdict_of(steps, found, interrupted=interrupted) is comes_to
