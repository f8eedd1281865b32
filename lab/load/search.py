"""The highest rate that a system sustains: double or halve until it lies between two rates, then narrow them."""

from collections.abc import Awaitable, Callable
from math import inf
from typing import Final

STEPS_MAX: Final = 12
"""From a guess eight times off to within 5 %, seven steps do; each is a whole run."""

WITHIN: Final = 0.05
"""Closer than this, two runs at the same rate differ as much."""

LOWEST: Final = 1.0
HIGHEST: Final = 100_000.0
"""Orders a second that a plan can have."""

_DECIMALS: Final = 2


async def highest(
    try_rate: Callable[[float], Awaitable[bool]],
    first: float,
    *,
    steps_max: int = STEPS_MAX,
    within: float = WITHIN,
) -> float | None:
    """The highest rate that was tried and held; nothing if none did.

    Args:
        try_rate: whether a rate, in orders a second, holds.
        first: where to begin.
        within: how close, as a share, the lowest rate that does not hold is to be.
    """
    held, failed, rate = 0.0, inf, first
    for _ in range(steps_max):
        if await try_rate(rate):
            held = rate
        else:
            failed = rate
        following = _next(held, failed, within)
        if following is None:
            break
        rate = round(following, _DECIMALS)
    return held or None


def _next(held: float, failed: float, within: float) -> float | None:
    """The rate to try; nothing when the search is over. Halfway is the geometric mean: the error is a share too."""
    if failed == inf:
        return min(held * 2, HIGHEST) if held < HIGHEST else None
    if not held:
        return max(failed / 2, LOWEST) if failed > LOWEST else None
    return (held * failed) ** 0.5 if failed > held * (1 + within) else None
