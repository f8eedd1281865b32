"""The fewest faults with which an order still goes wrong: each is left out in turn, and stays out if it was not needed."""

from collections.abc import Callable
from typing import Final

from lab.simulate.play import Lived

ROUNDS: Final = 4
TRIES: Final = 400
"""Lives that shrinking may take: a second or two."""


def shrink(lived: Lived, live_again: Callable[[frozenset[int]], Lived]) -> Lived:
    """Live an order again and again with fewer faults, as long as one of its invariants is still violated.

    Args:
        lived: an order at fault.
        live_again: lives it with only the faults of these numbers.
    """
    wanted = {violation.invariant for violation in lived.violations}
    best, kept, tries = lived, [strike.number for strike in lived.struck], 0
    for _ in range(ROUNDS):
        before = len(kept)
        for number in list(kept):
            if number not in kept:
                continue
            if (tries := tries + 1) > TRIES:
                return best
            fewer = frozenset(kept) - {number}
            again = live_again(fewer)
            if wanted & {violation.invariant for violation in again.violations}:
                best, kept = again, [strike.number for strike in again.struck]
        if len(kept) == before:
            break
    return best
