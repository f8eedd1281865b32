"""Commands out, and what became of them: an event, a refusal, or nothing yet. The streams say which."""

import asyncio
import json
import secrets
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from nats.aio.client import Client

from countermand.contracts import COMMANDS as COMMAND_TYPES
from countermand.contracts.base import Command, Owner
from countermand.contracts.subjects import command_subject, events_of, refusal_subject
from countermand.kernel.ids import is_order_id
from countermand.runtime.direct import DirectReader, Stored
from countermand.runtime.facts import Fact, fact_from
from countermand.runtime.names import Names
from countermand.runtime.requests import Requests
from countermand.runtime.streams import COMMANDS, REPLY
from services.web.hub import Hub

_KEY_BYTES: Final = 8
_COMMANDS_AT_ONCE: Final = 100
_LOOK_EVERY_S: Final = 0.25
"""How often the streams are asked while nobody rings."""


class Away(Exception):
    """The broker does not answer. Whether a command that was just sent arrived is unknown."""


class KeyReused(Exception):
    """The same idempotency key came with a different request."""


class NoCommand(Exception):
    """There is no command of that id."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A command that the broker has stored."""

    id: str
    order_id: str
    owner: Owner


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command made no sense: a stable word, and a sentence."""

    reason: str
    detail: str


class Commands:
    """Sends commands, and finds out what became of them."""

    def __init__(self, nc: Client, requests: Requests, reader: DirectReader, names: Names, hub: Hub) -> None:
        self._nc = nc
        self._requests = requests
        self._reader = reader
        self._names = names
        self._hub = hub

    async def send(self, order_id: str, command: Command, key: str | None = None) -> Sent:
        """Store a command. The same `key` for the same order and kind of command is the same command.

        Raises:
            Away: the broker does not answer.
            KeyReused: that key came with another request.
            APIError: JetStream refuses it, as when its store is full.
        """
        if not self._nc.is_connected:
            raise Away
        name = type(command).__name__
        mark = blake2b(key.encode(), digest_size=_KEY_BYTES).hexdigest() if key else secrets.token_hex(_KEY_BYTES)
        sent = Sent(f"web-{order_id}-{name}-{mark}", order_id, command.owner)
        headers = {
            "Nats-Msg-Id": sent.id,
            "ce-specversion": "1.0",
            "ce-id": sent.id,
            "ce-type": f"{name}.v{command.version}",
            "ce-source": "/countermand/web",
        }
        subject = self._names.subject(command_subject(command.owner, order_id, name))
        payload = command.model_dump_json().encode()
        try:
            if key and (before := await self._before(sent)):
                _compare(before.data, payload)
                return sent
            await self._requests.publish(subject, payload, headers)
        except TimeoutError as error:
            raise Away from error
        return sent

    async def find(self, command_id: str) -> Sent:
        """A command that web has sent.

        Raises:
            NoCommand: there is none of that id.
            Away: the broker does not answer.
        """
        match command_id.split("-"):
            case ["web", order_id, name, _] if is_order_id(order_id) and name in COMMAND_TYPES:
                sent = Sent(command_id, order_id, COMMAND_TYPES[name].owner)
            case _:
                raise NoCommand
        if await self._ask(self._before(sent)) is None:
            raise NoCommand
        return sent

    async def answer(self, sent: Sent, within_s: float = 0.0) -> Fact | Refusal | None:
        """What a command led to; nothing if not in time, or if it changed nothing.

        Raises:
            Away: the broker does not answer.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        with self._hub.bell(sent.order_id) as bell:
            while True:
                bell.clear()
                if (found := await self._ask(self._look(sent))) or loop.time() >= until:
                    return found
                wait_s = max(0.0, min(_LOOK_EVERY_S, until - loop.time()))
                try:
                    await asyncio.wait_for(bell.wait(), wait_s)
                except TimeoutError:
                    continue

    async def history(self, owner: Owner, order_id: str) -> list[Fact]:
        """What an owner has recorded of an order, in its order.

        Raises:
            Away: the broker does not answer.
        """
        subject = self._names.subject(events_of(owner, order_id))
        stored = await self._ask(self._reader.last_of_each(self._names.journal(owner), [subject]))
        return [fact_from(one, self._names) for one in stored]

    async def _ask(self, question: Any) -> Any:
        if not self._nc.is_connected:
            question.close()
            raise Away
        try:
            return await question
        except TimeoutError as error:
            raise Away from error

    async def _look(self, sent: Sent) -> Fact | Refusal | None:
        events = self._names.subject(events_of(sent.owner, sent.order_id))
        refusal = self._names.subject(refusal_subject(sent.owner, sent.order_id, sent.id))
        recorded, refused = await asyncio.gather(
            self._reader.last_of_each(self._names.journal(sent.owner), [events]),
            self._reader.last_of_each(self._names.stream(REPLY), [refusal]),
        )
        for stored in recorded:
            if stored.headers.get("ce-causationid") == sent.id:
                return fact_from(stored, self._names)
        if refused:
            document: dict[str, str] = json.loads(refused[-1].data)
            return Refusal(document["reason"], document["detail"])
        return None

    async def _before(self, sent: Sent) -> Stored | None:
        """The stored command of that id: mostly the last of its kind, which an index finds."""
        stream = self._names.stream(COMMANDS)
        subject = self._names.subject(command_subject(sent.owner, sent.order_id, sent.id.split("-")[2]))
        found = await self._reader.last_of_each(stream, [subject])
        sequence = 1
        while found:
            for stored in found:
                if stored.headers.get("ce-id") == sent.id:
                    return stored
            found = await self._reader.following(stream, subject, sequence, _COMMANDS_AT_ONCE)
            sequence = found[-1].sequence + 1 if found else sequence
        return None


def _compare(before: bytes, now: bytes) -> None:
    """An order's clock starts when it is placed: its terms differ at every try."""
    old, new = json.loads(before), json.loads(now)
    if {**old, "terms": None} != {**new, "terms": None}:
        raise KeyReused
