"""The audit's own table of legal steps: what may happen in which state, for each owner, written from the rules alone.

An owner's history runs through several small machines at once, as an order is asked about, paid, shipped and disputed
side by side. A step is legal if every machine that knows the event has a row for it. What other invariants judge, as a
second outcome (I1), an answer to nothing (I5) or a parcel that should have stayed (I2), is legal here, so that one
mistake is one violation.
"""

from collections import defaultdict
from typing import Any, Final, NamedTuple

START: Final = "-"

_MARKED_BY: Final = {
    "OrderPlaced": "paid",
    "PaymentAcknowledged": "late",
    "OrderDelivered": "after_cancellation",
    "DisputeNoted": "moot",
    "ParcelScanned": "delivered",
    "OrderCancelled": "ground",
    "RefundIssued": "cause",
    "DisputeResolved": "by",
}
"""The field by which an event's meaning differs: `OrderPlaced:paid` if it is true, `OrderCancelled:silence` if it is a word."""

# machine | states | events | next state, `=` for the same
_ORDER: Final = """
phase   | -                                                     | OrderPlaced OrderPlaced:paid                                            | open
phase   | open dialog                                           | CancelDialogOpened                                                      | dialog
phase   | open dialog                                           | CancelRequested                                                         | pending
phase   | pending                                               | CancelRequestRepeated                                                   | =
phase   | open dialog pending disputed resolved cancelled closed| CancelRejectedNotBuyer                                                  | =
phase   | pending                                               | CancelRefused CancelExpired CancelSuperseded CancelWithdrawn            | open
phase   | open dialog disputed resolved cancelled closed        | CancelRefused CancelExpired CancelSuperseded CancelWithdrawn            | =
phase   | pending                                               | OrderCancelled:seller_agreed OrderCancelled:silence OrderCancelled:no_consent_needed | cancelled
phase   | open dialog pending                                   | OrderCancelled:never_paid OrderCancelled:never_shipped                  | cancelled
phase   | disputed                                              | OrderCancelled:never_shipped                                            | cancelled
phase   | open dialog pending disputed                          | AcceptanceSuperseded                                                    | =
phase   | open dialog pending disputed                          | PaymentAcknowledged                                                     | =
phase   | resolved cancelled closed                             | PaymentAcknowledged:late                                                | =
phase   | open dialog disputed                                  | ShipmentNoted                                                           | =
phase   | resolved cancelled closed                             | ShipmentSuperseded                                                      | =
phase   | open dialog pending disputed                          | OrderDelivered                                                          | =
phase   | resolved cancelled closed                             | OrderDelivered:after_cancellation                                       | =
phase   | open dialog                                           | TrackingAsked PartialRefundAccepted                                     | =
phase   | open dialog pending                                   | PartialRefundNoted                                                      | =
phase   | open dialog                                           | DisputeNoted                                                            | disputed
phase   | pending disputed resolved cancelled closed            | DisputeNoted:moot                                                       | =
phase   | open dialog pending disputed cancelled closed         | ResellerRefundedCustomer                                                | =
phase   | cancelled closed                                      | RefundIssued:cancellation                                               | =
phase   | open dialog pending disputed resolved cancelled closed| RefundIssued:partial_refund                                             | =
phase   | disputed                                              | RefundIssued:dispute                                                    | resolved
phase   | open dialog pending disputed resolved cancelled closed| RefundReceived                                                          | =
phase   | open dialog pending disputed resolved cancelled closed| OrderClosed                                                             | closed
payment | -                                                     | OrderPlaced                                                             | unpaid
payment | -                                                     | OrderPlaced:paid                                                        | paid
payment | unpaid                                                | PaymentAcknowledged PaymentAcknowledged:late                            | paid
goods   | -                                                     | OrderPlaced OrderPlaced:paid                                            | here
goods   | here                                                  | CancelRequested                                                         | =
goods   | here                                                  | ShipmentNoted CancelSuperseded ShipmentSuperseded                       | gone
goods   | gone                                                  | OrderDelivered OrderDelivered:after_cancellation                        | arrived
"""

