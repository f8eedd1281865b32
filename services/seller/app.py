"""The composition of seller."""

from countermand.contracts.base import Owner
from countermand.contracts.order import OrderPlaced
from countermand.runtime.card import Card
from countermand.runtime.main import run
from services.seller.commands import SellerCommand
from services.seller.decider import SELLER
from services.seller.events import SellerEvent
from services.seller.reactions import BY_HAND, REACTIONS, TIMERS, inform
from services.seller.state import Seller

CARD: Card[SellerCommand, Seller, SellerEvent] = Card(
    name=Owner.SELLER,
    decider=SELLER,
    reactions=REACTIONS,
    timers=TIMERS,
    begins=(OrderPlaced,),
    informed=BY_HAND,
    inform=inform,
    reads=(Owner.ORDER,),
)


def main() -> None:
    """Run this service in this process."""
    run(lambda: CARD)
