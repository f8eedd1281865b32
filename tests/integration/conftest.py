"""A broker of its own for each test, an installation on it, and replicas of services to which a test hands messages.

Services run in this process: what a test gives them (a decider that fails, an effect that counts) needs no wire.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

import nats
import pytest
from nats.aio.client import Client
from nats.js.api import ConsumerConfig, DeliverPolicy

from countermand.contracts.base import Command, Event, Owner
from countermand.contracts.order import PaymentMethod
from countermand.contracts.subjects import command_subject, event_subject, events_of
from countermand.kernel.ids import order_id_from
from countermand.kernel.policy import Policy
from countermand.kernel.terms import Clock, Terms
from countermand.runtime.card import Card
from countermand.runtime.direct import DirectReader, Stored
from countermand.runtime.embedded import NatsServer, start_nats
from countermand.runtime.failpoints import Failpoint
from countermand.runtime.handler import Handler
from countermand.runtime.jetstream import JetStreamAlarms, JetStreamDelivered, JetStreamOutside, JetStreamStore
from countermand.runtime.names import Names
from countermand.runtime.reconciler import Reconciler
from countermand.runtime.requests import Requests
from countermand.runtime.service import Service
from countermand.runtime.settings import Settings
from countermand.runtime.streams import COMMANDS, DEAD, REPLY, TIMERS, provision
from lab.facts import Fact, history
from lab.market import Market, Refusal
from services.dispute.app import CARD as DISPUTE
from services.notify.app import CARD as NOTIFY
from services.order.app import CARD as ORDER
from services.seller.app import CARD as SELLER
from tests.support.orders import START, place

FASTEST: Final = 129_600.0
"""The clock rate at which the default policy's shortest deadline takes two seconds: the fastest that is not refused."""

WITHIN_S: Final = 10.0
"""How long a test waits for what should take milliseconds, or a deadline of two seconds."""

_POLL_S: Final = 0.02
_CARDS: Final[tuple[Card[Any, Any, Any], ...]] = (ORDER, SELLER, DISPUTE, NOTIFY)
_numbers = count(1)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncGenerator[NatsServer]:
    """A broker without any stream."""
    server = await start_nats(tmp_path / "nats")
    try:
        yield server
    finally:
        await server.kill()  # It has nothing to keep.


@pytest.fixture
async def shop(server: NatsServer) -> AsyncGenerator["Shop"]:
    """An installation with the default settings."""
    async with opened(server) as shop:
        yield shop


@asynccontextmanager
async def opened(server: NatsServer, **settings: Any) -> AsyncGenerator["Shop"]:
    """An installation with these settings."""
    shop = Shop(Settings(nats_url=server.url, **settings), server.log_path.parent)
    await shop.open()
    try:
        yield shop
    finally:
        await shop.market.close()


def terms_now(policy: Policy | None = None, *, rate: float = 1) -> Terms:
    """Terms of an order that is placed now."""
    clock = Clock(epoch=START, started_at=datetime.now(UTC), rate=rate)
    return Terms(seed=7, policy=policy or Policy(), clock=clock)


