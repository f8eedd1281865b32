"""Has it really been shipped? The tracking test, honest sellers, silent ones, and a number that proves nothing."""

from countermand.contracts.dispute import ClaimGround
from countermand.contracts.order import RefusalGround
from countermand.kernel.policy import Policy
from lab.stories.story import Stage, Story, check

_TIME_TO_DISPUTE = Policy(seller_ships_within_business_days=60)
"""Else the shipping limit P5 refunds the buyer before any dispute is decided."""


async def _proved(stage: Stage) -> None:
    request = await stage.ask_seller()
    await stage.heard()
    await stage.refuse(request, RefusalGround.ALREADY_SHIPPED)
    await stage.until("CancelRefused")
    asked = await stage.ask_for_tracking()
    shipped = await stage.ship()
    provided = await stage.provide_tracking(shipped.body.tracking_number)
    check(provided.simulated_at <= asked.body.provide_by, "the number is shown within 5 business days")
    closed = await stage.closed()
    check(closed.body.goods == "delivered", "the seller told the truth: the request came too late")


async def _nothing_to_show(stage: Stage) -> None:
    await stage.ask_seller()
    await stage.until("CancelRefused")
    await stage.refused(stage.dispute(ClaimGround.NOT_SENT), "ask_for_tracking_first")
    await stage.ask_for_tracking()
    await stage.until("TrackingUnavailable")
    await stage.open_dispute(ClaimGround.NOT_SENT)
    resolved = await stage.until("DisputeResolved")
    check(resolved.body.rule == "R20" and resolved.body.by == "platform", "never sent: refunded in full")
    superseded = await stage.until("ShipmentSuperseded")
    check(superseded.at > resolved.at, "the parcel that left after all is shown, and the refund stands")
    await stage.closed()


async def _never_shown(stage: Stage) -> None:
    request = await stage.ask_seller()
    await stage.heard()
    await stage.refuse(request, RefusalGround.ALREADY_SHIPPED)
    await stage.until("CancelRefused")
    await stage.ask_for_tracking()
    await stage.refused(stage.dispute(ClaimGround.NOT_SENT), "tracking_awaited")
    await stage.pass_time(days=8)
    await stage.open_dispute(ClaimGround.NOT_SENT)
    resolved = await stage.until("DisputeResolved")
    check(resolved.body.by == "silence" and resolved.body.rule == "P7", "silence grants the claim")
    await stage.closed()


async def _fake(stage: Stage) -> None:
    await stage.ask_seller()
    refused = await stage.until("CancelRefused")
    check(refused.body.ground == "already_shipped", "the seller lies")
    await stage.ask_for_tracking()
    await stage.until("TrackingProvided")
    await stage.open_dispute(ClaimGround.NOT_SENT)
    resolved = await stage.until("DisputeResolved")
    check(resolved.body.rule == "R17", "the ruling sees through a number that no carrier scanned")
    await stage.closed()


STORIES = (
    Story(
        name="shipment-proved",
        title="The seller shows a tracking number in time, and it is true",
        rules=("R17", "R16", "P6"),
        path="paid → ask → refused (A) → tracking shown → delivered",
        outcomes=("completed",),
        emails=("refused",),
        never=("DisputeOpened", "RefundIssued", "OrderCancelled"),
        play=_proved,
        seller="manual",
        paid=True,
    ),
    Story(
        name="nothing-to-show",
        title="The seller keeps the sale and has no parcel to show",
        rules=("R18", "R20", "R12", "X6", "P8"),
        path="paid → ask → refused (B) → no tracking → dispute → refund → shipped after all",
        outcomes=("dispute_refunded",),
        emails=("refused", "dispute_ruled", "refund_issued"),
        never=("OrderCancelled", "TrackingProvided", "ShipmentNoted"),
        play=_nothing_to_show,
        seller="late-shipper",
        paid=True,
        policy=_TIME_TO_DISPUTE,
    ),
    Story(
        name="tracking-never-shown",
        title="Five business days pass without a tracking number",
        rules=("R17", "R20", "P6", "P7"),
        path="paid → ask → refused (A) → 5 business days → dispute → silence → refund",
        outcomes=("dispute_refunded",),
        emails=("refused", "dispute_ruled", "refund_issued"),
        never=("Shipped", "OrderCancelled", "TrackingProvided"),
        play=_never_shown,
        seller="manual",
        paid=True,
        policy=_TIME_TO_DISPUTE,
    ),
    Story(
        name="fake-tracking",
        title="A tracking number that no carrier ever scans",
        rules=("R17", "R16", "P8"),
        path="paid → ask → refused (A, a lie) → fake number → dispute → refund",
        outcomes=("dispute_refunded",),
        emails=("refused", "dispute_ruled", "refund_issued"),
        never=("Shipped", "ParcelScanned", "OrderCancelled"),
        play=_fake,
        seller="fake-tracking",
        paid=True,
        policy=_TIME_TO_DISPUTE,
    ),
)
