"""The ten invariants of the domain, and what an audit finds about them."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self


class Invariant(StrEnum):
    """I1 to I10 of the domain, each with what it says."""

    sentence: str

    def __new__(cls, value: str, sentence: str) -> Self:
        """A member is its name; the sentence comes along."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member

    I1 = "I1", "every order has one outcome, or waits for something that is still to come"
    I2 = "I2", "what was accepted is not shipped; a parcel that left anyway is shown"
    I3 = "I3", "no more goes back than was paid, and all of it when an order is cancelled"
    I4 = "I4", "one email for each fact that promises one, and no other"
    I5 = "I5", "every request has exactly one answer that names it"
    I6 = "I6", "every step is legal, and no revision is missing"
    I7 = "I7", "every event names a cause that exists"
    I8 = "I8", "no timer fires early"
    I9 = "I9", "nothing is stuck"
    I10 = "I10", "the same seed, order and question give the same decision"


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold. `order_id` is empty where no single order is at fault."""

    invariant: Invariant
    order_id: str
    what: str


@dataclass(slots=True)
class Findings:
    """What was found about one order: additive, so that an order can be taken out of the totals and judged again.

    `counts` holds everything that is counted, by a dotted name such as `I4.checked` or `emails.promised`;
    `late_s` how late each timer was, in real seconds.
    """

    counts: Counter[str] = field(default_factory=Counter[str])
    violations: list[Violation] = field(default_factory=list[Violation])
    late_s: list[float] = field(default_factory=list[float])
