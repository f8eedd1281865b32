"""A seller's feedback (R24): the share of orders that ended well, folded from `SellerRated` over all orders."""

import json
from typing import Final

from countermand.contracts.base import SellerRecord
from countermand.contracts.seller import SellerRated
from countermand.contracts.subjects import every
from lab.market import Market

_BATCH: Final = 1_000


async def record_of(market: Market, seller_id: str) -> SellerRecord | None:
    """What buyers can see of a seller; nothing while no order of theirs has ended. Reads every rating there is."""
    stream, subject = market.names.stream("SELLER"), market.names.subject(every(SellerRated))
    ratings: list[bool] = []
    sequence = 1
    while stored := await market.reader.following(stream, subject, sequence, _BATCH):
        for message in stored:
            rating = json.loads(message.data)
            if rating["seller"]["id"] == seller_id:
                ratings.append(bool(rating["positive"]))
        sequence = stored[-1].sequence + 1
    if not ratings:
        return None
    return SellerRecord(positive_percent=round(100 * sum(ratings) / len(ratings), 1), orders=len(ratings))
