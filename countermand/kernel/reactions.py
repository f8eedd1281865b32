"""The table of reactions: which message makes a service ask what of itself. From it follow the service's subscriptions."""

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

C = TypeVar("C")
M = TypeVar("M")
_AnyReaction = Callable[[Any, str], C | None]


class Reactions(Generic[C]):
    """A table from message type to the reaction, a pure function of the message and its id."""

    def __init__(self) -> None:
        self._table: dict[type[Any], _AnyReaction[C]] = {}

    def on(self, message: type[M]) -> Callable[[Callable[[M, str], C | None]], Callable[[M, str], C | None]]:
        """Enter a reaction into the table.

        Raises:
            ValueError: the message has one already; a service does one thing about one message.
        """

        def enter(reaction: Callable[[M, str], C | None]) -> Callable[[M, str], C | None]:
            if message in self._table:
                msg = f"{message.__name__} has a reaction already: {self._table[message].__name__}"
                raise ValueError(msg)
            self._table[message] = reaction
            return reaction

        return enter

    def react(self, message: object, message_id: str) -> C | None:
        """What the service asks of itself when it hears `message`; nothing when it does not care."""
        reaction = self._table.get(type(message))
        return reaction(message, message_id) if reaction else None

    def __iter__(self) -> Iterator[type[Any]]:
        return iter(self._table)
