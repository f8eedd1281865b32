"""What the dispute does about what it hears: one named function a message, each a command to itself. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from countermand.contracts.base import Event
from countermand.contracts.dispute import (
    DisputeEscalated,
    OpenDispute,
    ReturnSent,
    SettlementAccepted,
)
from countermand.contracts.order import DisputeNoted, OrderCancelled
from countermand.contracts.seller import DisputeReplied, ParcelScanned
from countermand.kernel.reactions import Reactions
from services.dispute.commands import (
    Conclude,
    DisputeCommand,
    Drop,
    EndNegotiation,
    EndReturn,
    GrantSilence,
    HearReply,
    HearScan,
    OpenCase,
    Rule,
)
from services.dispute.view import view_of

REACTIONS: Reactions[DisputeCommand] = Reactions()
on = REACTIONS.on

TIMERS = {"DisputeAnswerDue": GrantSilence, "NegotiationEnds": EndNegotiation, "ReturnDue": EndReturn}
"""What a fired timer of each name asks of the dispute."""


def inform(command: DisputeCommand, history: Sequence[Event]) -> DisputeCommand:
    """Add what the order and the seller have recorded to the commands that depend on it."""
    match command:
        case OpenDispute():
            return OpenCase(command, view_of(history))
        case Rule():
            return replace(command, view=view_of(history))
        case GrantSilence(deadline_id=dispute_id):
            noted = any(
                isinstance(event, DisputeNoted) and event.dispute_id == dispute_id and not event.moot
                for event in history
            )
            return replace(command, noted=noted)
        case _:
            return command


@on(DisputeReplied)
def hear_a_simulated_seller(event: DisputeReplied, _id: str) -> DisputeCommand:
    """R20, R21."""
    return HearReply(event.dispute_id, event.stance, event.amount, event.text, event.evidence)


@on(ParcelScanned)
def step_in_when_the_parcel_left_too_late(event: ParcelScanned, _id: str) -> DisputeCommand | None:
    """R19, X5: the carrier's first scan counts."""
    return None if event.delivered else HearScan(event.scanned_at)


@on(DisputeNoted)
def drop_a_moot_dispute(event: DisputeNoted, _id: str) -> DisputeCommand | None:
    """The order had ended before it heard of the dispute."""
    return Drop(event.dispute_id) if event.moot else None


@on(OrderCancelled)
def drop_the_dispute_of_a_cancelled_order(event: OrderCancelled, _id: str) -> DisputeCommand | None:
    """R20: the money goes back anyway."""
    return Drop(event.dispute_id) if event.dispute_id else None


@on(SettlementAccepted)
def conclude_what_was_agreed(event: SettlementAccepted, _id: str) -> DisputeCommand | None:
    """P16: unless the goods go back first."""
    return None if event.return_by else Conclude(event.dispute_id)


@on(ReturnSent)
def conclude_when_the_goods_are_sent_back(event: ReturnSent, _id: str) -> DisputeCommand:
    """P10."""
    return Conclude(event.dispute_id)


@on(DisputeEscalated)
def rule_when_the_platform_steps_in(event: DisputeEscalated, _id: str) -> DisputeCommand:
    """P8, R19."""
    return Rule(event.dispute_id)
