"""One order under measure: what its line says, in whatever order its events are heard."""

from dataclasses import replace
from itertools import permutations
from typing import Any, Final

import pytest

from countermand.contracts.base import Actor, Command, Role
from countermand.contracts.order import AskSellerToCancel, CancelReason, ConfirmCancel, OpenCancelDialog
from countermand.kernel.policy import PromisedEmail
from lab.load.play.flow import Flow, Span
from lab.load.play.flows import LINGER_S, Flows
from lab.plan.mix import built_in, errand
from lab.plan.personas import buyer_of

DUE: Final = 10.0
BUYER: Final = Actor(role=Role.BUYER, id="ada")
CONFIRM: Final = ConfirmCancel(actor=BUYER, dialog_id="d1")
ASK: Final = AskSellerToCancel(actor=BUYER, reason=CancelReason.NO_LONGER_NEEDED, text="Please.")
OPEN: Final = OpenCancelDialog(actor=BUYER, reason=CancelReason.NO_LONGER_NEEDED)

Heard = tuple[str, float, str, str]
"""An event's name, its second, its id and its cause."""

REQUESTED: Final[Heard] = ("CancelRequested", 10.02, "r1", "c1")
ACCEPTED: Final[Heard] = ("SellerAccepted", 10.05, "s1", "r1")
CANCELLED: Final[Heard] = ("OrderCancelled", 10.06, "a1", "s1")
CLOSED: Final[Heard] = ("OrderClosed", 10.07, "z1", "a1")
MAILED: Final[Heard] = ("EmailSent", 10.10, "e1", "a1")

EMAILS: Final = (PromisedEmail.CANCELLED, PromisedEmail.REFUSED, PromisedEmail.WITHDRAWN)


def a_flow(*emails: PromisedEmail) -> Flow:
    """An order that was due at second 10 and sent at once; its policy promises these emails."""
    planned = errand(built_in("peer"), 7, 0)
    planned = replace(planned, policy=planned.policy.model_copy(update={"emails": emails}))
    flow = Flow(planned, buyer_of(planned), DUE)
    flow.sent = DUE
    return flow


def sends(flow: Flow, command: Command, command_id: str, due: float) -> None:
    """A millisecond late."""
    flow.send(command, command_id, due, due + 0.001)


def hears(flow: Flow, *events: Heard) -> list[Span]:
    """All that the events complete."""
    spans: list[Span] = []
    for name, at, event_id, cause in events:
        spans += flow.hear(name, at, event_id, cause)
        if name == "OrderClosed":
            flow.close(at, "cancelled")
    return spans


def line_of(flow: Flow) -> dict[str, Any]:
    """What the log gets, without what follows from the plan alone."""
    return {name: value for name, value in flow.line().items() if name not in ("n", "order", "flow", "due", "sent")}


ONE_REQUEST: Final = {
    "due": 10.0,
    "sent": 10.001,
    "recorded": 10.02,
    "seller": 10.05,
    "answer": "OrderCancelled",
    "fact": "a1",
    "answered": 10.06,
    "emailed": 10.10,
}
ONE_LINE: Final = {
    "outcome": "cancelled",
    "closed": 10.07,
    "completed": True,
    "promised": 1,
    "emails": 1,
    "requests": [ONE_REQUEST],
    "last_fact": 10.10,
}


def test_a_request_that_is_heard_in_its_right_order() -> None:
    """Each moment is where it belongs, and the two headlines count from when the request was due."""
    flow = a_flow(*EMAILS)
    sends(flow, CONFIRM, "c1", DUE)
    assert not flow.completed
    assert hears(flow, REQUESTED, ACCEPTED) == []
    assert hears(flow, CANCELLED) == [("request_to_answer", 10.0, 10.06)]
    assert hears(flow, CLOSED) == []
    assert (flow.over, flow.completed) == (False, False)
    assert hears(flow, MAILED) == [("request_to_email", 10.0, 10.10)]
    assert (flow.over, flow.completed) == (True, True)
    assert line_of(flow) == ONE_LINE


OF_THE_ORDER: Final = (REQUESTED, CANCELLED, CLOSED)
CROSSED: Final = [
    events
    for events in permutations((REQUESTED, ACCEPTED, CANCELLED, CLOSED, MAILED))
    if tuple(event for event in events if event in OF_THE_ORDER) == OF_THE_ORDER
]


@pytest.mark.parametrize("events", CROSSED, ids=lambda events: " ".join(event[2] for event in events))
def test_the_line_is_the_same_however_three_streams_cross(events: tuple[Heard, ...]) -> None:
    """The order's own events keep their order; the seller's and the mail's come anywhere between. None counts twice."""
    assert len(CROSSED) == 20
    flow = a_flow(*EMAILS)
    sends(flow, CONFIRM, "c1", DUE)
    spans = hears(flow, *(event for event in events for _ in range(2)))
    assert line_of(flow) == ONE_LINE
    assert sorted(spans) == [("request_to_answer", 10.0, 10.06), ("request_to_email", 10.0, 10.10)]
    assert flow.over


def test_another_facts_email_does_not_stand_for_the_one_that_is_missing() -> None:
    """An email is owed for each fact, not in number."""
    flow = a_flow(*EMAILS)
    hears(flow, REQUESTED, CANCELLED, CLOSED, ("EmailSent", 10.08, "e0", "somebody"))
    assert (flow.promised, flow.emails, flow.over, flow.last_fact) == (1, 0, False, None)
    assert "last_fact" not in flow.line()


