"""The parcel: it leaves in time, too early, or although it should not."""

from countermand.contracts.seller import ShipOrder
from lab.stories.story import Stage, Story, check


async def _superseded(stage: Stage) -> None:
    request = await stage.ask_seller()
    await stage.heard()
    await stage.ship()
    superseded = await stage.until("CancelSuperseded")
    check(superseded.body.request_id == request.id, "the parcel answers the request")
    await stage.closed()


async def _accepted_then_ship(stage: Stage) -> None:
    request = await stage.ask_seller()
    await stage.heard()
    await stage.accept(request)
    await stage.refused(ShipOrder(actor=stage.seller), "cancellation_accepted")
    await stage.closed()


async def _ships_anyway(stage: Stage) -> None:
    await stage.ask_seller()
    cancelled = await stage.until("OrderCancelled")
    check(cancelled.body.ground == "silence", "the platform cancels over the seller's head")
    shipped = await stage.until("ShipmentSuperseded")
    check(shipped.at > cancelled.at, "the parcel left after the cancellation")
    delivered = await stage.until("OrderDelivered")
    check(delivered.body.after_cancellation, "the goods arrive after the refund")
    await stage.closed()


STORIES = (
    Story(
        name="the-parcel-was-faster",
        title="The parcel leaves while the request waits",
        rules=("X1", "R8", "R11", "R15"),
        path="paid → ask → shipped → superseded → delivered",
        outcomes=("completed",),
        emails=("superseded",),
        never=("SellerAccepted", "OrderCancelled", "RefundIssued"),
        play=_superseded,
        seller="manual",
        paid=True,
    ),
    Story(
        name="accepted-and-held",
        title="A seller who agreed can no longer ship",
        rules=("X2", "R5", "R10"),
        path="paid → ask → agrees → shipping refused → refund",
        outcomes=("cancelled_refunded",),
        emails=("cancelled", "refund_issued"),
        never=("Shipped",),
        play=_accepted_then_ship,
        seller="manual",
        paid=True,
    ),
    Story(
        name="goods-after-the-refund",
        title="A careless warehouse ships a cancelled order",
        rules=("X1", "R12", "P3"),
        path="paid → ask → silence → refund → shipped anyway → delivered",
        outcomes=("cancelled_refunded",),
        emails=("cancelled", "refund_issued"),
        never=("SellerAccepted", "CancelSuperseded", "ShipmentNoted"),
        play=_ships_anyway,
        seller="careless",
        paid=True,
    ),
)
