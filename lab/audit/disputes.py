"""Disputes: which offers stand (X9), until when what is awaited (P7, P8, P10), and what was ruled."""

from lab.audit.fact import Fact
from lab.audit.invariants import Invariant
from lab.audit.record import Case, Record, on


@on("DisputeOpened")
def open_(record: Record, fact: Fact) -> None:
    """A case. One before it was moot, or the step was illegal; what was ruled is not forgotten."""
    known = record.case.noted_id == fact.id  # The order may be read before the dispute.
    record.case = Case(
        id=fact.id,
        at=fact.at,
        until=fact.body["answer_by"],
        noted_id=record.case.noted_id,
        moot=known and record.case.moot,
        rulings=record.case.rulings,
    )


@on("DisputeAnswered", "SettlementProposed")
def negotiate(record: Record, fact: Fact) -> None:
    """The two talk until P8; an offer replaces that side's earlier one."""
    case = record.case
    case.at, case.until = fact.at, fact.body["negotiate_until"]
    if fact.name == "SettlementProposed":
        case.offers[fact.body["by"]] = fact.id
        case.remedies[fact.id] = fact.body["remedy"]


@on("SettlementAccepted")
def agree(record: Record, fact: Fact) -> None:
    """Only the other side's standing offer can be accepted."""
    case, offer, by = record.case, fact.body["offer_id"], fact.body["by"]
    standing = {offer_id for side, offer_id in case.offers.items() if side != by}
    if offer not in standing:
        record.blame(Invariant.I6, f"the {by} accepts an offer that does not stand: {offer}")
    elif fact.body["remedy"] != case.remedies[offer]:
        record.blame(Invariant.I3, f"the {by} accepts {fact.body['remedy']}, where {case.remedies[offer]} was offered")
    case.at, case.until = fact.at, fact.body["return_by"] or ""


@on("ReturnSent", "DisputeEscalated")
def step(record: Record, fact: Fact) -> None:
    """The rest follows by itself."""
    record.case.at, record.case.until = fact.at, ""


@on("DisputeResolved")
def resolve(record: Record, fact: Fact) -> None:
    """What the buyer gets, by whom; never more than the claim."""
    refund = fact.body["refund"]["amount_minor"]
    if refund > fact.body["claim"]["amount_minor"]:
        record.blame(Invariant.I3, f"the ruling gives {refund}, more than was claimed")
    record.case.rulings[fact.id] = (refund, fact.body["by"])
    record.case.at, record.case.until = fact.at, ""


@on("DisputeNoted")
def note(record: Record, fact: Fact) -> None:
    """The order has heard of it."""
    record.case.noted_id, record.case.moot = fact.body["dispute_id"], fact.body["moot"]
