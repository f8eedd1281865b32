"""A clause of the contract, and what was seen of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.conformance.desk import Desk


class Broken(Exception):
    """The clause does not hold; the message says what was seen instead."""


@dataclass(frozen=True, slots=True)
class Clause:
    """Something that a service must do. `play` tries it on an order of its own, and tells what was seen."""

    name: str
    says: str
    play: "Callable[[Desk], Awaitable[str]]"


@dataclass(frozen=True, slots=True)
class Check:
    """A clause that was tried."""

    name: str
    says: str
    ok: bool
    seen: str


def expect(*, holds: bool, otherwise: str) -> None:
    """Go on if it holds.

    Raises:
        Broken: it does not.
    """
    if not holds:
        raise Broken(otherwise)
