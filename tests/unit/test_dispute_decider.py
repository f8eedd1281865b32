"""The dispute's rules, as sentences. Ids are those of the domain: R rules, P policies, X races."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import pytest

from countermand.contracts.base import Actor, Event, Role
from countermand.contracts.dispute import (
    AcceptSettlement,
    AnswerDispute,
    ClaimGround,
    DisputeResolved,
    Evidence,
    OpenDispute,
    ProposeSettlement,
    Resolution,
    ReturnSent,
    SendReturn,
    Stance,
)
from countermand.contracts.order import (
    CancelExpired,
    CancelWithdrawn,
    DisputeNoted,
    Outcome,
    ShipmentNoted,
    TrackingAsked,
)
from countermand.contracts.seller import TrackingProvided, TrackingUnavailable
from countermand.kernel.decider import Deadline, Premature
from countermand.kernel.money import Money
from countermand.kernel.policy import BusinessCalendar, Policy, Proposal
from services.dispute.commands import (
    Conclude,
    DisputeCommand,
    Drop,
    EndNegotiation,
    EndReturn,
    GrantSilence,
    HearReply,
    HearScan,
    OpenCase,
    Rule,
)
from services.dispute.decider import DISPUTE
from services.dispute.events import DisputeEvent
from services.dispute.reactions import inform
from services.dispute.state import Case, Dispute, Opened, Quiet
from services.dispute.view import View, view_of
from tests.support.disputes import (
    OPENED_AT,
    PACKING,
    PHOTO,
    claim,
    contested,
    escalated,
    later,
    opened,
    proposed,
    remedy,
    resolved,
    settled,
    usd,
)
from tests.support.orders import (
    BRIEF,
    BUYER,
    NOTHING,
    OTHER_SELLER,
    PLATFORM,
    PRICE,
    SELLER,
    START,
    STRANGER,
    TRACKING,
    acknowledged,
    after,
    cancelled,
    closed,
    delivered,
    placed,
    refund_issued,
    refused,
    requested,
    scanned,
    shipped,
    shop,
    superseded,
    terms,
)
from tests.support.spec import Spec

DisputeSpec: TypeAlias = Spec[DisputeCommand, Dispute, DisputeEvent]

ASKED: Final = TrackingAsked(seller=shop(), request_id="r1", asked_at=after(days=1), provide_by=after(days=8))
SHOWN: Final = TrackingProvided(tracking_number=TRACKING)
PAID: Final = (placed(paid=True),)
REFUSED: Final = (*PAID, requested(paid=True), refused("e2"))
SENT: Final = (*PAID, shipped())
ARRIVED: Final = (
    *SENT,
    scanned(after(hours=12), after(days=4)),
    scanned(after(days=4), after(days=4), delivered=True),
    delivered(after(days=4)),
)
SCAN_TOO_LATE: Final = (
    "The parcel was first scanned after the day on which the dispute was opened: the platform steps in."
)


def dispute(policy: Policy | None = None) -> DisputeSpec:
    return Spec(DISPUTE, terms(policy))


def opening(asked: OpenDispute, *history: Event) -> OpenCase:
    """The claim, informed as the runtime informs it."""
    return OpenCase(asked, view_of(history))


def answer(stance: Stance, *, actor: Actor = SELLER, dispute_id: str = "e1", evidence: Any = ()) -> AnswerDispute:
    return AnswerDispute(actor=actor, dispute_id=dispute_id, stance=stance, text="It is fine.", evidence=evidence)


def propose(
    actor: Actor, amount_minor: int, *, with_return: bool = False, dispute_id: str = "e1", text: str = ""
) -> ProposeSettlement:
    offer = remedy(amount_minor, with_return=with_return)
    return ProposeSettlement(actor=actor, dispute_id=dispute_id, remedy=offer, text=text)


def accept(actor: Actor, offer_id: str) -> AcceptSettlement:
    return AcceptSettlement(actor=actor, offer_id=offer_id)


def reply(stance: Stance, amount: Money | None = None, *, evidence: Any = (), dispute_id: str = "e1") -> HearReply:
    return HearReply(dispute_id, stance, amount, "It is fine.", evidence)


def granted(by: Resolution, rule: str, facts: tuple[str, ...], why: str, refund: Money = PRICE) -> DisputeResolved:
    return resolved(by, refund, rule=rule, facts=facts, explanation=why)


NONE: Final = dispute()
OPEN: Final = NONE.given(opened())
TALKING: Final = OPEN.given(contested())  # Until a week after the opening; e2 began it.
OFFERED: Final = TALKING.given(proposed(Role.SELLER, 500, later(days=7)))  # The offer is e3.
AGREED: Final = OFFERED.given(settled(Role.BUYER, "e3", 500))
RETURNING: Final = TALKING.given(
    proposed(Role.SELLER, 1999, later(days=7), with_return=True),
    settled(Role.BUYER, "e3", 1999, return_by=later(days=10)),
)
ESCALATED: Final = TALKING.given(escalated())
DECIDED: Final = OPEN.given(resolved())
DROPPED: Final = OPEN.given(resolved(Resolution.MOOT, NOTHING))
PHASES: Final = {
    "none": NONE,
    "open": OPEN,
    "negotiating": TALKING,
    "agreed": AGREED,
    "returning": RETURNING,
    "escalated": ESCALATED,
    "decided": DECIDED,
    "dropped": DROPPED,
}
UNDECIDED: Final = ("open", "negotiating", "agreed", "returning", "escalated")


def in_every_phase(*names: str, but: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    """Runs a test in these phases, or in all of them."""
    chosen = [name for name in names or PHASES if name not in but]
    return pytest.mark.parametrize("spec", [PHASES[name] for name in chosen], ids=chosen)


# When a dispute may be opened: the table of the domain, row by row


def test_a_dispute_waits_until_the_order_is_known() -> None:
    NONE.when(opening(claim())).then(Premature("OrderPlaced"))
    NONE.when(claim()).then(Premature("the order's history"))


@pytest.mark.parametrize("actor", [STRANGER, SELLER, PLATFORM, Actor(role=Role.SELLER, id=BUYER.id)])
def test_only_the_buyer_opens_a_dispute(actor: Actor) -> None:
    NONE.when(opening(claim(actor=actor), *SENT)).then_refused("not_the_buyer")


def test_an_unpaid_order_has_nothing_to_claim() -> None:
    NONE.when(opening(claim(), placed())).then_refused("nothing_to_claim")
    NONE.when(opening(claim(), placed(), shipped())).then_refused("nothing_to_claim")


@pytest.mark.parametrize(
    "end",
    [cancelled(), closed(Outcome.COMPLETED), refund_issued(after(days=9))],
    ids=["cancelled", "closed", "refunded in full"],
)
def test_an_order_that_has_ended_cannot_be_disputed(end: Event) -> None:
    NONE.when(opening(claim(), *ARRIVED, end)).then_refused("order_closed")


def test_nothing_is_disputed_before_anybody_was_asked() -> None:
    """Paid, not shipped: the buyer asks for the cancellation first, P5 closes the order otherwise."""
    NONE.when(opening(claim(ClaimGround.NOT_SENT), *PAID)).then_refused("ask_the_seller_first")


def test_p2_no_dispute_while_a_request_is_open() -> None:
    request = requested(paid=True)
    NONE.when(opening(claim(), *PAID, request)).then_refused("request_pending")
    NONE.when(opening(claim(), *REFUSED, ASKED, request)).then_refused("request_pending")


def test_a_request_that_was_withdrawn_is_no_reason_for_a_dispute() -> None:
    end = CancelWithdrawn(brief=BRIEF, request_id="e2")
    NONE.when(opening(claim(), *PAID, requested(paid=True), end)).then_refused("ask_the_seller_first")


def test_p2_a_seller_who_said_nothing_in_time_has_refused() -> None:
    end = CancelExpired(brief=BRIEF, request_id="e2")
    NONE.when(opening(claim(), *PAID, requested(paid=True), end)).then_refused("ask_for_tracking_first")
    at = after(days=8, seconds=1)
    asked = opening(claim(ClaimGround.NOT_SENT), *PAID, requested(paid=True), end, ASKED)
    NONE.when(asked, at=at).then(opened(ClaimGround.NOT_SENT, at=at))


def test_r17_the_tracking_number_is_asked_for_before_a_dispute_is_opened() -> None:
    NONE.when(opening(claim(ClaimGround.NOT_SENT), *REFUSED)).then_refused("ask_for_tracking_first")


def test_p6_the_seller_has_until_the_end_of_its_time_to_show_a_number() -> None:
    """Five business days from the buyer's question; at the last moment they still run."""
    asked = opening(claim(ClaimGround.NOT_SENT), *REFUSED, ASKED)
    NONE.when(asked, at=after(days=8)).then_refused("tracking_awaited")
    at = after(days=8, seconds=1)
    NONE.when(asked, at=at).then(opened(ClaimGround.NOT_SENT, at=at))


