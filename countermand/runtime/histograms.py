"""Histograms for the way of every message: one observation is a search and two additions, a fifth of prometheus_client's price.

Without a lock: they are written and read on the event loop.
"""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

SHORT_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""For what takes milliseconds, and seconds when something is wrong."""

_LE: Final = (*map(str, SHORT_S), "+Inf")


class Spread:
    """The observations under one label."""

    __slots__ = ("_counts", "_sum")

    def __init__(self) -> None:
        self._counts = [0] * len(_LE)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count it."""
        self._counts[bisect_left(SHORT_S, seconds)] += 1
        self._sum += seconds

    def told(self) -> tuple[list[tuple[str, float]], float]:
        """The cumulative buckets, and the sum."""
        return list(zip(_LE, map(float, accumulate(self._counts)), strict=True)), self._sum


class Histograms(Collector):
    """One family of them, by one label besides the service."""

    def __init__(self, name: str, about: str, service: str, label: str, registry: CollectorRegistry) -> None:
        self._name = f"countermand_{name}"
        self._about = about
        self._service = service
        self._label = label
        self._spreads: dict[str, Spread] = {}
        registry.register(self)

    def of(self, value: str) -> Spread:
        """That of a label's value, from now on."""
        return self._spreads.setdefault(value, Spread())

    def collect(self) -> Iterable[Metric]:
        """What was observed so far."""
        family = HistogramMetricFamily(self._name, self._about, labels=["service", self._label])
        for value, spread in self._spreads.items():
            buckets, total = spread.told()
            family.add_metric([self._service, value], buckets, total)
        yield family
