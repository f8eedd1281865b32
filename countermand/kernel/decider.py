"""The decider: how a service's aggregate answers commands, in three pure functions and a set of deadlines.

The pattern is Jérémie Chassaing's "functional event sourcing decider": https://thinkbeforecoding.com/post/2021/12/17/functional-event-sourcing-decider
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Generic, TypeAlias, TypeVar

from countermand.kernel.terms import Terms

Command = TypeVar("Command")
State = TypeVar("State")
Event = TypeVar("Event")


@dataclass(frozen=True, slots=True)
class Refused:
    """A user's command that makes no sense now. It is told to the sender and leaves no trace in the history.

    `reason` is a stable word for programs (snake_case), `detail` a sentence for people.
    """

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Premature:
    """A message whose predecessor has not been seen yet; the runtime retries it, then reads what came before."""

    awaits: str


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment at which the aggregate wants to be reminded.

    Attributes:
        name: the timer's name, the `<Name>` of `timer.<service>.<order_id>.<Name>.<revision>`.
        id: the id of the event that started it; the reminder comes back as `deadline_id`.
        due: simulated time, UTC.
    """

    name: str
    id: str
    due: datetime

    @property
    def timer_id(self) -> str:
        """The message id of the reminder."""
        return f"{self.id}:{self.name}"


Decision: TypeAlias = Event | Refused | Premature | None


@dataclass(frozen=True, slots=True)
class Decider(Generic[Command, State, Event]):
    """What makes an aggregate: where it starts, how it decides, how it changes, and what it waits for.

    Attributes:
        initial: the state of an order that this service has not heard of, from its id and terms.
        decide: what follows when a command meets a state at a simulated moment: at most one event.
        evolve: the state after an event, which has already happened and is never refused. The last
            argument is the event's id: later answers name it.
        deadlines: every deadline the state still wants; a pure function of it.
    """

    initial: Callable[[str, Terms], State]
    decide: Callable[[Command, State, datetime], Decision[Event]]
    evolve: Callable[[State, Event, str], State]
    deadlines: Callable[[State], tuple[Deadline, ...]]

    def fold(self, state: State, history: Iterable[tuple[str, Event]]) -> State:
        """The state after a history of (event id, event)."""
        return reduce(lambda s, recorded: self.evolve(s, recorded[1], recorded[0]), history, state)
