"""What the read model answers: orders, people, and figures."""

from dataclasses import dataclass
from datetime import datetime

from countermand.contracts.base import SellerRecord
from countermand.kernel.policy import Policy
from services.web.readmodel.allowed import Action, buyer_may, seller_may, why_no_button
from services.web.readmodel.view import View
from services.web.readmodel.waits import Todo, Waits, due, todo


@dataclass(frozen=True, slots=True)
class OrderDetail:
    """One order as it stands at a moment.

    Attributes:
        view: what every service has recorded; its order part is there.
        now: the order's own simulated time.
        waits: what it waits for, until `due` (simulated; nothing if silence means waiting).
        buyer_may, seller_may: what each side may ask for now.
        no_button: why the Cancel button is not offered, in the word of the order's refusal; nothing if it is.
        todo: what a seller who works by hand has to do.
        record: what buyers can see of the seller (R24); nothing while no order of theirs has ended.
    """

    view: View
    policy: Policy
    now: datetime
    waits: Waits
    due: datetime | None
    buyer_may: tuple[Action, ...]
    seller_may: tuple[Action, ...]
    no_button: str | None
    todo: Todo
    record: SellerRecord | None = None

    @property
    def due_real(self) -> datetime | None:
        """When `due` comes in real time."""
        return self.view.placed.terms.clock.real(self.due) if self.due else None


@dataclass(frozen=True, slots=True)
class Found:
    """Some orders, as a list has them. `next`: the cursor of the page after it; nothing on the last one."""

    orders: tuple[OrderDetail, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Person:
    """A buyer or a seller who has orders. `rated`, `positive`: a seller's feedback (R24)."""

    id: str
    name: str
    email: str
    profile: str
    orders: int
    last_order_at: datetime
    rated: int
    positive: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How many orders there are. The inner keys: phases, what open orders wait for, and outcomes."""

    orders: int
    open: int
    by_phase: dict[str, int]
    by_waits: dict[str, int]
    by_outcome: dict[str, int]


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Latencies of the last minutes, in milliseconds, 5 % exact."""

    samples: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class Rates:
    """Events of some names in each of the last seconds, the oldest first. `until`: the end of the last one, Unix time."""

    until: int
    per_second: dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class RunCounts:
    """What the orders of a run have come to.

    Attributes:
        failed: ended orders that fail a check; `amiss`: which checks, by order, of some of them.
        on_their_way: ended orders that wait only for an email, and not for long.
    """

    orders: int
    open: int
    outcomes: dict[str, int]
    failed: int
    on_their_way: int
    amiss: dict[str, str]


def detail_of(view: View, policy: Policy, real_now: datetime, record: SellerRecord | None = None) -> OrderDetail:
    """An order as it stands at a real moment. Pure."""
    order = view.placed
    now = order.terms.clock.simulated(real_now)
    limit = due(view, policy)
    return OrderDetail(
        view=view,
        policy=policy,
        now=now,
        waits=limit.waits,
        due=limit.at,
        buyer_may=buyer_may(view, policy, now),
        seller_may=seller_may(view, policy),
        no_button=why_no_button(order, policy),
        todo=todo(view),
        record=record,
    )
