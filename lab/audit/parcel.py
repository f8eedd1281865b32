"""I2: a parcel that an acceptance holds does not leave; one that left although the order had ended is shown."""

from typing import Final

from lab.audit.fact import Fact
from lab.audit.invariants import Invariant
from lab.audit.record import Record, on
from lab.audit.table import GOODS

_WORDS: Final = {"here": "not_shipped", "gone": "travelling", "arrived": "delivered"}


@on("SellerAccepted")
def hold(record: Record, fact: Fact) -> None:
    """An acceptance holds the parcel (X2)."""
    record.parcel.holds.add(fact.body["request_id"])
    record.parcel.leaves_at = ""
    record.parcel.answers.pop(fact.body["request_id"], None)


@on("SellerMessaged")
def stop_for_a_message(record: Record, fact: Fact) -> None:  # noqa: ARG001
    """A message may hold it too, at sellers who read messages (X4)."""
    record.parcel.messaged = True
    record.parcel.leaves_at = ""


@on("RequestHeard")
def promise_an_answer(record: Record, fact: Fact) -> None:
    """The seller will answer at a time of its own."""
    if fact.body["answers_at"]:
        record.parcel.answers[fact.body["request_id"]] = fact.body["answers_at"]


@on("ParcelPlanned", "ParcelReleased", "SellerRefused")
def plan(record: Record, fact: Fact) -> None:
    """The parcel leaves at a time that is set; a release ends what held it."""
    parcel, leaves_at = record.parcel, fact.body["ships_at"]
    if fact.name == "ParcelReleased":
        parcel.holds.discard(fact.body["ended_id"])
        parcel.answers.pop(fact.body["ended_id"], None)
        parcel.messaged = False
    elif fact.name == "SellerRefused":
        parcel.answers.pop(fact.body["request_id"], None)
        parcel.messaged = False
    if leaves_at and not parcel.holds and not parcel.messaged:
        parcel.leaves_at = leaves_at


@on("ParcelStopped")
def stop(record: Record, fact: Fact) -> None:
    """It never leaves."""
    record.parcel.holds.add(fact.id)
    record.parcel.leaves_at = ""
    record.parcel.answers.clear()


@on("Shipped")
def ship(record: Record, fact: Fact) -> None:
    """It leaves, if nothing holds it."""
    parcel = record.parcel
    if parcel.holds:
        record.blame(Invariant.I2, f"shipped, although it was held by {', '.join(sorted(parcel.holds))}")
    parcel.shipped_at, parcel.leaves_at = fact.at, ""
    parcel.scan_at, parcel.arrives_at = fact.body["scanned_at"], fact.body["arrives_at"]


@on("ParcelScanned")
def scan(record: Record, fact: Fact) -> None:
    """The carrier has it, or has delivered it."""
    record.parcel.scan_at = ""
    if fact.body["delivered"]:
        record.parcel.arrives_at = ""
        record.parcel.delivered_at = fact.at


@on("OrderClosed")
def show(record: Record, fact: Fact) -> None:
    """The end says where the goods are (X6)."""
    goods = _WORDS.get(record.states[GOODS], "")
    if fact.body["goods"] != goods:
        record.blame(Invariant.I2, f"closed with the goods {fact.body['goods']}, where they are {goods}")


def is_hidden(record: Record) -> bool:
    """Whether a parcel left after the order had ended, and the order does not show it."""
    ended = record.phase in {"cancelled", "resolved", "closed"}
    return ended and record.parcel.shipped_at is not None and record.states[GOODS] == "here"
