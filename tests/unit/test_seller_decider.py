"""The seller's desk and warehouse, as sentences. Ids are those of the domain: R rules, P policies, X races."""

from datetime import datetime, timedelta
from typing import Final, TypeAlias

import pytest

from countermand.contracts.base import Actor, Role
from countermand.contracts.order import CancelPath, CancelReason, RefusalGround
from countermand.contracts.seller import (
    AcceptCancel,
    MessageSeller,
    ParcelStopped,
    RefuseCancel,
    ShipOrder,
)
from countermand.kernel.decider import Deadline
from services.seller.commands import (
    ConsiderRequest,
    Deliver,
    DismissMessage,
    EndRequest,
    GiveAnswer,
    HandOver,
    PlanParcel,
    Scan,
    SellerCommand,
    StopParcel,
)
from services.seller.decider import SELLER as DECIDER
from services.seller.events import SellerEvent
from services.seller.profiles import PROFILES, profile_named
from services.seller.state import Arrived, AtRest, Gone, Held, Planned, Seller, Stopped
from tests.support.orders import (
    BUYER,
    OTHER_SELLER,
    SELLER,
    SHIPS_AT,
    START,
    STRANGER,
    TRACKING,
    accepted,
    after,
    declined,
    heard,
    messaged,
    planned,
    released,
    scanned,
    shipped,
    shop,
    terms,
)
from tests.support.spec import Spec

SellerSpec: TypeAlias = Spec[SellerCommand, Seller, SellerEvent]

DRAWN: Final = "LX534202979CN"
"""The tracking number of this order."""


def desk(*, seed: int = 7) -> SellerSpec:
    return Spec(DECIDER, terms(seed=seed))


def asked(
    profile: str = "prompt", request_id: str = "r1", path: CancelPath = CancelPath.SELF_SERVICE
) -> ConsiderRequest:
    return ConsiderRequest(request_id, shop(profile), path)


def written(actor: Actor = BUYER) -> MessageSeller:
    return MessageSeller(actor=actor, reason=CancelReason.BETTER_OFFER, text="Please do not send it.")


NEW: Final = desk()
PLANNED: Final = NEW.given(planned())
ACCEPTED: Final = PLANNED.given(accepted())  # r1 holds the parcel.
WRITTEN_TO: Final = PLANNED.given(messaged())  # The message e2 holds it.
STOPPED: Final = PLANNED.given(ParcelStopped())
GONE: Final = PLANNED.given(shipped())
SCANNED: Final = GONE.given(scanned(after(hours=12), after(days=4)))
ARRIVED: Final = SCANNED.given(scanned(after(days=4), after(days=4), delivered=True))
STATES: Final = {
    "at rest": NEW,
    "planned": PLANNED,
    "held by a yes": ACCEPTED,
    "held by a message": WRITTEN_TO,
    "stopped": STOPPED,
    "gone": GONE,
    "arrived": ARRIVED,
}

ACCEPT: Final = AcceptCancel(actor=SELLER, request_id="r1")
REFUSE: Final = RefuseCancel(actor=SELLER, request_id="r1", ground=RefusalGround.KEEPS_THE_SALE, text="No.")
SHIP: Final = ShipOrder(actor=SELLER, tracking_number=TRACKING)


def in_states(*names: str) -> pytest.MarkDecorator:
    """Runs a test in these states, or in all of them."""
    return pytest.mark.parametrize("spec", [STATES[name] for name in names or STATES], ids=list(names or STATES))


# The parcel's way


def test_r15_a_seller_plans_the_parcel_as_soon_as_it_may() -> None:
    """Three days of handling; less with a fast shipper."""
    NEW.when(PlanParcel(shop())).then(planned()).wants(Deadline("HandOverDue", "e1", SHIPS_AT))
    NEW.when(PlanParcel(shop("fast-shipper"))).then(planned(after(hours=1), "fast-shipper"))


@pytest.mark.parametrize("profile", ["never-ships", "manual", "nobody-knows-this-one"])
def test_r25_some_sellers_do_not_ship_by_themselves(profile: str) -> None:
    NEW.when(PlanParcel(shop(profile))).then(None).wants()


