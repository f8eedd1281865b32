"""Resellers: the buyer has a customer, who changes its mind as well."""

from countermand.contracts.base import Contact
from countermand.contracts.order import AskSellerToCancel, CancelReason, RefundCustomer
from lab.stories.story import PRICE_MINOR, Stage, Story, check, usd

_CUSTOMER = Contact(id="customer-kim", name="Kim Customer", email="kim@customer.example")


async def _passed_on_in_time(stage: Stage) -> None:
    await stage.refused(RefundCustomer(actor=stage.buyer, amount=usd(PRICE_MINOR)), "not_too_late")
    await stage.ask_seller(CancelReason.NO_LONGER_NEEDED, "My customer has cancelled.")
    await stage.closed()


async def _passed_on_too_late(stage: Stage) -> None:
    await stage.until("ShipmentNoted")
    await stage.refused(AskSellerToCancel(actor=stage.buyer, reason=CancelReason.NO_LONGER_NEEDED), "already_shipped")
    refunded = await stage.refund_customer()
    check(refunded.body.customer.id == _CUSTOMER.id, "the reseller's customer gets the reseller's money")
    await stage.refused(RefundCustomer(actor=stage.buyer, amount=usd(PRICE_MINOR)), "customer_refunded")
    closed = await stage.closed()
    check(closed.body.goods == "delivered" and closed.body.refunded.amount_minor == 0, "the goods still arrive")


STORIES = (
    Story(
        name="reseller-in-time",
        title="A reseller passes its customer's wish on in time",
        rules=("R26", "R10"),
        path="paid → the customer cancels → ask the seller → agrees → refund",
        outcomes=("cancelled_refunded",),
        emails=("cancelled", "refund_issued"),
        never=("Shipped", "ResellerRefundedCustomer"),
        play=_passed_on_in_time,
        paid=True,
        customer=_CUSTOMER,
    ),
    Story(
        name="reseller-too-late",
        title="Too late: the reseller refunds its customer at its own cost",
        rules=("R26", "R12"),
        path="paid → shipped → refused → own refund → delivered",
        outcomes=("completed",),
        emails=(),
        never=("RefundIssued", "OrderCancelled"),
        play=_passed_on_too_late,
        seller="fast-shipper",
        paid=True,
        customer=_CUSTOMER,
    ),
)