def test_r18_a_seller_who_cannot_show_a_number_may_be_taken_to_a_dispute_at_once() -> None:
    asked = opening(claim(ClaimGround.NOT_SENT), *REFUSED, ASKED, TrackingUnavailable())
    NONE.when(asked, at=after(days=2)).then(opened(ClaimGround.NOT_SENT, at=after(days=2)))


def test_r17_a_number_without_a_scan_is_no_shipment() -> None:
    asked = opening(claim(ClaimGround.NOT_SENT), *REFUSED, ASKED, SHOWN)
    NONE.when(asked, at=after(days=2)).then(opened(ClaimGround.NOT_SENT, at=after(days=2)))


def test_r14_a_shipped_order_can_be_disputed_before_it_arrives() -> None:
    for history in (SENT, (*PAID, requested(paid=True), superseded("e2"), shipped())):
        asked = opening(claim(ClaimGround.NOT_RECEIVED), *history)
        NONE.when(asked, at=OPENED_AT).then(opened(ClaimGround.NOT_RECEIVED))


@pytest.mark.parametrize("history", [SENT, (*REFUSED, ASKED, SHOWN)], ids=["shipped", "not shipped"])
def test_before_the_parcel_arrives_only_everything_can_be_claimed(history: tuple[Event, ...]) -> None:
    NONE.when(opening(claim(amount=usd(1998)), *history)).then_refused("full_claims_only")
    NONE.when(opening(claim(amount=PRICE), *history), at=OPENED_AT).then(opened())


