"""What operators see of web beside what every process says: open orders, those overdue, and how old the read model is."""

from collections.abc import Iterable
from typing import Final

import structlog
from nats.errors import Error as NatsError
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from countermand.runtime.direct import StoreReadError
from countermand.runtime.health import Check
from countermand.runtime.registry import process_registry
from services.web.parts import Web
from services.web.readmodel.waits import Waits

SERVICE: Final = "web"

OVERDUE_AFTER_S: Final = 300.0
"""Real seconds after its time limit at which an open order is overdue: timers and services have had their time."""

_HAS_LIMIT: Final = tuple(waits for waits in Waits if waits not in {Waits.NOTHING, Waits.RULING})

_log = structlog.get_logger()


class Gauges(Collector):
    """Reads the figures when somebody asks whether web is ready, and gives them to whoever scrapes."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._open: dict[tuple[str, str], int] = {}
        self._overdue: dict[str, int] = {}
        self._lag: dict[str, int] | None = None
        self._unread = 0
        self.registry: CollectorRegistry = process_registry(SERVICE)
        self.registry.register(self)

    async def readiness(self) -> list[Check]:
        """All checks. The broker is asked at most once a second."""
        await self._read()
        connected = self._web.nc.is_connected
        follows = not self._web.follower.away
        return [
            Check("broker", connected, "connected" if connected else "not connected"),
            Check("read_model", follows, "follows the streams" if follows else "waits for the streams"),
        ]

    def collect(self) -> Iterable[Metric]:
        """What was read last."""
        open_orders = self._gauge("open_orders", "Orders that have not ended.", "state", "waits_for")
        for (state, waits_for), orders in self._open.items():
            open_orders.add_metric([SERVICE, state, waits_for], orders)
        yield open_orders
        overdue = self._gauge("overdue_orders", "Open orders whose time limit passed 5 minutes ago.", "waits_for")
        for waits in _HAS_LIMIT:
            overdue.add_metric([SERVICE, waits], self._overdue.get(waits, 0))
        yield overdue
        if self._lag is not None:
            lag = self._gauge("read_model_lag_messages", "Events stored and not read yet.", "stream")
            for stream, messages in self._lag.items():
                lag.add_metric([SERVICE, stream], messages)
            yield lag
        yield from self._alone("read_model_unread_events", "Events that this version cannot read.", self._unread)
        yield from self._alone("live_clients", "Clients that follow events.", self._web.hub.listeners)
        overruns = CounterMetricFamily(
            "countermand_live_overruns", "Live clients disconnected since they were too slow.", labels=["service"]
        )
        overruns.add_metric([SERVICE], self._web.hub.overruns)
        yield overruns

    async def _read(self) -> None:
        queries = self._web.queries
        self._open = dict.fromkeys(self._open, 0) | await queries.open_orders()
        self._overdue = await queries.overdue(OVERDUE_AFTER_S)
        self._unread = await queries.unread()
        self._lag = None
        if self._web.nc.is_connected:
            try:
                ends = (await self._web.broker.figures()).ends
            except (TimeoutError, NatsError, StoreReadError) as error:
                _log.warning("metrics.no_lag", error=repr(error))
            else:
                positions = self._web.follower.positions
                self._lag = {owner.upper(): max(0, end - positions[owner]) for owner, end in ends.items()}

    def _gauge(self, name: str, about: str, *labels: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"countermand_{name}", about, labels=["service", *labels])

    def _alone(self, name: str, about: str, value: float) -> Iterable[Metric]:
        family = self._gauge(name, about)
        family.add_metric([SERVICE], value)
        yield family
