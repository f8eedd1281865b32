"""How long a fault was felt: until the first second, by scheduled send, in which nobody waited unusually long."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lab.load.figures.metrics import ANSWER, EMAIL
from lab.load.figures.sparse import Spans
from lab.load.figures.tally import Window

LATE_BY: Final = 3.0
"""An answer is late when it took so many times the usual p99."""

LATE_MS_MIN: Final = 250.0
"""And never when it was faster than this: nobody notices."""

USUAL_MS: Final = 50.0
"""The p99 of a run whose first fault came before anything was measured."""

_FELT_BY_MAIL: Final = ("smtp", "kill:notify", "pause:notify", "pause:mailbox")
"""Faults that hold up the emails and not the answers."""


@dataclass(slots=True)
class _Second:
    """The requests scheduled in one second of a run. `last_late` is when the last of the late ones was over."""

    requests: int = 0
    late: int = 0
    missing: int = 0
    last_late: float = 0.0


@dataclass(slots=True)
class _Watch:
    """One fault under measure, by second of the run."""

    fault: Mapping[str, Any]
    metric: str
    late_s: float
    seconds: dict[int, _Second] = field(default_factory=dict[int, _Second])

    def add(self, due: float, over: float | None) -> None:
        """Count a request that was over at a moment, or never."""
        if due < self.fault["began"]:
            return
        second = self.seconds.setdefault(int(due), _Second())
        second.requests += 1
        if over is None:
            second.missing += 1
        elif over - due > self.late_s:
            second.late += 1
            second.last_late = max(second.last_late, over)

    def document(self) -> dict[str, Any]:
        """The fault with `recovery_s` (nothing: not recovered) and `late_answers`."""
        began, ended = self.fault["began"], self.fault.get("ended")
        felt = list(self._felt(began if ended is None else ended))
        late, missing = sum(second.late for second in felt), sum(second.missing for second in felt)
        recovery_s = max((second.last_late for second in felt if second.late), default=began) - began
        return {
            "text": self.fault["text"],
            "began": began,
            "ended": ended,
            "recovery_s": None if missing else round(recovery_s, 3),
            "late_answers": late,
            "late_ms": round(self.late_s * 1e3, 3),
            "metric": self.metric,
        }

    def _felt(self, ended: float) -> Iterator[_Second]:
        """The seconds until the first whole one after the fault's end in which all was well.

        One without requests says nothing either way.
        """
        for number in sorted(self.seconds):
            second = self.seconds[number]
            if number >= math.ceil(ended) and not second.late and not second.missing:
                return
            yield second


def recoveries(
    faults: Sequence[Mapping[str, Any]], orders: Callable[[], Iterable[Mapping[str, Any]]], window: Window
) -> list[dict[str, Any]]:
    """What each fault did. Reads the orders twice, for what is late follows from what is usual."""
    struck = sorted((fault for fault in faults if fault.get("began") is not None), key=lambda fault: fault["began"])
    if not struck:
        return []
    usual = _usual_ms(orders(), window, struck[0]["began"])
    watches = [_Watch(fault, metric, _late_s(usual[metric])) for fault in struck for metric in (_metric(fault),)]
    for order in orders():
        owing = order.get("emails", 0) < order.get("promised", 0)
        for request in order["requests"]:
            if (due := request.get("due")) is not None:
                over = {ANSWER: request.get("answered"), EMAIL: request.get("emailed")}
                for watch in watches:
                    _note(watch, due, over, owing=owing)
    return [watch.document() for watch in watches]


def _note(watch: _Watch, due: float, over: Mapping[str, float | None], *, owing: bool) -> None:
    """An answer that promises no email is not waited for by mail."""
    if watch.metric == ANSWER or over[EMAIL] is not None or owing:
        watch.add(due, over[watch.metric])


def _metric(fault: Mapping[str, Any]) -> str:
    return EMAIL if str(fault["text"]).startswith(_FELT_BY_MAIL) else ANSWER


def _late_s(usual_ms: float) -> float:
    return max(LATE_BY * usual_ms, LATE_MS_MIN) / 1e3


def _usual_ms(orders: Iterable[Mapping[str, Any]], window: Window, until: float) -> dict[str, float]:
    """The p99 of the requests scheduled in the measured time before the first fault."""
    usual = {ANSWER: Spans(), EMAIL: Spans()}
    for order in orders:
        for request in order["requests"]:
            due = request.get("due")
            if due is None or not window.begins <= due < until:
                continue
            for metric, name in ((ANSWER, "answered"), (EMAIL, "emailed")):
                if (over := request.get(name)) is not None and over <= until:
                    usual[metric].add(over - due)
    return {metric: spans.quantiles_ms([99.0])[0] or USUAL_MS for metric, spans in usual.items()}
