"""Why an order is stuck, as far as can be seen from outside, and what may safely be done about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from countermand.contracts.base import Owner
from countermand.runtime.letters import Letter
from lab.status.orders import EMAIL, Waiting
from lab.status.parts import Consumer

_OF_THE_SELLER: Final = frozenset(
    {
        "the answer that the seller is preparing",
        "the parcel to be handed over",
        "the carrier's first scan",
        "the parcel to arrive",
    }
)
_OF_THE_DISPUTE: Final = frozenset(
    {
        "the dispute to be dropped",
        "the seller's answer to the dispute",
        "an agreement",
        "what was agreed",
        "the ruling",
    }
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`service`: whose turn it is; `why`: what is seen; `step`: what to do; `command`: what to run for it."""

    service: str
    why: str
    step: str
    command: str


def turn_of(what: str) -> Owner:
    """Whose turn it is to end a wait. Whatever is not another's is the order's own."""
    if what.startswith(EMAIL):
        return Owner.NOTIFY
    if what in _OF_THE_SELLER:
        return Owner.SELLER
    return Owner.DISPUTE if what in _OF_THE_DISPUTE else Owner.ORDER


def diagnose(
    waiting: Waiting, consumers: Sequence[Consumer], letters: Mapping[str, Sequence[Letter]], *, has_timer: bool
) -> Diagnosis:
    """The first of these that is seen: a dead letter, a service that does not run or is behind, a lost timer.

    Args:
        consumers: of all services.
        letters: the open dead letters by order.
        has_timer: whether the service has any reminder about the order.
    """
    service = turn_of(waiting.what)
    if died := letters.get(waiting.order_id):
        letter = next((letter for letter in died if letter.service == service), died[0])
        return Diagnosis(
            letter.service,
            f"dead letter {letter.sequence}: {letter.reason}",
            "read it, mend the cause, then replay it",
            f"countermand dead show {letter.sequence}",
        )
    own = [consumer for consumer in consumers if consumer.service == service]
    if not all(consumer.bound for consumer in own):
        return Diagnosis(service, f"{service} does not run", "start it", f"countermand service {service}")
    left = sum(consumer.pending + consumer.taken for consumer in own)
    if left:
        mail = "; it may wait for the mail server, its log tells" if service is Owner.NOTIFY else ""
        return Diagnosis(
            service,
            f"{service} has {left:,} messages to hear and to settle{mail}",
            "look again in a minute; if it does not become less, read its log, or start one more",
            "countermand status",
        )
    if waiting.timed and not has_timer:
        return Diagnosis(
            service,
            f"{service} has no timer for it",
            f"restart {service}: when it starts, and every RECONCILE_EVERY_S, it arms what is missing",
            f"docker compose restart {service}",
        )
    return Diagnosis(
        service,
        f"{service} runs and has nothing left to do",
        "read the order's history: what it waits for may never come",
        f"countermand why {waiting.order_id}",
    )
