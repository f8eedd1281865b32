"""How sure a difference between two runs is: the blocks of each are drawn again and again, with replacement.

A run's figure depends on which orders happened to come; drawing blocks of neighbouring orders, and not single ones,
keeps what neighbours have in common, such as a pause of the garbage collector.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate
from random import Random
from typing import Any, Final

from lab.load.figures.sparse import Spans, longest_of, rank

DRAWS: Final = 400
"""Draws for an interval: more would move its ends by less than a run differs from the next."""

_SEED: Final = "compare"
_TAILS: Final = (0.025, 0.975)
"""What lies between is an interval of 95 %."""

Interval = tuple[float, float]


class Drawn:
    """One run's blocks of one metric, of which quantiles can be taken at any multiplicity of the blocks."""

    def __init__(self, blocks: Sequence[Spans]) -> None:
        self._cells = sorted({cell for block in blocks for cell in block.cells})
        self._totals = [list(accumulate(block.cells.get(cell, 0) for cell in self._cells)) for block in blocks]

    @property
    def spans(self) -> int:
        """How many there are in all."""
        return sum(totals[-1] for totals in self._totals if totals)

    def quantile_ms(self, percent: float, chosen: Sequence[int]) -> float | None:
        """A percentile of the chosen blocks together; nothing if they are all empty."""
        times: dict[int, int] = {}
        for place in chosen:
            times[place] = times.get(place, 0) + 1
        totals = [(self._totals[place], number) for place, number in times.items()]
        count = sum(of[-1] * number for of, number in totals) if self._cells else 0
        if not count:
            return None

        def up_to(at: int) -> int:
            return sum(of[at] * number for of, number in totals)

        at = bisect_left(range(len(self._cells)), rank(percent, count), key=up_to)
        return longest_of(self._cells[at]) / 1e3


def blocks_of(document: Mapping[str, Any], metric: str) -> Drawn:
    """A result's blocks of one metric.

    Raises:
        ValueError: a histogram of it cannot be read.
    """
    histograms = (block["histograms"].get(metric) for block in document["blocks"])
    return Drawn([Spans.decoded(histogram) if histogram else Spans() for histogram in histograms])


def ratio_of_quantiles(
    before: Drawn, after: Drawn, blocks: tuple[int, int], percents: Sequence[float]
) -> list[Interval | None]:
    """Where the ratio after / before of each percentile lies, with 95 % confidence; nothing if a side has no spans."""
    ratios: dict[float, list[float]] = {percent: [] for percent in percents}
    for chosen in _draws(blocks):
        for percent, found in ratios.items():
            low, high = (side.quantile_ms(percent, picks) for side, picks in zip((before, after), chosen, strict=True))
            if low and high:
                found.append(high / low)
    return [_interval(found) for found in ratios.values()]


def ratio_of_means(before: Sequence[float], after: Sequence[float]) -> Interval | None:
    """Where the ratio of the blocks' means lies, with 95 % confidence; nothing if there is none."""
    found: list[float] = []
    for low_picks, high_picks in _draws((len(before), len(after))):
        low = sum(before[place] for place in low_picks) / len(before)
        high = sum(after[place] for place in high_picks) / len(after)
        if low:
            found.append(high / low)
    return _interval(found)


def _draws(blocks: tuple[int, int]) -> list[tuple[list[int], list[int]]]:
    """The same choices of blocks for every figure of every comparison."""
    chance = Random(_SEED)
    before, after = (range(number) for number in blocks)
    if not before or not after:
        return []
    return [(chance.choices(before, k=len(before)), chance.choices(after, k=len(after))) for _ in range(DRAWS)]


def _interval(found: list[float]) -> Interval | None:
    if not found:
        return None
    found.sort()
    low, high = (found[round(tail * (len(found) - 1))] for tail in _TAILS)
    return low, high
