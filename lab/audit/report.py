"""What an audit says: to programs as JSON, to people as a page."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lab.audit.invariants import Invariant, Violation
from lab.audit.totals import KEPT, Totals

SCHEMA: Final = "https://countermand.example/schemas/audit.v1.json"


@dataclass(frozen=True, slots=True)
class Line:
    """One invariant: how much was checked, how much is not due yet, what is wrong, and how much more of that there is."""

    invariant: Invariant
    checked: int
    pending: int
    violations: tuple[Violation, ...]
    unlisted: int = 0

    @property
    def violated(self) -> int:
        """How often it does not hold."""
        return len(self.violations) + self.unlisted


@dataclass(frozen=True, slots=True)
class Report:
    """The result of an audit. `seconds` is the time it took, `lateness_s` how late timers were, in real seconds."""

    lines: tuple[Line, ...]
    orders: int
    events: int
    seconds: float
    emails: Mapping[str, int]
    money: Mapping[str, Mapping[str, int]]
    races: Mapping[str, Mapping[str, int]]
    lateness_s: Mapping[str, float]
    commands: int = 0
    notes: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether every invariant holds."""
        return not any(line.violated for line in self.lines)

    @property
    def violations(self) -> tuple[Violation, ...]:
        """Everything that is wrong."""
        return tuple(violation for line in self.lines for violation in line.violations)

    @property
    def events_per_order(self) -> float:
        """How many events an order has."""
        return round(self.events / self.orders, 2) if self.orders else 0.0

    @property
    def events_per_s(self) -> float:
        """How fast the audit read and judged."""
        return round(self.events / self.seconds, 1) if self.seconds else 0.0

    def document(self) -> dict[str, Any]:
        """The JSON of `countermand audit --json`."""
        return {
            "schema": SCHEMA,
            "seed": None,
            "verdict": "pass" if self.ok else "fail",
            "orders": self.orders,
            "events": self.events,
            "events_per_order": self.events_per_order,
            "events_per_s": self.events_per_s,
            "seconds": round(self.seconds, 3),
            "invariants": {
                str(line.invariant): {
                    "checked": line.checked,
                    "pending": line.pending,
                    "violated": line.violated,
                    "violations": [
                        {"order_id": violation.order_id or None, "what": violation.what}
                        for violation in line.violations[:KEPT]
                    ],
                }
                for line in self.lines
            },
            "emails": dict(self.emails),
            "money": {currency: dict(sums) for currency, sums in self.money.items()},
            "races": {name: dict(won) for name, won in self.races.items()},
            "lateness_s": dict(self.lateness_s),
            "notes": list(self.notes),
        }

    def write(self, path: Path) -> None:
        """Write the JSON document."""
        path.write_text(json.dumps(self.document(), indent=2) + "\n")


def report_of(totals: Totals, seconds: float, notes: tuple[str, ...] = ()) -> Report:
    """Put the totals into words and numbers."""
    counts = totals.counts
    by_invariant: dict[str, list[Violation]] = {}
    for violation in totals.violations():
        by_invariant.setdefault(violation.invariant, []).append(violation)
    emails = {name: counts[f"emails.{name}"] for name in ("promised", "delivered", "failed", "duplicates", "lost")}
    return Report(
        lines=tuple(
            Line(
                invariant,
                counts[f"{invariant}.checked"],
                counts[f"{invariant}.pending"],
                tuple(by_invariant.get(invariant, ())),
                counts[f"{invariant}.violated"] - len(by_invariant.get(invariant, ())),
            )
            for invariant in Invariant
        ),
        orders=counts["orders"],
        events=counts["events"],
        seconds=seconds,
        emails=emails,
        money=_grouped(counts, "money"),
        races=_grouped(counts, "races"),
        lateness_s=totals.lateness.document(),
        notes=notes,
    )


def _grouped(counts: Counter[str], prefix: str) -> dict[str, dict[str, int]]:
    """`money.USD.captured: 5` as `{USD: {captured: 5}}`."""
    grouped: dict[str, dict[str, int]] = {}
    for name, number in sorted(counts.items()):
        head, _, rest = name.partition(".")
        if head == prefix and (number or head == "money"):
            group, _, leaf = rest.rpartition(".")
            grouped.setdefault(group, {})[leaf] = number
    return grouped