def some_order_id() -> str:
    """An order's id that nothing else has."""
    return order_id_from("test", next(_numbers))


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it holds; for what the broker tells nobody."""
    async with asyncio.timeout(WITHIN_S):
        while not await holds():  # noqa: ASYNC110  # There is no event to wait for.
            await asyncio.sleep(_POLL_S)


def deciding(card: Card[Any, Any, Any], decide: Any) -> Card[Any, Any, Any]:
    """The card with another `decide`."""
    return replace(card, decider=replace(card.decider, decide=decide))


class Shop:
    """An installation seen from outside: what people send, and what the streams hold."""

    market: Market

    def __init__(self, settings: Settings, logs: Path) -> None:
        self.settings = settings
        self.logs = logs
        self.names = Names(settings.subject_prefix)
        self._served: list[Card[Any, Any, Any]] = []

    async def open(self) -> None:
        """Provision, and begin to watch."""
        await self.connect()
        services = [(card.name, card.subscriptions()) for card in _CARDS]
        await provision(self.market.js, self.names, self.settings, services)
        await self.market.watch()

    async def connect(self) -> None:
        """Connect, for the first time."""
        self.market = await Market.connect(self.settings.nats_url, self.names)

    async def reconnect(self) -> None:
        """Connect after the broker was away; what happened before is in the streams only."""
        await self.market.close()
        await self.connect()

    @asynccontextmanager
    async def serving(self, *cards: Card[Any, Any, Any]) -> AsyncGenerator[None]:
        """Run these services in this process; nothing waits for an ack when they have ended."""
        async with AsyncExitStack() as stack:
            for card in cards:
                await stack.enter_async_context(Service(card, self.settings).running())
            self._served.extend(cards)
            yield

    @asynccontextmanager
    async def replica(self, card: Card[Any, Any, Any] = ORDER) -> AsyncGenerator["Replica"]:
        """One replica of a service, with a connection and a cache of its own, that hears what it is told to hear."""
        nc = await nats.connect(self.settings.nats_url)
        try:
            reader = DirectReader(nc)
            await reader.start()
            requests = Requests(nc)
            await requests.start()
            yield Replica(card, nc, requests, reader, self)
        finally:
            await nc.close()

    # What is sent

    async def place(
        self,
        *,
        order_id: str | None = None,
        paid: bool = False,
        profile: str = "manual",
        method: PaymentMethod = PaymentMethod.WALLET,
        under: Terms | None = None,
    ) -> str:
        """Place an order under the default policy, or other terms, and wait until it is there."""
        order_id, under = order_id or some_order_id(), under or terms_now()
        await self.market.policies.put(under.policy)
        await self.do(order_id, place(paid=paid, profile=profile, method=method, under=under))
        return order_id

    async def do(self, order_id: str, command: Command) -> Fact:
        """Send a command and wait for its event."""
        answer = await self.ask(order_id, command)
        assert isinstance(answer, Fact), answer
        return answer

    async def ask(self, order_id: str, command: Command) -> Fact | Refusal:
        """Send a command and wait for its event or its refusal."""
        sent = await self.market.send(order_id, command)
        return await self.market.answer(order_id, sent, WITHIN_S)

    async def send(
        self, order_id: str, command: Command, *, headers: Mapping[str, str] | None = None, **attributes: str
    ) -> int:
        """Store a command with these CloudEvents attributes and headers; its place in the stream."""
        subject = command_subject(command.owner, order_id, type(command).__name__)
        headers = {**(headers or {}), **{f"ce-{name}": value for name, value in attributes.items()}}
        return await self.put(subject, command.model_dump_json().encode(), headers)

    async def tell(self, order_id: str, event: Event, revision: int, event_id: str, under: Terms) -> int:
        """Record an event as its owner would; its place in the stream."""
        headers = {
            "ce-id": event_id,
            "ce-type": f"{type(event).__name__}.v1",
            "ce-correlationid": event_id,
            "ce-causationid": f"cause of {event_id}",
            "ce-simtime": under.clock.simulated(datetime.now(UTC)).isoformat(),
            "ce-terms": under.ref.header(),
        }
        subject = event_subject(event.owner, order_id, type(event).__name__, revision)
        return await self.put(subject, event.model_dump_json().encode(), headers)

    async def put(self, subject: str, data: bytes, headers: Mapping[str, str] | None = None) -> int:
        """Store any message on a bare subject; its place in the stream."""
        ack = await self.market.js.publish(
            self.names.subject(subject), data, headers=dict(headers) if headers is not None else None
        )
        assert not ack.duplicate
        return ack.seq

    # What is there

    async def until(self, order_id: str, event: str) -> Fact:
        """Wait for the first event of that name."""
        return await self.market.until(order_id, lambda fact: fact.name == event, event, WITHIN_S)

    async def until_over(self, order_id: str) -> list[str]:
        """Wait until the order has closed; the names of all its owner's events."""
        await self.until(order_id, "OrderClosed")
        return await self.events(order_id)

    async def facts(self, order_id: str) -> list[Fact]:
        """Everything recorded about an order."""
        return await history(self.market.reader, self.names, order_id)

    async def events(self, order_id: str, owner: Owner = Owner.ORDER) -> list[str]:
        """The names of one owner's events of an order, in their order."""
        subject = self.names.subject(events_of(owner, order_id))
        stored = await self.market.reader.last_of_each(self.names.journal(owner), [subject])
        return [self.names.bare(message.subject).split(".")[2] for message in stored]

    async def stored(self, stream: str) -> list[Stored]:
        """All messages of a stream, in their order."""
        return await self.market.reader.following(self.names.stream(stream), ">", 1, 10_000)

    async def journals(self) -> dict[Owner, tuple[int, int]]:
        """How many messages each owner's stream has, and the last one's place."""
        infos = {owner: await self.market.js.stream_info(self.names.journal(owner)) for owner in Owner}
        return {owner: (info.state.messages, info.state.last_seq) for owner, info in infos.items()}

    async def refusals(self) -> dict[str, str]:
        """The reasons of all refusals, by their subjects."""
        refused = await self.stored(REPLY)
        return {self.names.bare(message.subject): json.loads(message.data)["reason"] for message in refused}

    async def dead(self) -> dict[int, str]:
        """The reasons of all dead letters, by the place of what died."""
        return {
            int(message.headers["dead-sequence"]): message.headers["dead-reason"]
            for message in await self.stored(DEAD)
            if "dead-reason" in message.headers
        }

    async def armed(self) -> list[str]:
        """The subjects of all timers armed, less their prefix and sorted."""
        info = await self.market.js.stream_info(
            self.names.stream(TIMERS), subjects_filter=self.names.subject("timer.>")
        )
        subjects = (self.names.bare(subject) for subject in info.state.subjects or {})
        return sorted(subject for subject in subjects if not subject.endswith(".cancelled"))

    async def deliveries(self, card: Card[Any, Any, Any] = ORDER) -> int:
        """How often the replicas of a service were handed a command."""
        stream, consumer = self.names.stream(COMMANDS), self.names.consumer(card.name, COMMANDS)
        info = await self.market.js.consumer_info(stream, consumer)
        assert info.delivered is not None
        return info.delivered.consumer_seq

    async def settled(self) -> None:
        """Wait until the services that run have heard everything and have acked it."""
        quiet: list[int] | None = None

        async def stays_quiet() -> bool:  # Twice the same: one consumer's ack may follow another's message.
            nonlocal quiet
            before, quiet = quiet, await self._quiet()
            return quiet is not None and quiet == before

        await eventually(stays_quiet)

    async def _quiet(self) -> list[int] | None:
        """What each consumer has delivered so far, if nothing waits."""
        infos = await self._consumers()
        if any(info.num_pending or info.num_ack_pending for info in infos):
            return None
        return [info.delivered.consumer_seq for info in infos]

    async def _consumers(self) -> list[Any]:
        return [
            await self.market.js.consumer_info(
                self.names.stream(subscription.stream), self.names.consumer(card.name, subscription.stream)
            )
            for card in self._served
            for subscription in card.subscriptions()
        ]


