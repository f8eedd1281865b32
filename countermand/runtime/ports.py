"""What the runtime asks of the world: a store, alarms, and a way to say no. JetStream answers it, or `lab.simulate`."""

from collections.abc import Callable
from typing import Protocol

from countermand.contracts.base import Owner
from countermand.kernel.decider import Deadline, Refused
from countermand.kernel.terms import Terms, TermsRef
from countermand.runtime.envelope import Delivered, Envelope


class Conflict(Exception):
    """Somebody else wrote first, or this event was written before: read the history again, then decide anew.

    `duplicate`: the store knows the event's id already.
    """

    def __init__(self, event_id: str, *, duplicate: bool) -> None:
        super().__init__(event_id)
        self.duplicate = duplicate


class Store(Protocol):
    """One owner's stream."""

    async def newer(self, order_id: str, revision: int) -> list[Envelope]:
        """The events of an order after that revision, in their order; the last ones may be missing for a moment."""
        ...

    async def last_sequence(self, order_id: str) -> int:
        """The place of the order's last event, nothing missing; 0 if there is none."""
        ...

    async def append(self, entry: Envelope, expected: int) -> int:
        """Write an event if the order's last one is at the place `expected`. The new one's place.

        Raises:
            Conflict: it was not written now, or may have been written before.
            TimeoutError: its fate is unknown; the history tells.
        """
        ...


class Alarms(Protocol):
    """Reminders that survive their owner."""

    async def arm(self, timer: str, deadline: Deadline, terms: Terms) -> None:
        """Remind of a deadline, on the subject that belongs to the timer's. Arming it twice leaves one."""
        ...

    async def cancel(self, timer: str) -> None:
        """Remind nobody. It may be too late for that."""
        ...


class Outside(Protocol):
    """Whatever else a handler needs."""

    async def terms(self, ref: TermsRef) -> Terms:
        """An order's terms with the values of its policy.

        Raises:
            UnknownPolicy: nobody has stored it.
        """
        ...

    async def history(self, owner: Owner, order_id: str) -> list[Envelope]:
        """What an owner has recorded of an order; the last events may be missing for a moment."""
        ...

    async def placed_under(self, order_id: str) -> str | None:
        """The terms in the header of the order's first event; nothing if there is none."""
        ...

    def failed(self, subject: str, tries: int, error: Exception) -> None:
        """A try at a message failed and will be repeated; it is told, so that no failure goes unseen."""
        ...

    async def refuse(self, service: Owner, refused: Refused, envelope: Envelope) -> None:
        """Tell the sender of a command, and nobody else."""
        ...

    async def bury(self, service: Owner, delivered: Delivered, reason: str) -> None:
        """Copy a message to the dead letters. Doing it again changes nothing."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let real time pass."""
        ...


Passing = Callable[[str, str, str], None]
"""Told that a service passes a place, about an event, a command or a timer of that name; the process may end there."""
