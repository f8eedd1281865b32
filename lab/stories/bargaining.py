"""Sellers who do not want to lose the sale, and buyers who insist."""

from collections.abc import Sequence

from countermand.contracts.order import RefusalGround
from lab.stories.story import Stage, Story, check

_ROUNDS = 3


async def _refused(stage: Stage) -> None:
    request = await stage.ask_seller()
    refused = await stage.until("CancelRefused")
    check(
        refused.body.request_id == request.id and refused.body.ground == "keeps_the_sale", "the seller keeps the sale"
    )
    await stage.closed()


async def _bargain(stage: Stage) -> None:
    request = await stage.ask_seller(text="Please cancel my order.")
    for _ in range(_ROUNDS - 1):
        if (await stage.answered(request)).name == "OrderCancelled":
            break
        message = await stage.message_seller("Please, once more: do not send it.")
        request = await stage.until("CancelRequested", caused_by=message)
    await stage.closed()


def _one_for_each_round(events: Sequence[str]) -> tuple[str, ...]:
    granted = ("cancelled", "refund_issued") if "OrderCancelled" in events else ()
    return ("refused",) * events.count("CancelRefused") + granted


async def _says_it_has_shipped(stage: Stage) -> None:
    await stage.pay()
    request = await stage.ask_seller()
    await stage.heard()
    await stage.refuse(request, RefusalGround.ALREADY_SHIPPED)
    refused = await stage.until("CancelRefused")
    check(refused.body.ground == "already_shipped", "ground A")
    await stage.ship()
    await stage.closed()


STORIES = (
    Story(
        name="keeps-the-sale",
        title="The seller does not want to lose the sale",
        rules=("R16", "R13", "R25"),
        path="paid → ask → refused (ground B) → shipped",
        outcomes=("completed",),
        emails=("refused",),
        never=("SellerAccepted", "OrderCancelled", "RefundIssued"),
        play=_refused,
        seller="keeps-the-sale",
        paid=True,
    ),
    Story(
        name="bargaining",
        title="The buyer insists, up to three times",
        rules=("R13", "R10"),
        path="paid → ask, write, write → some round is granted, or none",
        outcomes=("cancelled_refunded", "completed"),
        emails=_one_for_each_round,
        never=("CancelExpired",),
        play=_bargain,
        seller="wavering",
        paid=True,
    ),
    Story(
        name="says-it-has-shipped",
        title="The seller says that the parcel has left, and sends it",
        rules=("R16", "R11"),
        path="paid → ask → refused (ground A) → shipped",
        outcomes=("completed",),
        emails=("refused",),
        never=("SellerAccepted", "OrderCancelled", "RefundIssued"),
        play=_says_it_has_shipped,
        seller="manual",
    ),
)
