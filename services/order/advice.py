"""What the dialog tells the buyer to expect (R27), from the order's age, the reason and the seller's record."""

from datetime import datetime, timedelta
from typing import Final

from countermand.contracts.base import SellerRecord
from countermand.contracts.order import CancelReason
from services.order.state import Facts

_GRANTED_GLADLY: Final = timedelta(hours=1)
_ALMOST_SENT: Final = timedelta(days=1)
_TRUSTED_PERCENT: Final = 90
_SIGNIFICANT_ORDERS: Final = 10


def advice(facts: Facts, reason: CancelReason, now: datetime, record: SellerRecord | None) -> str:
    """A few sentences, shown before anything is sent."""
    return " ".join(sentence for sentence in (_outlook(facts, now), _hint(reason), _reputation(record)) if sentence)


def _outlook(facts: Facts, now: datetime) -> str:
    age = now - facts.placed_at
    if age <= _GRANTED_GLADLY:
        return "You ordered moments ago: sellers usually agree to this at once."
    if age <= _ALMOST_SENT:
        return "Sellers send quickly: the sooner you ask, the better. Also write to the seller."
    return "This comes late: the parcel may already be on its way, and then the order cannot be cancelled."


def _hint(reason: CancelReason) -> str:
    if reason is CancelReason.SELLER_TOO_SLOW:
        return "Without a shipment the order closes by itself, with a full refund of anything you paid."
    return ""


def _reputation(record: SellerRecord | None) -> str:
    """R24: the risk is lower with 90 % or more positive feedback from a significant number of orders."""
    if record is None:
        return ""
    if record.orders < _SIGNIFICANT_ORDERS:
        return f"Nothing much is known of this seller: {record.orders} orders."
    share = f"{record.positive_percent:.0f} % positive feedback from {record.orders} orders"
    if record.positive_percent >= _TRUSTED_PERCENT:
        return f"This seller has {share}: a fair answer is likely."
    return f"This seller has only {share}: be ready for a no."
