"""What a run is asked to reach, as `request_to_email.p99<250ms`: a figure of its result, a comparison, a bound."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final, Self, cast

from countermand.contracts.order import Outcome
from countermand.runtime.settings import ConfigurationError
from lab.load.figures.metrics import LATENCIES, NO_OUTCOME, START_LAG

STATISTICS: Final = ("p50", "p90", "p99", "p999", "max", "mean", "count")
FIGURES: Final = (
    "violations",
    *(f"flows.{name}" for name in ("planned", "started", "completed", "settled", "late", "shed")),
    *(f"rate.{name}" for name in ("target", "achieved")),
    *(f"emails.{name}" for name in ("promised", "delivered", "duplicates", "lost")),
    *(f"generator.{name}" for name in ("late_share", "resent", "lost", "refused", "negative_spans", "clock_drift_ms")),
    *(f"backlog.{name}" for name in ("max", "at_end", "drain_s")),
)
"""The figures of every result that are no latencies."""

_OUTCOMES: Final = tuple(f"outcomes.{name}" for name in (*Outcome, NO_OUTCOME))
"""Of an outcome that no order had there is no figure in the document: it is 0."""

_OPEN: Final = ("resources.", "by_flow.", "by_outcome.", "generator.lag_ms.", "invariants.")
"""What begins so has names that only the run knows."""

_MS: Final = {"us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3}
_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<=": le,
    ">=": ge,
    "==": eq,
    "!=": ne,
    "<": lt,
    ">": gt,
}
_WRITTEN: Final = re.compile(
    r"\s*(?P<path>[^<>=!]*?)\s*(?P<comparison><=|>=|==|!=|<|>)\s*(?P<number>-?\d+(?:\.\d+)?)\s*(?P<unit>[a-zµ%]*)\s*"
)


@dataclass(frozen=True, slots=True)
class Threshold:
    """One bound. `text` is as it was written; `bound` in milliseconds if `unit` says so, and a share for a percentage."""

    text: str
    path: tuple[str, ...]
    comparison: str
    bound: float
    unit: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `<figure><comparison><number><unit>`.

        Raises:
            ConfigurationError: what is wrong, and the nearest figure there is.
        """
        found = _WRITTEN.fullmatch(text)
        if found is None:
            msg = f"threshold {text!r}: expected a figure, one of {' '.join(_COMPARISONS)}, and a number, as in request_to_email.p99<250ms"
            raise ConfigurationError(msg)
        path, is_time = _path(text, found["path"])
        bound = float(found["number"]) * _scale(text, found["unit"], is_time=is_time)
        return cls(text.strip(), path, found["comparison"], bound, "ms" if is_time else "")

    def value(self, document: Mapping[str, Any]) -> float | None:
        """The figure in a result's document, or in one of its parts; nothing if the run has none."""
        found: Any = document
        for key in self.path:
            if not isinstance(found, Mapping):
                return None
            found = cast("Mapping[str, Any]", found).get(key)
        if found is None and self.is_outcome and "outcomes" in document:
            return 0.0
        return float(found) if isinstance(found, int | float) else None

    @property
    def is_outcome(self) -> bool:
        """Whether it counts the orders that ended in a certain way."""
        return self.path[0] == "outcomes"

    def holds(self, document: Mapping[str, Any]) -> bool | None:
        """Whether it holds; nothing if there is no figure to compare, or one of no spans at all."""
        value = self.value(document)
        return None if value is None else _COMPARISONS[self.comparison](value, self.bound)


def _path(text: str, written: str) -> tuple[tuple[str, ...], bool]:
    """Where the figure stands in the document, and whether it is a time."""
    head, _, statistic = written.rpartition(".")
    for place in (head, head.rpartition(".")[2] if written.startswith(("by_flow.", "by_outcome.")) else ""):
        if place in LATENCIES or place == START_LAG:
            if statistic not in STATISTICS:
                raise _unknown(text, written, [f"{place}.{name}" for name in STATISTICS])
            return _latency_path(written, head, place, statistic), statistic != "count"
    if written.startswith("generator.lag_ms."):
        return tuple(written.split(".")), statistic != "count"
    if written in (*FIGURES, *_OUTCOMES) or written.startswith(_OPEN):
        return tuple(written.split(".")), False
    raise _unknown(
        text,
        written,
        [*FIGURES, *_OUTCOMES, *(f"{name}.{of}" for name in (*LATENCIES, START_LAG) for of in STATISTICS)],
    )


def _latency_path(written: str, head: str, place: str, statistic: str) -> tuple[str, ...]:
    if place == START_LAG:
        return ("generator", "lag_ms", statistic)
    if place == head:
        return ("latency_ms", place, statistic)
    group, _, key = written.removesuffix(f".{place}.{statistic}").partition(".")
    return (group, key, place, statistic)


def _unknown(text: str, written: str, known: list[str]) -> ConfigurationError:
    near = get_close_matches(written, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else "such as request_to_email.p99, violations, rate.achieved"
    return ConfigurationError(f"threshold {text!r}: there is no figure {written!r}; {hint}")


def _scale(text: str, unit: str, *, is_time: bool) -> float:
    """What a number in this unit is multiplied by."""
    if is_time:
        if unit in _MS:
            return _MS[unit]
        msg = f"threshold {text!r}: a time needs a unit, us, ms or s"
        raise ConfigurationError(msg)
    if unit not in ("", "%"):
        msg = f"threshold {text!r}: this figure takes a plain number or a percentage, not {unit!r}"
        raise ConfigurationError(msg)
    return 0.01 if unit else 1.0