def test_r20_delivered_goods_can_be_disputed_in_part_or_in_full() -> None:
    """A claim is at most what was paid and has not gone back."""
    at = after(days=10)
    NONE.when(opening(claim(amount=usd(500)), *ARRIVED), at=at).then(opened(amount=usd(500), at=at))
    NONE.when(opening(claim(), *ARRIVED), at=at).then(opened(at=at))
    NONE.when(opening(claim(amount=usd(9999)), *ARRIVED), at=at).then(opened(at=at))
    NONE.when(opening(claim(), *ARRIVED, refund_issued(at, amount=usd(500))), at=at).then(
        opened(amount=usd(1499), at=at)
    )


def test_p9_delivered_goods_can_be_disputed_until_protection_ends() -> None:
    """15 days after the delivery; the last moment counts. What the order has not noted yet does not run."""
    NONE.when(opening(claim(), *ARRIVED), at=after(days=19)).then(opened(at=after(days=19)))
    NONE.when(opening(claim(), *ARRIVED), at=after(days=19, seconds=1)).then_refused("protection_ended")
    NONE.when(opening(claim(), *ARRIVED[:-1]), at=OPENED_AT).then(opened())


def test_a_claim_in_another_currency_is_refused() -> None:
    """It was taken as so many of the order's cents."""
    euros = Money(amount_minor=500, currency="EUR")
    NONE.when(opening(claim(amount=euros), *ARRIVED)).then_refused("wrong_currency")


def test_a_claim_of_nothing_is_refused() -> None:
    """It opened a dispute that nobody could win."""
    NONE.when(opening(claim(amount=NOTHING), *ARRIVED)).then_refused("nothing_to_claim")


@in_every_phase(*UNDECIDED)
def test_one_dispute_at_a_time(spec: DisputeSpec) -> None:
    spec.when(opening(claim(), *ARRIVED)).then_refused("dispute_open")


def test_a_decided_dispute_is_not_opened_again_and_a_moot_one_may_be() -> None:
    DECIDED.when(opening(claim(), *ARRIVED)).then_refused("dispute_decided")
    again = DROPPED.when(opening(claim(), *SENT), at=later(days=1)).then(opened(at=later(days=1)))
    assert isinstance(again.state, Opened)
    assert again.state.case.id == "e3"


def test_r22_the_record_shows_the_claim_and_the_evidence() -> None:
    asked = opening(claim(ClaimGround.DISSATISFIED, usd(700), evidence=[PHOTO, PACKING]), *ARRIVED)
    spec = NONE.when(asked, at=START).then(
        opened(ClaimGround.DISSATISFIED, usd(700), at=START, evidence=[PHOTO, PACKING])
    )
    assert spec.state == Opened(
        Case(spec.terms, "e1", BRIEF, ClaimGround.DISSATISFIED, usd(700), START, buyers=2), after(days=5)
    )


# What a dispute sees of the order and of the parcel


SEEN: Final[list[tuple[tuple[Event, ...], View]]] = [
    ((), View()),
    ((placed(),), View(BRIEF)),
    (PAID, View(BRIEF, 1999)),
    ((placed(), acknowledged()), View(BRIEF, 1999)),
    ((*PAID, requested()), View(BRIEF, 1999, request_pending=True)),
    (REFUSED, View(BRIEF, 1999, refused=True)),
    ((*REFUSED, requested()), View(BRIEF, 1999, refused=True, request_pending=True)),
    ((*PAID, requested(), CancelExpired(brief=BRIEF, request_id="e2")), View(BRIEF, 1999, refused=True)),
    ((*PAID, requested(), CancelWithdrawn(brief=BRIEF, request_id="e2")), View(BRIEF, 1999)),
    ((*PAID, requested(), superseded("e2")), View(BRIEF, 1999)),
    ((*REFUSED, ASKED), View(BRIEF, 1999, refused=True, provide_by=after(days=8))),
    ((*PAID, SHOWN), View(BRIEF, 1999, number=TRACKING)),
    ((*PAID, TrackingUnavailable()), View(BRIEF, 1999, unavailable=True)),
    (SENT, View(BRIEF, 1999, number=TRACKING, shipped_at=START)),
    (
        ARRIVED,
        View(
            *(BRIEF, 1999),
            number=TRACKING,
            shipped_at=START,
            first_scan_at=after(hours=12),
            delivered_at=after(days=4),
            protected_until=after(days=19),
        ),
    ),
    (
        (*PAID, scanned(after(days=4), after(days=4), delivered=True)),
        View(BRIEF, 1999, first_scan_at=after(days=4), delivered_at=after(days=4)),
    ),
    (
        (*PAID, delivered(after(days=2))),
        View(BRIEF, 1999, delivered_at=after(days=2), protected_until=after(days=17)),
    ),
    ((*PAID, refund_issued(START, amount=usd(500))), View(BRIEF, 1999, 500)),
    ((*PAID, cancelled()), View(BRIEF, 1999, ended=True)),
    ((*PAID, closed()), View(BRIEF, 1999, ended=True)),
    ((*PAID, ShipmentNoted(tracking_number=TRACKING, shipped_at=START)), View(BRIEF, 1999)),
]


