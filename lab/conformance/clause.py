"""A clause of the contract, and what was seen of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lab.conformance.desk import Desk


@dataclass(frozen=True, slots=True)
class Clause:
    """Something that a service must do. `play` tries it on an order of its own, and tells what was seen."""

    name: str
    says: str
    play: Callable[[Desk], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Check:
    """A clause that was tried."""

    name: str
    says: str
    ok: bool
    seen: str
