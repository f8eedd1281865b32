"""Dead letters: messages that nobody could handle, kept with the reason, for an operator to replay or discard.

A replay is a message on `retry.<service>.<consumer>` with the headers and the body of the one that failed. The service
handles it as that message, come once more: with its id and its time, so that whatever was done of it is not done again.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from nats.aio.msg import Msg
from nats.js import JetStreamContext

from countermand.contracts.base import Owner
from countermand.runtime.envelope import MAX_ID_LENGTH, Delivery
from countermand.runtime.names import Names

_MAX_REASON_LENGTH: Final = 1_000
"""A header is one line; the whole error is in the log."""

_MAX_BODY_BYTES: Final = 40 * 1024
"""Of the 64 KiB that a message of ours may have; what is longer is cut, and stays whole in the stream it came from."""

_MAX_KEPT_BYTES: Final = 16 * 1024
"""Of the message's own headers, of which a stranger may send many."""

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""What a client may send; the broker takes more."""

_REPLAY: Final = "retry."
_REPLAY_TOKENS: Final = 3

ORIGINAL: Final = "dead-"
"""Prefix of the headers that say where the message came from, and what an operator did about it."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A delivered message and where it comes from.

    Attributes:
        subject: as the contracts spell it.
        place: where it stands.
        first: where it stood when it was delivered first; another place than `place` if it is a replay.
        headers: its own, less what belongs to the replay.
        letter: the dead letter that it is a replay of; nothing if it is none.
    """

    subject: str
    place: Delivery
    first: Delivery
    headers: Mapping[str, str]
    data: bytes
    letter: str | None = None

    @staticmethod
    def of(raw: Msg, names: Names) -> "Heard":
        """Read what was delivered. A replay that does not say of what is no more than its subject, which nobody knows."""
        subject, place, headers = names.bare(raw.subject), Delivery.of(raw), raw.headers or {}
        if subject.startswith(_REPLAY):
            try:
                return _replayed(subject, place, headers, raw.data)
            except (KeyError, ValueError):
                pass
        return Heard(subject, place, place, headers, raw.data)


def subject_of(raw: Msg, names: Names) -> str:
    """The subject of a delivered message; of a replay, that of the message that failed."""
    subject = names.bare(raw.subject)
    return (raw.headers or {}).get(f"{ORIGINAL}subject", subject) if subject.startswith(_REPLAY) else subject


async def bury(js: JetStreamContext, names: Names, service: Owner, heard: Heard, reason: str) -> None:
    """Copy a message to `dead.<service>.<consumer>`; doing it again changes nothing within the dedupe window."""
    one_line = " ".join(reason.split()).encode("ascii", "backslashreplace").decode()
    first, own_id = heard.first, heard.headers.get("Nats-Msg-Id")
    headers = {
        **kept(heard.headers),
        "Nats-Msg-Id": f"dead:{service}:{heard.place.stream}:{heard.place.sequence}",
        f"{ORIGINAL}subject": heard.subject,
        f"{ORIGINAL}stream": first.stream,
        f"{ORIGINAL}sequence": str(first.sequence),
        f"{ORIGINAL}time": first.stored_at.isoformat(),
        f"{ORIGINAL}deliveries": str(heard.place.deliveries),
        f"{ORIGINAL}reason": one_line[:_MAX_REASON_LENGTH],
    }
    if own_id and "ce-id" not in heard.headers:
        headers[f"{ORIGINAL}id"] = own_id[: MAX_ID_LENGTH + 1]  # One that was too long stays so.
    if heard.letter:
        headers[f"{ORIGINAL}letter"] = heard.letter
    if len(heard.data) > _MAX_BODY_BYTES:
        headers[f"{ORIGINAL}size"] = str(len(heard.data))
    subject = names.subject(f"dead.{service}.{first.consumer}")
    await js.publish(subject, heard.data[:_MAX_BODY_BYTES], headers=headers)


def kept(headers: Mapping[str, str]) -> dict[str, str]:
    """A message's own headers, less those that would instruct JetStream or us or cannot be sent, as far as they fit."""
    found: dict[str, str] = {}
    left = _MAX_KEPT_BYTES
    for name, value in headers.items():
        left -= len(name) + len(value.encode())
        if left >= 0 and _HEADER_NAME.fullmatch(name) and not name.lower().startswith(("nats-", ORIGINAL)):
            found[name] = value
    return found


def _replayed(subject: str, place: Delivery, headers: Mapping[str, str], data: bytes) -> Heard:
    """The message that failed, as its replay tells.

    Raises:
        KeyError, ValueError: it does not tell.
    """
    if subject.count(".") != _REPLAY_TOKENS - 1:
        raise ValueError(subject)
    stream, sequence = headers[f"{ORIGINAL}stream"], int(headers[f"{ORIGINAL}sequence"])
    stored_at = datetime.fromisoformat(headers[f"{ORIGINAL}time"])
    if stored_at.tzinfo is None:
        raise ValueError(headers)
    first = Delivery(stream, subject.rpartition(".")[2], place.deliveries, sequence, stored_at)
    own = kept(headers)
    own.setdefault("ce-id", headers.get(f"{ORIGINAL}id", f"{stream}-{sequence}"))
    return Heard(headers[f"{ORIGINAL}subject"], place, first, own, data, headers.get(f"{ORIGINAL}letter"))
