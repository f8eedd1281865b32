"""What the audit remembers of one order: its own small books, one for each concern, folded from the facts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

from lab.audit.fact import Fact
from lab.audit.invariants import Invariant
from lab.audit.table import MACHINES, PAYMENT, PHASE, START

NS: Final = 1_000_000_000


class Asked(NamedTuple):
    """A command as it was sent."""

    name: str
    at: int


class Moment(NamedTuple):
    """When an event that may be part of a race was recorded, by which cause; `named` is the request that it answers."""

    at: int
    id: str
    cause: str
    named: str


class Promise(NamedTuple):
    """A fact that may promise an email of a kind."""

    kind: str
    at: int


@dataclass(slots=True)
class Terms:
    """The order's seed, policy and clock, read by the audit itself. Times in seconds since 1970."""

    seed: int
    policy: str
    epoch_s: float
    started_s: float
    rate: float

    def real(self, simulated: str) -> int:
        """The broker's moment, in ns, at which a simulated one comes."""
        since_s = (datetime.fromisoformat(simulated).timestamp() - self.epoch_s) / self.rate
        return int((self.started_s + since_s) * NS)


class Unseen(NamedTuple):
    """An event whose cause had not been seen when it was read."""

    event_id: str
    cause: str
    simulated: str


@dataclass(slots=True)
class Causes:
    """I7 and I8. `known`: every id and its cause, nothing for a command; `armed`: the deadlines that an event started.

    `odd`: ids that are not made of their cause.
    """

    known: dict[str, str] = field(default_factory=dict[str, str])
    unseen: list[Unseen] = field(default_factory=list[Unseen])
    odd: list[str] = field(default_factory=list[str])
    armed: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])


@dataclass(slots=True)
class Refund:
    """Money on its way back."""

    amount: int
    cause: str
    kind: str
    issued_at: str
    arrives_at: str
    received: bool = False


@dataclass(slots=True)
class Part:
    """A part of the money that the buyer accepted: by which offer, how much, since when."""

    offer: str
    amount: int
    at: int
    refunded: bool = False


@dataclass(slots=True)
class Ledger:
    """I3, in minor units. `reasons`: what may cause a refund in full; `owed_since`: when one fell due that is not issued."""

    currency: str = ""
    captured: int = 0
    refunded: int = 0
    refunds: dict[str, Refund] = field(default_factory=dict[str, Refund])
    reasons: set[str] = field(default_factory=set[str])
    owed_since: int | None = None
    offers: dict[str, int] = field(default_factory=dict[str, int])
    parts: dict[str, Part] = field(default_factory=dict[str, Part])
    reseller: int = 0


@dataclass(slots=True)
class Request:
    """A request for cancellation and its answers. `consent`: whether the seller's is needed (P13)."""

    at: int
    answer_by: str
    consent: bool
    answers: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class Requests:
    """I5. `pending`: the request without an answer; `dialog`: the one shown last, and when it lapses."""

    asked: dict[str, Request] = field(default_factory=dict[str, Request])
    pending: str | None = None
    dialog: tuple[str, str] = ("", "")


@dataclass(slots=True)
class Parcel:
    """I2. `holds`: accepted requests that keep the parcel; `messaged`: a message may; the rest is when what is due."""

    holds: set[str] = field(default_factory=set[str])
    messaged: bool = False
    leaves_at: str = ""
    scan_at: str = ""
    arrives_at: str = ""
    answers: dict[str, str] = field(default_factory=dict[str, str])
    answered: set[str] = field(default_factory=set[str])
    shipped_at: int | None = None
    delivered_at: int | None = None


@dataclass(slots=True)
class Case:
    """A dispute. `noted_id`, `moot`: what the order made of it; `offers`: each side's standing one; `remedies`: what each gives."""

    id: str = ""
    at: int = 0
    until: str = ""
    noted_id: str = ""
    moot: bool = False
    offers: dict[str, str] = field(default_factory=dict[str, str])
    remedies: dict[str, Any] = field(default_factory=dict[str, Any])
    rulings: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])


@dataclass(slots=True)
class Letters:
    """I4. `promises` by fact; `sent` and `refused`: the kinds of email recorded about each fact; `ids`: their Message-IDs."""

    promises: dict[str, Promise] = field(default_factory=dict[str, Promise])
    sent: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    refused: dict[str, str] = field(default_factory=dict[str, str])
    ids: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class Ending:
    """I1. `ground`: why the order was cancelled; what was captured and refunded when it closed; by when what is due."""

    outcomes: list[str] = field(default_factory=list[str])
    ground: str = ""
    captured: int = 0
    refunded: int = 0
    pay_by: str = ""
    ship_by: str = ""
    protected_until: str = ""


@dataclass(slots=True)
class Record:
    """One order. `wrong` is what its own facts prove; what only the absence of a fact proves is judged later."""

    order_id: str
    placed: bool = False
    run_id: str | None = None
    terms: Terms | None = None
    method: str = ""
    customer: bool = False
    last: int = 0
    events: int = 0
    revisions: dict[str, int] = field(default_factory=dict[str, int])
    sequences: dict[str, int] = field(default_factory=dict[str, int])
    states: list[str] = field(default_factory=lambda: [START] * len(MACHINES))
    wrong: list[tuple[Invariant, str]] = field(default_factory=list[tuple[Invariant, str]])
    commands: dict[str, Asked] = field(default_factory=dict[str, Asked])
    moments: dict[str, list[Moment]] = field(default_factory=dict[str, list[Moment]])
    causes: Causes = field(default_factory=Causes)
    ledger: Ledger = field(default_factory=Ledger)
    requests: Requests = field(default_factory=Requests)
    parcel: Parcel = field(default_factory=Parcel)
    case: Case = field(default_factory=Case)
    letters: Letters = field(default_factory=Letters)
    ending: Ending = field(default_factory=Ending)

    @property
    def phase(self) -> str:
        """Where the order stands."""
        return self.states[PHASE]

    @property
    def paid(self) -> bool:
        """Whether its money is there."""
        return self.states[PAYMENT] == "paid"

    def blame(self, invariant: Invariant, what: str) -> None:
        """Note what is wrong."""
        self.wrong.append((invariant, what))


Handler: TypeAlias = Callable[[Record, Fact], None]
HANDLERS: Final[dict[str, list[Handler]]] = {}
"""What each concern does about an event, by name."""


def on(*names: str) -> Callable[[Handler], Handler]:
    """Enter a handler for these events."""

    def enter(handler: Handler) -> Handler:
        for name in names:
            HANDLERS.setdefault(name, []).append(handler)
        return handler

    return enter
