"""The runtime's ports in memory, with JetStream's semantics where they matter, and with its misfortunes."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from types import coroutine
from typing import TYPE_CHECKING, Final

from countermand.contracts.base import Owner
from countermand.contracts.subjects import Address, command_subject, event_subject
from countermand.kernel.decider import Deadline, Refused
from countermand.kernel.terms import Terms, TermsRef
from countermand.runtime.envelope import Delivered, Envelope
from countermand.runtime.outage import is_outage
from countermand.runtime.ports import Conflict
from lab.simulate.life import DEDUPE_WINDOW, SECOND, Life, microseconds

if TYPE_CHECKING:
    from lab.simulate.engine import Engine

SCHEDULE_FLOOR: Final = SECOND // 4
"""JetStream's schedules fire no sooner than this after they are set."""

_STALE_FOR: Final = SECOND // 2
"""A read may miss what was written so short a time ago."""


class Crash(BaseException):
    """The replica dies here. It is no `Exception`: no handler may survive it."""


@coroutine
def pause(duration: int) -> Generator[int]:
    """Let virtual time pass, in microseconds: the scheduler goes on with something else."""
    yield duration


class MemoryDelivered:
    """A message as a consumer delivered it to a replica."""

    __slots__ = ("acked", "consumer", "engine", "envelope", "service")

    def __init__(self, engine: "Engine", envelope: Envelope, service: Owner, consumer: tuple[Owner, str]) -> None:
        self.engine = engine
        self.envelope = envelope
        self.service = service
        self.consumer = consumer
        self.acked = False

    @property
    def subject(self) -> str:
        """As the contracts spell it; asked for only where something goes wrong."""
        address = self.envelope.address
        service, order_id, name = address.service, address.order_id, address.name
        if address.kind == "cmd":
            return command_subject(service, order_id, name)
        subject = event_subject(service, order_id, name, address.revision or 0)
        return subject if address.kind == "event" else f"due.{subject}"

    def open(self) -> Envelope:
        """It is read and checked already; only JSON and headers are left out."""
        self.envelope.delivered = self
        return self.envelope

    async def ack(self) -> None:
        """It is done, unless nobody hears of it."""
        engine = self.engine
        if engine.unlucky:
            engine.passing(self.service, "before_ack", self.envelope.address.name)
            self.acked = not engine.strikes("lost_ack", f"{self.envelope.address.name} of {self.service}")
        else:
            self.acked = True


class MemoryStore:
    """One owner's stream, for the order that lives now."""

    def __init__(self, engine: "Engine", owner: Owner) -> None:
        self._engine = engine
        self._owner = owner

    async def newer(self, order_id: str, revision: int) -> list[Envelope]:
        """The events of an order after that revision; sometimes the newest is not there yet."""
        return self._engine.seen_of(self._owner, order_id)[revision:]

    async def last_sequence(self, order_id: str) -> int:
        """The leader's word."""
        entries = self._engine.life_of(order_id).journals[self._owner].entries
        return entries[-1].sequence if entries else 0

    async def append(self, entry: Envelope, expected: int) -> int:
        """Compare and set. The dedupe window is looked at first, as JetStream does."""
        engine = self._engine
        life = engine.life_of(entry.address.order_id)
        if engine.unlucky:
            if engine.strikes("race", entry.address.name):
                await pause(life.mostly_short(30 * SECOND))
            if engine.strikes("failed_append", entry.address.name):
                msg = "the store does not answer"
                raise TimeoutError(msg)
        journal = life.journals[self._owner]
        entries = journal.entries
        written_at = journal.seen.get(entry.id)
        if written_at is not None and life.now - written_at < DEDUPE_WINDOW:
            raise Conflict(entry.id, duplicate=True)
        last = entries[-1].sequence if entries else 0
        if last != expected:
            life.happens("conflict")
            raise Conflict(entry.id, duplicate=False)
        entry.sequence = last + 1
        entry.stored_at = life.stored_at()
        entries.append(entry)
        journal.seen[entry.id] = life.now
        engine.publish(self._owner, entry)
        if engine.unlucky and engine.strikes("lost_append_ack", entry.address.name):
            msg = "the store's ack is lost"
            raise TimeoutError(msg)
        return entry.sequence


class MemoryAlarms:
    """Message schedules: one for each subject, fired by the broker's clock."""

    def __init__(self, engine: "Engine", owner: Owner) -> None:
        self._engine = engine
        self._owner = owner

    async def arm(self, timer: str, deadline: Deadline, terms: Terms) -> None:
        """Fire when the broker's clock says so; setting it anew replaces it."""
        life = self._engine.life
        due = microseconds(terms.clock.real(deadline.due)) - life.skew
        alarm = Alarm(timer, self._owner, deadline)
        life.armed[timer] = alarm
        life.at(max(due, life.now + SCHEDULE_FLOOR), self._engine.fire, alarm)

    async def cancel(self, timer: str) -> None:
        """Fire no more."""
        self._engine.life.armed.pop(timer, None)


@dataclass(frozen=True, slots=True)
class Alarm:
    """A schedule in the stream `TIMERS`."""

    timer: str
    owner: Owner
    deadline: Deadline


class MemoryOutside:
    """Whatever else a handler needs."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    async def terms(self, ref: TermsRef) -> Terms:  # noqa: ARG002  # One order lives at a time, under one policy.
        """The terms of the order that lives now."""
        return self._engine.life.terms

    async def history(self, owner: Owner, order_id: str) -> list[Envelope]:
        """What an owner has recorded; sometimes the newest is not there yet."""
        return self._engine.seen_of(owner, order_id)

    async def placed_under(self, order_id: str) -> str | None:
        """The terms of the order's first event."""
        recorded = self._engine.seen_of(Owner.ORDER, order_id)
        return recorded[0].terms if recorded else None

    def failed(self, subject: str, tries: int, error: Exception) -> None:  # noqa: ARG002
        """What is no outage is a defect: nothing here fails by itself."""
        if not is_outage(error):
            self._engine.life.failures.append(f"{subject}: {error!r}")

    async def refuse(self, service: Owner, refused: Refused, envelope: Envelope) -> None:  # noqa: ARG002
        """Count it."""
        self._engine.life.refusals[refused.reason] += 1

    async def bury(self, service: Owner, delivered: Delivered, reason: str) -> None:
        """Keep it; in a simulation, every dead letter but a refused email is a defect."""
        envelope = delivered.open()
        self._engine.life.dead[service, envelope.id] = f"{service}: {envelope.address.name}: {reason}"

    async def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        await pause(int(seconds * SECOND))


def due_envelope(alarm: Alarm, stored_at: datetime, header: str, order_id: str) -> Envelope:
    """A fired timer."""
    deadline = alarm.deadline
    revision = int(alarm.timer.rpartition(".")[2])
    return Envelope(
        id=deadline.timer_id,
        address=Address("due", alarm.owner, order_id, deadline.name, revision),
        stored_at=stored_at,
        sequence=0,
        body=None,
        terms=header,
        correlation_id=deadline.timer_id,
        causation_id=deadline.id,
        simulated_at=deadline.due,
        deadline_id=deadline.id,
        traceparent=None,
        delivered=None,
    )


def stale(life: Life, owner: Owner) -> bool:
    """Whether the newest event is so new that a read may miss it."""
    journal = life.journals[owner]
    return bool(journal.entries) and life.now - journal.seen[journal.entries[-1].id] < _STALE_FOR
