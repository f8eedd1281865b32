"""What the read model offers is what the deciders accept: tried after every event of simulated lives."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
import structlog

from countermand.contracts.base import Actor, Command, Event, Owner, Role
from countermand.contracts.dispute import (
    AcceptSettlement,
    AnswerDispute,
    ClaimGround,
    OpenDispute,
    ProposeSettlement,
    Remedy,
    SendReturn,
    Stance,
)
from countermand.contracts.order import (
    AcceptPartialRefund,
    AcknowledgePayment,
    AskForTracking,
    AskSellerToCancel,
    CancelReason,
    ConfirmCancel,
    ConfirmReceipt,
    OpenCancelDialog,
    RefundCustomer,
    RefusalGround,
    WithdrawCancel,
)
from countermand.contracts.seller import AcceptCancel, MessageSeller, OfferPartialRefund, RefuseCancel, ShipOrder
from countermand.kernel.money import Money
from countermand.kernel.policy import Policy, Proposal
from countermand.kernel.terms import Terms
from countermand.runtime.facts import Fact
from services.dispute.app import CARD as DISPUTE
from services.dispute.commands import OpenCase
from services.dispute.view import view_of
from services.order.app import CARD as ORDER
from services.seller.app import CARD as SELLER
from services.web.readmodel.allowed import Action
from services.web.readmodel.answers import detail_of
from services.web.readmodel.projection import project
from services.web.readmodel.view import View
from tests.support.lives import lives

CARDS: Final[dict[Owner, Any]] = {Owner.ORDER: ORDER, Owner.SELLER: SELLER, Owner.DISPUTE: DISPUTE}

OFFERED_LESS: Final = frozenset({(Role.SELLER, Action.SHIP), (Role.SELLER, Action.OFFER_PART)})
"""The seller's journal takes these at any time; they are offered where they mean something."""

MIXES: Final = {"everyday": 100, "disputes": 60, "unhurried": 20}
"""How many orders of each."""

MOMENTS: Final = (timedelta(0), timedelta(minutes=14), timedelta(days=30))
"""After each event; the dialog has lapsed by the last one, and limits have passed."""


class World:
    """One order: its view, and the states of the services that decide about it."""

    def __init__(self, order_id: str, terms: Terms) -> None:
        self.terms = terms
        self.view = View(order_id)
        self.states = {owner: card.decider.initial(order_id, terms) for owner, card in CARDS.items()}
        self.histories: dict[Owner, list[Event]] = {owner: [] for owner in Owner}

    def see(self, fact: Fact) -> None:
        """One more thing has happened."""
        self.view = project(self.view, fact)
        self.histories[fact.owner].append(fact.event)
        if fact.owner in self.states:
            state = self.states[fact.owner]
            self.states[fact.owner] = CARDS[fact.owner].decider.evolve(state, fact.event, fact.id)

    def accepts(self, command: Command, now: datetime) -> bool:
        """Whether the service that is asked would record an event."""
        asked: Any = command
        if isinstance(command, OpenDispute):
            asked = OpenCase(command, view_of([*self.histories[Owner.ORDER], *self.histories[Owner.SELLER]]))
        decided = CARDS[command.owner].decider.decide(asked, self.states[command.owner], now)
        return isinstance(decided, Event)


