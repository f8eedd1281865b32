"""Every user of an installation. The services' permissions follow from their cards, the others' stand here."""

from dataclasses import replace
from typing import Final

from countermand.contracts.base import Owner
from countermand.runtime.connection import inbox_of
from countermand.runtime.names import Names
from countermand.runtime.permissions import API, Permissions, permissions
from countermand.runtime.streams import COMMANDS, DEAD, POLICIES, stream_names
from lab.system import CARDS

PROVISION: Final = "provision"
LAB: Final = "lab"
WEB: Final = "web"
OBSERVER: Final = "observer"


def users(names: Names) -> dict[str, Permissions]:
    """By name, what each may do."""
    return {
        **{str(card.name): permissions(card, names) for card in CARDS},
        WEB: _people(WEB, names),
        LAB: _lab(names),
        PROVISION: _provision(names),
        OBSERVER: _observer(names),
    }


def _people(user: str, names: Names) -> Permissions:
    """Buyers, sellers and operators: they send commands, read every stream, and put dead letters back or away.

    Their consumers are their own: those of services they may neither change nor remove.
    """
    read = _read(names)
    says = ["cmd.*.*.*", "policy.*", "retry.*.*", "load.>"]
    asks = [
        "INFO",
        *(f"STREAM.INFO.{name}" for name in stream_names(names)),
        "CONSUMER.INFO.*.*",
        "CONSUMER.LIST.*",
        f"STREAM.MSG.GET.{names.stream(POLICIES)}",
        f"STREAM.MSG.DELETE.{names.stream(DEAD)}",
        *(f"DIRECT.GET.{name}" for name in (*read, names.stream(DEAD))),
        *(f"CONSUMER.{do}.{name}.*" for do in ("CREATE", "MSG.NEXT", "DELETE") for name in read),
    ]
    inbox = f"{inbox_of(user)}.>"  # Processes of one load run answer each other there.
    return Permissions(
        publish=(inbox, *map(names.subject, says), *(f"{API}.{ask}" for ask in asks)),
        subscribe=(inbox, *map(names.subject, ("reply.>", "load.>"))),
        publish_denied=tuple(
            f"{API}.CONSUMER.{do}.{names.stream(heard.stream)}.{names.consumer(card.name, heard.stream)}"
            for card in CARDS
            for heard in card.subscriptions()
            for do in ("CREATE", "MSG.NEXT", "DELETE")
        ),
    )


def _lab(names: Names) -> Permissions:
    """The same, with consumers that the server names, for nats-py's ordered ones.

    Such a request can still carry the name of a service's consumer: whoever has this password is trusted not to.
    """
    people = _people(LAB, names)
    nameless = tuple(f"{API}.CONSUMER.CREATE.{name}" for name in _read(names))
    return replace(people, publish=people.publish + nameless)


def _read(names: Names) -> list[str]:
    return [names.journal(owner) for owner in Owner] + [names.stream(COMMANDS)]


def _provision(names: Names) -> Permissions:
    """Creates and updates streams and consumers. It removes nothing, and reads no message."""
    streams = stream_names(names)
    asks = [
        *(f"STREAM.{do}.{name}" for do in ("INFO", "CREATE", "UPDATE") for name in streams),
        *(f"CONSUMER.{do}.{name}.*" for do in ("INFO", "CREATE", "DURABLE.CREATE") for name in streams),
    ]
    return Permissions(publish=tuple(f"{API}.{ask}" for ask in asks), subscribe=(f"{inbox_of(PROVISION)}.>",))


def _observer(names: Names) -> Permissions:
    """Sees how the streams and consumers are, and none of their messages."""
    asks = ["INFO", "CONSUMER.INFO.*.*", "CONSUMER.LIST.*", *(f"STREAM.INFO.{name}" for name in stream_names(names))]
    return Permissions(publish=tuple(f"{API}.{ask}" for ask in asks), subscribe=(f"{inbox_of(OBSERVER)}.>",))