class Replica:
    """A replica of a service. It hears nothing but what a test hands to it."""

    def __init__(
        self, card: Card[Any, Any, Any], nc: Client, requests: Requests, reader: DirectReader, shop: Shop
    ) -> None:
        self._store = JetStreamStore(card.name, requests, reader, shop.names)
        alarms = JetStreamAlarms(card.name, requests, shop.names)
        outside = JetStreamOutside(nc, reader, shop.names)
        self.handler = Handler(card, self._store, alarms, outside, Failpoint("").passing)
        self._card = card
        self._nc = nc
        self._shop = shop

    async def does(self, order_id: str, command: Command, command_id: str | None = None) -> int:
        """Store a command and hear it; its place in the stream."""
        headers = {"ce-id": command_id} if command_id else None
        sequence = await self._shop.send(order_id, command, headers=headers)
        await self.hears(COMMANDS, sequence)
        return sequence

    async def hears(self, stream: str, sequence: int) -> None:
        """Settle the message at that place of a stream as if it had just been delivered; it must be acked."""
        js, stream = self._shop.market.js, self._shop.names.stream(stream)
        config = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=sequence)
        subscription = await js.pull_subscribe("", stream=stream, config=config)
        [raw] = await subscription.fetch(1, timeout=WITHIN_S)
        await self.handler.settle(JetStreamDelivered(raw, self._shop.names))

        async def is_acked() -> bool:
            return not (await subscription.consumer_info()).num_ack_pending

        await eventually(is_acked)
        await subscription.unsubscribe()

    async def hears_next(self, stream: str) -> None:
        """Settle what the service's consumer of a stream delivers next, in the place of the service."""
        nc, names, card = self._shop.market.nc, self._shop.names, self._card
        consumer = names.consumer(card.name, stream)
        subscription = await nc.subscribe(names.delivery(card.name, stream), queue=consumer)
        raw = await subscription.next_msg(timeout=WITHIN_S)
        await subscription.unsubscribe()
        await self.handler.settle(JetStreamDelivered(raw, self._shop.names))
        await nc.flush()

    def reconciler(self) -> Reconciler:
        """What a service runs beside its handler. It reads with the journal, and remembers for itself."""
        return Reconciler(
            self._card, self.handler.journal, self._store, self.handler.timers, self._nc, self._shop.names
        )