def attempts(view: View, policy: Policy) -> Iterator[tuple[Role, Action, Command]]:
    """Everything that anybody could ask for, with the ids that the view shows."""
    assert view.order
    brief, dispute = view.order.brief, view.dispute
    buyer = Actor(role=Role.BUYER, id=brief.buyer.id)
    seller = Actor(role=Role.SELLER, id=brief.seller.id)
    reason, price = CancelReason.BETTER_OFFER, brief.price
    request_id = view.order.request.id if view.order.request else "none"
    dialog_id = view.order.dialog.id if view.order.dialog else "none"
    offer_id = view.order.offer.id if view.order.offer else "none"
    yield Role.BUYER, Action.PAY, AcknowledgePayment(actor=Actor(role=Role.PLATFORM, id="bank"))
    yield Role.BUYER, Action.CANCEL, OpenCancelDialog(actor=buyer, reason=reason)
    yield Role.BUYER, Action.CONFIRM, ConfirmCancel(actor=buyer, dialog_id=dialog_id)
    yield Role.BUYER, Action.WITHDRAW, WithdrawCancel(actor=buyer, request_id=request_id)
    yield Role.BUYER, Action.ASK_SELLER, AskSellerToCancel(actor=buyer, reason=reason)
    yield Role.BUYER, Action.MESSAGE, MessageSeller(actor=buyer, reason=reason, text="Please.")
    yield Role.BUYER, Action.ASK_TRACKING, AskForTracking(actor=buyer)
    yield Role.BUYER, Action.TAKE_PART, AcceptPartialRefund(actor=buyer, offer_id=offer_id)
    yield Role.BUYER, Action.RECEIVE, ConfirmReceipt(actor=buyer)
    yield Role.BUYER, Action.REFUND_CUSTOMER, RefundCustomer(actor=buyer, amount=price)
    yield Role.BUYER, Action.DISPUTE, OpenDispute(actor=buyer, ground=ClaimGround.NOT_SENT)
    heard = view.seller.heard or "none"
    yield Role.SELLER, Action.ACCEPT, AcceptCancel(actor=seller, request_id=heard)
    yield (
        Role.SELLER,
        Action.REFUSE,
        RefuseCancel(actor=seller, request_id=heard, ground=RefusalGround.KEEPS_THE_SALE),
    )
    yield Role.SELLER, Action.SHIP, ShipOrder(actor=seller)
    yield Role.SELLER, Action.OFFER_PART, OfferPartialRefund(actor=seller, amount=price)
    if dispute:
        part = Money(amount_minor=dispute.claim.amount_minor // 2, currency=dispute.claim.currency)
        remedy, id_ = Remedy(amount=part if Proposal.PARTIAL in policy.proposals else dispute.claim), dispute.id
        for side, actor, other in ((Role.BUYER, buyer, Role.SELLER), (Role.SELLER, seller, Role.BUYER)):
            offer = dispute.offer_of(other)
            yield side, Action.PROPOSE, ProposeSettlement(actor=actor, dispute_id=id_, remedy=remedy)
            yield side, Action.SETTLE, AcceptSettlement(actor=actor, offer_id=offer.id if offer else "none")
        yield Role.BUYER, Action.SEND_RETURN, SendReturn(actor=buyer, dispute_id=id_)
        answer = AnswerDispute(actor=seller, dispute_id=id_, stance=Stance.CONCEDES)
        yield Role.SELLER, Action.ANSWER_DISPUTE, answer


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.reset_defaults()


def test_what_is_offered_is_what_would_be_accepted() -> None:
    """R3 and all others: the read model says so if and only if the decider does."""
    seen: Counter[tuple[Role, Action, bool]] = Counter()
    for mix, orders in MIXES.items():
        for errand, facts in lives(mix, 11, orders):
            world = World(errand.order_id, _terms(facts[0], errand.policy))
            for fact in facts:
                world.see(fact)
                for after in MOMENTS:
                    _compare(world, fact.simulated_at + after, seen)
    tried = {(role, action) for role, action, _ in seen}
    assert {what for what in tried if not seen[*what, True]} <= {(Role.BUYER, Action.SEND_RETURN)}
    assert {what for what in tried if not seen[*what, False]} == {(Role.BUYER, Action.MESSAGE)}


def _compare(world: World, now: datetime, seen: Counter[tuple[Role, Action, bool]]) -> None:
    assert world.view.order
    real = world.terms.clock.real(now)
    detail = detail_of(world.view, world.terms.policy, real)
    may = {Role.BUYER: detail.buyer_may, Role.SELLER: detail.seller_may}
    for role, action, command in attempts(world.view, world.terms.policy):
        offered, accepted = action in may[role], world.accepts(command, detail.now)
        seen[role, action, offered] += 1
        if offered or (role, action) not in OFFERED_LESS:
            what = f"{action} by {role} at {detail.now}: offered {offered}, accepted {accepted}\n{world.view}"
            assert offered == accepted, what


def _terms(fact: Fact, policy: Policy) -> Terms:
    """Under which the order was placed; the first fact of a life is its `OrderPlaced`."""
    return Terms(fact.body.terms.seed, policy, fact.body.terms.clock)
