"""Everything that a dispute may record."""

from typing import TypeAlias

from countermand.contracts.dispute import (
    DisputeAnswered,
    DisputeEscalated,
    DisputeOpened,
    DisputeResolved,
    ReturnSent,
    SettlementAccepted,
    SettlementProposed,
)

DisputeEvent: TypeAlias = (
    DisputeOpened
    | DisputeAnswered
    | SettlementProposed
    | SettlementAccepted
    | ReturnSent
    | DisputeEscalated
    | DisputeResolved
)
