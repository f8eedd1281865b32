"""One order's whole story, read from the streams themselves: commands, events, refusals, and the deadlines that ran."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from countermand.contracts.base import Owner
from countermand.contracts.subjects import read
from countermand.contracts.words import in_words
from countermand.kernel.terms import Clock
from countermand.runtime.direct import DirectReader, Stored
from countermand.runtime.facts import Fact, history
from countermand.runtime.names import Names
from countermand.runtime.streams import COMMANDS, REPLY

COMMANDS_MAX: Final = 1_000
"""Beyond so many the rest is left out: a timeline longer than this is no explanation."""

DEADLINES: Final[dict[tuple[str, str], str]] = {
    ("OrderPlaced", "pay_by"): "PaymentDue",
    ("OrderPlaced", "ship_by"): "ShipmentDue",
    ("PaymentAcknowledged", "ship_by"): "ShipmentDue",
    ("CancelRequested", "answer_by"): "AnswerDue",
    ("OrderDelivered", "protected_until"): "ProtectionEnds",
    ("RefundIssued", "arrives_at"): "RefundDue",
    ("TrackingAsked", "provide_by"): "TrackingDue",
    ("RequestHeard", "answers_at"): "SellerAnswers",
    ("ParcelPlanned", "ships_at"): "HandOverDue",
    ("ParcelReleased", "ships_at"): "HandOverDue",
    ("Shipped", "scanned_at"): "ScanDue",
    ("ParcelScanned", "arrives_at"): "DeliveryDue",
    ("DisputeOpened", "answer_by"): "DisputeAnswerDue",
    ("DisputeAnswered", "negotiate_until"): "NegotiationEnds",
    ("SettlementProposed", "negotiate_until"): "NegotiationEnds",
    ("SettlementAccepted", "return_by"): "ReturnDue",
}
"""The deadline that an event's field sets, by the name of its timer. `TrackingDue` has none: it is looked at when asked for."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened.

    Attributes:
        id: of the message; `because` is the id of another step, or of a deadline as `<id>:<Name>`.
        lane: the service that recorded it, or the one that was asked.
        kind: `command`, `event`, `email` or `refusal`.
        at: the broker's time; simulated_at: the order's own, of an event.
    """

    id: str
    because: str
    lane: Owner
    kind: str
    name: str
    text: str
    at: datetime
    simulated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Timer:
    """A deadline that an event set. `id`: what a step that it caused names; `fired_at`: when it did, in real time."""

    id: str
    name: str
    lane: Owner
    armed_by: str
    due: datetime
    due_real: datetime
    fired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """An order's story in the order of the broker's time."""

    order_id: str
    steps: tuple[Step, ...]
    timers: tuple[Timer, ...]


async def timeline(reader: DirectReader, names: Names, order_id: str) -> Timeline | None:
    """Read it; nothing if nothing is known of that order. Raises what the reader does."""
    facts, commands, refusals = await asyncio.gather(
        history(reader, names, order_id),
        reader.following(names.stream(COMMANDS), names.subject(f"cmd.*.{order_id}.>"), 1, COMMANDS_MAX),
        reader.last_of_each(names.stream(REPLY), [names.subject(f"reply.*.{order_id}.>")]),
    )
    if not facts:
        return None
    steps = [
        *(step for one in commands if (step := _asked(one, names))),
        *map(_recorded, facts),
        *(_refused(one, names) for one in refusals),
    ]
    steps.sort(key=lambda step: (step.at, step.kind != "command"))
    return Timeline(order_id, tuple(steps), tuple(timers(facts)))


def timers(facts: Iterable[Fact]) -> list[Timer]:
    """The deadlines that events set, in the order in which they were set. Pure."""
    facts = list(facts)
    clock: Clock | None = next((fact.body.terms.clock for fact in facts if fact.name == "OrderPlaced"), None)
    if clock is None:
        return []
    fired = {fact.caused_by: fact.at for fact in reversed(facts)}
    found: list[Timer] = []
    for fact in facts:
        for (event, field), name in DEADLINES.items():
            due: datetime | None = getattr(fact.body, field) if event == fact.name else None
            if due is not None and not getattr(fact.body, "delivered", False):
                id_ = f"{fact.id}:{name}"
                found.append(Timer(id_, name, fact.owner, fact.id, due, clock.real(due), fired.get(id_)))
    return found


def _recorded(fact: Fact) -> Step:
    kind = "email" if fact.owner is Owner.NOTIFY else "event"
    text = in_words(fact.name, fact.event)
    return Step(fact.id, fact.caused_by, fact.owner, kind, fact.name, text, fact.at, fact.simulated_at)


def _asked(stored: Stored, names: Names) -> Step | None:
    """Nothing for what no service hears: anybody may publish below `cmd.`."""
    try:
        address = read(names.bare(stored.subject))
        lane = Owner(address.service)
    except ValueError:
        return None
    given = stored.headers.get("ce-id") or stored.headers.get("Nats-Msg-Id")
    id_ = given or f"{names.stream(COMMANDS)}-{stored.sequence}"
    text = f"somebody asks: {address.name}"
    return Step(id_, "", lane, "command", address.name, text, stored.stored_at, None)


def _refused(stored: Stored, names: Names) -> Step:
    service = names.bare(stored.subject).split(".")[1]
    refusal: dict[str, str] = json.loads(stored.data)
    command_id = refusal["command_id"]
    return Step(
        f"{command_id}:refused",
        command_id,
        Owner(service),
        "refusal",
        refusal["command"],
        f"refuses {refusal['command']} ({refusal['reason']}): {refusal['detail']}",
        stored.stored_at,
        None,
    )