@pytest.mark.parametrize(
    ("history", "seen"),
    SEEN,
    ids=["+".join(type(event).__name__ for event in history) + f"-{n}" for n, (history, _) in enumerate(SEEN)],
)
def test_what_a_dispute_sees_of_the_histories(history: tuple[Event, ...], seen: View) -> None:
    assert view_of(history) == seen


def test_what_is_owed_is_never_negative() -> None:
    assert View(BRIEF, 1999, 500).owed_minor == 1499
    assert View(BRIEF, 0, 500).owed_minor == 0


# The seller's answer, or its silence


def test_p7_silence_grants_the_claim() -> None:
    """Five days, to the last moment."""
    OPEN.wants(Deadline("DisputeAnswerDue", "e1", later(days=5)))
    OPEN.when(GrantSilence("e1", noted=True), at=later(days=5) - timedelta(microseconds=1)).then(None)
    (
        OPEN.when(GrantSilence("e1", noted=True), at=later(days=5))
        .then(
            granted(
                Resolution.SILENCE,
                "P7",
                ("the seller had until 2026-06-27 17:00 UTC to answer, and did not",),
                "The seller did not answer the dispute in time: the buyer's claim is granted.",
            )
        )
        .wants()
    )
    slower = dispute(Policy(dispute_answered_within_days=9))
    slower.when(opening(claim(), *ARRIVED), at=START).then(opened(at=START, answer_within_days=9))


def test_p7_silence_waits_until_the_order_has_said_that_it_waits_for_the_dispute() -> None:
    """Else a claim could be granted over an order that had ended before it heard of the dispute (I1, I3)."""
    OPEN.when(GrantSilence("e1"), at=later(days=5)).then(Premature("DisputeNoted"))
    OPEN.when(GrantSilence("e1"), at=later(days=5) - timedelta(microseconds=1)).then(None)
    noted = DisputeNoted(dispute_id="e1", moot=False, seller=None, claim=None)
    for history, is_noted in (
        ((), False),
        ((noted,), True),
        ((noted.model_copy(update={"moot": True}),), False),
        ((noted.model_copy(update={"dispute_id": "e0"}),), False),
    ):
        assert inform(GrantSilence("e1"), history) == GrantSilence("e1", noted=is_noted)


@in_every_phase(but=("open",))
def test_p7_the_end_of_the_sellers_time_means_nothing_once_it_has_answered(spec: DisputeSpec) -> None:
    spec.when(GrantSilence("e1", noted=True), at=later(days=50)).then(None)
    OPEN.when(GrantSilence("e0", noted=True), at=later(days=50)).then(None)


def conceded() -> DisputeResolved:
    why = "The seller concedes the claim: the buyer gets 19.99 USD."
    return granted(Resolution.AGREEMENT, "R21", ("the seller concedes the claim",), why)


@in_every_phase("open", "negotiating")
def test_r21_a_seller_may_concede_as_long_as_nothing_is_decided(spec: DisputeSpec) -> None:
    spec.when(answer(Stance.CONCEDES)).then(conceded()).wants()


def test_a_seller_contests_once_and_shows_what_it_has() -> None:
    (
        OPEN.when(answer(Stance.CONTESTS, evidence=(PACKING,)), at=later(days=2))
        .then(contested(later(days=2), evidence=[PACKING]))
        .wants(Deadline("NegotiationEnds", "e2", later(days=9)))
        .when(answer(Stance.CONTESTS))
        .then_refused("answered")
    )


def test_an_offer_is_made_by_proposing_it() -> None:
    OPEN.when(answer(Stance.OFFERS)).then_refused("propose_a_settlement")


def test_only_the_seller_answers() -> None:
    for spec in (OPEN, TALKING):
        spec.when(answer(Stance.CONCEDES, actor=BUYER)).then_refused("not_the_seller")


@pytest.mark.parametrize(
    ("said", "follows"),
    [
        (reply(Stance.CONCEDES), conceded()),
        (reply(Stance.CONTESTS, evidence=(PACKING,)), contested(later(hours=1), evidence=[PACKING])),
        (
            reply(Stance.OFFERS, usd(599)),
            proposed(Role.SELLER, 599, later(days=7, hours=1), text="It is fine."),
        ),
        (reply(Stance.OFFERS), contested(later(hours=1))),
    ],
    ids=["concedes", "contests", "offers", "offers nothing"],
)
def test_r21_r22_what_a_simulated_seller_says(said: HearReply, follows: DisputeEvent) -> None:
    OPEN.when(said, at=later(hours=1)).then(follows)


@in_every_phase(but=("open",))
def test_a_simulated_seller_who_comes_too_late_changes_nothing(spec: DisputeSpec) -> None:
    spec.when(reply(Stance.CONCEDES)).then(None)
    OPEN.when(reply(Stance.CONCEDES, dispute_id="e0")).then(None)


# Offers


def test_p8_an_offer_opens_the_negotiation_and_does_not_prolong_it() -> None:
    first = OPEN.when(propose(SELLER, 500, text="Keep it."), at=later(days=1))
    spec = first.then(proposed(Role.SELLER, 500, later(days=8), text="Keep it."))
    spec.wants(Deadline("NegotiationEnds", "e2", later(days=8)))
    more = spec.when(propose(BUYER, 1000), at=later(days=2)).then(proposed(Role.BUYER, 1000, later(days=8)))
    more.wants(Deadline("NegotiationEnds", "e2", later(days=8)))
    shorter = dispute(Policy(negotiation_ends_after_days=2)).given(opened())
    shorter.when(propose(SELLER, 1), at=OPENED_AT).then(proposed(Role.SELLER, 1, later(days=2)))


