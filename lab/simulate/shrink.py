"""The fewest faults with which an order still goes wrong.

A fault that is left out changes the course of everything after it, so numbers mean other places then. That does no harm:
any course that goes wrong with fewer faults is a better story of what is wrong.
"""

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Final

from lab.simulate.play import Lived

TRIES: Final = 400
MESSAGES: Final = 60_000
"""Lives, and messages handled in them, that shrinking may take: some three seconds."""

_BEYOND: Final = 3
"""With fewer faults there may be more occasions for others."""


def shrink(lived: Lived, live_again: Callable[[frozenset[int]], Lived]) -> Lived:
    """Live an order again with no fault, with each one, with each two; then leave out of all what is not needed.

    Args:
        lived: an order at fault. What comes back violates one of the invariants that it violates.
        live_again: lives it with only the faults of these numbers.
    """
    wanted = {violation.invariant for violation in lived.violations}
    tries = messages = 0

    def fails(strikes: frozenset[int]) -> Lived | None:
        nonlocal tries, messages
        if tries >= TRIES or messages >= MESSAGES:
            return None
        again = live_again(strikes)
        tries, messages = tries + 1, messages + again.handled
        return again if wanted & {violation.invariant for violation in again.violations} else None

    for few in _few(lived):
        if len(few) >= len(lived.struck) or tries >= TRIES // 2 or messages >= MESSAGES // 2:
            break
        if again := fails(few):
            return again
    best = lived
    for number in sorted((strike.number for strike in lived.struck), reverse=True):  # The last ones change the least.
        fewer = frozenset(strike.number for strike in best.struck) - {number}
        if again := fails(fewer):
            best = again
    return best


def _few(lived: Lived) -> Iterator[frozenset[int]]:
    last = max((strike.number for strike in lived.struck), default=0) + _BEYOND
    for size in (0, 1, 2):
        yield from map(frozenset, combinations(range(1, last + 1), size))
