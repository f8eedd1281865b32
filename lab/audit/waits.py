"""I1: what an order waits for, and until when, read from its events under its policy."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from countermand.kernel.policy import OnSilence, Policy
from lab.audit.record import Record
from lab.audit.table import DISPUTE, GOODS, PARCEL

_AWAITED_IN_DISPUTE: Final = {
    "opened": "the seller's answer to the dispute",
    "talking": "an agreement",
    "agreed": "what was agreed",
    "returned": "what was agreed",
    "escalated": "the ruling",
}


class Wait(NamedTuple):
    """Something that is still to come. `until` is simulated; without it a message is on its way, since `since` (ns)."""

    what: str
    until: str
    since: int


def waits(record: Record, policy: Policy) -> Iterator[Wait]:
    """Everything that an order waits for; nothing once it has ended and settled."""
    yield from _money(record)
    yield from _parcel(record)
    if record.case.id:
        yield from _dispute(record)
    match record.phase:
        case "-" | "closed":
            return
        case "cancelled" | "resolved":
            if all(refund.received for refund in record.ledger.refunds.values()) and record.ledger.owed_since is None:
                yield Wait("the end of the order", "", record.last)
        case "disputed":
            yield from _shipment(record)
        case _:
            yield from _request(record, policy)
            yield from _shipment(record)
            if record.states[GOODS] == "arrived" and record.paid:
                yield Wait("the end of buyer protection", record.ending.protected_until, record.last)


def _money(record: Record) -> Iterator[Wait]:
    ledger = record.ledger
    if ledger.owed_since is not None:
        yield Wait("the refund", "", ledger.owed_since)
    for part in ledger.parts.values():
        if not part.refunded and ledger.refunded < ledger.captured:
            yield Wait("the refund of the accepted part", "", part.at)
    for refund in ledger.refunds.values():
        if not refund.received:
            yield Wait("the arrival of a refund", refund.arrives_at, record.last)


def _parcel(record: Record) -> Iterator[Wait]:
    """The seller's word, the seller's parcel, and the order's knowledge of it."""
    parcel, goods = record.parcel, record.states[GOODS]
    for until in parcel.answers.values():
        yield Wait("the answer that the seller is preparing", until, record.last)
    if parcel.leaves_at:
        yield Wait("the parcel to be handed over", parcel.leaves_at, record.last)
    if parcel.scan_at:
        yield Wait("the carrier's first scan", parcel.scan_at, record.last)
    elif parcel.arrives_at and record.states[PARCEL] == "scanned":
        yield Wait("the parcel to arrive", parcel.arrives_at, record.last)
    if parcel.shipped_at is not None and goods == "here":
        yield Wait("the order to hear of the parcel", "", parcel.shipped_at)
    if parcel.delivered_at is not None and goods == "gone":
        yield Wait("the order to hear of the delivery", "", parcel.delivered_at)


def _request(record: Record, policy: Policy) -> Iterator[Wait]:
    pending = record.requests.pending
    if pending is None:
        return
    request = record.requests.asked[pending]
    said = (*record.moments.get("SellerAccepted", ()), *record.moments.get("SellerRefused", ()))
    heard_at = next((word.at for word in said if word.named == pending), None)
    if heard_at is not None:
        yield Wait("the order to hear the seller's answer", "", heard_at)
    elif not request.consent:
        yield Wait("the cancellation that needs no consent", "", request.at)
    elif policy.on_silence is not OnSilence.WAIT:
        yield Wait("the seller's answer", request.answer_by, request.at)


def _shipment(record: Record) -> Iterator[Wait]:
    if not record.paid:
        yield Wait("the payment", record.ending.pay_by, record.last)
    elif record.states[GOODS] == "here" and record.parcel.shipped_at is None:
        yield Wait("the shipment", record.ending.ship_by, record.last)


def _dispute(record: Record) -> Iterator[Wait]:
    case, stage = record.case, record.states[DISPUTE]
    if stage == "resolved" and record.phase == "disputed":
        yield Wait("the order to settle the dispute", "", case.at)
    if stage in {"resolved", "moot"}:
        return
    if case.noted_id != case.id:
        yield Wait("the order to hear of the dispute", "", case.at)
    if (case.moot and case.noted_id == case.id) or record.phase in {"cancelled", "closed"}:
        yield Wait("the dispute to be dropped", "", record.last)
    else:
        yield Wait(_AWAITED_IN_DISPUTE[stage], case.until, case.at)