def test_p16_a_seller_offers_everything_a_part_or_nothing() -> None:
    for amount in (1999, 500, 0):
        TALKING.when(propose(SELLER, amount)).then(proposed(Role.SELLER, amount, later(days=7)))
        TALKING.when(propose(BUYER, amount)).then(proposed(Role.BUYER, amount, later(days=7)))


@pytest.mark.parametrize(
    ("left", "amount"), [(Proposal.FULL, 1999), (Proposal.PARTIAL, 500), (Proposal.NONE, 0)], ids=str
)
def test_p16_a_marketplace_may_allow_less(left: Proposal, amount: int) -> None:
    others = tuple(kind for kind in Proposal if kind is not left)
    dispute(Policy(proposals=others)).given(opened()).when(propose(SELLER, amount)).then_refused("not_offered_here")
    allowed = dispute(Policy(proposals=(left,))).given(opened())
    allowed.when(propose(SELLER, amount), at=OPENED_AT).then(proposed(Role.SELLER, amount, later(days=7)))


def test_p16_a_marketplace_may_allow_no_counter_offers() -> None:
    talks = dispute(Policy(counter_offers=False)).given(opened(), contested())
    offered = talks.when(propose(BUYER, 700)).then(proposed(Role.BUYER, 700, later(days=7)))
    offered.when(propose(SELLER, 500)).then_refused("no_counter_offers")


def test_p16_the_buyer_waits_for_the_sellers_answer() -> None:
    OPEN.when(propose(BUYER, 500)).then_refused("answer_awaited")


def test_an_offer_is_at_most_the_claim_and_in_its_currency() -> None:
    for offer in (usd(2000), Money(amount_minor=1, currency="EUR")):
        command = ProposeSettlement(
            actor=SELLER, dispute_id="e1", remedy=remedy(0).model_copy(update={"amount": offer})
        )
        TALKING.when(command).then_refused("beyond_the_claim")


def test_p10_only_a_seller_offers_to_take_goods_back() -> None:
    TALKING.when(propose(BUYER, 1999, with_return=True)).then_refused("no_returns")
    TALKING.when(propose(SELLER, 1999, with_return=True)).then(
        proposed(Role.SELLER, 1999, later(days=7), with_return=True)
    )


@pytest.mark.parametrize(
    ("actor", "other"), [(BUYER, SELLER), (SELLER, BUYER)], ids=["the buyer accepts", "the seller accepts"]
)
def test_x9_an_acceptance_names_the_other_sides_standing_offer(actor: Actor, other: Actor) -> None:
    """A newer offer of the same side has replaced it; one's own offer cannot be taken."""
    offer = proposed(other.role, 500, later(days=7))
    spec = TALKING.given(offer)
    spec.when(accept(other, "e3")).then_refused("no_such_offer")
    spec.when(accept(actor, "e2")).then_refused("no_such_offer")
    spec.when(accept(actor, "e3")).then(settled(actor.role, "e3", 500)).wants()
    newer = spec.given(proposed(other.role, 700, later(days=7)))
    newer.when(accept(actor, "e3")).then_refused("no_such_offer")
    newer.when(accept(actor, "e4")).then(settled(actor.role, "e4", 700))


def test_x9_a_counter_offer_leaves_the_other_sides_offer_standing() -> None:
    both = OFFERED.given(proposed(Role.BUYER, 900, later(days=7)))
    both.when(accept(BUYER, "e3")).then(settled(Role.BUYER, "e3", 500))
    both.when(accept(SELLER, "e4")).then(settled(Role.SELLER, "e4", 900))


@in_every_phase("open", "agreed", "returning", "escalated")
def test_x9_no_offer_stands_before_the_negotiation_or_after_it(spec: DisputeSpec) -> None:
    spec.when(accept(BUYER, "e3")).then_refused("no_such_offer")


def test_p16_what_was_agreed_is_done() -> None:
    (
        AGREED.when(Conclude("e1"))
        .then(
            granted(
                Resolution.AGREEMENT,
                "P16",
                ("both sides agreed on 5.00 USD",),
                "The two sides agreed that the buyer gets 5.00 USD.",
                usd(500),
            )
        )
        .when(Conclude("e1"))
        .then(None)
    )
    AGREED.when(Conclude("e0")).then(None)


def test_p8_the_platform_decides_when_the_two_do_not_agree_in_time() -> None:
    TALKING.when(EndNegotiation("e2"), at=later(days=7) - timedelta(microseconds=1)).then(None)
    TALKING.when(EndNegotiation("e1"), at=later(days=7)).then(None)
    TALKING.when(EndNegotiation("e2"), at=later(days=7)).then(escalated()).wants()


@in_every_phase(but=("negotiating",))
def test_p8_the_end_of_a_negotiation_that_is_over_means_nothing(spec: DisputeSpec) -> None:
    spec.when(EndNegotiation("e2"), at=later(days=50)).then(None)


