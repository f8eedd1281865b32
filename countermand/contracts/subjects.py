"""Subject names: the one place that knows how they are spelled, and how to read one that anybody may have sent."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from countermand.contracts.base import Command, Event, Owner
from countermand.kernel.ids import is_order_id

_COMMAND_TOKENS: Final = 4
_EVENT_TOKENS: Final = 4
_TIMER_TOKENS: Final = 5
_OWNERS: Final = frozenset(map(str, Owner))


def command_subject(service: str, order_id: str, name: str) -> str:
    """`cmd.<service>.<order_id>.<CommandName>`."""
    return f"cmd.{service}.{order_id}.{name}"


def event_subject(owner: str, order_id: str, name: str, revision: int) -> str:
    """`<owner>.<order_id>.<EventName>.<revision>`: every event has a subject of its own."""
    return f"{owner}.{order_id}.{name}.{revision}"


def events_of(owner: str, order_id: str) -> str:
    """`<owner>.<order_id>.>`: a whole history, and the filter of every compare-and-set on it."""
    return f"{owner}.{order_id}.>"


def every(message: type[Command | Event]) -> str:
    """The filter for one type of message, of all orders."""
    if issubclass(message, Command):
        return command_subject(message.owner, "*", message.__name__)
    return f"{message.owner}.*.{message.__name__}.*"


def refusal_subject(service: str, order_id: str, command_id: str) -> str:
    """`reply.<service>.<order_id>.<command_id>`, the command's id made into one token."""
    return f"reply.{service}.{order_id}.{token(command_id)}"


def timer_subject(service: str, order_id: str, name: str, revision: int) -> str:
    """`timer.<service>.<order_id>.<Name>.<revision of the arming event>`."""
    return f"timer.{service}.{order_id}.{name}.{revision}"


def due_subject(timer: str) -> str:
    """Where the timer of that subject fires."""
    return "due" + timer.removeprefix("timer")


def token(text: str) -> str:
    """`text` as one token of a subject: what a subject cannot carry becomes `_`."""
    return "".join(c if c.isalnum() or c in "-_:=/+" else "_" for c in text) or "_"


@dataclass(frozen=True, slots=True)
class Address:
    """A subject read back. `kind` is `cmd`, `event` or `due`; `revision` is nothing for commands."""

    kind: str
    service: str
    order_id: str
    name: str
    revision: int | None


@lru_cache(maxsize=4_096)
def read(subject: str) -> Address:
    """Read the subject of a command, an event or a fired timer.

    Raises:
        ValueError: it is none of these; anybody may publish below `cmd.`.
    """
    tokens = subject.split(".")
    match tokens:
        case ["cmd", service, order_id, name] if len(tokens) == _COMMAND_TOKENS:
            address = Address("cmd", service, order_id, name, None)
        case ["due", service, order_id, name, revision] if len(tokens) == _TIMER_TOKENS and revision.isdecimal():
            address = Address("due", service, order_id, name, int(revision))
        case [owner, order_id, name, revision] if (
            len(tokens) == _EVENT_TOKENS and revision.isdecimal() and owner in _OWNERS
        ):
            address = Address("event", owner, order_id, name, int(revision))
        case _:
            msg = f"{subject!r} is no subject of a command, an event or a timer"
            raise ValueError(msg)
    if not is_order_id(address.order_id):
        msg = f"{address.order_id!r} is no order id"
        raise ValueError(msg)
    return address
