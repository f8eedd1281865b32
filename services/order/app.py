"""The composition of order."""

from countermand.contracts.base import Owner
from countermand.contracts.order import OrderClosed, PartialRefundAccepted, PlaceOrder
from countermand.runtime.card import Card
from countermand.runtime.main import run
from services.order.commands import OrderCommand
from services.order.decider import ORDER, OrderEvent
from services.order.reactions import REACTIONS, TIMERS
from services.order.state import Order

CARD: Card[OrderCommand, Order, OrderEvent] = Card(
    name=Owner.ORDER,
    decider=ORDER,
    reactions=REACTIONS,
    timers=TIMERS,
    begins=(PlaceOrder,),
    ends=(OrderClosed,),
    lingers=(PartialRefundAccepted,),
)


def main() -> None:
    """Run this service in this process."""
    run(lambda: CARD)