# Returns


def test_p10_the_money_comes_once_the_goods_are_sent_back() -> None:
    offered = TALKING.given(proposed(Role.SELLER, 1999, later(days=7), with_return=True))
    spec = offered.when(accept(BUYER, "e3"), at=OPENED_AT).then(
        settled(Role.BUYER, "e3", 1999, return_by=later(days=10))
    )
    spec.wants(Deadline("ReturnDue", "e4", later(days=10)))
    sent = spec.when(SendReturn(actor=BUYER, dispute_id="e1")).then(ReturnSent(dispute_id="e1")).wants()
    sent.when(SendReturn(actor=BUYER, dispute_id="e1")).then_refused("no_return_awaited")
    sent.when(EndReturn("e4"), at=later(days=10)).then(None)
    done = "The two sides agreed that the buyer gets 19.99 USD."
    sent.when(Conclude("e1")).then(granted(Resolution.AGREEMENT, "P16", ("both sides agreed on 19.99 USD",), done))


def test_p10_goods_that_are_not_sent_back_in_time_are_kept_and_paid() -> None:
    RETURNING.when(EndReturn("e4"), at=later(days=10) - timedelta(microseconds=1)).then(None)
    RETURNING.when(EndReturn("e3"), at=later(days=10)).then(None)
    RETURNING.when(EndReturn("e4"), at=later(days=10)).then(
        granted(
            Resolution.AGREEMENT,
            "P10",
            ("the goods were to be sent back by 2026-07-02 17:00 UTC, and were not",),
            "The buyer agreed to send the goods back and did not: nothing is refunded.",
            NOTHING,
        )
    )


def test_p10_only_the_buyer_sends_goods_back() -> None:
    RETURNING.when(SendReturn(actor=SELLER, dispute_id="e1")).then_refused("not_a_party")
    RETURNING.when(SendReturn(actor=BUYER, dispute_id="e0")).then_refused("no_return_awaited")


@in_every_phase("open", "negotiating", "agreed", "escalated")
def test_p10_nothing_is_sent_back_unasked(spec: DisputeSpec) -> None:
    spec.when(SendReturn(actor=BUYER, dispute_id="e1")).then_refused("no_return_awaited")


@in_every_phase(but=("returning",))
def test_p10_the_end_of_a_return_that_nobody_awaits_means_nothing(spec: DisputeSpec) -> None:
    spec.when(EndReturn("e4"), at=later(days=50)).then(None)


# Who may do what


COMMANDS: Final = (
    answer(Stance.CONTESTS),
    propose(SELLER, 500),
    accept(BUYER, "e3"),
    SendReturn(actor=BUYER, dispute_id="e1"),
)
by_command: Final = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)


@by_command
@pytest.mark.parametrize("actor", [STRANGER, OTHER_SELLER, PLATFORM, Actor(role=Role.SELLER, id=BUYER.id)])
def test_only_the_two_sides_have_a_say(command: Any, actor: Actor) -> None:
    for spec in (OPEN, TALKING, AGREED, RETURNING, ESCALATED):
        spec.when(command.model_copy(update={"actor": actor})).then_refused("not_a_party")


@by_command
def test_nothing_is_said_without_a_dispute_or_after_its_end(command: Any) -> None:
    NONE.when(command).then_refused("no_dispute")
    DROPPED.when(command).then_refused("no_dispute")
    DECIDED.when(command).then_refused("dispute_decided")


@in_every_phase(*UNDECIDED)
def test_what_names_another_dispute_is_refused(spec: DisputeSpec) -> None:
    spec.when(answer(Stance.CONTESTS, dispute_id="e0")).then_refused("no_dispute")
    spec.when(propose(SELLER, 500, dispute_id="e0")).then_refused("no_dispute")


@in_every_phase("agreed", "returning", "escalated")
def test_the_two_sides_come_too_late_once_all_is_agreed_or_the_platform_decides(spec: DisputeSpec) -> None:
    spec.when(answer(Stance.CONCEDES)).then_refused("no_dispute")
    spec.when(propose(SELLER, 1999)).then_refused("no_dispute")


# The first scan against the day of the opening


def los_angeles(day: int, hour: int, minute: int = 0, *, month: int = 6) -> datetime:
    """A moment of the summer of 2026, as clocks there show it (UTC-7)."""
    return datetime(2026, month, day, hour, minute, tzinfo=UTC) + timedelta(hours=7)