@in_states("planned", "held by a yes", "held by a message", "stopped", "gone", "arrived")
def test_x12_a_parcel_is_planned_once(spec: SellerSpec) -> None:
    spec.when(PlanParcel(shop())).then(None)


def test_a_parcel_leaves_is_scanned_and_arrives() -> None:
    """Each step is a reminder that the step before it started."""
    (
        PLANNED.when(HandOver("e1"), at=SHIPS_AT)
        .then(shipped(SHIPS_AT, DRAWN))
        .wants(Deadline("ScanDue", "e2", after(days=3, hours=12)))
        .when(Scan("e2"), at=after(days=3, hours=12))
        .then(
            scanned(after(days=3, hours=12), after(days=7)).model_copy(update={"tracking_number": DRAWN}),
        )
        .wants(Deadline("DeliveryDue", "e3", after(days=7)))
        .when(Deliver("e3"), at=after(days=7))
        .then(
            scanned(after(days=7), after(days=7), delivered=True).model_copy(update={"tracking_number": DRAWN}),
        )
        .wants()
    )


def test_i8_an_early_reminder_changes_nothing() -> None:
    moment = timedelta(microseconds=1)
    PLANNED.when(HandOver("e1"), at=SHIPS_AT - moment).then(None)
    GONE.when(Scan("e2"), at=after(hours=12) - moment).then(None)
    SCANNED.when(Deliver("e3"), at=after(days=4) - moment).then(None)
    thinking = NEW.given(heard(answers_at=after(days=2), profile="slow"))
    thinking.when(GiveAnswer("e1"), at=after(days=2) - moment).then(None)


@in_states()
@pytest.mark.parametrize(
    "command",
    [HandOver("e9"), Scan("e9"), Deliver("e9"), GiveAnswer("e9"), DismissMessage("m9")],
    ids=lambda command: type(command).__name__,
)
def test_x12_what_names_something_else_changes_nothing(spec: SellerSpec, command: SellerCommand) -> None:
    """Whatever answers names what it answers; a mismatch does nothing."""
    spec.when(command, at=after(days=400)).then(None)


@in_states("at rest", "planned", "held by a yes", "stopped", "gone", "arrived")
def test_x12_the_end_of_a_request_never_heard_of_changes_nothing(spec: SellerSpec) -> None:
    spec.when(EndRequest("r9")).then(None)


def test_a_parcel_is_scanned_once_and_delivered_once() -> None:
    SCANNED.when(Scan("e2"), at=after(days=9)).then(None)
    GONE.when(Deliver("e2"), at=after(days=9)).then(None)
    ARRIVED.when(Deliver("e3"), at=after(days=9)).then(None)


def test_the_same_seed_and_order_give_the_same_tracking_number() -> None:
    """Drawn, not counted: no replica and no timing changes it."""
    later = PLANNED.when(HandOver("e1"), at=after(days=5)).decision
    assert later == shipped(after(days=5), DRAWN)


# Answering by profile


def test_r5_a_prompt_seller_agrees_at_once_and_holds_the_parcel() -> None:
    PLANNED.when(asked()).then(accepted()).wants().when(HandOver("e1"), at=SHIPS_AT).then(None)


def test_r10_a_seller_may_agree_or_not() -> None:
    """Ground B, when it does not want to lose the sale; the parcel's plan stays."""
    (
        PLANNED.when(asked("keeps-the-sale"))
        .then(declined())
        .wants(Deadline("HandOverDue", "e1", SHIPS_AT))
        .when(HandOver("e1"), at=SHIPS_AT)
        .then(shipped(SHIPS_AT, DRAWN))
    )


@pytest.mark.parametrize(
    ("seed", "answers"),
    [
        (0, [declined("r1"), declined("r2"), accepted("r3")]),
        (3, [declined("r1"), accepted("r2")]),
        (7, [accepted("r1")]),
    ],
    ids=["gives in at the third round", "at the second", "at once"],
)
def test_r13_bargaining_may_change_a_sellers_mind(seed: int, answers: list[SellerEvent]) -> None:
    """Each round is a draw of its own; it follows from the seed, the order and how often the seller has answered."""
    spec = desk(seed=seed).given(planned(profile="wavering"))
    for round_, answer in enumerate(answers, 1):
        spec = spec.when(asked("wavering", f"r{round_}")).then(answer)


