"""When our mailbox took the emails of a run: the last hop, which no stream tells of."""

from collections.abc import Mapping
from typing import Any, Final

import httpx

from countermand.runtime.settings import ConfigurationError
from services.notify.mail import message_id_of
from services.notify.promises import PROMISES

_TIMEOUT_S: Final = 120.0
"""A million Message-IDs are some 80 MB."""

_KIND_OF: Final = {fact.__name__: kind for fact, kind in PROMISES.items()}


async def arrivals(mailbox_url: str) -> dict[str, float]:
    """Every Message-ID and when it came first, in Unix time by the mailbox's clock.

    Raises:
        ConfigurationError: nobody answers there.
    """
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_S) as http:
            answer = await http.get(f"{mailbox_url}/arrivals")
            answer.raise_for_status()
            arrived: dict[str, float] = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        msg = f"no mailbox answers at {mailbox_url}: {(str(error) or type(error).__name__).splitlines()[0]}"
        raise ConfigurationError(msg) from error
    return arrived


def note_arrivals(order: dict[str, Any], arrived: Mapping[str, float], start_at: float) -> dict[str, Any]:
    """An order's line with `mailed` in each request whose email arrived, in seconds since the run's start."""
    for request in order["requests"]:
        kind = _KIND_OF.get(request.get("answer", ""))
        if kind is not None and (at := arrived.get(message_id_of(request["fact"], kind))) is not None:
            request["mailed"] = round(at - start_at, 6)
    return order