MIDNIGHT: Final = [
    ("the same moment", los_angeles(22, 10), los_angeles(22, 10), False),
    ("the same day", los_angeles(22, 0), los_angeles(22, 23, 59), False),
    ("the next day", los_angeles(22, 10), los_angeles(23, 10), True),
    ("one minute before midnight, and one after", los_angeles(22, 23, 59), los_angeles(23, 0, 1), True),
    ("both before midnight", los_angeles(22, 23, 58), los_angeles(22, 23, 59), False),
    ("midnight itself is the next day", los_angeles(22, 23, 59), los_angeles(23, 0), True),
    ("another day in UTC, the same there", los_angeles(22, 16, 59), los_angeles(22, 17, 1), False),
    ("the same day in UTC, another there", los_angeles(22, 23, 59), los_angeles(23, 0, 1), True),
    ("the day before", los_angeles(22, 10), los_angeles(21, 23, 59), False),
    # Clocks go back on 1 November 2026 at 9:00 UTC: that day is 25 hours long, and begins in summer time.
    ("the long day", datetime(2026, 11, 1, 7, tzinfo=UTC), datetime(2026, 11, 2, 7, 59, tzinfo=UTC), False),
    ("after the long day", datetime(2026, 11, 1, 7, tzinfo=UTC), datetime(2026, 11, 2, 8, tzinfo=UTC), True),
    # Clocks go forward on 14 March 2027 at 10:00 UTC: that day is 23 hours long, and ends in summer time.
    ("the short day", datetime(2027, 3, 14, 8, tzinfo=UTC), datetime(2027, 3, 15, 6, 59, tzinfo=UTC), False),
    ("after the short day", datetime(2027, 3, 14, 8, tzinfo=UTC), datetime(2027, 3, 15, 7, tzinfo=UTC), True),
]
at_midnight: Final = pytest.mark.parametrize(
    ("at", "scan", "late"), [row[1:] for row in MIDNIGHT], ids=[row[0] for row in MIDNIGHT]
)


@at_midnight
def test_x5_r19_the_platform_steps_in_when_the_first_scan_falls_on_a_later_day(
    at: datetime, scan: datetime, *, late: bool
) -> None:
    """Calendar days of P14's zone, not hours."""
    for ground in (ClaimGround.NOT_SENT, ClaimGround.NOT_RECEIVED):
        spec = NONE.given(opened(ground, at=at))
        spec.when(HearScan(scan)).then(escalated(SCAN_TOO_LATE) if late else None)


@at_midnight
def test_x5_r19_a_parcel_handed_over_after_the_day_of_the_opening_is_refunded(
    at: datetime, scan: datetime, *, late: bool
) -> None:
    ruling = NONE.given(opened(ClaimGround.NOT_SENT, at=at), escalated()).when(
        Rule("e1", View(BRIEF, 1999, number=TRACKING, shipped_at=scan, first_scan_at=scan))
    )
    assert isinstance(ruling.decision, DisputeResolved)
    assert (ruling.decision.rule, ruling.decision.refund) == ("R19" if late else "R20", PRICE)


def test_x5_days_are_those_of_the_policys_zone() -> None:
    """One minute around midnight in Berlin is one afternoon in Los Angeles."""
    berlin = dispute(Policy(calendar=BusinessCalendar(timezone="Europe/Berlin")))
    at = datetime(2026, 6, 22, 21, 59, tzinfo=UTC)
    case = opened(ClaimGround.NOT_SENT, at=at)
    scan = HearScan(at + timedelta(minutes=2))
    berlin.given(case).when(scan).then(escalated(SCAN_TOO_LATE))
    NONE.given(case).when(scan).then(None)


def test_r19_a_late_parcel_ends_the_negotiation_too() -> None:
    spec = NONE.given(opened(ClaimGround.NOT_SENT), contested())
    spec.when(HearScan(later(days=1))).then(escalated(SCAN_TOO_LATE)).wants()


@pytest.mark.parametrize("ground", [ClaimGround.NOT_AS_DESCRIBED, ClaimGround.DISSATISFIED])
def test_r19_is_about_parcels_that_the_buyer_waits_for(ground: ClaimGround) -> None:
    NONE.given(opened(ground)).when(HearScan(later(days=2))).then(None)


@in_every_phase(but=("open", "negotiating"))
def test_a_scan_means_nothing_to_a_dispute_that_is_over_or_with_the_platform(spec: DisputeSpec) -> None:
    spec.when(HearScan(later(days=2))).then(None)


# The platform's ruling


def ruled(
    view: View,
    ground: ClaimGround = ClaimGround.NOT_AS_DESCRIBED,
    *,
    buyers: tuple[Evidence, ...] = (),
    sellers: tuple[Evidence, ...] = (),
    amount: Money = PRICE,
) -> DisputeResolved:
    """What the platform decides on these facts."""
    case = NONE.given(opened(ground, amount, evidence=buyers), contested(evidence=sellers), escalated())
    decided = case.when(Rule("e1", view)).decision
    assert isinstance(decided, DisputeResolved)
    assert decided.by is Resolution.PLATFORM
    assert decided.claim == amount
    return decided


HANDED_OVER: Final = View(BRIEF, 1999, number=TRACKING, shipped_at=START, first_scan_at=after(hours=12))
AT_THE_DOOR: Final = replace(HANDED_OVER, delivered_at=after(days=4))


def test_r19_the_ruling_names_both_days() -> None:
    decided = ruled(replace(AT_THE_DOOR, first_scan_at=later(days=1)), ClaimGround.NOT_SENT)
    assert (decided.refund, decided.rule) == (PRICE, "R19")
    assert decided.facts == (
        "the dispute was opened on 2026-06-22",
        "the buyer claims 19.99 USD (not_sent)",
        "the carrier first scanned the parcel on 2026-06-23",
    )
    assert decided.explanation == (
        "The parcel was handed over only after the day on which the dispute was opened: the buyer is refunded."
    )


