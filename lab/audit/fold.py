"""The fold: one fact after another into an order's record. It never refuses a fact; what is wrong with it is noted."""

from typing import Final

from lab.audit import disputes, ending, letters, money, parcel, races, requests
from lab.audit.causes import trace
from lab.audit.fact import COMMANDS, UNREADABLE, Fact
from lab.audit.invariants import Invariant
from lab.audit.record import HANDLERS, Asked, Record
from lab.audit.table import step

CONCERNS: Final = (ending, requests, money, parcel, letters, disputes, races)
"""What is folded beside the causes and the steps; each entered its handlers as it was imported."""

_MALFORMED: Final = (KeyError, ValueError, TypeError, AttributeError, OverflowError)
"""What a body that does not fit its name raises in the hands of those who read it."""


def fold(record: Record, fact: Fact) -> None:
    """Take in the next fact of the order; one that is in already changes nothing."""
    if fact.owner == COMMANDS:
        if fact.id not in record.commands:
            record.commands[fact.id] = Asked(fact.name, fact.at)
            record.causes.known.setdefault(fact.id, "")
        return
    owner = fact.owner
    if fact.sequence <= record.sequences.get(owner, 0):
        return
    record.sequences[owner] = fact.sequence
    before = record.revisions.get(owner, 0)
    if fact.revision != before + 1:
        record.blame(Invariant.I6, f"revision {fact.revision} of {owner} ({fact.name}) follows revision {before}")
    record.revisions[owner] = fact.revision
    record.events += 1
    record.last = max(record.last, fact.at)
    try:
        _take(record, fact)
    except _MALFORMED as error:
        record.blame(Invariant.I6, f"revision {fact.revision} of {owner} ({fact.name}) cannot be read: {error!r}")


def _take(record: Record, fact: Fact) -> None:
    if fact.name == UNREADABLE:
        msg = "it is no JSON document"
        raise ValueError(msg)
    trace(record, fact)
    if illegal := step(record.states, fact.owner, fact.name, fact.body):
        record.blame(Invariant.I6, f"revision {fact.revision} of {fact.owner}: {illegal}")
    for handler in HANDLERS.get(fact.name, ()):
        handler(record, fact)
