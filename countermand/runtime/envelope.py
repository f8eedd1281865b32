"""Messages on the wire: CloudEvents attributes in NATS headers, a pydantic model in JSON as the body.

Source: CloudEvents NATS protocol binding 1.0.2, binary content mode.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from nats.aio.msg import Msg
from pydantic import ValidationError

from countermand.contracts import COMMANDS, EVENTS
from countermand.contracts.base import Command, Event, Message
from countermand.contracts.subjects import Address, read
from countermand.runtime.settings import explain

MAX_ID_LENGTH: Final = 800
"""Ids grow along a chain of causes by a command's name each; a longer one is not ours. Fits a header line many times."""

MAX_COMMAND_ID_LENGTH: Final = 200
"""A chain begins with a command: what follows from this one stays below `MAX_ID_LENGTH`."""

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_ACK_V1_TOKENS: Final = 9


class Poison(Exception):
    """A message that nobody can handle; it goes to the dead letters with this reason."""


class Delivered(Protocol):
    """A message as it was delivered, unread."""

    @property
    def subject(self) -> str:
        """As the contracts spell it."""
        ...

    def open(self) -> "Envelope":
        """Read and check it.

        Raises:
            Poison: it is malformed, or of an unknown type.
        """
        ...

    async def ack(self) -> None:
        """It is done, and will not come again."""
        ...


@dataclass(slots=True)
class Envelope:
    """A message read and checked: received, read from a stream, or about to be written. A store completes the latter.

    Attributes:
        id: `ce-id`, or the message's place in its stream if the sender gave none.
        stored_at: the broker's timestamp, the only clock there is; of an event about to be written, its cause's.
        sequence: its place in its stream; 0 of an event about to be written.
        terms: the `ce-terms` header.
        body: the command or event; nothing for a fired timer.
        simulated_at: `ce-simtime`: when it happened, or for a fired timer when it was due.
        deadline_id: for a fired timer, the event that started it.
        delivered: what it was read from; nothing if it was not delivered.
    """

    id: str
    address: Address
    stored_at: datetime
    sequence: int
    body: Message | None
    terms: str | None
    correlation_id: str
    causation_id: str | None
    simulated_at: datetime | None
    deadline_id: str | None
    traceparent: str | None
    delivered: Delivered | None


def open_envelope(
    subject: str, place: "Delivery", headers: Mapping[str, str], data: bytes, delivered: Delivered
) -> Envelope:
    """Read a delivered JetStream message.

    Raises:
        Poison: it is malformed, or of an unknown type.
    """
    try:
        address = read(subject)
    except ValueError as error:
        raise Poison(str(error)) from error
    id_length_max = MAX_COMMAND_ID_LENGTH if address.kind == "cmd" else MAX_ID_LENGTH
    message_id = headers.get("ce-id") or headers.get("Nats-Msg-Id") or f"{place.stream}-{place.sequence}"
    _check_id(message_id, "id", id_length_max)
    correlation_id = headers.get("ce-correlationid") or message_id
    _check_id(correlation_id, "correlation id", id_length_max)
    traceparent = headers.get("traceparent", "")
    return Envelope(
        id=message_id,
        address=address,
        stored_at=place.stored_at,
        sequence=place.sequence,
        body=None if address.kind == "due" else read_body(address, data),
        terms=headers.get("ce-terms"),
        correlation_id=correlation_id,
        causation_id=headers.get("ce-causationid"),
        simulated_at=_time(headers.get("ce-simtime")),
        deadline_id=headers.get("ce-causationid") if address.kind == "due" else None,
        traceparent=traceparent if _TRACEPARENT.fullmatch(traceparent) else None,
        delivered=delivered,
    )


def read_body(address: Address, data: bytes) -> Message:
    """The command or event of a subject.

    Raises:
        Poison: its type is unknown, or the body does not fit it.
    """
    known: Mapping[str, type[Command | Event]] = COMMANDS if address.kind == "cmd" else EVENTS
    cls = known.get(address.name)
    if cls is None or cls.owner != address.service:
        msg = f"{address.service} has no {'command' if address.kind == 'cmd' else 'event'} {address.name!r}"
        raise Poison(msg)
    try:
        return cls.model_validate_json(data)
    except ValidationError as error:
        msg = f"{address.name}: {explain(error)}"
        raise Poison(msg[:1000]) from error


def event_headers(entry: Envelope) -> dict[str, str]:
    """The CloudEvents headers of an event about to be written."""
    if entry.body is None or entry.causation_id is None or entry.terms is None or entry.simulated_at is None:
        msg = "an event has a body, a cause, terms and a time"
        raise ValueError(msg)
    headers = {
        "Nats-Msg-Id": entry.id,
        "ce-specversion": "1.0",
        "ce-id": entry.id,
        "ce-type": f"{entry.address.name}.v{entry.body.version}",
        "ce-source": f"/countermand/{entry.address.service}",
        "ce-time": entry.stored_at.isoformat(),
        "ce-correlationid": entry.correlation_id,
        "ce-causationid": entry.causation_id,
        "ce-simtime": entry.simulated_at.isoformat(),
        "ce-terms": entry.terms,
    }
    if entry.traceparent:
        headers["traceparent"] = entry.traceparent
    return headers


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where a delivered message stands in its stream, from its ack subject."""

    stream: str
    consumer: str
    deliveries: int
    sequence: int
    stored_at: datetime

    @staticmethod
    def of(raw: Msg) -> "Delivery":
        """Read the ack subject: `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.…`, or with a domain before."""
        tokens = raw.reply.split(".")
        stream, consumer, deliveries, sequence, _, nanoseconds = (
            tokens[2:8] if len(tokens) == _ACK_V1_TOKENS else tokens[4:10]
        )
        stored_at = datetime.fromtimestamp(int(nanoseconds) / 1e9, UTC)
        return Delivery(stream, consumer, int(deliveries), int(sequence), stored_at)


def _check_id(text: str, what: str, length_max: int) -> None:
    """Refuse an id that would not come back from a header as it went in."""
    if len(text) > length_max:
        msg = f"the {what} is longer than {length_max} characters"
        raise Poison(msg)
    if not text.isprintable():
        msg = f"the {what} has characters that cannot be printed"
        raise Poison(msg)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        msg = f"ce-simtime {text!r} is no time"
        raise Poison(msg) from error
