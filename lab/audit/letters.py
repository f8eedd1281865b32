"""I4: which fact promises which email, and which were recorded. What the mailbox got is compared elsewhere."""

from collections.abc import Iterator
from typing import Final

from countermand.kernel.policy import Policy
from lab.audit.fact import Fact
from lab.audit.record import Promise, Record, on

PROMISES: Final = {
    "OrderPlaced": "order_placed",
    "CancelRequested": "request_received",
    "OrderCancelled": "cancelled",
    "CancelRefused": "refused",
    "CancelExpired": "expired",
    "CancelSuperseded": "superseded",
    "CancelWithdrawn": "withdrawn",
    "RefundIssued": "refund_issued",
    "CancelRejectedNotBuyer": "not_the_buyer",
    "DisputeResolved": "dispute_ruled",
}
"""The kind of email that a fact promises, if the order's policy says so."""


_emails: dict[str, frozenset[str]] = {}


def emails_of(policy: Policy) -> frozenset[str]:
    """The kinds of email that a policy promises; worked out once for each."""
    found = _emails.get(policy.hash)
    if found is None:
        found = _emails[policy.hash] = frozenset(map(str, policy.emails))
    return found


@on(*PROMISES)
def promise(record: Record, fact: Fact) -> None:
    """A fact that the buyer may be told."""
    record.letters.promises[fact.id] = Promise(PROMISES[fact.name], fact.at)


@on("EmailSent")
def tell(record: Record, fact: Fact) -> None:
    """An email was sent."""
    record.letters.sent.setdefault(fact.body["fact_id"], []).append(fact.body["kind"])
    record.letters.ids.append(fact.body["message_id"])


@on("EmailFailed")
def fail(record: Record, fact: Fact) -> None:
    """The mail server refused it for good: told, though not delivered."""
    record.letters.refused[fact.body["fact_id"]] = fact.body["kind"]


def groundless(record: Record, emails: frozenset[str]) -> Iterator[str]:
    """Emails about what never happened, or about what the policy keeps quiet."""
    letters = record.letters
    recorded = [(fact_id, kind) for fact_id, kinds in letters.sent.items() for kind in kinds]
    for fact_id, kind in (*recorded, *letters.refused.items()):
        promised = letters.promises.get(fact_id)
        if promised is None:
            yield f"an email {kind} about a fact that never happened: {fact_id}"
        elif kind != promised.kind or kind not in emails:
            yield f"an email {kind} that {fact_id} did not promise"


def owed(record: Record, emails: frozenset[str]) -> Iterator[tuple[str, Promise]]:
    """Every promise that the policy makes, with the fact that made it."""
    return ((fact_id, found) for fact_id, found in record.letters.promises.items() if found.kind in emails)
