"""Disputes about goods that arrived, or did not; and what counts against a seller."""

from countermand.contracts.base import SellerRecord
from countermand.contracts.dispute import ClaimGround
from countermand.contracts.order import CancelReason, OpenCancelDialog, RefusalGround
from countermand.kernel.policy import AgainstSeller, Policy
from lab.stories.story import PRICE_MINOR, Stage, Story, check


async def _not_as_described(stage: Stage) -> None:
    await stage.until("OrderDelivered")
    await stage.open_dispute(ClaimGround.NOT_AS_DESCRIBED, evidence="The lamp is plastic, not brass.")
    resolved = await stage.until("DisputeResolved")
    check(
        resolved.body.rule == "R20" and "nothing speaks against it" in resolved.body.explanation, "the evidence decides"
    )
    await stage.closed()


async def _both_have_evidence(stage: Stage) -> None:
    await stage.until("OrderDelivered")
    await stage.open_dispute(ClaimGround.NOT_AS_DESCRIBED, evidence="A scratch on the shade.")
    escalated = await stage.until("DisputeEscalated")
    resolved = await stage.until("DisputeResolved", caused_by=escalated)
    check(resolved.body.refund.amount_minor == PRICE_MINOR // 2, "half of the claim")
    await stage.closed()


async def _perfect_goods(stage: Stage) -> None:
    await stage.until("OrderDelivered")
    opened = await stage.open_dispute(ClaimGround.DISSATISFIED, 2_000)
    resolved = await stage.until("DisputeResolved")
    check(resolved.body.rule == "R22" and resolved.body.refund.amount_minor == 0, "the claim is denied")
    check(opened.body.claim.amount_minor == 2_000, "the record shows the claim")
    closed = await stage.closed()
    check(closed.body.refunded.amount_minor == 0, "nothing was refunded")


async def _silent_in_the_dispute(stage: Stage) -> None:
    await stage.until("OrderDelivered")
    await stage.open_dispute(ClaimGround.NOT_AS_DESCRIBED)
    resolved = await stage.until("DisputeResolved")
    check(resolved.body.by == "silence", "the seller's silence grants the claim")
    closed = await stage.closed()
    check(closed.body.against_seller, "a lost dispute counts against the seller")


async def _too_late_to_dispute(stage: Stage) -> None:
    await stage.refused(stage.dispute(ClaimGround.NOT_SENT), "nothing_to_claim")
    await stage.pay()
    await stage.refused(stage.dispute(ClaimGround.NOT_SENT), "ask_the_seller_first")
    await stage.closed()
    await stage.refused(stage.dispute(ClaimGround.NOT_AS_DESCRIBED), "order_closed")


async def _moot(stage: Stage) -> None:
    request = await stage.ask_seller()
    await stage.heard()
    await stage.refuse(request, RefusalGround.ALREADY_SHIPPED)
    await stage.until("CancelRefused")
    await stage.ask_for_tracking()
    await stage.provide_tracking("LX000000000CN")
    dispute = await stage.open_dispute(ClaimGround.NOT_SENT)
    await stage.contest(dispute)
    resolved = await stage.until("DisputeResolved")
    check(resolved.body.by == "moot", "the shipping limit refunds the buyer before the dispute is decided")
    await stage.closed()


async def _the_record(stage: Stage) -> None:
    record = SellerRecord(positive_percent=82, orders=240)
    command = OpenCancelDialog(actor=stage.buyer, reason=CancelReason.SELLER_TOO_SLOW, seller_record=record)
    await stage.send(command)
    dialog = await stage.until("CancelDialogOpened")
    check("only 82 % positive feedback" in dialog.body.advice, "the dialog shows the seller's record")
    await stage.confirm(dialog)
    rated = await stage.until("SellerRated")
    check(not rated.body.positive, "too slow to send counts against the seller")


async def _forgiving(stage: Stage) -> None:
    await stage.pay()
    rated = await stage.until("SellerRated")
    check(rated.body.positive, "this marketplace does not count it")


STORIES = (
    Story(
        name="not-as-described",
        title="The buyer can show that the item is not as described",
        rules=("R14", "R20", "P8"),
        path="delivered → dispute with evidence → contested → refund",
        outcomes=("dispute_refunded",),
        emails=("dispute_ruled", "refund_issued"),
        never=("OrderCancelled", "CancelRequested"),
        play=_not_as_described,
        seller="bluffing",
        paid=True,
    ),
    Story(
        name="word-against-word",
        title="Both sides show evidence; the platform splits the claim",
        rules=("R20", "R22", "P8", "P16"),
        path="delivered → dispute → contested with evidence → half",
        outcomes=("dispute_partial",),
        emails=("dispute_ruled", "refund_issued"),
        never=("OrderCancelled", "SettlementAccepted"),
        play=_both_have_evidence,
        seller="stubborn",
        paid=True,
    ),
    Story(
        name="claim-on-perfect-goods",
        title="A claim on perfect goods is recorded, and denied",
        rules=("R22", "R21"),
        path="delivered → dispute without a defect → contested → denied",
        outcomes=("dispute_denied",),
        emails=("dispute_ruled",),
        never=("RefundIssued", "OrderCancelled"),
        play=_perfect_goods,
        seller="stubborn",
        paid=True,
    ),
    Story(
        name="silent-in-the-dispute",
        title="The seller does not answer the dispute",
        rules=("R20", "P7", "P15", "R25"),
        path="delivered → dispute → silence → refund",
        outcomes=("dispute_refunded",),
        emails=("dispute_ruled", "refund_issued"),
        never=("DisputeAnswered", "DisputeEscalated", "OrderCancelled"),
        play=_silent_in_the_dispute,
        seller="silent",
        paid=True,
    ),
    Story(
        name="too-late-to-dispute",
        title="Too early for a dispute, and then too late",
        rules=("P9", "R14"),
        path="refused → paid → refused → delivered → protection ends → refused",
        outcomes=("completed",),
        emails=(),
        never=("DisputeOpened", "RefundIssued"),
        play=_too_late_to_dispute,
        seller="fast-shipper",
    ),
    Story(
        name="moot-dispute",
        title="The shipping limit passes during a dispute",
        rules=("P5", "R20", "X11"),
        path="paid → refused (A) → dispute → never shipped → refund",
        outcomes=("never_shipped_refunded",),
        emails=("refused", "cancelled", "refund_issued", "dispute_ruled"),
        never=("Shipped", "DisputeEscalated"),
        play=_moot,
        seller="manual",
        paid=True,
        policy=Policy(negotiation_ends_after_days=30),
    ),
    Story(
        name="the-sellers-record",
        title="The dialog shows the seller's feedback, and the end changes it",
        rules=("R24", "R27", "P15"),
        path="button → advice from the record → confirm → agrees → rated",
        outcomes=("cancelled_unpaid",),
        emails=("cancelled",),
        never=("Shipped",),
        play=_the_record,
    ),
    Story(
        name="forgiving-marketplace",
        title="A marketplace that counts only lost disputes against sellers",
        rules=("P15", "R24"),
        path="paid → never shipped → refund → rated well",
        outcomes=("never_shipped_refunded",),
        emails=("cancelled", "refund_issued"),
        never=("Shipped",),
        play=_forgiving,
        seller="never-ships",
        policy=Policy(against_seller=(AgainstSeller.LOST_DISPUTE,)),
    ),
)
