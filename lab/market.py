"""The marketplace from outside: send commands as a buyer, a seller or the platform would, and watch what follows."""

import asyncio
import json
import os
import secrets
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import DeliverPolicy

from countermand.contracts.base import Command, Owner
from countermand.contracts.subjects import command_subject, token
from countermand.runtime.connection import access
from countermand.runtime.direct import DirectReader, Stored, StoreReadError
from countermand.runtime.envelope import Delivery
from countermand.runtime.names import Names
from countermand.runtime.policies import Policies
from countermand.runtime.settings import ConfigurationError, load_settings
from countermand.runtime.tracing import Span, Tracer, tracing
from lab.facts import Fact, fact_from

CONNECT_TIMEOUT_S: Final = 3.0
"""How long a command line waits for a broker that may not be there."""

PUBLISH_TIMEOUT_S: Final = 10.0
"""How long a command may take to be stored; a busy machine needs seconds, not more."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a service answered to a command that made no sense."""

    command: str
    command_id: str
    reason: str
    detail: str


class Market:
    """A connection to a running system."""

    def __init__(self, nc: Client, names: Names, url: str = "") -> None:
        self.nc = nc
        self.url = url
        self.names = names
        self.js = nc.jetstream(timeout=PUBLISH_TIMEOUT_S)
        self.reader = DirectReader(nc)
        self.policies = Policies(self.js, names)
        self._facts: dict[str, list[Fact]] = defaultdict(list)
        self._refusals: dict[str, Refusal] = {}
        self._news: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._told: Callable[[Fact], None] | None = None
        self._traces: dict[str, str] = {}

    @staticmethod
    async def connect(url: str, names: Names | None = None) -> "Market":
        """Connect.

        Raises:
            ConfigurationError: nobody answers there.
        """
        try:
            nc = await nats.connect(
                url.split(","),
                name="countermand-lab",
                connect_timeout=int(CONNECT_TIMEOUT_S),
                max_reconnect_attempts=1,
                allow_reconnect=False,
                error_cb=_say_nothing,
                **access(load_settings()).options(),
            )
        except (NatsError, OSError, ValueError) as error:
            msg = f"no NATS server answers at {url}: {str(error) or type(error).__name__}"
            raise ConfigurationError(msg) from error
        market = Market(nc, names or Names(), url)
        await market.reader.start()
        return market

    async def check(self) -> None:
        """Find out whether there is a marketplace at all.

        Raises:
            ConfigurationError: nobody has provisioned it.
        """
        try:
            await self.js.stream_info(self.names.journal(Owner.ORDER))
        except (TimeoutError, NatsError) as error:
            msg = f"this NATS server has no stream {self.names.journal(Owner.ORDER)}: run `countermand provision`"
            raise ConfigurationError(msg) from error

    async def close(self) -> None:
        """Disconnect."""
        await self.nc.close()
        if self._traces and self._tracer is not None:
            self._tracer.close()

    async def watch(self, told: Callable[[Fact], None] | None = None) -> None:
        """Collect every event and refusal from now on; `told` of each event."""
        self._told = told
        for owner in Owner:
            await self.js.subscribe(
                self.names.subject(f"{owner}.>"),
                stream=self.names.journal(owner),
                ordered_consumer=True,
                deliver_policy=DeliverPolicy.NEW,
                cb=self._hear_event,
            )
        await self.nc.subscribe(self.names.subject("reply.>"), cb=self._hear_refusal)
        await self.nc.flush()

    async def send(
        self, order_id: str, command: Command, *, command_id: str | None = None, delivery: str | None = None
    ) -> str:
        """Publish a command; its id comes back. The same id twice is one command.

        JetStream itself drops a repeated id for a while; each `delivery` of a name gets past that.
        """
        command_id = command_id or f"{type(command).__name__}-{secrets.token_hex(6)}"
        dedupe_id = f"{command_id}/{delivery}" if delivery else command_id
        headers = {"Nats-Msg-Id": dedupe_id, "ce-id": command_id, "ce-specversion": "1.0"}
        headers |= {"ce-type": f"{type(command).__name__}.v{command.version}", "ce-source": "/countermand/lab"}
        subject = self.names.subject(command_subject(command.owner, order_id, type(command).__name__))
        span = self._begin_span(order_id, self.names.bare(subject), command_id)
        if span is not None:
            headers["traceparent"] = span.traceparent
        await self.js.publish(subject, command.model_dump_json().encode(), headers=headers)
        if span is not None:
            span.end("sent", "")
        return command_id

    def facts(self, order_id: str) -> list[Fact]:
        """What has been seen of an order so far."""
        return list(self._facts[order_id])

    async def until(self, order_id: str, is_it: Callable[[Fact], bool], what: str, within_s: float) -> Fact:
        """The first fact that `is_it`, seen already or yet to come.

        Raises:
            TimeoutError: it did not come; the message says what was awaited and what came instead.
        """
        found = await self._await(order_id, lambda: next(filter(is_it, self._facts[order_id]), None), within_s)
        if found is None:
            seen = ", ".join(fact.name for fact in self._facts[order_id]) or "nothing"
            msg = f"no {what} within {within_s:g} s; there was {seen}"
            raise TimeoutError(msg)
        return found

    async def answer(self, order_id: str, command_id: str, within_s: float) -> Fact | Refusal:
        """What a command led to: its own event, or its refusal.

        Raises:
            TimeoutError: neither came.
        """

        def look() -> Fact | Refusal | None:
            own = (fact for fact in self._facts[order_id] if fact.caused_by == command_id)
            return next(own, None) or self._refusals.get(token(command_id))

        found = await self._await(order_id, look, within_s)
        if found is None:
            msg = f"{command_id} was neither followed nor refused within {within_s:g} s"
            raise TimeoutError(msg)
        return found

    @cached_property
    def _tracer(self) -> Tracer | None:
        """Made when it is needed first: most who connect send nothing."""
        return tracing("lab", load_settings())

    def _begin_span(self, order_id: str, subject: str, command_id: str) -> Span | None:
        """The first command of an order begins its trace, or continues the one that the caller of this process is in."""
        if self._tracer is None:
            return None
        parent = self._traces.get(order_id) or os.environ.get("TRACEPARENT")
        span = self._tracer.sends(subject, command_id, parent)
        self._traces.setdefault(order_id, span.traceparent)
        return span

    async def _await(self, order_id: str, look: Callable[[], Any], within_s: float) -> Any:
        try:
            async with asyncio.timeout(within_s):
                while (found := look()) is None:
                    self._news[order_id].clear()
                    await self._news[order_id].wait()
                return found
        except TimeoutError:
            return None

    async def _hear_event(self, msg: Msg) -> None:
        place = Delivery.of(msg)
        fact = fact_from(Stored(msg.subject, place.sequence, place.stored_at, msg.headers or {}, msg.data), self.names)
        self._facts[fact.order_id].append(fact)
        if self._told:
            self._told(fact)
        self._news[fact.order_id].set()

    async def _hear_refusal(self, msg: Msg) -> None:
        _, _, order_id, command_token = self.names.bare(msg.subject).split(".", 3)
        document: dict[str, str] = json.loads(msg.data)
        self._refusals[command_token] = Refusal(**document)
        self._news[order_id].set()


@asynccontextmanager
async def marketplace(url: str) -> AsyncGenerator[Market]:
    """A provisioned marketplace, for as long as a command needs it.

    Raises:
        ConfigurationError: nobody answers there, or not any more, or nobody has provisioned it.
    """
    async with reached(url) as market:
        await market.check()
        yield market


@asynccontextmanager
async def reached(url: str, names: Names | None = None) -> AsyncGenerator[Market]:
    """A NATS server, for as long as a command needs it; without names, under the prefix that the environment says.

    Raises:
        ConfigurationError: nobody answers there, or not any more.
    """
    market = await Market.connect(url, names or Names(load_settings().subject_prefix))
    try:
        yield market
    except (TimeoutError, NatsError, StoreReadError) as error:
        msg = f"the broker does not answer as it should: {error or type(error).__name__}"
        raise ConfigurationError(msg) from error
    finally:
        await market.close()


async def _say_nothing(_: Exception) -> None:
    """What fails is told by the call that fails."""