@pytest.mark.parametrize("parcel", [GONE, SCANNED], ids=["just left", "scanned"])
def test_r16_a_seller_whose_parcel_is_on_its_way_refuses_on_ground_a(parcel: SellerSpec) -> None:
    """It names the parcel."""
    text = f"The parcel {TRACKING} is on its way."
    parcel.when(asked()).then(declined(ground=RefusalGround.ALREADY_SHIPPED, text=text))


def test_r16_a_seller_whose_parcel_has_arrived_refuses_on_ground_a() -> None:
    ARRIVED.when(asked()).then(declined(ground=RefusalGround.ALREADY_SHIPPED))


def test_r25_a_slow_seller_answers_in_two_days() -> None:
    (
        PLANNED.when(asked("slow"))
        .then(heard(answers_at=after(days=2), profile="slow"))
        .wants(Deadline("SellerAnswers", "e2", after(days=2)), Deadline("HandOverDue", "e1", SHIPS_AT))
        .when(GiveAnswer("e2"), at=after(days=2))
        .then(accepted())
        .wants()
    )


def test_r25_a_slow_seller_may_have_shipped_meanwhile() -> None:
    """The window is short (R15)."""
    spec = NEW.given(planned(after(hours=1), "fast-shipper"), heard("r1", after(days=2), "fast-shipper"))
    gone = spec.when(HandOver("e1"), at=after(hours=1)).then(shipped(after(hours=1), DRAWN))
    gone.wants(Deadline("SellerAnswers", "e2", after(days=2)), Deadline("ScanDue", "e3", after(hours=13)))
    text = f"The parcel {DRAWN} is on its way."
    gone.when(GiveAnswer("e2"), at=after(days=2)).then(declined(ground=RefusalGround.ALREADY_SHIPPED, text=text))


@pytest.mark.parametrize("profile", ["silent", "never-ships", "careless"])
@pytest.mark.parametrize("path", list(CancelPath))
def test_r25_some_sellers_do_not_respond(profile: str, path: CancelPath) -> None:
    NEW.when(asked(profile, path=path)).then(None)


def test_r7_a_seller_may_fail_to_receive_the_request_and_is_reached_by_a_message() -> None:
    """The button's request is lost; the same request, repeated by a message, is answered."""
    NEW.when(asked("unreachable")).then(None).when(asked("unreachable", path=CancelPath.CONTACT)).then(accepted())


def test_r25_every_profile_behaves_as_its_name_says() -> None:
    """Who sends by itself, before and after the payment."""
    sends = {name for name, profile in PROFILES.items() if profile.sends(paid=True)}
    assert set(PROFILES) - sends == {"never-ships", "fake-tracking", "manual"}
    assert {name for name, profile in PROFILES.items() if profile.sends(paid=False)} == {"eager"}
    assert profile_named("nobody-knows-this-one") == PROFILES["manual"]


@in_states("held by a yes", "stopped")
def test_x2_a_request_that_finds_the_parcel_promised_or_stopped_is_not_considered(spec: SellerSpec) -> None:
    spec.when(asked(request_id="r2")).then(None)


@pytest.mark.parametrize(
    "history",
    [(accepted(), released("r1", SHIPS_AT)), (declined(),), (heard(),), (heard(), released("r1"))],
    ids=["accepted and ended", "refused", "heard", "heard and ended"],
)
def test_x12_a_request_is_taken_once(history: tuple[SellerEvent, ...]) -> None:
    """Also one repeated by a message after it ended: it does not come alive again."""
    PLANNED.given(*history).when(asked("manual", path=CancelPath.CONTACT)).then(None)


def test_x12_a_request_that_ended_does_not_displace_the_one_that_waits() -> None:
    spec = PLANNED.given(heard("r1"), released("r1"), heard("r2"))
    spec.when(asked("manual", "r1", CancelPath.CONTACT)).then(None)
    spec.when(AcceptCancel(actor=SELLER, request_id="r2")).then(accepted("r2"))


