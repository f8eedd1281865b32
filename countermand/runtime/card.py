"""A service's card: what the runtime must know of it to run it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from countermand.contracts.base import Event, Message, Owner
from countermand.contracts.subjects import every
from countermand.kernel.decider import Decider
from countermand.kernel.reactions import Reactions
from countermand.kernel.terms import Terms
from countermand.runtime.envelope import Envelope
from countermand.runtime.health import Check

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a service hears of one stream; `stream` and `subjects` without an installation's prefix."""

    stream: str
    subjects: tuple[str, ...]


async def nothing_to_do(event: Any, command: Any, caused_by: Envelope) -> Any:  # noqa: ARG001
    """The effect of a service that acts on nothing but its own journal."""
    return event


def as_it_is(command: Any, history: Sequence[Event]) -> Any:  # noqa: ARG001
    """For a service whose decisions depend on its own journal alone."""
    return command


async def nothing_to_close() -> None:
    """The end of a service that holds nothing open."""


def nothing_to_check() -> Sequence[Check]:
    """The checks of a service that needs nothing but the broker."""
    return ()


def everything(event: Message, terms: Terms) -> bool:  # noqa: ARG001
    """The concerns of a service that listens to all it subscribes to."""
    return True


@dataclass(frozen=True, slots=True)
class Card(Generic[C, S, E]):
    """One service. It hears none of its own events: what follows from them is done where they are written.

    Attributes:
        name: whose stream it writes.
        decider: what it decides.
        reactions: what it asks of itself when it hears a message.
        timers: what a fired timer of each name asks of it; each takes the `deadline_id`.
        begins: the messages with which an aggregate of its own begins: a decision on one takes its history to be empty, unread,
            for the compare-and-set finds out if it is not. Not where an effect comes before the write.
        ends, lingers: its events after which an order wants no timer, as long as nothing else follows, unless there was
            one of those that linger.
        accepts_commands: whether anybody may send it commands.
        concerns: whether a message matters under its order's terms, where the policy decides about that.
        effect: what makes a decided event true before it is written, as sending the email. It runs at least once,
            and may return another event: what really happened.
        informed: commands that are decided on what other owners have recorded too; `inform` puts the histories that it
            `reads`, each in its own order, into them. What was read may be old: the owner's journal has the last word.
        close: ends what the effect holds open.
        checks: what `/readyz` tells of besides the broker.
        failures: its events that an operator should see: their cause is copied to the dead letters.
    """

    name: Owner
    decider: Decider[C, S, E]
    reactions: Reactions[C]
    timers: Mapping[str, Callable[[str], C]]
    begins: tuple[type[Message], ...] = ()
    ends: tuple[type[Event], ...] = ()
    lingers: tuple[type[Event], ...] = ()
    accepts_commands: bool = True
    concerns: Callable[[Message, Terms], bool] = everything
    effect: Callable[[E, C, Envelope], Awaitable[E]] = nothing_to_do
    close: Callable[[], Awaitable[None]] = nothing_to_close
    checks: Callable[[], Sequence[Check]] = nothing_to_check
    failures: tuple[type[Event], ...] = ()
    informed: tuple[type[Any], ...] = ()
    inform: Callable[[C, Sequence[Event]], C] = as_it_is
    reads: tuple[Owner, ...] = ()

    def subscriptions(self) -> list[Subscription]:
        """What follows from the tables: a subscription for each stream in which something of others is heard, and replays."""
        heard: dict[str, dict[str, None]] = {}
        for message in self.reactions:
            if message.owner != self.name:
                heard.setdefault(message.owner.upper(), {})[every(message)] = None
        if self.accepts_commands:
            heard["COMMANDS"] = {f"cmd.{self.name}.>": None}
        if self.timers:
            heard["TIMERS"] = {f"due.{self.name}.>": None}
        heard["DEAD"] = {f"retry.{self.name}.>": None}
        return [Subscription(stream, tuple(subjects)) for stream, subjects in heard.items()]
