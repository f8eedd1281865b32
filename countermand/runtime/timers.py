"""Durable timers: reminders armed and cancelled as an aggregate's wanted deadlines change."""

from typing import Any

from countermand.contracts.base import Owner
from countermand.contracts.subjects import timer_subject
from countermand.kernel.decider import Deadline
from countermand.runtime.journal import Aggregate
from countermand.runtime.ports import Alarms, Passing


class Timers:
    """Arms and cancels one service's timers. A fired timer is a hint: the decider checks it."""

    def __init__(self, owner: Owner, alarms: Alarms, passing: Passing) -> None:
        self._owner = owner
        self._alarms = alarms
        self._passing = passing

    async def follow(self, aggregate: Aggregate[Any], earlier: int, later: int, caused_by: str | None) -> None:
        """Do what the events after revision `earlier`, up to `later`, mean for the timers.

        It arms what they made wanted and the *current* state still wants, so that a message that comes again does not
        arm what has ended since; and cancels what they ended, unless it was the timer itself that fired.
        """
        before, after, current = aggregate.wanted[earlier], aggregate.wanted[later], aggregate.wanted[-1]
        if before is after:
            return
        for deadline in after:
            if deadline not in before and deadline in current:
                await self.arm(aggregate, deadline)
        for deadline in before:
            if deadline not in after and caused_by != deadline.timer_id:
                await self.cancel(self.subject(aggregate, deadline))

    async def arm(self, aggregate: Aggregate[Any], deadline: Deadline) -> None:
        """Set the reminder. Arming it twice leaves one."""
        if aggregate.terms is None:
            msg = "a timer needs its order's terms"
            raise ValueError(msg)
        await self._alarms.arm(self.subject(aggregate, deadline), deadline, aggregate.terms)
        self._passing(self._owner, "after_arming", deadline.name)

    async def cancel(self, timer: str) -> None:
        """Take the reminder back."""
        await self._alarms.cancel(timer)

    def subject(self, aggregate: Aggregate[Any], deadline: Deadline) -> str:
        """The timer's subject: named by the revision of the event that started it, so never used twice."""
        revision = aggregate.ids[deadline.id]
        return timer_subject(self._owner, aggregate.order_id, deadline.name, revision)