def test_r17_a_number_that_no_carrier_has_scanned_proves_nothing() -> None:
    decided = ruled(View(BRIEF, 1999, number=TRACKING), ClaimGround.NOT_SENT)
    assert (decided.refund, decided.rule) == (PRICE, "R17")
    assert decided.facts[2:] == (f"the seller showed the tracking number {TRACKING}; no carrier has ever scanned it",)
    assert "no carrier has scanned proves no shipment" in decided.explanation


def test_r18_r20_an_order_that_was_never_sent_is_refunded() -> None:
    decided = ruled(View(BRIEF, 1999), ClaimGround.NOT_SENT)
    assert (decided.refund, decided.rule) == (PRICE, "R20")
    assert decided.facts[2:] == ("the seller showed no tracking number and no carrier has scanned a parcel",)
    assert decided.explanation == "The order was never sent: the buyer is refunded in full."


def test_r20_a_parcel_that_left_in_time_and_never_arrived_is_refunded() -> None:
    decided = ruled(HANDED_OVER, ClaimGround.NOT_RECEIVED)
    assert (decided.refund, decided.rule) == (PRICE, "R20")
    assert decided.facts[2:] == ("the carrier first scanned the parcel on 2026-06-01", "the parcel has not arrived")


GOODS: Final = [
    ("r17: not sent, but delivered", ClaimGround.NOT_SENT, 1, 0, 0, "R17", "delivered the parcel"),
    ("r17: not received, but delivered", ClaimGround.NOT_RECEIVED, 0, 0, 0, "R17", "delivered the parcel"),
    ("r22: perfect goods", ClaimGround.DISSATISFIED, 1, 0, 0, "R22", "as described"),
    ("r22: nothing to show", ClaimGround.NOT_AS_DESCRIBED, 0, 1, 0, "R22", "shows no evidence"),
    ("r20: nothing speaks against it", ClaimGround.NOT_AS_DESCRIBED, 1, 0, 1999, "R20", "nothing speaks against it"),
    ("r20: both show something", ClaimGround.NOT_AS_DESCRIBED, 1, 1, 1000, "R20", "10.00 USD, half of the claim"),
]


@pytest.mark.parametrize(
    ("ground", "buyers", "sellers", "refund_minor", "rule", "says"),
    [row[1:] for row in GOODS],
    ids=[row[0] for row in GOODS],
)
def test_r20_r22_what_the_goods_are_worth_follows_from_what_each_side_can_show(
    ground: ClaimGround, buyers: int, sellers: int, refund_minor: int, rule: str, says: str
) -> None:
    """Half of an odd claim is rounded in the buyer's favour."""
    decided = ruled(AT_THE_DOOR, ground, buyers=(PHOTO,) * buyers, sellers=(PACKING,) * sellers)
    assert (decided.refund.amount_minor, decided.rule) == (refund_minor, rule)
    assert decided.facts[3:] == (
        "the parcel arrived on 2026-06-05",
        f"pieces of evidence: {buyers} of the buyer, {sellers} of the seller",
    )
    assert says in decided.explanation


def test_r22_a_ruling_is_about_the_claim_and_not_about_the_price() -> None:
    assert ruled(AT_THE_DOOR, buyers=(PHOTO,), amount=usd(500)).refund == usd(500)
    assert ruled(AT_THE_DOOR, buyers=(PHOTO,), sellers=(PACKING,), amount=usd(500)).refund == usd(250)


def test_the_platform_rules_once_and_only_where_it_was_called() -> None:
    decided = ESCALATED.when(Rule("e1", AT_THE_DOOR))
    assert isinstance(decided.decision, DisputeResolved)
    decided.then(decided.decision).wants().when(Rule("e1", AT_THE_DOOR)).then(None)
    ESCALATED.when(Rule("e0", AT_THE_DOOR)).then(None)


@in_every_phase(but=("escalated",))
def test_the_platform_does_not_step_in_by_itself(spec: DisputeSpec) -> None:
    spec.when(Rule("e1", AT_THE_DOOR)).then(None)


@in_every_phase(but=("agreed",))
def test_nothing_is_concluded_that_was_not_agreed_or_waits_for_the_goods(spec: DisputeSpec) -> None:
    spec.when(Conclude("e1")).then(None)


# Disputes over orders that ended otherwise


@in_every_phase(*UNDECIDED)
def test_x11_a_dispute_over_an_order_that_ended_otherwise_is_dropped(spec: DisputeSpec) -> None:
    (
        spec.when(Drop("e1"))
        .then(
            granted(
                Resolution.MOOT,
                "X11",
                ("the order was cancelled, refunded or closed",),
                "The order ended in another way; there is nothing left to decide.",
                NOTHING,
            )
        )
        .wants()
        .when(Drop("e1"))
        .then(None)
    )
    spec.when(Drop("e0")).then(None)


@in_every_phase("none", "decided", "dropped")
def test_there_is_nothing_to_drop_where_nothing_is_open(spec: DisputeSpec) -> None:
    spec.when(Drop("e1")).then(None).wants()


# Histories that no decider wrote are folded all the same


def test_evolve_never_refuses() -> None:
    """It has already happened."""
    assert NONE.given(contested()).state == NONE.state
    assert OPEN.given(opened()).state == OPEN.state
    assert OPEN.given(ReturnSent(dispute_id="e1")).state == OPEN.state
    assert isinstance(DECIDED.state, Quiet)
