"""The composition of a running service: FastStream's application, the messages on their lanes, and what runs beside them."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncGenerator
from typing import Any, Final

import structlog
from faststream import FastStream
from faststream.nats import NatsBroker
from faststream.nats.broker.broker import UNRECOVERABLE_CONNECT_ERRORS
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as Subscribed
from nats.errors import ConnectionClosedError, ConnectionReconnectingError, FlushTimeoutError
from nats.errors import Error as NatsError

from countermand.contracts.subjects import read
from countermand.runtime import log
from countermand.runtime.card import Card
from countermand.runtime.connection import ConnectionLost, access, tell_refusals
from countermand.runtime.dead import subject_of
from countermand.runtime.direct import DirectReader
from countermand.runtime.failpoints import Failpoint
from countermand.runtime.handler import Handler
from countermand.runtime.jetstream import JetStreamAlarms, JetStreamDelivered, JetStreamOutside, JetStreamStore
from countermand.runtime.journal import Journal
from countermand.runtime.lanes import Lanes
from countermand.runtime.measured import MeasuredOutside, MeasuredStore
from countermand.runtime.names import Names
from countermand.runtime.operations import Operations
from countermand.runtime.reconciler import Reconciler
from countermand.runtime.requests import Requests
from countermand.runtime.settings import ConfigurationError, Settings
from countermand.runtime.streams import check_provisioned
from countermand.runtime.tracing import Span, tracing

_RECONNECT_EVERY_S: Final = 1
_FOREVER: Final = -1
_SIGNAL_POLL_S: Final = 0.05
"""How soon FastStream notices a signal."""

_NO_LEAVE_TO_TAKE: Final = (ConnectionReconnectingError, ConnectionClosedError, FlushTimeoutError)
"""What comes of a farewell to a broker that is away."""

_NO_ORDER: Final = ""
"""The lane of messages whose subject names no order; they are all on their way to the dead letters."""

_log = structlog.get_logger()


class Service:
    """One service in this process."""

    def __init__(self, card: Card[Any, Any, Any], settings: Settings) -> None:
        self._card = card
        self._settings = settings
        self._names = Names(settings.subject_prefix)
        self._lanes = Lanes(self._settle)
        self._operations = Operations(card, settings, self._lanes)
        self._metrics = self._operations.metrics
        self._tracer = tracing(card.name, settings)
        self._handler: Handler | None = None
        entry = access(settings)
        self._broker = NatsBroker(
            settings.nats_url.split(","),
            security=entry.security(),
            inbox_prefix=entry.inbox_prefix,
            error_cb=self._hear_error,
            closed_cb=self._hear_end,
            name=f"countermand-{card.name}",
            max_reconnect_attempts=_FOREVER,
            reconnect_time_wait=_RECONNECT_EVERY_S,
            connect_timeout=_RECONNECT_EVERY_S,
            # The subscribers are drained by `_drain`, in an order of our own.
            graceful_timeout=None,
            logger=None,
        )
        self._subscriptions: list[Subscribed] = []
        self._application: FastStream | None = None
        self._leaving = False
        self._nc: Client | None = None
        self._lost = ""

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT; then finish what is at work and give the rest back.

        Raises:
            ConnectionLost: the broker has ended the connection for good, as after a change of passwords.
        """
        log.configure(self._card.name, self._settings.log_level, self._settings.log_format)
        async with self._operations.serving():
            if await self._finds_the_broker():
                self._application = self._app()
                with contextlib.suppress(*_NO_LEAVE_TO_TAKE):
                    await self._application.run(sleep_time=_SIGNAL_POLL_S)
        if self._lost:
            msg = f"the broker has ended {self._card.name}'s connection for good: {self._lost}"
            raise ConnectionLost(msg)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Run while the block does, beside whatever else this process does; end as `run` does."""
        async with self._lifespan(), self._app():
            yield

    def _app(self) -> FastStream:
        return FastStream(self._broker, lifespan=self._lifespan, on_shutdown=[self._drain], logger=None)

    async def _hear_error(self, error: Exception) -> None:
        """FastStream ends nats-py's reconnecting over some errors, and nobody would begin it again."""
        await tell_refusals(error)
        if str(error).removeprefix("nats: ").strip("'").lower() in UNRECOVERABLE_CONNECT_ERRORS:
            self._end(error)

    async def _hear_end(self) -> None:
        """nats-py does not come back from what the broker calls an error, unless it is about a single subject."""
        self._end(self._nc.last_error if self._nc else None)

    def _end(self, why: Exception | None) -> None:
        if self._application is not None and not self._leaving:
            self._lost = self._lost or str(why)
            self._application.exit()

    async def _finds_the_broker(self) -> bool:
        """Wait until it answers; false if told to stop before. FastStream looks at signals only afterwards."""
        told_to_stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
        # Without credentials, which come before an @.
        brokers = [server.rpartition("@")[2] for server in self._settings.nats_url.split(",")]
        _log.info("service.starting", brokers=brokers)
        connecting = asyncio.create_task(self._broker.connect())
        stopping = asyncio.create_task(told_to_stop.wait())
        await asyncio.wait({connecting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if connecting.done():
            try:
                await connecting
            except NatsError as error:
                msg = f"the NATS server does not let {self._card.name} in: {error}"
                raise ConfigurationError(msg) from error
            return True
        connecting.cancel()
        return False

    async def _subscribe(self, nc: Client) -> None:
        """Hear what the card names, over the connection itself: FastStream's own way takes 50 µs longer a message."""
        for subscription in self._card.subscriptions():
            # Not by JetStream's name for it: nats-py obeys any stored message whose headers look like flow control.
            subject = self._names.delivery(self._card.name, subscription.stream)
            queue = self._names.consumer(self._card.name, subscription.stream)
            self._subscriptions.append(await nc.subscribe(subject, queue, cb=self._hear, pending_bytes_limit=0))

    async def _hear(self, raw: Msg) -> None:
        await self._lanes.put(_lane_of(subject_of(raw, self._names)), raw)

    @contextlib.asynccontextmanager
    async def _lifespan(self) -> AsyncGenerator[None]:
        nc: Client = await self._broker.connect()
        self._nc = nc
        reader = DirectReader(nc)
        await reader.start()
        requests = Requests(nc)
        await requests.start()
        await self._check(nc)
        passing = Failpoint(self._settings.countermand_crash_at).passing
        store = JetStreamStore(self._card.name, requests, reader, self._names)
        alarms = JetStreamAlarms(self._card.name, requests, self._names)
        outside = JetStreamOutside(nc, reader, self._names)
        self._handler = Handler(
            self._card, MeasuredStore(store, self._metrics), alarms, MeasuredOutside(outside, self._metrics), passing
        )
        beside = [asyncio.create_task(self._lanes.keep_alive(self._settings.ack_wait_s))]
        reconciler: Reconciler | None = None
        if self._card.timers:
            # A journal of its own: its round must not push open orders out of the handler's.
            journal: Journal[Any, Any, Any] = Journal(self._card.name, self._card.decider, store, outside.terms)
            reconciler = Reconciler(self._card, journal, store, self._handler.timers, nc, self._names)
            beside.append(asyncio.create_task(reconciler.run(self._settings.reconcile_every_s)))
        await self._subscribe(nc)
        self._operations.started(nc, self._names, reconciler.tally if reconciler else None)
        _log.info("service.started")
        try:
            yield
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await self._card.close()
            _log.info("service.stopped")
            if self._tracer is not None:
                self._tracer.close()

    async def _check(self, nc: Client) -> None:
        try:
            await check_provisioned(nc.jetstream(), self._names, self._card.name, self._card.subscriptions())
        except BaseException:
            await self._broker.stop()
            raise

    async def _settle(self, raw: Msg) -> None:
        if self._handler is None:
            msg = "a message came before the service had started"
            raise RuntimeError(msg)
        started = time.perf_counter()
        span = self._begin_span(raw)
        delivered = JetStreamDelivered(raw, self._names, span.traceparent if span else None)
        handled = await self._handler.settle(delivered)
        if span is not None:
            span.end(handled.outcome, handled.detail)
        took_s = time.perf_counter() - started
        self._metrics.handled(delivered.subject, delivered.take(), handled, took_s)
        # What asked for nothing is most of what some services hear.
        say = _log.debug if handled.outcome == "heard" else _log.info
        say(
            "message.handled",
            subject=delivered.subject,
            outcome=handled.outcome,
            detail=handled.detail,
            tries=handled.tries,
            ms=round(took_s * 1e3, 1),
        )

    def _begin_span(self, raw: Msg) -> Span | None:
        if self._tracer is None:
            return None
        headers = raw.headers or {}
        return self._tracer.handles(subject_of(raw, self._names), headers.get("ce-id", ""), headers.get("traceparent"))

    async def _drain(self) -> None:
        """Finish what is at work, end the subscriptions and give back what waits, before the connection ends."""
        self._leaving = True
        self._operations.stopping()
        await self._lanes.finish(self._settings.stop_grace_s)
        await self._lanes.silence()
        for subscription in self._subscriptions:
            with contextlib.suppress(NatsError):  # Away: nothing comes any more either.
                await subscription.drain()
        self._subscriptions.clear()
        await self._lanes.give_back()


def _lane_of(subject: str) -> str:
    try:
        return read(subject).order_id
    except ValueError:
        return _NO_ORDER
