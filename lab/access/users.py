"""Every user of an installation. The services' permissions follow from their cards, the others' stand here."""

from dataclasses import replace
from typing import Final

from countermand.contracts.base import Owner
from countermand.runtime.connection import inbox_of
from countermand.runtime.names import Names
from countermand.runtime.permissions import API, Permissions, permissions
from countermand.runtime.streams import COMMANDS, DEAD, POLICIES, REPLY, TIMERS, stream_names
from lab.access.files import WEB
from lab.system import CARDS

PROVISION: Final = "provision"
LAB: Final = "lab"
OBSERVER: Final = "observer"
BACKUP: Final = "backup"

_RECORDS: Final = (*(owner.upper() for owner in Owner), COMMANDS)
"""The streams that tell what people asked and what became of it."""


def users(names: Names) -> dict[str, Permissions]:
    """By name, what each may do."""
    return {
        **{str(card.name): permissions(card, names) for card in CARDS},
        WEB: _web(names),
        LAB: _lab(names),
        PROVISION: _provision(names),
        OBSERVER: _observer(names),
        BACKUP: _backup(names),
    }


def _people(user: str, names: Names) -> Permissions:
    """Buyers, sellers and operators: they send commands, read every stream, and replay or discard dead letters."""
    says = ["cmd.*.*.*", "policy.*", "retry.*.*", "dead.*.*"]
    asks = [
        *_looks(names),
        f"STREAM.MSG.GET.{names.stream(POLICIES)}",
        *(f"DIRECT.GET.{names.stream(name)}" for name in (*_RECORDS, TIMERS, DEAD, REPLY)),
    ]
    return Permissions(
        publish=(*map(names.subject, says), *(f"{API}.{ask}" for ask in asks)),
        subscribe=(f"{inbox_of(user)}.>", names.subject("reply.>")),
    )


def _web(names: Names) -> Permissions:
    """The same for whoever has a browser, and a bell when anything happens. No consumers: it can change none."""
    people = _people(WEB, names)
    return replace(people, subscribe=(*people.subscribe, *(names.subject(f"{owner}.>") for owner in Owner)))


def _lab(names: Names) -> Permissions:
    """The same with consumers of its own, and with what the processes of a load run say to each other.

    Its consumers may not have the names of services' ones; but where the server is to name one, as for nats-py's ordered
    consumers, the request could say otherwise. Whoever has this password is trusted not to.
    """
    people = _people(LAB, names)
    streams = [names.stream(name) for name in _RECORDS]
    load = names.subject("load.>")
    asks = [f"CONSUMER.{do}.{stream}.*" for do in ("CREATE", "MSG.NEXT", "DELETE") for stream in streams]
    asks += [f"CONSUMER.CREATE.{stream}" for stream in streams]
    own = [
        f"CONSUMER.{do}.{names.stream(heard.stream)}.{names.consumer(card.name, heard.stream)}"
        for card in CARDS
        for heard in card.subscriptions()
        for do in ("CREATE", "MSG.NEXT", "DELETE")
    ]
    return Permissions(
        publish=(*people.publish, load, f"{inbox_of(LAB)}.>", *(f"{API}.{ask}" for ask in asks)),
        subscribe=(*people.subscribe, load),
        publish_denied=tuple(f"{API}.{ask}" for ask in own),
    )


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
    return Permissions(publish=tuple(f"{API}.{ask}" for ask in _looks(names)), subscribe=(f"{inbox_of(OBSERVER)}.>",))


def _backup(names: Names) -> Permissions:
    """Saves whole streams, with what each service has heard, and makes them again where there are none."""
    asks = [*_looks(names), *(f"STREAM.{do}.{name}" for do in ("SNAPSHOT", "RESTORE") for name in stream_names(names))]
    chunks = [f"$JS.SNAPSHOT.{what}.{name}.>" for what in ("ACK", "RESTORE") for name in stream_names(names)]
    return Permissions(publish=(*(f"{API}.{ask}" for ask in asks), *chunks), subscribe=(f"{inbox_of(BACKUP)}.>",))


def _looks(names: Names) -> list[str]:
    return ["INFO", "CONSUMER.INFO.*.*", "CONSUMER.LIST.*", *(f"STREAM.INFO.{name}" for name in stream_names(names))]
