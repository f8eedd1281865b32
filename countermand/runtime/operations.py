"""What operators see of a running service: HTTP, its metrics, and whether it is ready."""

import contextlib
import os
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any

import structlog
from nats.aio.client import Client
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.applications import Starlette

from countermand.runtime.card import Card
from countermand.runtime.health import Check
from countermand.runtime.http import listening, operational_routes
from countermand.runtime.lanes import Lanes
from countermand.runtime.metrics import Metrics
from countermand.runtime.names import Names
from countermand.runtime.reconciler import Tally
from countermand.runtime.settings import Settings
from countermand.runtime.watch import Watch

_log = structlog.get_logger()


class Operations(Collector):
    """The operators' side of one service. Its metrics count from the beginning; the rest is asked for when somebody scrapes."""

    def __init__(self, card: Card[Any, Any, Any], settings: Settings, lanes: Lanes) -> None:
        self.metrics = Metrics(card)
        self.metrics.registry.register(self)
        self._card = card
        self._settings = settings
        self._lanes = lanes
        self._phase = "starting"
        self._nc: Client | None = None
        self._watch: Watch | None = None
        self._tally: Tally | None = None

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncGenerator[None]:
        """Answer while the block runs.

        Raises:
            ConfigurationError: the address cannot be listened on.
        """
        app = Starlette(routes=operational_routes(self._card.name, self.metrics.registry, self.readiness))
        async with listening(app, self._settings.http_host, self._settings.http_port) as url:
            _log.info("service.listening", url=url, pid=os.getpid())
            yield

    def started(self, nc: Client, names: Names, tally: Tally | None) -> None:
        """The service hears messages now; `tally` is its reconciler's, if it has one."""
        self._nc, self._tally = nc, tally
        self._watch = Watch(nc, names, self._card.name, self._card.subscriptions())
        self._phase = "started"

    def stopping(self) -> None:
        """It begins with no other message."""
        self._phase = "stopping"

    async def readiness(self) -> list[Check]:
        """All checks; the broker is asked at most every few seconds."""
        connected = self._nc is not None and self._nc.is_connected
        problem: str | None = "unknown while the broker is away"
        if self._watch is not None and connected:
            await self._watch.refresh()
            problem = self._watch.problem
        return [
            Check("broker", connected, "connected" if connected else "not connected"),
            Check("streams", problem is None, problem or "the service's stream and consumers are there"),
            Check("consuming", self._phase == "started", self._phase),
            *self._card.checks(),
        ]

    def collect(self) -> Iterable[Metric]:
        """What is, at this moment, and what others have counted."""
        yield self._gauge("lanes_busy", "Orders being worked on.", "", {"": self._lanes.busy})
        yield self._gauge("messages_in_hand", "Messages taken and not settled yet.", "", {"": self._lanes.in_hand})
        if self._watch is not None and self._nc is not None:
            yield from self._of_the_broker(self._watch, self._nc)
        if self._tally is not None:
            rounds = {"ok": self._tally.ok, "failed": self._tally.failed}
            timers = {"rearmed": self._tally.rearmed, "cancelled": self._tally.cancelled}
            yield self._counter("reconciler_rounds", "Comparisons of wanted and armed timers.", "result", rounds)
            yield self._counter("reconciler_timers", "Timers mended by them.", "action", timers)

    def _of_the_broker(self, watch: Watch, nc: Client) -> Iterable[Metric]:
        infos = watch.consumers
        pending = {stream: info.num_pending or 0 for stream, info in infos.items()}
        ack_pending = {stream: info.num_ack_pending or 0 for stream, info in infos.items()}
        redelivered = {stream: info.num_redelivered or 0 for stream, info in infos.items()}
        yield self._gauge("consumer_pending", "Messages still to be delivered.", "stream", pending)
        yield self._gauge("consumer_ack_pending", "Messages delivered and not acked.", "stream", ack_pending)
        yield self._gauge("consumer_redelivered", "Of these, delivered again.", "stream", redelivered)
        if watch.own is not None:
            own = self._card.name.upper()
            yield self._gauge("stream_bytes", "Of the service's own stream.", "stream", {own: watch.own.state.bytes})
            bound = watch.own.config.max_bytes or -1
            yield self._gauge("stream_max_bytes", "Its bound.", "stream", {own: bound} if bound > 0 else {})
        yield self._counter("broker_inquiry_failures", "Questions it did not answer.", "", {"": watch.failures})
        yield self._counter("broker_reconnects", "Times it came back.", "", {"": nc.stats["reconnects"]})

    def _gauge(self, name: str, about: str, label: str, values: Mapping[str, float]) -> Metric:
        return self._filled(GaugeMetricFamily(f"countermand_{name}", about, labels=_labels(label)), values)

    def _counter(self, name: str, about: str, label: str, values: Mapping[str, float]) -> Metric:
        return self._filled(CounterMetricFamily(f"countermand_{name}", about, labels=_labels(label)), values)

    def _filled(self, family: GaugeMetricFamily | CounterMetricFamily, values: Mapping[str, float]) -> Metric:
        for value_of_label, value in values.items():
            family.add_metric([self._card.name, value_of_label], value)
        return family


def _labels(label: str) -> list[str]:
    return ["service", label] if label else ["service"]