# Answering by hand


def test_a_person_answers_for_a_manual_seller() -> None:
    """The request is put aside without a reminder until somebody answers."""
    aside = NEW.when(asked("manual")).then(heard()).wants()
    aside.when(GiveAnswer("e1"), at=after(days=9)).then(None)
    aside.when(ACCEPT).then(accepted()).when(ACCEPT).then_refused("no_such_request")
    aside.when(REFUSE).then(declined(text="No.")).when(REFUSE).then_refused("no_such_request")


@pytest.mark.parametrize("command", [ACCEPT, REFUSE, SHIP], ids=lambda command: type(command).__name__)
@pytest.mark.parametrize("actor", [OTHER_SELLER, BUYER, Actor(role=Role.BUYER, id=SELLER.id)])
def test_only_the_orders_seller_acts_for_it(command: AcceptCancel | RefuseCancel | ShipOrder, actor: Actor) -> None:
    NEW.given(heard()).when(command.model_copy(update={"actor": actor})).then_refused("not_the_seller")


@in_states("at rest", "planned", "held by a yes", "held by a message", "stopped")
def test_nobody_accepts_what_does_not_wait(spec: SellerSpec) -> None:
    spec.when(ACCEPT).then_refused("no_such_request")


@in_states()
def test_nobody_refuses_what_does_not_wait(spec: SellerSpec) -> None:
    spec.when(REFUSE).then_refused("no_such_request")


@in_states("gone", "arrived")
def test_x2_after_the_shipment_an_acceptance_is_impossible(spec: SellerSpec) -> None:
    """Nor is a second shipment; a refusal is."""
    spec.given(heard()).when(ACCEPT).then_refused("already_shipped")
    spec.when(SHIP).then_refused("already_shipped")
    spec.given(heard()).when(REFUSE).then(declined(text="No."))


@in_states("at rest", "planned", "held by a message")
def test_a_person_may_ship_unless_the_parcel_is_promised(spec: SellerSpec) -> None:
    """A message is a plea, not a promise. Who ships by hand does so over the carrier's counter, where it is scanned."""
    scanned_after = spec.state.desk.profile.scanned_after
    assert scanned_after == (timedelta() if spec is NEW else timedelta(hours=12))
    spec.when(SHIP).then(shipped(scanned_after=scanned_after))
    spec.when(ShipOrder(actor=SELLER)).then(shipped(tracking_number=DRAWN, scanned_after=scanned_after))


def test_i2_an_accepted_cancellation_is_never_shipped() -> None:
    ACCEPTED.when(SHIP).then_refused("cancellation_accepted")
    STOPPED.when(SHIP).then_refused("order_cancelled")


# Messages


@in_states()
@pytest.mark.parametrize("actor", [BUYER, STRANGER])
def test_r7_every_message_reaches_the_seller(spec: SellerSpec, actor: Actor) -> None:
    """Whose it is, the order decides."""
    spec.when(written(actor)).then(messaged(actor))


def test_r7_a_message_may_name_the_request_that_it_is_about() -> None:
    NEW.when(written().model_copy(update={"request_id": "r1"})).then(messaged(request_id="r1"))


def test_r7_a_message_stops_the_parcel() -> None:
    (
        PLANNED.when(written())
        .then(messaged())
        .wants()
        .when(HandOver("e1"), at=SHIPS_AT)
        .then(None)
        .when(asked(path=CancelPath.CONTACT))
        .then(accepted())
    )


def test_x4_a_message_before_the_parcel_is_planned_holds_it_from_the_start() -> None:
    held = NEW.given(messaged()).when(PlanParcel(shop())).then(planned()).wants()
    held.when(EndRequest("r1")).then(released("r1", SHIPS_AT))


@pytest.mark.parametrize("profile", ["silent", "careless"])
def test_r25_a_seller_who_does_not_read_is_not_stopped(profile: str) -> None:
    """Whether the message comes before or after the plan."""
    ships_at = START + timedelta(days=6 if profile == "silent" else 5)
    for events in ((planned(ships_at, profile), messaged()), (messaged(), planned(ships_at, profile))):
        spec = NEW.given(*events)
        spec.wants(Deadline("HandOverDue", "e1" if events[1] == messaged() else "e2", ships_at))


