"""Durable timers: JetStream message schedules (ADR-51), armed and cancelled as an aggregate's wanted deadlines change."""

import json
from typing import Any

from nats.js import JetStreamContext

from countermand.contracts.base import Owner
from countermand.contracts.subjects import due_subject, timer_subject
from countermand.kernel.decider import Deadline
from countermand.runtime.failpoints import Failpoint
from countermand.runtime.journal import PUBLISH_TIMEOUT_S, Aggregate
from countermand.runtime.names import Names


class Timers:
    """Arms and cancels one service's timers. A fired timer is a hint: the decider checks it."""

    def __init__(self, owner: Owner, js: JetStreamContext, names: Names, failpoint: Failpoint) -> None:
        self._owner = owner
        self._js = js
        self._names = names
        self._failpoint = failpoint

    async def follow(self, aggregate: Aggregate[Any], revision: int, caused_by: str | None) -> None:
        """Do what the event of `revision` means for the timers.

        It arms what the event made wanted and the *current* state still wants, so that a redelivered event does
        not arm what has ended since; and cancels what the event ended, unless it was the timer itself that fired.
        """
        before, after, current = aggregate.wanted[revision - 1], aggregate.wanted[revision], aggregate.wanted[-1]
        for deadline in after:
            if deadline not in before and deadline in current:
                await self.arm(aggregate, deadline)
        for deadline in before:
            if deadline not in after and caused_by != timer_id(deadline):
                await self.cancel(self.subject(aggregate, deadline))

    async def arm(self, aggregate: Aggregate[Any], deadline: Deadline) -> None:
        """Schedule the reminder. Arming it twice leaves one."""
        if aggregate.terms is None:
            msg = "a timer needs its order's terms"
            raise ValueError(msg)
        timer = self.subject(aggregate, deadline)
        at = aggregate.terms.clock.real(deadline.due)
        headers = {
            "Nats-Schedule": f"@at {at.isoformat().replace('+00:00', 'Z')}",
            "Nats-Schedule-Target": self._names.subject(due_subject(self._names.bare(timer))),
            "ce-specversion": "1.0",
            "ce-id": timer_id(deadline),
            "ce-type": f"{deadline.name}.v1",
            "ce-source": f"/countermand/{self._owner}",
            "ce-causationid": deadline.id,
            "ce-simtime": deadline.due.isoformat(),
            "ce-terms": aggregate.terms.ref.header(),
        }
        await self._js.publish(
            timer, json.dumps({"deadline_id": deadline.id}).encode(), timeout=PUBLISH_TIMEOUT_S, headers=headers
        )
        self._failpoint.passing(self._owner, "after_arming", deadline.name)

    async def cancel(self, timer: str) -> None:
        """Unschedule. Published on another subject: on its own it would be refused, and the timer would fire."""
        headers = {"Nats-Scheduler": timer, "Nats-Schedule-Next": "purge"}
        cancelled = self._names.subject(f"timer.{self._owner}.cancelled")
        await self._js.publish(cancelled, b"", timeout=PUBLISH_TIMEOUT_S, headers=headers)

    def subject(self, aggregate: Aggregate[Any], deadline: Deadline) -> str:
        """The timer's subject: named by the revision of the event that started it, so never used twice."""
        revision = aggregate.ids[deadline.id]
        return self._names.subject(timer_subject(self._owner, aggregate.order_id, deadline.name, revision))


def timer_id(deadline: Deadline) -> str:
    """The message id of a fired timer."""
    return f"{deadline.id}:{deadline.name}"