_SELLER: Final = """
desk    | -                                                     | RequestHeard SellerRefused SellerMessaged ParcelReleased                | =
desk    | -                                                     | TrackingProvided TrackingUnavailable PartialRefundOffered DisputeReplied| =
parcel  | - planned stopped                                     | SellerAccepted                                                          | =
parcel  | -                                                     | ParcelPlanned                                                           | planned
parcel  | - planned                                             | ParcelStopped                                                           | stopped
parcel  | - planned stopped                                     | Shipped                                                                 | gone
parcel  | gone                                                  | ParcelScanned                                                           | scanned
parcel  | scanned                                               | ParcelScanned:delivered                                                 | arrived
rating  | -                                                     | SellerRated                                                             | rated
"""

_DISPUTE: Final = """
dispute | - moot                                                | DisputeOpened                                                           | opened
dispute | opened                                                | DisputeAnswered                                                         | talking
dispute | opened talking                                        | SettlementProposed                                                      | talking
dispute | talking                                               | SettlementAccepted                                                      | agreed
dispute | agreed                                                | ReturnSent                                                              | returned
dispute | opened talking agreed returned                        | DisputeEscalated                                                        | escalated
dispute | opened talking agreed returned escalated              | DisputeResolved:agreement DisputeResolved:silence DisputeResolved:platform | resolved
dispute | opened talking agreed returned escalated              | DisputeResolved:moot                                                    | moot
"""

_NOTIFY: Final = """
letters | -                                                     | EmailSent EmailFailed                                                   | =
"""


class Machine(NamedTuple):
    """What one machine does with one event: from which state to which."""

    name: str
    number: int
    moves: dict[str, str]


def _read() -> tuple[dict[tuple[str, str], list[Machine]], tuple[str, ...]]:
    """Every (owner, event) with its machines, and the machines' names in the order of their indices."""
    steps: dict[tuple[str, str], dict[str, dict[str, str]]] = defaultdict(dict)
    machines: dict[str, int] = {}
    for owner, text in (("order", _ORDER), ("seller", _SELLER), ("dispute", _DISPUTE), ("notify", _NOTIFY)):
        for line in filter(None, text.splitlines()):
            machine, states, events, target = (cell.strip() for cell in line.split("|"))
            machines.setdefault(machine, len(machines))
            for event in events.split():
                moves = steps[owner, event].setdefault(machine, {})
                moves |= {state: state if target == "=" else target for state in states.split()}
    return (
        {key: [Machine(name, machines[name], moves) for name, moves in found.items()] for key, found in steps.items()},
        tuple(machines),
    )


STEPS, MACHINES = _read()
"""The table by (owner, event), and the names of the machines."""

KNOWN: Final = {(owner, event.partition(":")[0]) for owner, event in STEPS}
"""Every event that an owner may record."""

PHASE, PAYMENT, GOODS = (MACHINES.index(name) for name in ("phase", "payment", "goods"))
PARCEL, RATING, DISPUTE = (MACHINES.index(name) for name in ("parcel", "rating", "dispute"))


def meaning(name: str, body: dict[str, Any]) -> str:
    """The event's name with its mark: `OrderPlaced:paid`."""
    field = _MARKED_BY.get(name)
    if field is None:
        return name
    value = body.get(field)
    if isinstance(value, str):
        return f"{name}:{value}"
    return f"{name}:{field}" if value else name


def step(states: list[str], owner: str, name: str, body: dict[str, Any]) -> str | None:
    """Take the step in all machines. What is wrong with it, if anything; an illegal one changes nothing."""
    event = meaning(name, body)
    machines = STEPS.get((owner, event))
    if machines is None:
        return f"{owner} knows no event {event}"
    for machine in machines:
        if states[machine.number] not in machine.moves:
            return f"{event} cannot happen while the {machine.name} is {states[machine.number]!r}"
    for machine in machines:
        states[machine.number] = machine.moves[states[machine.number]]
    return None
