"""One pass over the orders of a run: the counts and histograms that its figures are made of, and nothing an order."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lab.load.figures.metrics import HEADLINES, METRICS, NO_OUTCOME, OF_ORDERS, OF_REQUESTS, spans_of
from lab.load.figures.sparse import COARSE_BITS, Spans
from lab.load.plan import LATE_S

BLOCKS: Final = 25
"""Parts of the measured window: enough to resample for an interval, few enough that each holds many orders."""

ROWS_MAX: Final = 7_200
"""Rows of the time series; a run of more than two hours has rows of more than a second."""

BACKWARDS_S: Final = 0.005
"""Clocks on one machine agree far better: a span that is negative by more is a clock that was set meanwhile."""


@dataclass(frozen=True, slots=True)
class Window:
    """The measured part of a run, in seconds from its start: after the warm-up, until the last arrival."""

    begins: float
    ends: float

    @property
    def length_s(self) -> float:
        """How long it is; 0 if the run ended within its warm-up."""
        return max(0.0, self.ends - self.begins)

    def block_of(self, second: float) -> int:
        """The block of a moment; the first one if it is before, the last one if it is after."""
        if not self.length_s:
            return 0
        return min(max(int((second - self.begins) / self.length_s * BLOCKS), 0), BLOCKS - 1)

    def edges(self) -> list[tuple[float, float]]:
        """Where each block begins and ends."""
        step = self.length_s / BLOCKS
        return [(self.begins + place * step, self.begins + (place + 1) * step) for place in range(BLOCKS)]

    def __contains__(self, second: float) -> bool:
        return self.begins <= second < self.ends


def step_of(length_s: float) -> int:
    """How many seconds a row of the time series covers."""
    return max(1, math.ceil(length_s / ROWS_MAX))


def moment_of_completion(order: Mapping[str, Any]) -> float | None:
    """When the last thing was recorded that an order owed; nothing while something is owed.

    It owes the answers to its requests and the emails that its facts promised; its end only if it owed neither. A log
    without `last_fact` knows of the emails that tell an answer, and of no others.
    """
    if not order.get("completed"):
        return None
    requests = order["requests"]
    mails = [order["last_fact"]] if "last_fact" in order else [request.get("emailed") for request in requests]
    moments = [request.get("answered") for request in requests] + mails
    return max((moment for moment in moments if moment is not None), default=order.get("closed"))


@dataclass(slots=True)
class Tally:
    """What the orders of a run add up to.

    An order belongs to the block of its scheduled arrival, with everything that was measured of it: a block is a sample
    of whole orders. The time series count a request by its own scheduled second.

    Attributes:
        blocks: the spans of each block, by metric; `completions` how many orders were complete within its time.
        by_flow, by_outcome: spans by flow or outcome and then by metric, of the two headlines.
        seconds: coarse spans by row of the time series and metric, of the two headlines, warm-up included.
        counts: `started late settled completed promised emails`; `backwards`: measured spans that end before they begin.
        started, completed: orders by row of the time series.
    """

    window: Window
    step_s: int
    counts: Counter[str] = field(default_factory=Counter[str])
    outcomes: Counter[str] = field(default_factory=Counter[str])
    started: Counter[int] = field(default_factory=Counter[int])
    completed: Counter[int] = field(default_factory=Counter[int])
    completions: Counter[int] = field(default_factory=Counter[int])
    blocks: list[dict[str, Spans]] = field(default_factory=lambda: [defaultdict(Spans) for _ in range(BLOCKS)])
    by_flow: dict[str, dict[str, Spans]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Spans)))
    by_outcome: dict[str, dict[str, Spans]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Spans)))
    seconds: dict[int, dict[str, Spans]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(_coarse)))

    def add(self, order: Mapping[str, Any]) -> None:
        """Count an order's line."""
        due: float = order["due"]
        outcome = order.get("outcome")
        complete = moment_of_completion(order)
        self._count(order, due, outcome, complete)
        block = self.blocks[self.window.block_of(due)]
        if due >= self.window.begins:
            for name, span_s in spans_of({**order, "complete": complete}, OF_ORDERS):
                self._keep(block, name, span_s)
        for request in order["requests"]:
            self._measure(request, block, order["flow"], outcome or NO_OUTCOME)

    def overall(self) -> dict[str, Spans]:
        """The spans of the whole window by metric, in the order of the table; only metrics that have any."""
        whole: dict[str, Spans] = {}
        for name in METRICS:
            spans = Spans()
            for block in self.blocks:
                if name in block:
                    spans.merge(block[name])
            if spans.cells:
                whole[name] = spans
        return whole

    def _keep(self, block: dict[str, Spans], name: str, span_s: float) -> None:
        block[name].add(span_s)
        self.counts["backwards"] += span_s < -BACKWARDS_S

    def _count(self, order: Mapping[str, Any], due: float, outcome: str | None, complete: float | None) -> None:
        sent = order.get("sent")
        if sent is not None:
            self.counts["started"] += 1
            self.counts["late"] += sent - due > LATE_S
            self.started[int(sent // self.step_s)] += 1
        self.outcomes[outcome or NO_OUTCOME] += 1
        self.counts["settled"] += outcome is not None
        self.counts["promised"] += order.get("promised", 0)
        self.counts["emails"] += order.get("emails", 0)
        if complete is not None:
            self.counts["completed"] += 1
            self.completed[int(complete // self.step_s)] += 1
            if complete in self.window:
                self.completions[self.window.block_of(complete)] += 1

    def _measure(self, request: Mapping[str, Any], block: dict[str, Spans], flow: str, outcome: str) -> None:
        due = request.get("due")
        if due is None:  # Another client's, or one whose answer came when nobody was measuring.
            return
        measured = due >= self.window.begins
        for name, span_s in spans_of(request, OF_REQUESTS):
            if measured:
                self._keep(block, name, span_s)
            if name in HEADLINES:
                self.seconds[int(due // self.step_s)][name].add(span_s)
                if measured:
                    self.by_flow[flow][name].add(span_s)
                    self.by_outcome[outcome][name].add(span_s)


def _coarse() -> Spans:
    return Spans(bits=COARSE_BITS)
