"""What is known of a run while it lasts, from its workers' ticks."""

from collections import Counter, deque
from collections.abc import Iterable
from typing import Any, Final

from countermand.runtime.settings import ConfigurationError
from lab.load.figures.metrics import HEADLINES
from lab.load.figures.sparse import Spans
from lab.load.figures.thresholds import STATISTICS, Threshold
from lab.load.play.wire import Tick

WINDOW_S: Final = 5.0
"""What counts as now: long enough for a p99, short enough to abort in time."""

_COUNTS: Final = ("started", "late", "shed", "settled", "completed")

_KNOWN: Final = (
    "violations",
    *(f"flows.{name}" for name in ("planned", *_COUNTS)),
    *(f"rate.{name}" for name in ("target", "achieved")),
    *(f"generator.{name}" for name in ("late_share", "resent", "lost", "refused")),
    "backlog.max",
    *(f"latency_ms.{metric}.{name}" for metric in HEADLINES for name in STATISTICS),
)
"""What `Gauges.document` can have, beside the outcomes."""

_OUTCOMES: Final = "outcomes"


class Gauges:
    """The latest of every worker, and the last seconds of all.

    Attributes:
        draining: no more orders arrive.
        backlog: messages that wait at the moment; nothing if that is unknown.
        done_at: the second at which nothing waited last; nothing if that was never seen.
        unanswered_at: the second at which the broker did not answer last; at first the start.
        looked_at, violations: orders judged meanwhile, and what was wrong with them.
    """

    def __init__(self, planned: int, rate: float, workers: int, warmup_s: float = 0.0) -> None:
        self.planned = planned
        self.draining = False
        self.done_at: float | None = None
        self.unanswered_at = 0.0
        self.backlog: int | None = None
        self.backlog_max: int | None = None
        self.looked_at = 0
        self.violations = 0
        self._rate = rate
        self._warmup_s = warmup_s
        self._workers = workers
        self._latest: dict[int, Tick] = {}
        self._recent: deque[tuple[Tick, dict[str, Spans]]] = deque()

    def hear(self, tick: Tick) -> None:
        """Take in a worker's tick."""
        self._latest[tick.index] = tick
        self._recent.append((tick, {metric: Spans.decoded(text) for metric, text in tick.latency.items()}))
        while self._recent[0][0].second < tick.second - WINDOW_S:
            self._recent.popleft()

    def wait(self, messages: int | None, second: float) -> None:
        """Take in how many messages wait at a second of the run; nothing if the broker does not say."""
        self.backlog = messages
        if messages is None:
            self.unanswered_at = second
        else:
            self.backlog_max = max(self.backlog_max or 0, messages)
        if messages == 0:
            self.done_at = second

    @property
    def second(self) -> float:
        """When the last tick came."""
        return max((tick.second for tick in self._latest.values()), default=0.0)

    def silent(self, second: float, within_s: float) -> list[str]:
        """Each worker from which nothing has come for so long, in words; while the broker is away nobody can be heard."""
        if self.unanswered_at >= second - within_s:
            return []
        latest = [(index, self._latest.get(index)) for index in range(self._workers)]
        return [_who(index, tick) for index, tick in latest if (tick.second if tick else 0.0) < second - within_s]

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
    def reasons_of_resends(self) -> list[str]:
        """Why commands were sent again, each reason once."""
        return sorted({tick.resent_why for tick in self._latest.values() if tick.resent_why})

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
        """The present, in the shape of a result, for the conditions of `--abort-on`.

        Latencies and the achieved rate are of the last seconds; there is no rate until as many have been measured as that,
        nor when orders no longer arrive.
        """
        rate = {"target": self._rate}
        if not self.draining and self.second >= self._warmup_s + WINDOW_S:
            rate["achieved"] = round(self.rate_of("completed"), 3)
        counts = {name: self.total(name) for name in _COUNTS}
        metrics = {name for _, latency in self._recent for name in latency}
        return {
            "flows": {"planned": self.planned, **counts},
            "rate": rate,
            "latency_ms": {metric: self.latency(metric).document() for metric in sorted(metrics)},
            _OUTCOMES: dict(self.outcomes),
            "violations": self.violations,
            "backlog": {"max": self.backlog_max},
            "generator": {
                "late_share": counts["late"] / counts["started"] if counts["started"] else 0.0,
                **{name: self.total(name) for name in ("resent", "lost", "refused")},
            },
        }


def check_conditions(conditions: Iterable[Threshold]) -> None:
    """Refuse conditions of `--abort-on` that could never come true.

    Raises:
        ConfigurationError: a figure is not known while a run lasts; those that are known are named.
    """
    for condition in conditions:
        if ".".join(condition.path) not in _KNOWN and condition.path[0] != _OUTCOMES:
            known = ", ".join(name.removeprefix("latency_ms.") for name in _KNOWN)
            msg = (
                f"--abort-on {condition.text}: nobody knows this while a run lasts; there are {known}, {_OUTCOMES}.NAME"
            )
            raise ConfigurationError(msg)


def _who(index: int, tick: Tick | None) -> str:
    return f"worker {index + 1}" + (f" (process {tick.pid} on {tick.host})" if tick else "")
