"""What a service may say and hear on the broker, as it follows from its card: nothing that it does not use."""

from dataclasses import dataclass
from typing import Any, Final

from countermand.contracts.base import Owner
from countermand.runtime.card import Card
from countermand.runtime.connection import inbox_of
from countermand.runtime.names import Names
from countermand.runtime.streams import POLICIES, TIMERS

API: Final = "$JS.API"


@dataclass(frozen=True, slots=True)
class Permissions:
    """Subjects, with wildcards; what is not among them is refused, and what is denied is refused in any case."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    publish_denied: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """As nats-server's configuration has it."""
        publish: dict[str, list[str]] = {"allow": list(self.publish)}
        if self.publish_denied:
            publish["deny"] = list(self.publish_denied)
        return {"publish": publish, "subscribe": {"allow": list(self.subscribe)}}


def permissions(card: Card[Any, Any, Any], names: Names) -> Permissions:
    """What this service needs: its own events, timers, refusals and dead letters, its own consumers, and what it reads."""
    service = card.name
    says = [f"{service}.*.*.*", f"reply.{service}.*.*", f"dead.{service}.*"]
    if card.timers:
        says += [f"timer.{service}.*.*.*", f"timer.{service}.cancelled"]
    asks = [
        f"STREAM.MSG.GET.{names.journal(service)}",
        f"STREAM.INFO.{names.journal(service)}",
        f"STREAM.MSG.GET.{names.stream(POLICIES)}",
        f"STREAM.INFO.{names.stream(TIMERS)}",
        *(f"DIRECT.GET.{names.journal(owner)}" for owner in _histories(card)),
    ]
    acks: list[str] = []
    for subscription in card.subscriptions():
        place = f"{names.stream(subscription.stream)}.{names.consumer(service, subscription.stream)}"
        asks.append(f"CONSUMER.INFO.{place}")
        acks.append(f"$JS.ACK.{place}.>")
    return Permissions(
        publish=(*map(names.subject, says), *(f"{API}.{ask}" for ask in asks), *acks),
        subscribe=(f"{inbox_of(service)}.>", names.subject(f"deliver.{service}.*")),
    )


def _histories(card: Card[Any, Any, Any]) -> list[Owner]:
    """Whose histories it reads: its own, the order's terms, what its decisions depend on, and what came before a fact."""
    heard = {message.owner for message in card.reactions}
    return [owner for owner in Owner if owner in {card.name, Owner.ORDER, *card.reads, *heard}]
