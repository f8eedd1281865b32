"""I7 and I8: every event has a cause that exists, and no timer fires before the deadline that its event recorded."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from lab.audit.fact import Fact
from lab.audit.invariants import Invariant
from lab.audit.record import Record, Unseen

_DEADLINES: Final = {
    "OrderPlaced": ("pay_by", "ship_by"),
    "PaymentAcknowledged": ("ship_by",),
    "CancelRequested": ("answer_by",),
    "OrderDelivered": ("protected_until",),
    "RefundIssued": ("arrives_at",),
    "TrackingAsked": ("provide_by",),
    "RequestHeard": ("answers_at",),
    "SellerRefused": ("ships_at",),
    "ParcelPlanned": ("ships_at",),
    "ParcelReleased": ("ships_at",),
    "Shipped": ("scanned_at", "arrives_at"),
    "ParcelScanned": ("arrives_at",),
    "DisputeOpened": ("answer_by",),
    "DisputeAnswered": ("negotiate_until",),
    "SettlementProposed": ("negotiate_until",),
    "SettlementAccepted": ("return_by",),
}
"""The deadlines that an event records; any of them may start a timer."""

_FIELD_OF_TIMER: Final = {
    "PaymentDue": "pay_by",
    "ShipmentDue": "ship_by",
    "ScanDue": "scanned_at",
    "DeliveryDue": "arrives_at",
}
"""Which deadline a timer is about, where its event records several."""


def trace(record: Record, fact: Fact) -> None:
    """Follow an event to its cause. One that has not been seen may be a timer, or in a stream that lags: judged later."""
    causes, cause = record.causes, fact.cause
    if not cause or not fact.correlation:
        record.blame(Invariant.I7, f"{_the(fact)} names no {'correlation' if cause else 'cause'}")
    elif not fact.id.startswith(cause + ":"):
        causes.odd.append(fact.id)
        record.blame(Invariant.I7, f"{_the(fact)} has an id that is not made of its cause: {fact.id}")
    if fact.id in causes.known:
        record.blame(Invariant.I10, f"{_the(fact)} repeats the id {fact.id}: one message was decided twice")
    causes.known[fact.id] = cause
    fields = _DEADLINES.get(fact.name)
    if fields:
        armed = {field: at for field in fields if (at := fact.body.get(field))}
        if armed:
            causes.armed[fact.id] = armed
    if cause and cause not in causes.known:
        causes.unseen.append(Unseen(fact.id, cause, fact.simulated))


def is_explained(record: Record) -> bool:
    """Whether every event's cause has been seen, or is a timer that was armed."""
    causes = record.causes
    return all(
        unseen.cause in causes.known or unseen.cause.rpartition(":")[0] in causes.armed for unseen in causes.unseen
    )


def unexplained(record: Record) -> Iterator[str]:
    """I7: events whose cause is in no stream, and events that caused themselves."""
    known, armed = record.causes.known, record.causes.armed
    for unseen in record.causes.unseen:
        if unseen.cause not in known and unseen.cause.rpartition(":")[0] not in armed:
            yield f"the cause of {unseen.event_id} exists nowhere: {unseen.cause}"
    for event_id in record.causes.odd:
        seen: set[str] = set()
        at = event_id
        while at and at not in seen:
            seen.add(at)
            at = known.get(at, "")
        if at == event_id:
            yield f"{event_id} is a cause of itself"


def fired(record: Record) -> Iterator[tuple[str, float]]:
    """I8: every timer that led to an event, and how late it was, in real seconds; below zero: early."""
    causes, rate = record.causes, record.terms.rate if record.terms else 1.0
    for unseen in causes.unseen:
        armed_by, _, timer = unseen.cause.rpartition(":")
        armed = causes.armed.get(armed_by)
        if armed is not None and unseen.cause not in causes.known:
            due = armed.get(_FIELD_OF_TIMER.get(timer, "")) or min(armed.values(), key=datetime.fromisoformat)
            late = datetime.fromisoformat(unseen.simulated) - datetime.fromisoformat(due)
            yield f"{timer}, due at {due}, fired at {unseen.simulated}", late.total_seconds() / rate


def _the(fact: Fact) -> str:
    return f"{fact.name} (revision {fact.revision})"
