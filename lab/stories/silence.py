"""Sellers who never hear, never answer, or never ship; and what the policy makes of silence."""

from countermand.kernel.policy import OnSilence, Policy
from lab.stories.story import PRICE_MINOR, Stage, Story, check


async def _the_request_is_lost(stage: Stage) -> None:
    await stage.cancel()
    cancelled = await stage.until("OrderCancelled")
    check(cancelled.body.ground == "silence", "silence for 72 hours cancels")
    await stage.closed()


async def _a_message_reaches_the_seller(stage: Stage) -> None:
    request = await stage.cancel()
    await stage.message_seller("I pressed Cancel. Please do not send the lamp.", request)
    accepted = await stage.until("SellerAccepted")
    check(accepted.body.request_id == request.id, "the seller answers the request that the message was about")
    await stage.closed()


async def _silence_means_no(stage: Stage) -> None:
    request = await stage.cancel()
    expired = await stage.until("CancelExpired")
    check(expired.body.request_id == request.id, "the request expires unanswered")
    await stage.closed()


async def _silence_means_waiting(stage: Stage) -> None:
    request = await stage.ask_seller()
    cancelled = await stage.until("OrderCancelled")
    check(cancelled.body.ground == "never_shipped", "only the shipping limit ends the wait")
    check(cancelled.body.request_id == request.id, "and answers the request")
    await stage.closed()


async def _never_shipped(stage: Stage) -> None:
    await stage.pay()
    closed = await stage.closed()
    check(closed.body.refunded.amount_minor == PRICE_MINOR, "the refund is complete")


STORIES = (
    Story(
        name="request-lost",
        title="The seller never gets the request, and stays silent",
        rules=("R7", "R25", "P2", "P3"),
        path="button → confirm → silence → cancelled",
        outcomes=("cancelled_unpaid",),
        emails=("cancelled",),
        never=("RequestHeard", "SellerAccepted", "SellerRefused", "Shipped", "CancelExpired"),
        play=_the_request_is_lost,
        seller="unreachable",
    ),
    Story(
        name="message-reaches-the-seller",
        title="The request is lost, but the buyer also writes",
        rules=("R7", "X4"),
        path="button → confirm → message → seller agrees",
        outcomes=("cancelled_unpaid",),
        emails=("cancelled",),
        never=("Shipped", "CancelExpired"),
        play=_a_message_reaches_the_seller,
        seller="unreachable",
    ),
    Story(
        name="silence-means-no",
        title="A marketplace that reads silence as no",
        rules=("P3", "R25"),
        path="button → confirm → silence → expired → unpaid for 20 days",
        outcomes=("unpaid_expired",),
        emails=("expired", "cancelled"),
        never=("SellerAccepted", "SellerRefused", "Shipped", "RefundIssued"),
        play=_silence_means_no,
        seller="silent",
        policy=Policy(on_silence=OnSilence.REFUSE),
    ),
    Story(
        name="silence-means-waiting",
        title="A marketplace that waits for the seller",
        rules=("P3", "P5", "R20"),
        path="paid → ask → silence → never shipped → refund",
        outcomes=("never_shipped_refunded",),
        emails=("cancelled", "refund_issued"),
        never=("SellerAccepted", "CancelExpired", "Shipped"),
        play=_silence_means_waiting,
        seller="never-ships",
        paid=True,
        policy=Policy(on_silence=OnSilence.WAIT),
    ),
    Story(
        name="never-shipped",
        title="The seller takes the money and sends nothing",
        rules=("P5", "R20", "R25"),
        path="paid → 7 business days → refund",
        outcomes=("never_shipped_refunded",),
        emails=("cancelled", "refund_issued"),
        never=("Shipped", "ParcelPlanned", "CancelRequested"),
        play=_never_shipped,
        seller="never-ships",
    ),
)