def test_two_requests_of_one_order_have_each_their_own_word_answer_and_email() -> None:
    """The first is withdrawn, the second refused; the seller's words and the emails come last, and in the wrong order."""
    flow = a_flow(*EMAILS)
    sends(flow, CONFIRM, "c1", 10.0)
    sends(flow, ASK, "c2", 12.0)
    spans = hears(
        flow,
        REQUESTED,
        ("CancelWithdrawn", 11.0, "a1", "c9"),
        ("CancelRequested", 12.02, "r2", "c2"),
        ("CancelRefused", 12.50, "a2", "s2"),
        ("EmailSent", 12.60, "e2", "a2"),
        ("SellerRefused", 12.40, "s2", "r2"),
        ("EmailSent", 11.20, "e1", "a1"),
        ("SellerAccepted", 10.90, "s1", "r1"),
    )
    first, second = flow.line()["requests"]
    assert (first["answer"], first["answered"], first["emailed"], first["seller"]) == (
        "CancelWithdrawn",
        11.0,
        11.2,
        10.9,
    )
    assert (second["answer"], second["answered"], second["emailed"], second["seller"]) == (
        "CancelRefused",
        12.5,
        12.6,
        12.4,
    )
    assert (first["due"], second["due"]) == (10.0, 12.0)
    assert sorted(spans) == [
        ("request_to_answer", 10.0, 11.0),
        ("request_to_answer", 12.0, 12.5),
        ("request_to_email", 10.0, 11.2),
        ("request_to_email", 12.0, 12.6),
    ]
    assert (flow.completed, flow.over, flow.last_fact) == (True, False, 12.6)


def test_an_answer_that_is_heard_again_does_not_answer_the_next_request() -> None:
    flow = a_flow()
    withdrawn: Heard = ("CancelWithdrawn", 11.0, "a1", "c9")
    hears(flow, REQUESTED, withdrawn, ("CancelRequested", 12.0, "r2", "c2"), withdrawn)
    assert "answered" not in flow.line()["requests"][1]


def test_a_sellers_word_that_a_timer_led_to_is_nobodys() -> None:
    """Then the seller took no time."""
    flow = a_flow()
    hears(flow, ("SellerAccepted", 10.01, "s0", "t1"), REQUESTED, CANCELLED)
    assert "seller" not in flow.line()["requests"][0]


def test_an_email_that_was_refused_is_recorded_and_not_sent() -> None:
    """Nothing more is owed, and there is no latency."""
    flow = a_flow(*EMAILS)
    sends(flow, CONFIRM, "c1", DUE)
    spans = hears(flow, REQUESTED, ("EmailFailed", 10.3, "e1", "a1"), CANCELLED, CLOSED)
    assert spans == [("request_to_answer", 10.0, 10.06)]
    assert (flow.over, flow.emails, flow.last_fact) == (True, 1, 10.3)
    assert "emailed" not in flow.line()["requests"][0]


def test_a_request_that_was_sent_and_never_recorded_is_in_the_line() -> None:
    """One that a service refused, or that led to another event, is not missing; nor is what asks for nothing."""
    flow = a_flow()
    sends(flow, OPEN, "c0", 9.0)
    for number, due in enumerate((10.0, 11.0, 12.0, 13.0), start=1):
        sends(flow, CONFIRM if number % 2 else ASK, f"c{number}", due)
    sends(flow, CONFIRM, "c1", 20.0)
    hears(flow, ("CancelRequested", 11.1, "r1", "c2"), ("CancelRejectedNotBuyer", 12.1, "n1", "c3"))
    flow.refuse("c4")
    assert flow.line()["unrecorded"] == [{"due": 10.0, "sent": 10.001}]
    flow.refuse("c1")
    assert "unrecorded" not in flow.line()


def test_a_flow_is_not_over_while_somebody_has_something_to_do() -> None:
    """Money that comes after the end is a part of the load (X3); but the last promised fact has come."""
    flow = a_flow(*EMAILS)
    flow.pending = 1
    hears(flow, REQUESTED, CANCELLED, CLOSED, MAILED)
    assert (flow.over, flow.completed) == (False, True)
    flow.pending = 0
    assert flow.over


def test_a_flow_that_is_over_lingers_a_moment_and_is_not_open_meanwhile() -> None:
    """What is owed again is open again."""
    now = 100.0
    flows, flow = Flows(lambda: now), a_flow(*EMAILS)
    flows.add(flow)
    hears(flow, REQUESTED, CANCELLED, CLOSED)
    flows.look(flow)
    assert (flows.open, flows.completed, flows.lingering_s) == (1, 0, 0.0)
    hears(flow, MAILED)
    flows.look(flow)
    assert (flows.open, flows.completed, flows.lingering_s, flows.let_go()) == (0, 1, LINGER_S, [])
    now = 100.75
    flows.look(flow)
    assert (flows.lingering_s, flows.get(flow.errand.order_id)) == (0.25, flow)
    flow.pending = 1
    flows.look(flow)
    assert (flows.open, flows.completed) == (1, 0)
    flow.pending = 0
    flows.look(flow)
    now = 101.75
    assert (flows.let_go(), flows.open, flows.completed, flows.get(flow.errand.order_id)) == ([flow], 0, 1, None)


def test_at_the_end_of_a_run_every_flow_goes_and_what_was_open_stays_counted() -> None:
    flows = Flows(lambda: 0.0)
    over, still_open = a_flow(), a_flow()
    still_open.errand = replace(still_open.errand, order_id="another")
    hears(over, CLOSED)
    for flow in (over, still_open):
        flows.add(flow)
        flows.look(flow)
    assert flows.let_all_go() == [over, still_open]
    assert (flows.open, flows.completed, flows.let_all_go()) == (1, 1, [])
