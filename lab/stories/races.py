"""Two things at once: each race has one answer, and the loser is told."""

import asyncio

from countermand.contracts.base import Actor, Role
from countermand.contracts.order import (
    AcknowledgePayment,
    CancelReason,
    ConfirmCancel,
    OpenCancelDialog,
    WithdrawCancel,
)
from countermand.contracts.seller import AcceptCancel
from countermand.kernel.policy import OnSilence, Policy
from lab.stories.story import PRICE_MINOR, Stage, Story, check


async def _payment_while_the_request_waits(stage: Stage) -> None:
    request = await stage.cancel()
    await stage.heard()
    paid = await stage.pay()
    check(not paid.body.late, "the request goes on")
    await stage.accept(request)
    closed = await stage.closed()
    check(closed.body.refunded.amount_minor == PRICE_MINOR, "the money goes back")


async def _payment_after_the_cancellation(stage: Stage) -> None:
    await stage.cancel()
    await stage.closed()
    paid = await stage.pay()
    check(paid.body.late, "the order stays cancelled")
    refunded = await stage.until("RefundReceived")
    check(refunded.body.amount.amount_minor == PRICE_MINOR, "the late money goes back")


async def _withdrawn(stage: Stage) -> None:
    request = await stage.cancel()
    await stage.withdraw(request)
    await stage.pay()
    await stage.closed()


async def _withdraw_meets_accept(stage: Stage) -> None:
    request = await stage.cancel()
    await stage.heard()
    await asyncio.gather(
        stage.send(WithdrawCancel(actor=stage.buyer, request_id=request.id)),
        stage.send(AcceptCancel(actor=stage.seller, request_id=request.id)),
    )
    await stage.closed()
    answers = stage.count("CancelWithdrawn") + stage.count("OrderCancelled")
    check(answers >= 1, "one of the two is recorded")


async def _answer_meets_deadline(stage: Stage) -> None:
    await stage.cancel()
    await stage.closed()


async def _everything_twice(stage: Stage) -> None:
    async def twice(command: OpenCancelDialog | ConfirmCancel | AcknowledgePayment, name: str) -> None:
        for copy in ("first", "again"):
            await stage.send(command, command_id=f"{name}-{stage.order_id}", delivery=copy)

    await twice(OpenCancelDialog(actor=stage.buyer, reason=CancelReason.ORDERED_BY_MISTAKE), "open")
    dialog = await stage.until("CancelDialogOpened")
    await twice(ConfirmCancel(actor=stage.buyer, dialog_id=dialog.id), "confirm")
    await stage.closed()
    await twice(AcknowledgePayment(actor=Actor(role=Role.PLATFORM, id="payments")), "pay")
    await stage.until("RefundReceived")
    for event in ("CancelDialogOpened", "CancelRequested", "PaymentAcknowledged", "RefundIssued", "OrderClosed"):
        check(stage.count(event) == 1, f"{event} happens once, however often its cause is delivered")


STORIES = (
    Story(
        name="payment-crosses-the-request",
        title="The payment arrives while the request waits",
        rules=("X3", "R10"),
        path="button → confirm → paid → seller agrees → refund",
        outcomes=("cancelled_refunded",),
        emails=("cancelled", "refund_issued"),
        never=("Shipped",),
        play=_payment_while_the_request_waits,
        seller="manual",
    ),
    Story(
        name="payment-after-the-cancellation",
        title="The payment arrives after the cancellation",
        rules=("X3",),
        path="button → confirm → cancelled → paid → refund",
        outcomes=("cancelled_unpaid",),
        emails=("cancelled", "refund_issued"),
        never=("Shipped", "ParcelPlanned"),
        play=_payment_after_the_cancellation,
    ),
    Story(
        name="withdrawn",
        title="The buyer wants the lamp after all",
        rules=("X10",),
        path="button → confirm → withdrawn → paid → delivered",
        outcomes=("completed",),
        emails=(),
        never=("OrderCancelled", "RefundIssued", "SellerAccepted"),
        play=_withdrawn,
        seller="silent",
    ),
    Story(
        name="withdrawal-meets-acceptance",
        title="The buyer withdraws as the seller agrees",
        rules=("X10",),
        path="button → confirm → withdrawal and acceptance at once",
        outcomes=("cancelled_unpaid", "unpaid_expired"),
        emails=("cancelled",),
        never=("Shipped", "RefundIssued"),
        play=_withdraw_meets_accept,
        seller="manual",
    ),
    Story(
        name="answer-meets-deadline",
        title="The seller agrees at the last moment, or after it",
        rules=("X8", "P2", "P3"),
        path="button → confirm → answer and deadline at once",
        outcomes=("cancelled_unpaid", "unpaid_expired"),
        emails=lambda events: ("expired", "cancelled") if "CancelExpired" in events else ("cancelled",),
        never=("Shipped", "RefundIssued"),
        play=_answer_meets_deadline,
        seller="slow",
        policy=Policy(seller_answers_within_h=48, on_silence=OnSilence.REFUSE),
        rate=72_000.0,
    ),
    Story(
        name="everything-twice",
        title="Every message is delivered twice",
        rules=("X12", "X7", "X3"),
        path="button → confirm → cancelled → paid → refund, each twice",
        outcomes=("cancelled_unpaid",),
        emails=("cancelled", "refund_issued"),
        never=("Shipped",),
        play=_everything_twice,
    ),
)
