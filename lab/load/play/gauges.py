"""What is known of a run while it lasts, from its workers' ticks."""

from collections import Counter, deque
from typing import Any, Final

from lab.load.figures.sparse import Spans
from lab.load.play.wire import Tick

WINDOW_S: Final = 5.0
"""What counts as now: long enough for a p99, short enough to abort in time."""

_COUNTS: Final = ("started", "late", "shed", "settled", "completed")


class Gauges:
    """The latest of every worker, and the last seconds of all."""

    def __init__(self, planned: int, rate: float, workers: int) -> None:
        self.planned = planned
        self.backlog: int | None = None
        self.backlog_max: int | None = None
        self.looked_at = 0
        self.violations = 0
        self._rate = rate
        self._workers = workers
        self._latest: dict[int, Tick] = {}
        self._recent: deque[tuple[Tick, dict[str, Spans]]] = deque()

    def hear(self, tick: Tick) -> None:
        """Take in a worker's tick."""
        self._latest[tick.index] = tick
        self._recent.append((tick, {metric: Spans.decoded(text) for metric, text in tick.latency.items()}))
        while self._recent[0][0].second < tick.second - WINDOW_S:
            self._recent.popleft()

    def wait(self, messages: int | None) -> None:
        """Take in how many messages wait; nothing if the broker does not say."""
        self.backlog = messages
        if messages is not None:
            self.backlog_max = max(self.backlog_max or 0, messages)

    @property
    def second(self) -> float:
        """When the last tick came."""
        return max((tick.second for tick in self._latest.values()), default=0.0)

    def silent(self, within_s: float) -> list[Tick]:
        """The last tick of each worker from which nothing has come for so long, while another one spoke."""
        return [tick for tick in self._latest.values() if tick.second < self.second - within_s]

    def total(self, name: str) -> int:
        """The sum of a tick's count over all workers."""
        return sum(getattr(tick, name) for tick in self._latest.values())

    @property
    def outcomes(self) -> Counter[str]:
        """How the orders ended that have ended."""
        return sum((Counter(tick.outcomes) for tick in self._latest.values()), Counter[str]())

    @property
    def sample(self) -> list[str]:
        """A few orders that ended lately."""
        return [order_id for tick in self._latest.values() for order_id in tick.sample]

    @property
    def done(self) -> bool:
        """Whether every worker has played or shed its whole share."""
        return len(self._latest) == self._workers and all(tick.done for tick in self._latest.values())

    @property
    def idle(self) -> bool:
        """Whether every order is over, and the broker has every command."""
        return not self.total("open") and not self.total("unacked")

    def rate_of(self, name: str) -> float:
        """How much of a count the last seconds saw, a second."""
        grown, span_s = 0, 0.0
        for index in self._latest:
            mine = [tick for tick, _ in self._recent if tick.index == index]
            if len(mine) > 1:
                grown += getattr(mine[-1], name) - getattr(mine[0], name)
                span_s = max(span_s, mine[-1].second - mine[0].second)
        return grown / span_s if span_s else 0.0

    def latency(self, metric: str) -> Spans:
        """The latencies of the last seconds."""
        merged = Spans()
        for _, latency in self._recent:
            if metric in latency:
                merged.merge(latency[metric])
        return merged

    def document(self) -> dict[str, Any]:
        """The present, in the shape of a result, for the conditions of `--abort-on`; latencies are of the last seconds."""
        counts = {name: self.total(name) for name in _COUNTS}
        metrics = {name for _, latency in self._recent for name in latency}
        return {
            "flows": {"planned": self.planned, **counts},
            "rate": {"target": self._rate, "achieved": round(self.rate_of("completed"), 3)},
            "latency_ms": {metric: self.latency(metric).document() for metric in sorted(metrics)},
            "outcomes": dict(self.outcomes),
            "violations": self.violations,
            "backlog": {"max": self.backlog_max},
            "generator": {
                "late_share": counts["late"] / counts["started"] if counts["started"] else 0.0,
                **{name: self.total(name) for name in ("resent", "lost", "refused")},
            },
        }
