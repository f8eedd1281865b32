"""The self-service path: the Cancel button, its dialog, and a seller who agrees."""

from countermand.contracts.base import Actor, Role
from countermand.contracts.order import CancelReason, ConfirmCancel, OpenCancelDialog
from countermand.kernel.policy import Policy, PromisedEmail
from lab.stories.story import Stage, Story, check


async def _change_of_mind(stage: Stage) -> None:
    dialog = await stage.press_cancel(CancelReason.NO_LONGER_NEEDED)
    check("at once" in dialog.body.advice, "the dialog says what to expect of a change of mind within minutes")
    await stage.confirm(dialog)
    await stage.closed()


async def _two_orders_for_one_intent(stage: Stage) -> None:
    request = await stage.cancel(CancelReason.DUPLICATE_ORDER)
    check(request.body.reason is CancelReason.DUPLICATE_ORDER, "the request carries the buyer's reason")
    await stage.closed()


async def _nobody_confirms(stage: Stage) -> None:
    await stage.press_cancel(CancelReason.BETTER_OFFER)
    closed = await stage.closed()
    check(closed.body.goods == "not_shipped", "an unpaid order is not shipped")


async def _confirmed_too_late(stage: Stage) -> None:
    dialog = await stage.press_cancel()
    await stage.pass_time(days=2)
    await stage.refused(ConfirmCancel(actor=stage.buyer, dialog_id=dialog.id), "dialog_lapsed")
    await stage.closed()


async def _double_click(stage: Stage) -> None:
    dialog = await stage.press_cancel()
    request = await stage.confirm(dialog)
    await stage.refused(ConfirmCancel(actor=stage.buyer, dialog_id=dialog.id), "request_pending")
    await stage.refused(OpenCancelDialog(actor=stage.buyer, reason=CancelReason.BETTER_OFFER), "request_pending")
    await stage.heard()
    await stage.accept(request)
    await stage.closed()
    check(stage.count("CancelRequested") == 1, "two confirms of one dialog make one request")


async def _somebody_else(stage: Stage) -> None:
    stranger = Actor(role=Role.BUYER, id="somebody-else")
    await stage.send(OpenCancelDialog(actor=stranger, reason=CancelReason.NO_LONGER_NEEDED))
    await stage.until("CancelRejectedNotBuyer", lambda event: event.claimed_by == stranger)
    await stage.pay()
    await stage.closed()


async def _every_email(stage: Stage) -> None:
    await stage.cancel()
    await stage.closed()


async def _no_consent_needed(stage: Stage) -> None:
    await stage.cancel(CancelReason.ORDERED_BY_MISTAKE)
    await stage.closed()


async def _self_service_after_payment(stage: Stage) -> None:
    await stage.cancel(CancelReason.WRONG_DELIVERY_INFO)
    await stage.closed()


STORIES = (
    Story(
        name="change-of-mind",
        title="Cancelled seconds after ordering, gladly",
        rules=("R1", "R3", "R4", "R5", "R6", "R8", "R27"),
        path="button → dialog → confirm → seller agrees",
        outcomes=("cancelled_unpaid",),
        emails=("cancelled",),
        never=("Shipped", "ParcelPlanned", "RefundIssued"),
        play=_change_of_mind,
        rate=360.0,
    ),
    Story(
        name="two-orders-for-one-intent",
        title="A system error made two orders; one is cancelled",
        rules=("R1", "R5", "R6"),
        path="button → dialog → confirm → seller agrees",
        outcomes=("cancelled_unpaid",),
        emails=("cancelled",),
        never=("Shipped", "RefundIssued"),
        play=_two_orders_for_one_intent,
        seller="generous",
    ),
    Story(
        name="nobody-confirms",
        title="The dialog is opened and left alone",
        rules=("R4", "P4"),
        path="button → dialog → nothing → unpaid for 20 days",
        outcomes=("unpaid_expired",),
        emails=("cancelled",),
        never=("CancelRequested", "SellerAccepted", "SellerRefused", "Shipped", "RefundIssued"),
        play=_nobody_confirms,
    ),
    Story(
        name="confirmed-too-late",
        title="The dialog lapsed before it was confirmed",
        rules=("R4", "P1"),
        path="button → dialog → lapsed → refused",
        outcomes=("unpaid_expired",),
        emails=("cancelled",),
        never=("CancelRequested", "SellerAccepted", "Shipped"),
        play=_confirmed_too_late,
        policy=Policy(dialog_lapses_after_min=0.02),
    ),
    Story(
        name="double-click",
        title="Confirm is pressed twice, then Cancel again",
        rules=("X7", "R4"),
        path="button → dialog → confirm, confirm, Cancel → one request",
        outcomes=("cancelled_unpaid",),
        emails=("cancelled",),
        never=("Shipped", "CancelWithdrawn", "RefundIssued"),
        play=_double_click,
        seller="manual",
    ),
    Story(
        name="not-the-buyer",
        title="Somebody else presses Cancel; the buyer is told",
        rules=("R2",),
        path="a stranger's button → refused → the order goes on",
        outcomes=("completed",),
        emails=("not_the_buyer",),
        never=("CancelDialogOpened", "CancelRequested", "OrderCancelled", "RefundIssued"),
        play=_somebody_else,
    ),
    Story(
        name="every-email",
        title="A policy that promises every email",
        rules=("R6", "R23"),
        path="button → dialog → confirm → seller agrees",
        outcomes=("cancelled_refunded",),
        emails=("order_placed", "request_received", "cancelled", "refund_issued"),
        never=("Shipped",),
        play=_every_email,
        paid=True,
        policy=Policy(emails=tuple(PromisedEmail), self_service_after_payment=True),
    ),
    Story(
        name="no-consent-needed",
        title="A marketplace that needs no consent for unpaid orders",
        rules=("P13", "R1"),
        path="button → dialog → confirm → cancelled at once",
        outcomes=("cancelled_unpaid",),
        emails=("cancelled",),
        never=("SellerAccepted", "SellerRefused", "RequestHeard", "Shipped"),
        play=_no_consent_needed,
        seller="silent",
        policy=Policy(consent_for_unpaid=False),
    ),
    Story(
        name="self-service-after-payment",
        title="A marketplace whose button stays after the payment",
        rules=("P12", "R5", "R10", "R23"),
        path="paid → button → dialog → confirm → seller agrees → refund",
        outcomes=("cancelled_refunded",),
        emails=("cancelled", "refund_issued"),
        never=("Shipped",),
        play=_self_service_after_payment,
        paid=True,
        policy=Policy(self_service_after_payment=True),
    ),
)
