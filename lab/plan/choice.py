"""A weighted choice by a drawn number."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Choice(Generic[T]):
    """Things, each chosen as often as its weight says. `totals` are the running totals of the weights: whole numbers."""

    things: tuple[T, ...]
    totals: tuple[int, ...]

    def pick(self, share: float) -> T:
        """The thing at a share of the whole, from 0 to 1."""
        last = self.totals[-1] - 1
        return self.things[bisect_right(self.totals, min(int(share * (last + 1)), last))]


def choice_of(weighted: Iterable[tuple[T, int]]) -> Choice[T]:
    """The choice among things and their weights, each weight at least 1."""
    pairs = tuple(weighted)
    choice: Choice[T] = Choice(tuple(thing for thing, _ in pairs), tuple(accumulate(weight for _, weight in pairs)))
    return choice
