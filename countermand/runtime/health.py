"""Health: what a process says of itself when asked whether it does its work."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a process needs.

    Attributes:
        detail: why it holds or does not, for people.
        vital: whether the process is unready without it.
    """

    name: str
    ok: bool
    detail: str
    vital: bool = True


Readiness = Callable[[], Awaitable[Sequence[Check]]]
"""Makes all checks, in a bounded time, and cheap enough to be asked every second."""
