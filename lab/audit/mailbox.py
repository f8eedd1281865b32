"""I4 at the far end: the Message-IDs that the mailbox received, against those that were recorded as sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from countermand.runtime.settings import ConfigurationError
from lab.audit.auditor import Auditor
from lab.audit.fact import Fact
from lab.audit.invariants import Invariant, Violation

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
    return await told_by(mailbox_url, "message-ids", {"order": order_id} if order_id else None)


async def told_by(mailbox_url: str, what: str, params: Mapping[str, str] | None = None) -> Any:
    """What the mailbox answers to `GET /<what>`.

    Raises:
        ConfigurationError: nobody answers there.
    """
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_S) as http:
            answer = await http.get(f"{mailbox_url}/{what}", params=params)
            answer.raise_for_status()
            return answer.json()
    except (httpx.HTTPError, ValueError) as error:
        why = (str(error) or type(error).__name__).splitlines()[0]
        msg = f"no mailbox answers at {mailbox_url}: {why}"
        raise ConfigurationError(msg) from error


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


def note_emails(facts: Sequence[Fact], auditor: Auditor, recorded: dict[str, str]) -> None:
    """Remember the Message-IDs that the open orders tell of."""
    for fact in facts:
        if fact.name == "EmailSent" and auditor.knows(fact.order_id):
            recorded[fact.body.get("message_id", "")] = fact.order_id


def count_mail(mail: Mail, auditor: Auditor, *, drained: bool) -> None:
    """What the mailbox says beyond the records (I4). In a live system an email may be just ahead of its record."""
    totals = auditor.totals
    totals.counts["emails.duplicates"] += mail.repeats
    totals.counts["emails.lost"] += len(mail.lost)
    totals.counts["emails.delivered"] -= len(mail.lost)
    for order_id, message_id in mail.lost:
        totals.blame(Violation(Invariant.I4, order_id, f"{message_id} is recorded as sent, and never arrived"))
    if not drained:
        totals.counts["I4.pending"] += len(mail.unrecorded)
        return
    for message_id in mail.unrecorded:
        totals.blame(Violation(Invariant.I4, "", f"{message_id} arrived, and no event says that it was sent"))
