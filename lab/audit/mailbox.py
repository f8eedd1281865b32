"""I4 at the far end: the Message-IDs that the mailbox received, against those that were recorded as sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from countermand.runtime.settings import ConfigurationError

_TIMEOUT_S: Final = 60.0
"""A million Message-IDs are some 70 MB."""


@dataclass(frozen=True, slots=True)
class Mail:
    """What the mailbox and the records make of each other.

    Attributes:
        lost: (order, Message-ID) recorded as sent and never received.
        unrecorded: Message-IDs received of which no event tells.
        repeats: how many emails came more than once, counted by each time after the first.
    """

    lost: tuple[tuple[str, str], ...]
    unrecorded: tuple[str, ...]
    repeats: int


async def received(mailbox_url: str, order_id: str | None = None) -> dict[str, int]:
    """Every Message-ID with how often it came: of one order, or of all.

    Raises:
        ConfigurationError: nobody answers there.
    """
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_S) as http:
            answer = await http.get(f"{mailbox_url}/message-ids", params={"order": order_id} if order_id else None)
            answer.raise_for_status()
            found: dict[str, int] = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        msg = f"no mailbox answers at {mailbox_url}: {error}"
        raise ConfigurationError(msg) from error
    return found


def compare(recorded: Mapping[str, str], before: Mapping[str, int], after: Mapping[str, int]) -> Mail:
    """Compare the mailbox with the records.

    Args:
        recorded: the order of each Message-ID that an event tells of.
        before: what the mailbox had before the events were read: each must be recorded.
        after: what it had afterwards: each record must be in it.
    """
    lost = tuple((order_id, message_id) for message_id, order_id in recorded.items() if message_id not in after)
    unrecorded = tuple(message_id for message_id in before if message_id not in recorded)
    return Mail(lost, unrecorded, sum(times - 1 for message_id, times in after.items() if message_id in recorded))
