"""How long a fault was felt: until the first second in which nothing waited unusually long for the system."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lab.load.figures.metrics import BUYER_TO_ORDER, ORDER_TO_EMAIL, ORDER_TO_SELLER, SELLER_TO_ORDER
from lab.load.figures.sparse import Spans
from lab.load.figures.tally import Window

LATE_BY: Final = 3.0
"""A leg is late when it took so many times the usual p99."""

LATE_MS_MIN: Final = 250.0
"""And never when it was faster than this: nobody notices."""

USUAL_MS: Final = 50.0
"""The p99 of a run whose first fault came before anything was measured."""

_MAIL: Final = ("smtp", "kill:notify", "pause:notify", "pause:mailbox")
"""Faults that hold up the emails and not the answers."""

_BY_ANSWER: Final = (BUYER_TO_ORDER, ORDER_TO_SELLER, SELLER_TO_ORDER)
_BY_MAIL: Final = (ORDER_TO_EMAIL,)
"""The legs by which a fault is felt. In none of them does anybody think, at whatever rate the simulated clock goes."""

Leg = tuple[str, float, float | None]
"""A metric, and when it began and ended; without an end, it never did."""


@dataclass(slots=True)
class _Second:
    """The legs that began in one second of a run. `last_late` is when the last of the late ones ended."""

    late: int = 0
    missing: int = 0
    last_late: float = 0.0


@dataclass(slots=True)
class _Watch:
    """One fault under measure, by second of the run."""

    fault: Mapping[str, Any]
    legs: tuple[str, ...]
    late_s: float
    seconds: dict[int, _Second] = field(default_factory=dict[int, _Second])

    def add(self, leg: Leg) -> None:
        """Count a leg, unless it was over before the fault; one that the fault cut into counts from the fault's second on."""
        name, begins, ends = leg
        began: float = self.fault["began"]
        if name not in self.legs or (begins < began and ends is not None and ends <= began):
            return
        second = self.seconds.setdefault(int(max(begins, began)), _Second())
        if ends is None:
            second.missing += 1
        elif ends - begins > self.late_s:
            second.late += 1
            second.last_late = max(second.last_late, ends)

    def document(self) -> dict[str, Any]:
        """The fault with `recovery_s` (nothing: not recovered), `late_answers`, and the legs that were measured."""
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
            "metric": "+".join(self.legs),
        }

    def _felt(self, ended: float) -> Iterator[_Second]:
        """The seconds until the first whole one after the fault's end in which all was well.

        One in which nothing began says nothing either way.
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
    usual = _Usual(window, struck[0]["began"])
    for order in orders():
        usual.add(order)
    watches = [_Watch(fault, legs, usual.late_s(legs)) for fault in struck for legs in (_felt_by(fault),)]
    for order in orders():
        for leg in _legs(order, at_once=order["flow"] in usual.at_once):
            for watch in watches:
                watch.add(leg)
    return [watch.document() for watch in watches]


def _felt_by(fault: Mapping[str, Any]) -> tuple[str, ...]:
    return _BY_MAIL if str(fault["text"]).startswith(_MAIL) else _BY_ANSWER


class _Usual:
    """How long the legs took that were over before the first fault, within the measured window.

    Attributes:
        at_once: flows whose sellers answer a request at once: it seems lost if they never do.
    """

    def __init__(self, window: Window, until: float) -> None:
        self._window = window
        self._until = until
        self._spans = {name: Spans() for name in (*_BY_ANSWER, *_BY_MAIL)}
        self.at_once: set[str] = set()

    def add(self, order: Mapping[str, Any]) -> None:
        """Take in an order's line."""
        if any("seller" in request for request in order["requests"]):
            self.at_once.add(order["flow"])
        for name, begins, ends in _legs(order, at_once=False):
            if begins >= self._window.begins and ends is not None and ends <= self._until:
                self._spans[name].add(ends - begins)

    def late_s(self, legs: Iterable[str]) -> float:
        """Beyond how many seconds one of these legs is late."""
        usual_ms = [at for name in legs for at in self._spans[name].quantiles_ms([99.0]) if at is not None]
        return max(LATE_BY * max(usual_ms, default=USUAL_MS), LATE_MS_MIN) / 1e3


def _legs(order: Mapping[str, Any], *, at_once: bool) -> Iterator[Leg]:
    """The legs of an order's requests on which nobody thinks, as far as its line tells of them."""
    owing = order.get("emails", 0) < order.get("promised", 0)
    for request in order["requests"]:
        if request.get("due") is not None:
            yield from _legs_of(request, at_once=at_once, owing=owing)
    for request in order.get("unrecorded", ()):
        yield BUYER_TO_ORDER, request["due"], None


def _legs_of(request: Mapping[str, Any], *, at_once: bool, owing: bool) -> Iterator[Leg]:
    """A seller's word that is missing was said after a while of thinking, or not in time, unless nothing answered at all.

    An answer that promises no email is not waited for by mail.
    """
    recorded, said, answered, emailed = (request.get(name) for name in ("recorded", "seller", "answered", "emailed"))
    yield BUYER_TO_ORDER, request["due"], recorded
    if recorded is not None and (said is not None or (at_once and answered is None)):
        yield ORDER_TO_SELLER, recorded, said
    if said is not None and (answered is None or said <= answered):
        yield SELLER_TO_ORDER, said, answered
    if answered is not None and (emailed is not None or owing):
        yield ORDER_TO_EMAIL, answered, emailed
