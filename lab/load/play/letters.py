"""When our mailbox took the emails of a run: the last hop, which no stream tells of."""

from collections.abc import Mapping
from typing import Any

from lab.audit.mailbox import told_by
from lab.load.play.flow import PROMISED_BY
from services.notify.mail import message_id_of


async def arrivals(mailbox_url: str) -> dict[str, float]:
    """Every Message-ID and when it came first, in Unix time by the mailbox's clock.

    Raises:
        ConfigurationError: nobody answers there.
    """
    return await told_by(mailbox_url, "arrivals")


def note_arrivals(order: dict[str, Any], arrived: Mapping[str, float], start_at: float) -> dict[str, Any]:
    """An order's line with `mailed` in each request whose email arrived, in seconds since the run's start."""
    for request in order["requests"]:
        kind = PROMISED_BY.get(request.get("answer", ""))
        if kind is not None and (at := arrived.get(message_id_of(request["fact"], kind))) is not None:
            request["mailed"] = round(at - start_at, 6)
    return order
