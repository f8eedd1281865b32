"""The order: what follows when a command meets a state. Pure. Each topic has its own table; this one finds it."""

from datetime import datetime
from typing import assert_never

from countermand.contracts.order import (
    AcceptPartialRefund,
    AcknowledgePayment,
    AskForTracking,
    AskSellerToCancel,
    ConfirmCancel,
    ConfirmReceipt,
    OpenCancelDialog,
    PlaceOrder,
    RefundCustomer,
    WithdrawCancel,
)
from countermand.kernel.decider import Decider, Decision, Premature
from services.order import answering, asking, paying, receiving, settling
from services.order.commands import (
    CancelAsAgreed,
    CancelWithoutConsent,
    CloseOrder,
    CloseUnpaid,
    CloseUnshipped,
    EndProtection,
    EndSilence,
    HearMessage,
    IssuePartialRefund,
    IssueRefund,
    NoteDelivery,
    NoteDispute,
    NoteOffer,
    NoteShipment,
    OrderCommand,
    ReceiveRefund,
    RefuseRequest,
    SettleDispute,
)
from services.order.events import OrderEvent
from services.order.evolution import deadlines, evolve
from services.order.state import Order, Unplaced


def decide(command: OrderCommand, state: Order, now: datetime) -> Decision[OrderEvent]:
    """What follows when `command` meets `state` at `now`: one event, a refusal to tell the sender, or nothing."""
    if isinstance(command, PlaceOrder):
        return paying.place(command, state, now)
    if isinstance(state, Unplaced):
        return Premature("OrderPlaced")
    match command:
        case AcknowledgePayment():
            return paying.acknowledge(command, state, now)
        case OpenCancelDialog() | ConfirmCancel() | AskSellerToCancel() | HearMessage() | WithdrawCancel():
            return asking.decide(command, state, now)
        case CancelAsAgreed() | CancelWithoutConsent() | RefuseRequest() | EndSilence():
            return answering.decide(command, state, now)
        case NoteShipment() | NoteDelivery() | ConfirmReceipt() | AskForTracking() | RefundCustomer():
            return receiving.decide(command, state, now)
        case (
            CloseUnpaid()
            | CloseUnshipped()
            | EndProtection()
            | NoteOffer()
            | AcceptPartialRefund()
            | NoteDispute()
            | SettleDispute()
            | IssueRefund()
            | IssuePartialRefund()
            | ReceiveRefund()
            | CloseOrder()
        ):
            return settling.decide(command, state, now)
        case _:
            assert_never(command)


ORDER: Decider[OrderCommand, Order, OrderEvent] = Decider(Unplaced, decide, evolve, deadlines)

__all__ = ["ORDER", "OrderEvent", "deadlines", "decide", "evolve"]
