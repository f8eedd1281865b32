"""The totals of an audit: findings of single orders added up, and taken out again where an order is judged anew."""

import math
from collections import Counter
from typing import Final

from lab.audit.invariants import Findings, Violation

KEPT: Final = 1_000
"""Violations of an invariant that a document lists; beyond that they are only counted."""

_GUILTY_KEPT: Final = 20_000
"""Orders at fault whose violations are kept in words, a KiB each: who has more has another problem."""

_STEP: Final = 1.02
"""Two latenesses in one bucket of the histogram differ by 2 % at most."""

_SMALLEST_S: Final = 1e-4


class Lateness:
    """How late timers were, in seconds: a histogram, so that a million orders take no more room than a thousand."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()

    def add(self, late_s: float, sign: int) -> None:
        """Count one; or take it out."""
        self._buckets[_bucket(late_s)] += sign

    def document(self) -> dict[str, float]:
        """`{timers, p50, p99, max}`, each within 2 %."""
        total = self._buckets.total()
        levels = {"p50": 0.5, "p99": 0.99, "max": 1.0}
        return {"timers": total} | {name: self._quantile(level, total) for name, level in levels.items()}

    def _quantile(self, level: float, total: int) -> float:
        left = math.ceil(level * total)
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 0:
                return round(_SMALLEST_S * _STEP**bucket, 4) if bucket else 0.0
        return 0.0


class Totals:
    """Everything that has been found."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.lateness = Lateness()
        self._guilty: dict[str, Findings] = {}

    def add(self, order_id: str, findings: Findings) -> None:
        """Count an order in."""
        self._count(findings, 1)
        if findings.violations and len(self._guilty) < _GUILTY_KEPT:
            self._guilty[order_id] = findings

    def take_out(self, order_id: str, findings: Findings) -> None:
        """Take an order out that will be judged anew; `findings` are what it was counted in with, if it was not at fault."""
        self._count(self._guilty.pop(order_id, findings), -1)

    def blame(self, violation: Violation) -> None:
        """Something that is wrong with no single order, or that only the whole shows."""
        found = self._guilty.setdefault(violation.order_id, Findings())
        found.violations.append(violation)
        self.counts[f"{violation.invariant}.violated"] += 1

    def violations(self) -> list[Violation]:
        """Every violation that is kept; `counts` knows how many there were."""
        return [violation for findings in self._guilty.values() for violation in findings.violations]

    def _count(self, findings: Findings, sign: int) -> None:
        counts = self.counts
        for name, number in findings.counts.items():
            counts[name] += sign * number
        for violation in findings.violations:
            counts[f"{violation.invariant}.violated"] += sign
        for late_s in findings.late_s:
            self.lateness.add(late_s, sign)


def _bucket(late_s: float) -> int:
    return max(0, round(math.log(late_s / _SMALLEST_S, _STEP))) if late_s > _SMALLEST_S else 0
