"""An errand: one order to be placed, by whom, at whom, and what kind of buyer it is."""

from dataclasses import dataclass
from datetime import timedelta

from countermand.contracts.base import Brief, Contact
from countermand.contracts.order import PaymentMethod
from countermand.kernel.policy import Policy


@dataclass(frozen=True, slots=True)
class Errand:
    """One planned order. It follows from the mix, the seed and its number alone.

    Attributes:
        number: its place in the plan, from 0.
        seed: the order's seed, which its terms carry; whatever is drawn about this order follows from it.
        persona: the name of the buyer's persona.
        policy: one object for all orders of a flow.
        placed_after: simulated, from the start of the plan; less than a year, so that weekdays and hours vary.
        customer: a reseller's own customer (R26).
    """

    number: int
    order_id: str
    seed: int
    persona: str
    brief: Brief
    method: PaymentMethod
    policy: Policy
    placed_after: timedelta
    customer: Contact | None = None
