"""The published language: every command and event that travels between services, and the subjects they travel on.

One file per owner. Bodies hold business facts only; ids, times and causes travel in CloudEvents headers.
"""

from countermand.contracts import dispute, notify, order, seller
from countermand.contracts.base import Command, Event, Message

COMMANDS: dict[str, type[Command]] = {
    cls.__name__: cls for module in (order, seller, dispute, notify) for cls in module.COMMANDS
}
"""Every command that may be published on `cmd.<service>.<order_id>.<CommandName>`, by name."""

EVENTS: dict[str, type[Event]] = {
    cls.__name__: cls for module in (order, seller, dispute, notify) for cls in module.EVENTS
}
"""Every event of every owner, by name."""

MESSAGES: dict[str, type[Message]] = {**COMMANDS, **EVENTS}
"""Commands and events together, by name."""
