"""Sending commands: in order, many in flight, each again until the broker has it."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from itertools import count
from typing import Final

from nats.errors import Error as NatsError

from countermand.contracts.base import Command
from countermand.contracts.subjects import command_subject
from countermand.runtime.names import Names
from countermand.runtime.requests import put
from lab.lean import LeanClient

_AGAIN_AFTER_S: Final = 5.0
"""An ack takes a millisecond; after so long it, or the command, was lost."""

_GIVE_UP_AFTER_S: Final = 120.0
_CHECK_EVERY_S: Final = 0.5


class _Sent:
    __slots__ = ("first_at", "headers", "last_at", "payload", "subject")

    def __init__(self, subject: str, payload: bytes, headers: dict[str, str], now: float) -> None:
        self.subject = subject
        self.payload = payload
        self.headers = headers
        self.first_at = now
        self.last_at = now


class Sender:
    """Publishes commands to JetStream. A resent one has the same id, so that the broker stores one of them.

    Attributes:
        lost: commands that were given up.
        resent: how often a command was sent again.
        resent_why: what the broker last said against a command, or else the first reason to send one again.
    """

    def __init__(self, nc: LeanClient, names: Names, clock: Callable[[], float]) -> None:
        self._nc = nc
        self._names = names
        self._clock = clock
        self._inbox = nc.new_inbox()
        self._waiting: dict[bytes, _Sent] = {}
        self._tokens = count()
        self._watch: asyncio.Task[None] | None = None
        self.lost = 0
        self.resent = 0
        self.resent_why = ""

    async def start(self) -> None:
        """Listen for acks."""
        await self._nc.pour(f"{self._inbox}.*", self._acked)
        self._watch = asyncio.create_task(self._keep())

    async def send(self, order_id: str, command: Command, command_id: str) -> None:
        """Send a command; while the broker is away it waits, in its order."""
        name = type(command).__name__
        headers = {
            "Nats-Msg-Id": command_id,
            "ce-specversion": "1.0",
            "ce-id": command_id,
            "ce-type": f"{name}.v{command.version}",
            "ce-source": "/countermand/load",
        }
        subject = self._names.subject(command_subject(command.owner, order_id, name))
        sent = _Sent(subject, command.model_dump_json().encode(), headers, self._clock())
        token = str(next(self._tokens))
        self._waiting[token.encode()] = sent
        if self._nc.is_connected:
            await self._publish(token, sent)

    async def again(self) -> None:
        """After a reconnect: whatever has no ack, in the order in which it was sent first."""
        for token, sent in list(self._waiting.items()):
            sent.last_at = self._clock()
            self.resent += 1
            self.resent_why = self.resent_why or "the broker was away"
            await self._publish(token.decode(), sent)

    @property
    def unacked(self) -> int:
        """Commands of which the broker has said nothing yet."""
        return len(self._waiting)

    def stop(self) -> None:
        """Send nothing again."""
        if self._watch:
            self._watch.cancel()

    async def _publish(self, token: str, sent: _Sent) -> None:
        with contextlib.suppress(NatsError):  # Away since a moment ago: sent again.
            await put(self._nc, sent.subject, f"{self._inbox}.{token}", sent.headers, sent.payload)

    def _acked(self, subject: bytes, _reply: bytes, data: bytes, _headers: bytes) -> None:
        token = subject.rpartition(b".")[2]
        if not data or b'"error"' in data:  # No responders, or a stream that takes nothing now: sent again.
            self.resent_why = json.loads(data)["error"].get("description", "") if data else "no stream takes them"
            return
        self._waiting.pop(token, None)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_CHECK_EVERY_S)
            now = self._clock()
            for token, sent in list(self._waiting.items()):
                if now - sent.first_at > _GIVE_UP_AFTER_S:
                    del self._waiting[token]
                    self.lost += 1
                elif now - sent.last_at > _AGAIN_AFTER_S and self._nc.is_connected:
                    sent.last_at = now
                    self.resent += 1
                    self.resent_why = self.resent_why or "no acknowledgement came"
                    await self._publish(token.decode(), sent)
