"""Bargaining for money: parts conceded, offers that stand and fall, goods that go back."""

from countermand.contracts.dispute import AcceptSettlement, ClaimGround, ProposeSettlement, Remedy
from countermand.kernel.policy import Policy, Proposal
from lab.facts import Fact
from lab.stories.story import PRICE_MINOR, Stage, Story, check, usd


async def _delivered(stage: Stage) -> None:
    await stage.ship()
    await stage.until("OrderDelivered")


async def _disputed(stage: Stage) -> Fact:
    await _delivered(stage)
    return await stage.open_dispute(ClaimGround.NOT_AS_DESCRIBED, evidence="The shade is dented.")


async def _a_part_conceded(stage: Stage) -> None:
    await _delivered(stage)
    await stage.accept_part(await stage.offer_part(1_000))
    closed = await stage.closed()
    check(closed.body.refunded.amount_minor == 1_000, "the part that was agreed")


async def _part_then_all(stage: Stage) -> None:
    await _delivered(stage)
    await stage.accept_part(await stage.offer_part(1_000))
    await stage.until("RefundReceived")
    opened = await stage.open_dispute(ClaimGround.NOT_AS_DESCRIBED)
    check(opened.body.claim.amount_minor == PRICE_MINOR - 1_000, "the claim is the remainder")
    closed = await stage.closed()
    check(closed.body.refunded.amount_minor == PRICE_MINOR, "together exactly what was paid")


async def _offered_and_taken(stage: Stage) -> None:
    await stage.until("OrderDelivered")
    await stage.open_dispute(ClaimGround.NOT_AS_DESCRIBED)
    offer = await stage.until("SettlementProposed")
    await stage.accept_settlement(offer)
    resolved = await stage.until("DisputeResolved")
    check(resolved.body.by == "agreement", "the two agreed")
    closed = await stage.closed()
    check(closed.body.refunded.amount_minor == PRICE_MINOR * 30 // 100, "30 % of the claim")
    check(not closed.body.against_seller, "an agreement counts against nobody")


async def _only_the_standing_offer(stage: Stage) -> None:
    dispute = await _disputed(stage)
    first = await stage.propose(dispute, 1_000)
    counter = ProposeSettlement(actor=stage.buyer, dispute_id=dispute.id, remedy=Remedy(amount=usd(4_000)))
    await stage.send(counter)
    await stage.until("SettlementProposed", lambda offer: offer.by == "buyer")
    second = await stage.propose(dispute, 2_000)
    await stage.refused(AcceptSettlement(actor=stage.buyer, offer_id=first.id), "no_such_offer")
    await stage.accept_settlement(second)
    closed = await stage.closed()
    check(closed.body.refunded.amount_minor == 2_000, "the offer that stood when it was accepted")


async def _no_parts_here(stage: Stage) -> None:
    dispute = await _disputed(stage)
    part = ProposeSettlement(actor=stage.seller, dispute_id=dispute.id, remedy=Remedy(amount=usd(1_000)))
    await stage.refused(part, "not_offered_here")
    await stage.accept_settlement(await stage.propose(dispute, PRICE_MINOR))
    await stage.closed()


async def _sent_back(stage: Stage) -> None:
    dispute = await _disputed(stage)
    await stage.accept_settlement(await stage.propose(dispute, PRICE_MINOR, with_return=True))
    check(stage.count("RefundIssued") == 0, "the goods go back first")
    await stage.send_return(dispute)
    await stage.closed()


async def _never_sent_back(stage: Stage) -> None:
    dispute = await _disputed(stage)
    wish = ProposeSettlement(
        actor=stage.buyer, dispute_id=dispute.id, remedy=Remedy(amount=usd(PRICE_MINOR), with_return=True)
    )
    offer = await stage.propose(dispute, PRICE_MINOR, with_return=True)
    await stage.refused(wish, "no_returns")
    await stage.accept_settlement(offer)
    resolved = await stage.until("DisputeResolved")
    check(resolved.body.rule == "P10", "the return was not sent within 10 days")
    await stage.closed()


STORIES = (
    Story(
        name="a-part-conceded",
        title="The seller gives something back to avoid a bad review",
        rules=("R21", "R22"),
        path="delivered → offer of a part → accepted → refund of the part",
        outcomes=("completed_partial_refund",),
        emails=("refund_issued",),
        never=("DisputeOpened", "OrderCancelled"),
        play=_a_part_conceded,
        seller="manual",
        paid=True,
    ),
    Story(
        name="a-part-then-all",
        title="A part was conceded; then a dispute grants everything",
        rules=("X11", "R20", "R21", "P7"),
        path="delivered → part refunded → dispute → silence → the remainder",
        outcomes=("dispute_refunded",),
        emails=("refund_issued", "dispute_ruled", "refund_issued"),
        never=("OrderCancelled",),
        play=_part_then_all,
        seller="manual",
        paid=True,
    ),
    Story(
        name="offered-and-taken",
        title="The seller would rather pay a part than argue",
        rules=("R21", "P16", "P15"),
        path="delivered → dispute → offer of 30 % → accepted",
        outcomes=("dispute_partial",),
        emails=("dispute_ruled", "refund_issued"),
        never=("DisputeEscalated", "OrderCancelled"),
        play=_offered_and_taken,
        seller="conciliatory",
        paid=True,
    ),
    Story(
        name="only-the-standing-offer",
        title="An acceptance of an offer that was replaced counts for nothing",
        rules=("X9", "P16"),
        path="dispute → offer → counter-offer → new offer → old one refused, new one taken",
        outcomes=("dispute_partial",),
        emails=("dispute_ruled", "refund_issued"),
        never=("DisputeEscalated", "OrderCancelled"),
        play=_only_the_standing_offer,
        seller="manual",
        paid=True,
    ),
    Story(
        name="no-parts-here",
        title="A marketplace that allows all or nothing",
        rules=("P16",),
        path="dispute → part refused → full offer → accepted",
        outcomes=("dispute_refunded",),
        emails=("dispute_ruled", "refund_issued"),
        never=("DisputeEscalated", "OrderCancelled"),
        play=_no_parts_here,
        seller="manual",
        paid=True,
        policy=Policy(proposals=(Proposal.FULL, Proposal.NONE)),
    ),
    Story(
        name="sent-back",
        title="A seller who takes the goods back",
        rules=("P10", "P16"),
        path="dispute → full refund against the goods → sent back → refund",
        outcomes=("dispute_refunded",),
        emails=("dispute_ruled", "refund_issued"),
        never=("DisputeEscalated", "OrderCancelled"),
        play=_sent_back,
        seller="manual",
        paid=True,
    ),
    Story(
        name="never-sent-back",
        title="The goods were to go back, and did not",
        rules=("P10", "R12"),
        path="dispute → full refund against the goods → 10 days → nothing",
        outcomes=("dispute_denied",),
        emails=("dispute_ruled",),
        never=("RefundIssued", "ReturnSent"),
        play=_never_sent_back,
        seller="manual",
        paid=True,
    ),
)
