"""The composition of dispute."""

from countermand.contracts.base import Owner
from countermand.contracts.dispute import DisputeResolved, OpenDispute
from countermand.runtime.card import Card
from countermand.runtime.main import run
from services.dispute.commands import DisputeCommand, GrantSilence, Rule
from services.dispute.decider import DISPUTE
from services.dispute.events import DisputeEvent
from services.dispute.reactions import REACTIONS, TIMERS, inform
from services.dispute.state import Dispute

CARD: Card[DisputeCommand, Dispute, DisputeEvent] = Card(
    name=Owner.DISPUTE,
    decider=DISPUTE,
    reactions=REACTIONS,
    timers=TIMERS,
    ends=(DisputeResolved,),
    informed=(OpenDispute, Rule, GrantSilence),
    inform=inform,
    reads=(Owner.ORDER, Owner.SELLER),
)


def main() -> None:
    """Run this service in this process."""
    run(lambda: CARD)