@in_states("held by a yes", "stopped", "gone", "arrived")
def test_x4_a_message_changes_nothing_where_the_parcel_is_decided(spec: SellerSpec) -> None:
    assert spec.given(messaged()).state == spec.state


@pytest.mark.parametrize(("at", "ships_at"), [(START, SHIPS_AT), (after(days=5), after(days=5))], ids=["early", "late"])
def test_r16_a_parcel_stopped_by_a_message_goes_on_after_a_refusal(at: datetime, ships_at: datetime) -> None:
    """When it was planned, or at once if that has passed."""
    spec = NEW.given(planned(profile="keeps-the-sale"), messaged())
    goes_on = spec.when(asked("keeps-the-sale", path=CancelPath.CONTACT), at=at).then(declined(ships_at=ships_at))
    goes_on.wants(Deadline("HandOverDue", "e3", ships_at))


def test_r16_a_refusal_by_hand_lets_the_parcel_go_on_too() -> None:
    WRITTEN_TO.given(heard()).when(REFUSE).then(declined(text="No.", ships_at=SHIPS_AT)).wants(
        Deadline("HandOverDue", "e4", SHIPS_AT)
    )


def test_x4_a_refusal_before_the_parcel_is_planned_forgets_the_message() -> None:
    spec = NEW.given(messaged(), declined())
    spec.when(PlanParcel(shop())).then(planned()).wants(Deadline("HandOverDue", "e3", SHIPS_AT))


@pytest.mark.parametrize(("at", "ships_at"), [(START, SHIPS_AT), (after(days=5), after(days=5))], ids=["early", "late"])
def test_r2_a_message_that_was_not_the_buyers_lets_the_parcel_go(at: datetime, ships_at: datetime) -> None:
    goes_on = WRITTEN_TO.when(DismissMessage("e2"), at=at).then(released("e2", ships_at))
    goes_on.wants(Deadline("HandOverDue", "e3", ships_at))


def test_r2_the_last_of_several_messages_that_were_not_the_buyers_lets_the_parcel_go() -> None:
    spec = PLANNED.given(messaged(STRANGER), messaged(STRANGER))
    spec.when(DismissMessage("e2")).then(None).when(DismissMessage("e3")).then(released("e3", SHIPS_AT))


def test_r2_a_dismissed_message_does_not_hold_a_later_parcel() -> None:
    spec = NEW.given(messaged(STRANGER)).when(DismissMessage("e1")).then(released("e1"))
    spec.when(PlanParcel(shop())).then(planned()).wants(Deadline("HandOverDue", "e3", SHIPS_AT))


def test_r2_somebody_elses_message_does_not_undo_the_buyers() -> None:
    """Written before or after it, the parcel planned or not: the parcel stays until the buyer is answered."""
    for beginning in ((planned(),), ()):
        first = f"e{len(beginning) + 1}"
        second = f"e{len(beginning) + 2}"
        not_hers_first = NEW.given(*beginning, messaged(STRANGER), messaged(BUYER))
        not_hers_first.when(DismissMessage(first)).then(None)
        hers_first = NEW.given(*beginning, messaged(BUYER), messaged(STRANGER), heard())
        hers_first.when(DismissMessage(second)).then(None)


# Endings


@pytest.mark.parametrize(("at", "ships_at"), [(START, SHIPS_AT), (after(days=5), after(days=5))], ids=["early", "late"])
def test_x2_a_request_that_ended_releases_the_parcel_that_was_promised(at: datetime, ships_at: datetime) -> None:
    """Withdrawn, expired, or accepted too late (X8, X10)."""
    (
        ACCEPTED.when(EndRequest("r1"), at=at)
        .then(released("r1", ships_at))
        .wants(Deadline("HandOverDue", "e3", ships_at))
        .when(HandOver("e3"), at=ships_at)
        .then(shipped(ships_at, DRAWN))
    )


