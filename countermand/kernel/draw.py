"""Seeded draws: the same seed, order and question give the same answer, whatever the timing or the replica."""

from hashlib import blake2b
from math import nextafter
from typing import Final

_BELOW_ONE: Final = nextafter(1.0, 0.0)


def draw(seed: int, order_id: str, question: str) -> float:
    """A number in [0, 1) that depends on nothing but its arguments."""
    digest = blake2b(f"{seed}/{order_id}/{question}".encode(), digest_size=7).digest()
    return min(int.from_bytes(digest) / (1 << 56), _BELOW_ONE)  # The highest would round up to 1.


def draw_between(low: int, high: int, seed: int, order_id: str, question: str) -> int:
    """A whole number from `low` to `high`, both included, each equally likely."""
    return low + int(draw(seed, order_id, question) * (high - low + 1))
