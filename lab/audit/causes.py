"""I7 and I8: every event has a cause that exists, and no timer fires before the deadline that its event recorded."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from lab.audit.fact import Fact
from lab.audit.invariants import Invariant
from lab.audit.record import Record

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
    """Follow an event to its cause. One that has not been seen may be in a stream that lags: it is judged later."""
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
            record.timers.armed[fact.id] = armed
    if cause not in causes.known:
        armed_by, _, timer = cause.rpartition(":")
        if armed_by in causes.known:
            _fired(record, fact, armed_by, timer)
        elif cause:
            causes.unseen[fact.id] = cause


def unexplained(record: Record) -> Iterator[str]:
    """Events whose cause is in no stream, and events that caused themselves."""
    known, armed = record.causes.known, record.timers.armed
    for event_id, cause in record.causes.unseen.items():
        if cause not in known and cause.rpartition(":")[0] not in armed:
            yield f"the cause of {event_id} exists nowhere: {cause}"
    for event_id in record.causes.odd:
        seen: set[str] = set()
        at = event_id
        while at and at not in seen:
            seen.add(at)
            at = known.get(at, "")
        if at == event_id:
            yield f"{event_id} is a cause of itself"


def _fired(record: Record, fact: Fact, armed_by: str, timer: str) -> None:
    """I8: what a timer caused, against the deadline of the event that armed it."""
    armed = record.timers.armed.get(armed_by)
    if armed is None:
        record.blame(Invariant.I7, f"{_the(fact)} was caused by a timer {timer} that its event did not arm")
        return
    due = armed.get(_FIELD_OF_TIMER.get(timer, "")) or min(armed.values(), key=datetime.fromisoformat)
    late_s = (datetime.fromisoformat(fact.simulated) - datetime.fromisoformat(due)).total_seconds()
    if late_s < 0:
        record.blame(Invariant.I8, f"{timer} fired at {fact.simulated}, before {due}")
    record.timers.late_s.append(late_s / record.terms.rate if record.terms else late_s)


def _the(fact: Fact) -> str:
    return f"{fact.name} (revision {fact.revision})"
