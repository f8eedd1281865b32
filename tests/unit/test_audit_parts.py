"""The audit's small parts: reading a message, merging streams, the table, the histogram, the mailbox, the options."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from countermand.contracts import EVENTS
from countermand.runtime.settings import ConfigurationError
from lab.audit.command import moment, order_ids
from lab.audit.fact import COMMANDS, UNREADABLE, Fact, command, event, nanoseconds
from lab.audit.invariants import Findings, Invariant, Violation
from lab.audit.mailbox import compare
from lab.audit.merging import merged
from lab.audit.report import report_of
from lab.audit.table import KNOWN, MACHINES, START, step
from lab.audit.totals import Lateness, Totals
from lab.spans import seconds

_HEADERS = "NATS/1.0\r\nNats-Msg-Id: m\r\nce-id: a:B\r\nce-causationid: a\r\nce-correlationid: c\r\nce-simtime: 2023-03-01\r\n\r\n"


def test_an_event_is_read_from_its_subject_headers_and_body() -> None:
    fact = event("order", "order.x.OrderCancelled.3", 7, 9, _HEADERS, b'{"ground": "silence"}')

    assert fact == Fact(9, "order", "x", "OrderCancelled", 3, 7, "a:B", "a", "c", "2023-03-01", {"ground": "silence"})


def test_headers_need_no_space_after_the_colon() -> None:
    """Other clients write them so."""
    assert event("order", "order.x.OrderClosed.1", 1, 1, _HEADERS.replace(": ", ":"), b"{}").cause == "a"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff"])
def test_a_body_that_is_no_document_is_still_a_fact(body: bytes) -> None:
    fact = event("order", "order.x.OrderClosed.1", 1, 1, _HEADERS, body)

    assert (fact.order_id, fact.name, fact.body) == ("x", UNREADABLE, {})


@pytest.mark.parametrize("subject", ["order.x", "order.x.OrderClosed.first", "order.x.OrderClosed.1.2", "order"])
def test_a_subject_that_is_none_names_itself(subject: str) -> None:
    assert event("order", subject, 1, 1, "", b"{}").order_id == subject


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("\r\nNats-Msg-Id: m\r\nce-id: c\r\n", "c"),
        ("\r\nNats-Msg-Id: m\r\n", "m"),
        ("\r\nother: x\r\n", "COMMANDS-5"),
        ("", "COMMANDS-5"),
    ],
)
def test_a_command_without_an_id_gets_one(headers: str, expected: str) -> None:
    fact = command("COMMANDS", "cmd.order.x.PlaceOrder", 5, 1, headers)

    assert (fact.id, fact.owner, fact.order_id, fact.name) == (expected, COMMANDS, "x", "PlaceOrder")


def test_a_command_may_be_on_any_subject() -> None:
    assert command("COMMANDS", "cmd.order", 5, 1, "").order_id == ""
    assert command("COMMANDS", "cmd.order.x.Do.it.now", 5, 1, "").name == "Do.it.now"


def test_the_brokers_time_is_counted_in_nanoseconds() -> None:
    assert nanoseconds(datetime(1970, 1, 2, 0, 0, 1, 5, tzinfo=UTC)) == 86_401_000_005_000


class _Stream:
    """A stream that has been cut into batches."""

    def __init__(self, *batches: list[int]) -> None:
        self._batches = [[_at(at) for at in batch] for batch in batches]

    async def batch(self) -> list[Fact]:
        return self._batches.pop(0) if self._batches else []


def _at(at: int, owner: str = "order") -> Fact:
    return Fact(at, owner, "x", "E", 1, at, "", "", "", "", {})


async def _all(*streams: _Stream) -> list[list[int]]:
    return [[fact.at for fact in facts] async for facts in merged(streams)]


async def test_streams_are_merged_by_time() -> None:
    rounds = await _all(_Stream([1, 4], [6, 9]), _Stream([2, 3, 5], [7]), _Stream())

    assert [at for facts in rounds for at in facts] == [1, 2, 3, 4, 5, 6, 7, 9]


async def test_nothing_is_merged_beyond_what_all_streams_have_reached() -> None:
    assert (await _all(_Stream([1], [10]), _Stream([2, 3], [4])))[0] == [1]


async def test_equal_times_keep_the_order_of_the_streams() -> None:
    one, two = _Stream([5, 5]), _Stream([5])
    merges = [facts async for facts in merged([one, two])]

    assert [fact.sequence for facts in merges for fact in facts] == [5, 5, 5]


async def test_no_streams_have_nothing() -> None:
    assert await _all(_Stream(), _Stream()) == []


def test_the_table_knows_every_event_of_the_contracts_and_no_other() -> None:
    assert {(str(cls.owner), name) for name, cls in EVENTS.items()} == KNOWN


def test_an_illegal_step_changes_nothing() -> None:
    states = [START] * len(MACHINES)
    assert step(states, "order", "OrderPlaced", {"paid": True}) is None
    before = list(states)

    assert step(states, "order", "OrderDelivered", {"after_cancellation": False}) is not None
    assert states == before


def test_an_events_mark_decides_about_its_step() -> None:
    states = [START] * len(MACHINES)
    step(states, "order", "OrderPlaced", {"paid": False})

    late = step(list(states), "order", "PaymentAcknowledged", {"late": True})
    silent = step(list(states), "order", "OrderCancelled", {"ground": "silence"})
    assert (late, silent) == (
        "PaymentAcknowledged:late cannot happen while the phase is 'open'",
        "OrderCancelled:silence cannot happen while the phase is 'open'",
    )
    assert step(states, "order", "PaymentAcknowledged", {"late": False}) is None


def test_an_owner_may_not_record_anothers_event() -> None:
    assert (
        step([START] * len(MACHINES), "seller", "OrderPlaced", {"paid": True})
        == "seller knows no event OrderPlaced:paid"
    )


def test_lateness_is_known_within_two_percent() -> None:
    lateness = Lateness()
    for late_s in range(1, 1_001):
        lateness.add(late_s, 1)

    assert lateness.document() == pytest.approx({"timers": 1_000, "p50": 500, "p99": 990, "max": 1_000}, rel=0.02)


def test_no_timers_are_not_late() -> None:
    assert Lateness().document() == {"timers": 0, "p50": 0, "p99": 0, "max": 0}


def test_an_order_that_is_taken_out_leaves_no_trace() -> None:
    totals = Totals()
    findings = Findings(Counter({"orders": 1}), [Violation(Invariant.I1, "x", "what")], [1.0])
    totals.add("x", findings)
    totals.take_out("x", Findings())

    assert (totals.counts["orders"], totals.violations(), totals.lateness.document()["timers"]) == (0, [], 0)


def test_the_mailbox_and_the_records_are_compared_both_ways() -> None:
    mail = compare({"<a>": "order-a", "<b>": "order-b"}, {"<a>": 1, "<x>": 1}, {"<a>": 3, "<x>": 1, "<new>": 1})

    assert (mail.lost, mail.unrecorded, mail.repeats) == ((("order-b", "<b>"),), ("<x>",), 2)


@pytest.mark.parametrize(
    ("text", "expected"), [("10s", 10), ("250ms", 0.25), ("2m", 120), ("1.5h", 5_400), ("1d", 86_400)]
)
def test_a_span_has_a_unit(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["10", "s", "-1s", "1w", ""])
def test_a_span_without_a_unit_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="no span of time"):
        seconds(text)


def test_a_moment_without_a_zone_is_utc() -> None:
    assert moment("2026-01-31T12:00") == datetime(2026, 1, 31, 12, tzinfo=UTC)
    with pytest.raises(ConfigurationError, match="no time"):
        moment("yesterday")


def test_order_ids_are_checked() -> None:
    assert order_ids(f" {'a' * 20},{'b' * 24} ,") == ("a" * 20, "b" * 24)
    with pytest.raises(ConfigurationError, match="no order id"):
        order_ids("ABC")


def test_beyond_many_orders_at_fault_the_rest_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.audit.totals._GUILTY_KEPT", 2)
    totals = Totals()
    for number in range(5):
        totals.add(f"x{number}", Findings(violations=[Violation(Invariant.I1, f"x{number}", "what")]))
    line = report_of(totals, 1).lines[0]

    assert (len(line.violations), line.violated, report_of(totals, 1).ok) == (2, 5, False)
