"""What buyers, sellers and the platform would look at: how long answers take, how much money goes back, how many disputes."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil

from lab.audit.fact import Fact
from lab.facts import ANSWERS

_HOUR_S = 3600


@dataclass(slots=True)
class Figures:
    """Of many orders. `answer_hours`: from request to answer, simulated, rounded up; amounts in minor units."""

    requests: int = 0
    answer_hours: Counter[int] = field(default_factory=Counter[int])
    disputes: int = 0
    refunded: Counter[str] = field(default_factory=Counter[str])
    emails: int = 0

    def add(self, facts: list[Fact]) -> None:
        """Count one order."""
        asked: dict[str, str] = {}
        for fact in facts:
            match fact.name:
                case "CancelRequested":
                    self.requests += 1
                    asked[fact.id] = fact.simulated
                case "DisputeOpened":
                    self.disputes += 1
                case "EmailSent":
                    self.emails += 1
                case "RefundIssued":
                    amount = fact.body["amount"]
                    self.refunded[amount["currency"]] += amount["amount_minor"]
                case _ if fact.name in ANSWERS:
                    since = asked.pop(str(fact.body.get("request_id")), None)
                    if since:
                        self.answer_hours[_hours(since, fact.simulated)] += 1
                case _:
                    pass

    def days_to_answer(self, share: float) -> float | None:
        """So many simulated days at most took this share of the answers."""
        left = ceil(share * self.answer_hours.total())
        for hours in sorted(self.answer_hours):
            left -= self.answer_hours[hours]
            if left <= 0:
                return round(hours / 24, 2)
        return None

    def document(self) -> dict[str, object]:
        """As JSON."""
        return {
            "requests": self.requests,
            "days_to_answer": {"p50": self.days_to_answer(0.5), "p90": self.days_to_answer(0.9)},
            "disputes": self.disputes,
            "refunded_minor": dict(sorted(self.refunded.items())),
            "emails": self.emails,
        }


def _hours(since: str, until: str) -> int:
    return ceil((datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds() / _HOUR_S)
