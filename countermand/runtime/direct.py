"""Batched Direct Get (NATS ADR-31): one request, many stored messages, over one shared inbox."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import NoStreamResponseError

from countermand.runtime.requests import IN_FLIGHT_MAX

READ_TIMEOUT_S: Final = 5.0
"""How long a read may take before it counts as failed and is tried again."""

MAX_SUBJECTS: Final = 1024
"""JetStream answers at most this many subjects at once (413 above); a history is bounded below it."""

_END_OF_BATCH: Final = ("204", "404")
_NO_RESPONDERS: Final = "503"


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as a stream keeps it."""

    subject: str
    sequence: int
    stored_at: datetime
    headers: dict[str, str]
    data: bytes


class StoreReadError(Exception):
    """JetStream refused a read; the message says why."""


@dataclass(slots=True)
class _Pending:
    done: "asyncio.Future[None]"
    messages: list[Stored] = field(default_factory=list[Stored])


class DirectReader:
    """Reads stored messages by subject or by sequence."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._inbox = ""
        self._tokens = count()
        self._pending: dict[str, _Pending] = {}
        self._turns = asyncio.Semaphore(IN_FLIGHT_MAX)

    async def start(self) -> None:
        """Listen for answers. The subscription survives reconnects and ends with the connection."""
        self._inbox = self._nc.new_inbox()  # Connected: now it is known under whose prefix.
        await self._nc.subscribe(f"{self._inbox}.*", cb=self._answer)

    async def last_of_each(self, stream: str, subjects: Sequence[str]) -> list[Stored]:
        """The last message of each subject that matches, in stream order. Wildcards use the stream's index.

        Raises:
            TimeoutError: no answer in time.
            StoreReadError: the request was refused, as with more than 1024 matches.
            NoStreamResponseError: the stream has no leader at the moment.
        """
        return await self._request(stream, {"multi_last": list(subjects), "batch": MAX_SUBJECTS})

    async def following(self, stream: str, filter_subject: str, sequence: int, limit: int) -> list[Stored]:
        """Up to `limit` messages that match, from `sequence` on. Raises what `last_of_each` does."""
        return await self._request(stream, {"seq": sequence, "next_by_subj": filter_subject, "batch": limit})

    async def _request(self, stream: str, request: dict[str, Any]) -> list[Stored]:
        async with self._turns:
            token = str(next(self._tokens))
            pending = _Pending(asyncio.get_running_loop().create_future())
            self._pending[token] = pending
            try:
                payload = json.dumps(request).encode()
                await self._nc.publish(f"$JS.API.DIRECT.GET.{stream}", payload, reply=f"{self._inbox}.{token}")
                await asyncio.wait_for(pending.done, READ_TIMEOUT_S)
            finally:
                del self._pending[token]
            return pending.messages

    async def _answer(self, msg: Msg) -> None:
        pending = self._pending.get(msg.subject.rpartition(".")[2])
        if pending is None or pending.done.done():
            return  # Too late: the reader has given up and asks again.
        headers = msg.headers or {}
        status = headers.get("Status")
        if "Nats-Sequence" in headers:  # A stored message may have a header `Status` of its own.
            pending.messages.append(_stored(headers, msg.data))
        elif status in _END_OF_BATCH:
            pending.done.set_result(None)
        elif status == _NO_RESPONDERS:
            pending.done.set_exception(NoStreamResponseError())
        else:
            pending.done.set_exception(StoreReadError(f"{status} {headers.get('Description', '')}".strip()))


def _stored(headers: dict[str, str], data: bytes) -> Stored:
    return Stored(
        subject=headers["Nats-Subject"],
        sequence=int(headers["Nats-Sequence"]),
        stored_at=timestamp(headers["Nats-Time-Stamp"]),
        headers=headers,
        data=data,
    )


def timestamp(text: str) -> datetime:
    """RFC 3339 with up to nine digits of a second, of which Python keeps six."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(whole).replace(microsecond=int(fraction[:6].ljust(6, "0") or 0), tzinfo=UTC)
