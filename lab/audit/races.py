"""I10: true races. Neither fact led to the other, and the loser was published before the winner was recorded.

Such an order may end either way, whatever the seed. The audit says which way, and counts.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

from lab.audit.fact import Fact
from lab.audit.record import Moment, Record, on

_FACTS_OF_A_RACE: Final = 2
"""Kinds of facts that an order must have for a race: a fast way out for the many that have none."""


@on(
    "CancelRequested",
    "CancelSuperseded",
    "ShipmentSuperseded",
    "OrderCancelled",
    "CancelRefused",
    "CancelExpired",
    "CancelWithdrawn",
    "PaymentAcknowledged",
    "PartialRefundNoted",
    "SellerAccepted",
    "SellerRefused",
    "Shipped",
    "DisputeOpened",
    "SettlementProposed",
    "SettlementAccepted",
)
def mark(record: Record, fact: Fact) -> None:
    """Remember when it was recorded."""
    moment = Moment(fact.at, fact.id, fact.cause, fact.body.get("request_id") or "")
    record.moments.setdefault(fact.name, []).append(moment)


def races(record: Record) -> Iterator[tuple[str, str]]:
    """Every true race of the order: its name, and who won."""
    moments = record.moments
    if len(moments) < _FACTS_OF_A_RACE:
        return
    unheeded = _unheeded(record)
    yield from _cancel_and_ship(record)
    yield from _accept_and_ship(record, unheeded)
    yield from _payment_and_cancel(record)
    yield from _answer_and_deadline(record)
    yield from _withdraw_and_accept(record, unheeded)
    yield from _dispute_and_ship(record)
    yield from _offers(record, unheeded)


def _cancel_and_ship(record: Record) -> Iterator[tuple[str, str]]:
    """X1: the order's journal decides."""
    for _ in record.moments.get("CancelSuperseded", ()):
        yield "cancel-ship", "ship"
    for _ in record.moments.get("ShipmentSuperseded", ()):
        for cancelled in record.moments.get("OrderCancelled", ()):
            if any(_published(record, shipped) < cancelled.at for shipped in record.moments.get("Shipped", ())):
                yield "cancel-ship", "cancel"


def _accept_and_ship(record: Record, unheeded: dict[str, list[int]]) -> Iterator[tuple[str, str]]:
    """X2: the seller's journal decides."""
    first_asked = min((request.at for request in record.requests.asked.values()), default=0)
    for accepted in record.moments.get("SellerAccepted", ()):
        if _crossed(record, accepted, unheeded.get("ShipOrder", ()), first_asked):
            yield "accept-ship", "accept"
    for shipped in record.moments.get("Shipped", ()):
        if first_asked and _crossed(record, shipped, unheeded.get("AcceptCancel", ()), first_asked):
            yield "accept-ship", "ship"


def _payment_and_cancel(record: Record) -> Iterator[tuple[str, str]]:
    """X3: a payment while the request waits, or after the cancellation."""
    for paid in record.moments.get("PaymentAcknowledged", ()):
        for cancelled in record.moments.get("OrderCancelled", ()):
            if cancelled.at < paid.at:
                if _published(record, paid) < cancelled.at:
                    yield "payment-cancel", "cancel"
            elif any(
                accepted.id == cancelled.cause and _published(record, accepted) < paid.at
                for accepted in record.moments.get("SellerAccepted", ())
            ):
                yield "payment-cancel", "payment"


def _answer_and_deadline(record: Record) -> Iterator[tuple[str, str]]:
    """X8: the seller's word and the end of its time (P2)."""
    terms = record.terms
    said = (*record.moments.get("SellerAccepted", ()), *record.moments.get("SellerRefused", ()))
    for name in ("OrderCancelled", "CancelExpired", "CancelRefused"):
        for ended in record.moments.get(name, ()):
            request = record.requests.asked.get(ended.named)
            if request is None or terms is None:
                continue
            if any(word.id == ended.cause for word in said):
                if terms.real(request.answer_by) < ended.at:
                    yield "answer-deadline", "answer"
            elif ended.cause.endswith(":AnswerDue") and any(
                word.named == ended.named and _published(record, word) < ended.at for word in said
            ):
                yield "answer-deadline", "deadline"


def _withdraw_and_accept(record: Record, unheeded: dict[str, list[int]]) -> Iterator[tuple[str, str]]:
    """X10: the order's journal decides."""
    accepted = record.moments.get("SellerAccepted", ())
    for withdrawn in record.moments.get("CancelWithdrawn", ()):
        if any(word.named == withdrawn.named and _published(record, word) < withdrawn.at for word in accepted):
            yield "withdraw-accept", "withdraw"
    for cancelled in record.moments.get("OrderCancelled", ()):
        request = record.requests.asked.get(cancelled.named)
        agreed = any(word.id == cancelled.cause for word in accepted)
        if request and agreed and _crossed(record, cancelled, unheeded.get("WithdrawCancel", ()), request.at):
            yield "withdraw-accept", "accept"


def _dispute_and_ship(record: Record) -> Iterator[tuple[str, str]]:
    """X5: which was recorded first. The ruling goes by the days."""
    for opened in record.moments.get("DisputeOpened", ()):
        for shipped in record.moments.get("Shipped", ()):
            if opened.at < shipped.at and _published(record, shipped) < opened.at:
                yield "dispute-ship", "dispute"
            elif shipped.at < opened.at and _published(record, opened) < shipped.at:
                yield "dispute-ship", "ship"


def _offers(record: Record, unheeded: dict[str, list[int]]) -> Iterator[tuple[str, str]]:
    """X9: a new offer against the acceptance of the one before."""
    for made, taken in (("SettlementProposed", "AcceptSettlement"), ("PartialRefundNoted", "AcceptPartialRefund")):
        offers = record.moments.get(made, [])
        for earlier, later in pairwise(offers):
            if _crossed(record, later, unheeded.get(taken, ()), earlier.at):
                yield "offer-acceptance", "offer"
    for accepted in record.moments.get("SettlementAccepted", ()):
        if _crossed(record, accepted, unheeded.get("ProposeSettlement", ()), accepted.at):
            yield "offer-acceptance", "acceptance"


def _crossed(record: Record, winner: Moment, losers: Iterable[int], since: int) -> bool:
    """Whether a command that led to nothing was on its way while the winner was.

    If a person asked for the winner too, only what came after that is meant: a service takes an order's commands in
    their order. Else anything after `since`.
    """
    asked = record.commands.get(winner.cause)
    begin = asked.at if asked else since
    return any(begin < at < winner.at for at in losers)


def _published(record: Record, moment: Moment) -> int:
    """When the fact was on its way: when it was asked for if a person did, else when it was recorded."""
    asked = record.commands.get(moment.cause)
    return asked.at if asked else moment.at


def _unheeded(record: Record) -> dict[str, list[int]]:
    """Commands that led to no event, by name: when they were sent."""
    if not record.commands:
        return {}
    heeded = set(record.causes.known.values())
    found: dict[str, list[int]] = {}
    for command_id, asked in record.commands.items():
        if command_id not in heeded:
            found.setdefault(asked.name, []).append(asked.at)
    return found
