"""Facts: what the streams hold, read with as little work as possible. A fact that cannot be read is still a fact."""

import re
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, cast

from pydantic_core import from_json

from countermand.contracts.base import Owner
from countermand.runtime.direct import Stored

COMMANDS: Final = "commands"
"""The owner of what people ask; the others own events."""

OWNERS: Final = tuple(str(owner) for owner in Owner)

UNREADABLE: Final = "(unreadable)"
"""The name of a fact whose subject or body makes no sense."""

_EVENT_TOKENS: Final = 4
_ATTRIBUTES: Final = re.compile(r"\r\nce-(id|causationid|correlationid|simtime):[ \t]*([^\r]*)")
_MESSAGE_ID: Final = re.compile(r"\r\nNats-Msg-Id:[ \t]*([^\r]*)", re.IGNORECASE)


class Fact(NamedTuple):
    """One message of a stream. `at` is the broker's time of storing it, in ns since 1970; `simulated` is ISO 8601.

    `correlation` tells only whether there is one. For a command, `revision` is 0 and `body` is empty.
    """

    at: int
    owner: str
    order_id: str
    name: str
    revision: int
    sequence: int
    id: str
    cause: str
    correlation: str
    simulated: str
    body: dict[str, Any]


def event(owner: str, subject: str, sequence: int, at: int, headers: str, data: bytes) -> Fact:
    """Read an event; `subject` has no prefix, `headers` is the block as it came."""
    tokens = subject.split(".")
    if len(tokens) != _EVENT_TOKENS or not tokens[3].isdecimal():
        return Fact(at, owner, subject, UNREADABLE, 0, sequence, "", "", "", "", {})
    attributes = dict(_ATTRIBUTES.findall(headers))
    get = attributes.get
    name, body = tokens[2], _document(data)
    return Fact(
        at,
        owner,
        tokens[1],
        UNREADABLE if body is None else name,
        int(tokens[3]),
        sequence,
        get("id", ""),
        get("causationid", ""),
        get("correlationid", ""),
        get("simtime", ""),
        body or {},
    )


def command(stream: str, subject: str, sequence: int, at: int, headers: str) -> Fact:
    """Read a command, without its body; one that came without an id is named by its place in the stream."""
    _, _, order_id, name = (subject + "...").split(".", 3)
    found = dict(_ATTRIBUTES.findall(headers)).get("id")
    if not found:
        match = _MESSAGE_ID.search(headers)
        found = match[1] if match else f"{stream}-{sequence}"
    return Fact(at, COMMANDS, order_id, name.rstrip("."), 0, sequence, found, "", "", "", {})


def from_stored(owner: str, stream: str, subject: str, stored: Stored) -> Fact:
    """Read a message that was looked up."""
    headers = "".join(f"\r\n{key}: {value}" for key, value in stored.headers.items()) + "\r\n"
    at = nanoseconds(stored.stored_at)
    if owner == COMMANDS:
        return command(stream, subject, stored.sequence, at, headers)
    return event(owner, subject, stored.sequence, at, headers, stored.data)


def nanoseconds(at: datetime) -> int:
    """A moment as the broker counts it."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _document(data: bytes) -> dict[str, Any] | None:
    try:
        document: Any = from_json(data)
    except ValueError:
        return None
    return cast("dict[str, Any]", document) if isinstance(document, dict) else None
