"""Dead letters: messages that nobody could handle, kept with the reason, for an operator to replay or discard."""

import re
from typing import Final

from nats.aio.msg import Msg
from nats.js import JetStreamContext

from countermand.contracts.base import Owner
from countermand.runtime.envelope import Delivery
from countermand.runtime.names import Names

_MAX_REASON_LENGTH: Final = 1_000
"""A header is one line; the whole error is in the log."""

_MAX_BODY_BYTES: Final = 40 * 1024
"""Of the 64 KiB that a message of ours may have; what is longer is cut, and stays whole in the stream it came from."""

_MAX_KEPT_BYTES: Final = 16 * 1024
"""Of the message's own headers, of which a stranger may send many."""

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""What a client may send; the broker takes more."""

ORIGINAL: Final = "dead-"
"""Prefix of the headers that say where the message came from."""


async def bury(js: JetStreamContext, names: Names, service: Owner, raw: Msg, place: Delivery, reason: str) -> None:
    """Copy a message to `dead.<service>.<consumer>`; doing it again changes nothing within the dedupe window."""
    one_line = " ".join(reason.split()).encode("ascii", "backslashreplace").decode()
    headers = {
        **_kept(raw),
        "Nats-Msg-Id": f"dead:{service}:{place.stream}:{place.sequence}",
        f"{ORIGINAL}subject": names.bare(raw.subject),
        f"{ORIGINAL}stream": place.stream,
        f"{ORIGINAL}sequence": str(place.sequence),
        f"{ORIGINAL}deliveries": str(place.deliveries),
        f"{ORIGINAL}reason": one_line[:_MAX_REASON_LENGTH],
    }
    if len(raw.data) > _MAX_BODY_BYTES:
        headers[f"{ORIGINAL}size"] = str(len(raw.data))
    subject = names.subject(f"dead.{service}.{place.consumer}")
    await js.publish(subject, raw.data[:_MAX_BODY_BYTES], headers=headers)


def _kept(raw: Msg) -> dict[str, str]:
    """The message's own headers, less those that would instruct JetStream or cannot be sent, as far as they fit."""
    kept: dict[str, str] = {}
    left = _MAX_KEPT_BYTES
    for name, value in (raw.headers or {}).items():
        left -= len(name) + len(value.encode())
        if left >= 0 and _HEADER_NAME.fullmatch(name) and not name.lower().startswith("nats-"):
            kept[name] = value
    return kept
