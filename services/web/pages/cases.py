"""A dispute as everybody may read it: where it stands, and what each side says, shows and offers. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from countermand.contracts.base import Role
from countermand.contracts.dispute import Stance
from countermand.kernel.terms import Clock
from services.web.pages.cards import Button, Card, buttons
from services.web.pages.state import State, dispute_state, state_of
from services.web.pages.wording import CLAIMS, RESOLUTIONS, STANCES, UNTIL
from services.web.readmodel.allowed import Action
from services.web.readmodel.answers import OrderDetail
from services.web.readmodel.view import DisputePart, OrderPart, View
from services.web.readmodel.waits import Waits


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a dispute."""

    key: str
    title: str
    who: str
    says: str
    position: str
    text: str
    evidence: tuple[Any, ...]
    offer: Any
    card: Card


@dataclass(frozen=True, slots=True)
class Case:
    """A dispute as everybody may read it (R22)."""

    view: View
    dispute: DisputePart
    state: State
    clock: Clock
    deadline: datetime | None
    until_what: str
    sides: tuple[Side, ...]

    resolutions = RESOLUTIONS


def case_of(detail: OrderDetail) -> Case | None:
    """The order's dispute; nothing if it has none."""
    view, order, dispute = detail.view, detail.view.placed, detail.view.dispute
    if dispute is None:
        return None
    at_stake = detail.waits in _DISPUTE_WAITS
    return Case(
        view=view,
        dispute=dispute,
        state=dispute_state(dispute),
        clock=order.terms.clock,
        deadline=detail.due if at_stake else None,
        until_what=UNTIL[detail.waits],
        sides=(_buyers_side(detail, order, dispute), _sellers_side(detail, order, dispute)),
    )


_DISPUTE_WAITS: Final = frozenset({Waits.DISPUTE_ANSWER, Waits.SETTLEMENT, Waits.RETURN})
_DISPUTE_ACTIONS: Final = (Action.SETTLE, Action.PROPOSE, Action.SEND_RETURN, Action.ANSWER_DISPUTE)


def _buyers_side(detail: OrderDetail, order: OrderPart, dispute: DisputePart) -> Side:
    actions = (one for one in _DISPUTE_ACTIONS if one in detail.buyer_may)
    return Side(
        key="buyer",
        title="The buyer",
        who=order.brief.buyer.name,
        says="Claims",
        position=f"{dispute.claim}: {CLAIMS[dispute.ground].lower()}",
        text=dispute.text,
        evidence=dispute.evidence,
        offer=dispute.offer_of(Role.BUYER),
        card=_bare(detail, buttons(detail.view, actions, Role.BUYER)),
    )


def _sellers_side(detail: OrderDetail, order: OrderPart, dispute: DisputePart) -> Side:
    actions = (one for one in _DISPUTE_ACTIONS if one in detail.seller_may)
    by_hand = order.brief.seller.profile == "manual"
    return Side(
        key="seller",
        title="The seller",
        who=order.brief.seller.id,
        says="Answers",
        position=_sellers_position(dispute),
        text=dispute.answer_text,
        evidence=dispute.answer_evidence,
        offer=dispute.offer_of(Role.SELLER),
        card=_bare(detail, buttons(detail.view, actions, Role.SELLER) if by_hand else ()),
    )


def _sellers_position(dispute: DisputePart) -> str:
    if dispute.stance is not None:
        return STANCES[dispute.stance]
    return STANCES[Stance.OFFERS] if dispute.offer_of(Role.SELLER) else "nothing yet"


def _bare(detail: OrderDetail, actions: tuple[Button, ...]) -> Card:
    back = f"/disputes/{detail.view.order_id}"
    return Card(detail.view, state_of(detail.view), None, "", actions, back)
