"""What the dialog tells the buyer to expect (R27), from the order's age, the path and the reason."""

from datetime import datetime, timedelta
from typing import Final

from countermand.contracts.order import CancelReason
from services.order.state import Facts

_GRANTED_GLADLY: Final = timedelta(hours=1)
_ALMOST_SENT: Final = timedelta(days=1)


def advice(facts: Facts, reason: CancelReason, now: datetime) -> str:
    """One or two sentences, shown before anything is sent."""
    age = now - facts.placed_at
    if age <= _GRANTED_GLADLY:
        outlook = "You ordered moments ago: sellers usually agree to this at once."
    elif age <= _ALMOST_SENT:
        outlook = "Sellers send quickly: the sooner you ask, the better. Also write to the seller."
    else:
        outlook = "This comes late: the parcel may already be on its way, and then the order cannot be cancelled."
    if reason is CancelReason.SELLER_TOO_SLOW:
        return f"{outlook} Without a shipment the order closes by itself, with a full refund of anything you paid."
    return outlook
