"""Dead letters: messages that nobody could handle, kept whole with the reason, for an operator to replay or discard."""

from typing import Final

from nats.aio.msg import Msg
from nats.js import JetStreamContext

from countermand.contracts.base import Owner
from countermand.runtime.envelope import Delivery
from countermand.runtime.names import Names

_MAX_REASON_LENGTH: Final = 1_000
"""A header is one line; the whole error is in the log."""

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
    await js.publish(names.subject(f"dead.{service}.{place.consumer}"), raw.data, headers=headers)


def _kept(raw: Msg) -> dict[str, str]:
    """The message's own headers, less those that would instruct JetStream."""
    return {key: value for key, value in (raw.headers or {}).items() if not key.lower().startswith("nats-")}
