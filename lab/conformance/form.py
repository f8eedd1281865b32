"""The form of what a seller recorded: subjects, headers, ids, bodies, and the compare-and-set behind each event. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from countermand.contracts.base import Owner
from countermand.contracts.subjects import events_of, read
from countermand.runtime.envelope import Poison, read_body
from lab.conformance.desk import Told

FORMS: Final = {
    "subjects": "every event is published to seller.<order_id>.<EventName>.<revision>, and its body fits its schema",
    "revisions": "the revisions of an order count from 1, without a gap and without a repetition",
    "headers": "every event has the headers ce-specversion, -id, -type, -source, -time, -simtime and -terms",
    "ids": "an event's id is <id of its cause>:<word>, used once, and its cause exists",
    "correlation": "ce-correlationid is handed on from the cause",
    "compare-and-set": "every event expects the order's last one, by the filter seller.<order_id>.>",
    "time": "an order's simulated time never goes back",
}
"""What is checked on every event that the other clauses led to."""

_HEADERS: Final = ("ce-specversion", "ce-id", "ce-type", "ce-source", "ce-time", "ce-simtime", "ce-terms")
_EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"

Flaw = tuple[str, str]
"""A clause of `FORMS`, and what is wrong."""


def flaws(order_id: str, events: Sequence[Told], causes: Mapping[str, str], terms: str, prefix: str) -> Iterator[Flaw]:
    """Everything that is wrong with the form of a history.

    Args:
        events: in the stream's order.
        causes: the id of everything that others recorded or sent, and its correlation id.
        terms: the order's, as `ce-terms` has them.
        prefix: of the installation's subjects.
    """
    known = dict(causes)
    last_sequence, last_time = 0, ""
    for number, told in enumerate(events, 1):
        headers, at = told.stored.headers, f"{told.name or told.stored.subject} ({told.stored.sequence})"
        yield from (("subjects", f"{at}: {what}") for what in _subject_and_body(told, prefix))
        if told.revision != str(number):
            yield "revisions", f"{at} has revision {told.revision or 'none'}, and is event number {number}"
        lacks = [name for name in _HEADERS if not headers.get(name)]
        if lacks:
            yield "headers", f"{at} lacks {', '.join(lacks)}"
        elif headers["ce-type"].partition(".")[0] != told.name or headers["ce-terms"] != terms:
            yield "headers", f"{at} has ce-type {headers['ce-type']} and ce-terms {headers['ce-terms']}"
        yield from (("ids", f"{at}: {what}") for what in _id(told, known))
        wanted = known.get(told.cause)  # A timer hands none on.
        if wanted and headers.get("ce-correlationid") != wanted:
            yield "correlation", f"{at} has {headers.get('ce-correlationid', 'none')}, and its cause {wanted}"
        known[told.id] = headers.get("ce-correlationid", "")
        expected, family = headers.get(_EXPECTED), headers.get(f"{_EXPECTED}-Subject")
        if (expected, family) != (str(last_sequence), prefix + events_of(Owner.SELLER, order_id)):
            yield (
                "compare-and-set",
                f"{at} expects {expected or 'nothing'} by {family or 'no filter'}, not {last_sequence}",
            )
        last_sequence = told.stored.sequence
        time = headers.get("ce-simtime", "")
        if _earlier(time, last_time):
            yield "time", f"{at} happened at {time}, before {last_time}"
        last_time = time or last_time


def _subject_and_body(told: Told, prefix: str) -> Iterator[str]:
    try:
        read_body(read(told.stored.subject.removeprefix(prefix)), told.stored.data)
    except (ValueError, Poison) as error:
        yield str(error)


def _id(told: Told, known: Mapping[str, str]) -> Iterator[str]:
    if told.id in known:
        yield f"the id {told.id} was used before"
    if not told.cause:
        yield "it has no ce-causationid"
    elif not told.id.startswith(f"{told.cause}:"):
        yield f"the id {told.id} does not begin with its cause {told.cause}:"
    # A timer's id is that of the event that armed it, and the timer's name.
    if told.cause and told.cause not in known and told.cause.rpartition(":")[0] not in known:
        yield f"its cause {told.cause} exists nowhere"


def _earlier(time: str, than: str) -> bool:
    try:
        return bool(time and than) and datetime.fromisoformat(time) < datetime.fromisoformat(than)
    except (ValueError, TypeError):
        return True