def test_x2_a_promise_before_the_plan_leaves_nothing_behind() -> None:
    """Agreed while unpaid, then withdrawn: a payment plans the parcel as ever."""
    (
        NEW.given(accepted())
        .when(EndRequest("r1"))
        .then(released("r1"))
        .wants()
        .when(PlanParcel(shop()))
        .then(planned())
        .wants(Deadline("HandOverDue", "e3", SHIPS_AT))
    )


def test_x2_a_parcel_planned_while_it_is_promised_is_held() -> None:
    """The payment came before the order recorded the acceptance (X3)."""
    held = NEW.given(accepted()).when(PlanParcel(shop())).then(planned()).wants()
    held.when(EndRequest("r1")).then(released("r1", SHIPS_AT)).wants(Deadline("HandOverDue", "e3", SHIPS_AT))


def test_x2_the_end_of_another_request_does_not_release_the_parcel() -> None:
    ACCEPTED.when(EndRequest("r0")).then(None)


@pytest.mark.parametrize("spec", [NEW, PLANNED, GONE], ids=["at rest", "planned", "gone"])
def test_x10_a_withdrawn_request_no_longer_waits_for_an_answer(spec: SellerSpec) -> None:
    """Its reminder goes, and its answer would be no answer."""
    waiting = spec.given(heard(answers_at=after(days=2), profile="slow"))
    ended = waiting.when(EndRequest("r1")).then(released("r1"))
    ended.wants(*DECIDER.deadlines(spec.state))
    ended.when(ACCEPT).then_refused("already_shipped" if spec is GONE else "no_such_request")
    ended.when(EndRequest("r1")).then(None)


def test_x4_the_end_of_the_request_ends_the_hold_of_its_message() -> None:
    """Whether the seller had put the request aside or had not heard of it."""
    WRITTEN_TO.given(heard()).when(EndRequest("r1")).then(released("r1", SHIPS_AT)).wants(
        Deadline("HandOverDue", "e4", SHIPS_AT)
    )
    WRITTEN_TO.when(EndRequest("r1")).then(released("r1", SHIPS_AT))
    NEW.given(messaged()).when(EndRequest("r1")).then(released("r1"))
    NEW.given(messaged(), heard()).when(EndRequest("r1")).then(released("r1"))


def test_x12_the_end_of_an_old_request_does_not_end_the_hold_of_a_new_one() -> None:
    """While another request waits, a redelivered end is not what the message was about."""
    WRITTEN_TO.given(heard("r2")).when(EndRequest("r1")).then(None)
    NEW.given(messaged(), heard("r2")).when(EndRequest("r1")).then(None)


@pytest.mark.parametrize("spec", [NEW, PLANNED, WRITTEN_TO], ids=["at rest", "planned", "held by a message"])
def test_r5_the_parcel_of_an_order_cancelled_over_the_sellers_head_never_leaves(spec: SellerSpec) -> None:
    waiting = spec.given(heard(answers_at=after(days=2), profile="slow"))
    stopped = waiting.when(StopParcel(shop())).then(ParcelStopped()).wants()
    stopped.when(GiveAnswer("e2"), at=after(days=2)).then(None)
    stopped.when(HandOver("e1"), at=SHIPS_AT).then(None)


@in_states("held by a yes", "stopped", "gone", "arrived")
def test_x1_what_is_held_stopped_or_gone_needs_no_stopping(spec: SellerSpec) -> None:
    spec.when(StopParcel(shop())).then(None)


def test_r12_a_careless_warehouse_does_not_hear_of_the_cancellation() -> None:
    """The parcel leaves all the same; the order will say so."""
    spec = NEW.given(planned(after(days=5), "careless"))
    spec.when(StopParcel(shop("careless"))).then(None).when(HandOver("e1"), at=after(days=5)).then(
        shipped(after(days=5), DRAWN)
    )


def test_the_states_are_what_they_are_called() -> None:
    kinds = {name: type(spec.state) for name, spec in STATES.items()}
    assert kinds == {
        "at rest": AtRest,
        "planned": Planned,
        "held by a yes": Held,
        "held by a message": Held,
        "stopped": Stopped,
        "gone": Gone,
        "arrived": Arrived,
    }
