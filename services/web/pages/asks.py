"""What each action asks of somebody, and the command that it becomes. Pure."""

from collections.abc import Callable
from hashlib import sha256
from typing import Final

from countermand.contracts.base import Actor, Command, Role
from countermand.contracts.dispute import (
    AcceptSettlement,
    AnswerDispute,
    ClaimGround,
    Evidence,
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
from countermand.contracts.seller import (
    AcceptCancel,
    MessageSeller,
    OfferPartialRefund,
    ProvideTracking,
    RefuseCancel,
    ShipOrder,
)
from services.web.pages.forms import FormError, Values, money_of, text_of
from services.web.readmodel.allowed import Action
from services.web.readmodel.view import Answer, OrderPart, View

PLATFORM: Final = Actor(role=Role.PLATFORM, id="web")
"""Who confirms a payment: the platform, when the buyer says “pay”."""


def command_of(action: Action, view: View, actor: Actor, values: Values) -> Command:
    """The command that `values`, as typed into the action's form, mean.

    Raises:
        FormError: something is missing, or cannot be.
        ValueError: a value is none of those offered.
    """
    return _COMMANDS[action](view, actor, values)


def _order(view: View) -> OrderPart:
    if view.order is None:
        msg = "The order is not recorded yet."
        raise FormError(msg)
    return view.order


def _reason(values: Values) -> CancelReason:
    try:
        return CancelReason(values.get("reason", ""))
    except ValueError as error:
        msg = "Please choose a reason."
        raise FormError(msg) from error


def _evidence(values: Values) -> tuple[Evidence, ...]:
    """What the file of a piece of evidence would say is typed; its words are its contents here."""
    text = text_of(values, "evidence")
    return (Evidence(text=text, sha256=sha256(text.encode()).hexdigest()),) if text else ()


def _message(view: View, actor: Actor, values: Values) -> Command:
    request = _order(view).request
    pending = request.id if request is not None and request.answer is Answer.PENDING else None
    return MessageSeller(
        actor=actor, reason=_reason(values), text=text_of(values, "text", required=True), request_id=pending
    )


def _dispute(view: View, actor: Actor, values: Values) -> Command:
    currency = _order(view).brief.price.currency
    amount = money_of(values, "amount", currency) if text_of(values, "amount") else None
    return OpenDispute(
        actor=actor,
        ground=ClaimGround(values.get("ground", "")),
        amount=amount,
        text=text_of(values, "text"),
        evidence=_evidence(values),
    )


def _propose(view: View, actor: Actor, values: Values) -> Command:
    amount = money_of(values, "amount", _order(view).brief.price.currency)
    return ProposeSettlement(
        actor=actor,
        dispute_id=values.get("dispute_id", ""),
        remedy=Remedy(amount=amount, with_return=bool(values.get("with_return"))),
        text=text_of(values, "text"),
    )


def _answer_dispute(_view: View, actor: Actor, values: Values) -> Command:
    return AnswerDispute(
        actor=actor,
        dispute_id=values.get("dispute_id", ""),
        stance=Stance(values.get("stance", "")),
        text=text_of(values, "text"),
        evidence=_evidence(values),
    )


_COMMANDS: Final[dict[Action, Callable[[View, Actor, Values], Command]]] = {
    Action.PAY: lambda _view, _actor, _values: AcknowledgePayment(actor=PLATFORM),
    Action.CANCEL: lambda _view, actor, values: OpenCancelDialog(actor=actor, reason=_reason(values)),
    Action.CONFIRM: lambda _view, actor, values: ConfirmCancel(actor=actor, dialog_id=values.get("dialog_id", "")),
    Action.WITHDRAW: lambda _view, actor, values: WithdrawCancel(actor=actor, request_id=values.get("request_id", "")),
    Action.ASK_SELLER: lambda _view, actor, values: AskSellerToCancel(
        actor=actor, reason=_reason(values), text=text_of(values, "text")
    ),
    Action.MESSAGE: _message,
    Action.ASK_TRACKING: lambda _view, actor, _values: AskForTracking(actor=actor),
    Action.TAKE_PART: lambda _view, actor, values: AcceptPartialRefund(
        actor=actor, offer_id=values.get("offer_id", "")
    ),
    Action.REFUND_CUSTOMER: lambda view, actor, _values: RefundCustomer(actor=actor, amount=_order(view).brief.price),
    Action.RECEIVE: lambda _view, actor, _values: ConfirmReceipt(actor=actor),
    Action.DISPUTE: _dispute,
    Action.PROPOSE: _propose,
    Action.SETTLE: lambda _view, actor, values: AcceptSettlement(actor=actor, offer_id=values.get("offer_id", "")),
    Action.SEND_RETURN: lambda _view, actor, values: SendReturn(actor=actor, dispute_id=values.get("dispute_id", "")),
    Action.ACCEPT: lambda _view, actor, values: AcceptCancel(actor=actor, request_id=values.get("request_id", "")),
    Action.REFUSE: lambda _view, actor, values: RefuseCancel(
        actor=actor,
        request_id=values.get("request_id", ""),
        ground=RefusalGround(values.get("ground", "")),
        text=text_of(values, "text"),
    ),
    Action.SHIP: lambda _view, actor, values: ShipOrder(
        actor=actor, tracking_number=text_of(values, "tracking_number") or None
    ),
    Action.SHOW_TRACKING: lambda _view, actor, values: ProvideTracking(
        actor=actor, tracking_number=text_of(values, "tracking_number", required=True)
    ),
    Action.OFFER_PART: lambda view, actor, values: OfferPartialRefund(
        actor=actor, amount=money_of(values, "amount", _order(view).brief.price.currency), text=text_of(values, "text")
    ),
    Action.ANSWER_DISPUTE: _answer_dispute,
}
