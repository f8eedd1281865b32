"""The contact path: the payment is acknowledged or the parcel has left, and only the seller can help."""

from datetime import UTC, datetime, timedelta

from countermand.contracts.order import AskSellerToCancel, CancelReason, OpenCancelDialog, PaymentMethod
from countermand.kernel.policy import Policy
from lab.stories.story import PRICE_MINOR, Stage, Story, check


async def _the_seller_agrees(stage: Stage) -> None:
    await stage.pay()
    await stage.ask_seller(CancelReason.PAID_WRONG_ORDER, "I paid for the wrong lamp.")
    issued = await stage.until("RefundIssued")
    check(issued.body.amount.amount_minor == PRICE_MINOR, "the refund is complete")
    check(issued.body.method == "card", "it returns to the method that paid")
    received = await stage.until("RefundReceived")
    check(received.simulated_at >= issued.body.arrives_at, "it is received when it arrives, not before")
    await stage.closed()


async def _the_wallet_is_refunded_at_once(stage: Stage) -> None:
    await stage.ask_seller(CancelReason.BETTER_OFFER)
    issued = await stage.until("RefundIssued")
    check(issued.body.arrives_at == issued.body.issued_at, "a wallet is refunded at once")
    await stage.closed()


async def _no_button_after_payment(stage: Stage) -> None:
    await stage.pay()
    await stage.refused(OpenCancelDialog(actor=stage.buyer, reason=CancelReason.NO_LONGER_NEEDED), "contact_the_seller")
    await stage.closed()


async def _a_message_alone(stage: Stage) -> None:
    message = await stage.message_seller("Please do not send the lamp: I changed my mind.")
    request = await stage.until("CancelRequested")
    check(request.caused_by == message.id and request.body.path == "contact", "a message alone is a request by contact")
    await stage.closed()


async def _too_late(stage: Stage) -> None:
    await stage.pay()
    await stage.until("ShipmentNoted")
    await stage.refused(OpenCancelDialog(actor=stage.buyer, reason=CancelReason.NO_LONGER_NEEDED), "already_shipped")
    await stage.refused(AskSellerToCancel(actor=stage.buyer, reason=CancelReason.BETTER_OFFER), "already_shipped")
    closed = await stage.closed()
    check(closed.body.goods == "delivered", "the goods were delivered")


async def _shipped_before_the_payment(stage: Stage) -> None:
    await stage.until("ShipmentNoted")
    await stage.refused(OpenCancelDialog(actor=stage.buyer, reason=CancelReason.NO_LONGER_NEEDED), "already_shipped")
    await stage.pay()
    await stage.closed()


async def _the_weekend_does_not_count(stage: Stage) -> None:
    paid = await stage.pay()
    check(
        paid.body.ship_by - paid.body.acknowledged_at == timedelta(days=3, hours=-1),
        "one business day after a Friday is Monday at the same local time, and that weekend has an hour less",
    )
    await stage.closed()


STORIES = (
    Story(
        name="seller-agrees-after-payment",
        title="Paid by card; the seller agrees; the money takes its time",
        rules=("R9", "R10", "R23", "P11"),
        path="paid → ask the seller → agrees → refund to the card",
        outcomes=("cancelled_refunded",),
        emails=("cancelled", "refund_issued"),
        never=("Shipped", "CancelDialogOpened"),
        play=_the_seller_agrees,
        method=PaymentMethod.CARD,
    ),
    Story(
        name="pocket-refund",
        title="Paid from the Pocket: refunded at once",
        rules=("R10", "R23", "P11"),
        path="paid by wallet → ask the seller → agrees → refund at once",
        outcomes=("cancelled_refunded",),
        emails=("cancelled", "refund_issued"),
        never=("Shipped",),
        play=_the_wallet_is_refunded_at_once,
        paid=True,
    ),
    Story(
        name="no-button-after-payment",
        title="The button is gone once the payment is acknowledged",
        rules=("R3", "R9"),
        path="paid → no button → shipped → delivered",
        outcomes=("completed",),
        emails=(),
        never=("CancelDialogOpened", "CancelRequested", "OrderCancelled", "RefundIssued"),
        play=_no_button_after_payment,
    ),
    Story(
        name="a-message-alone",
        title="The buyer only writes; the seller understands",
        rules=("X4", "R7", "R9", "R10"),
        path="paid → message → request by contact → agrees → refund",
        outcomes=("cancelled_refunded",),
        emails=("cancelled", "refund_issued"),
        never=("Shipped", "CancelDialogOpened"),
        play=_a_message_alone,
        paid=True,
        seller="generous",
    ),
    Story(
        name="too-late",
        title="The parcel has left: a dispute is the only course",
        rules=("R8", "R11", "R14", "R15"),
        path="paid → shipped → refused",
        outcomes=("completed",),
        emails=(),
        never=("CancelRequested", "OrderCancelled", "RefundIssued"),
        play=_too_late,
        seller="fast-shipper",
    ),
    Story(
        name="shipped-before-the-payment",
        title="A seller who does not wait for the money",
        rules=("R3", "R11", "R25"),
        path="shipped → refused → paid → delivered",
        outcomes=("completed",),
        emails=(),
        never=("CancelDialogOpened", "OrderCancelled", "RefundIssued"),
        play=_shipped_before_the_payment,
        seller="eager",
    ),
    Story(
        name="the-weekend-does-not-count",
        title="A shipping limit across a weekend and a change of clocks",
        rules=("P14", "P5"),
        path="paid on Friday → Monday passes → refund",
        outcomes=("never_shipped_refunded",),
        emails=("cancelled", "refund_issued"),
        never=("Shipped",),
        play=_the_weekend_does_not_count,
        seller="never-ships",
        policy=Policy(seller_ships_within_business_days=1),
        rate=21_600.0,
        epoch=datetime(2023, 3, 10, 14, tzinfo=UTC),
    ),
)
