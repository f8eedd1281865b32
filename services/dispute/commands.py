"""What the dispute asks of itself when it hears something; what people ask is in `countermand.contracts.dispute`."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from countermand.contracts.dispute import (
    AcceptSettlement,
    AnswerDispute,
    EvidenceList,
    OpenDispute,
    ProposeSettlement,
    SendReturn,
    Stance,
)
from countermand.kernel.money import Money
from services.dispute.view import View


@dataclass(frozen=True, slots=True)
class OpenCase:
    """The buyer's claim, with what the order and the seller have recorded."""

    asked: OpenDispute
    view: View


@dataclass(frozen=True, slots=True)
class HearReply:
    """A simulated seller's word."""

    dispute_id: str
    stance: Stance
    amount: Money | None
    text: str
    evidence: EvidenceList


@dataclass(frozen=True, slots=True)
class GrantSilence:
    """The seller's time to answer has passed (P7). `noted`: the order has said that it waits for this dispute."""

    deadline_id: str
    noted: bool = False


@dataclass(frozen=True, slots=True)
class EndNegotiation:
    """The time to negotiate has passed (P8)."""

    deadline_id: str


@dataclass(frozen=True, slots=True)
class EndReturn:
    """The time to send the goods back has passed (P10)."""

    deadline_id: str


@dataclass(frozen=True, slots=True)
class HearScan:
    """The carrier scanned the parcel."""

    scanned_at: datetime


@dataclass(frozen=True, slots=True)
class Conclude:
    """What was agreed is done."""

    dispute_id: str


@dataclass(frozen=True, slots=True)
class Rule:
    """The platform decides."""

    dispute_id: str
    view: View = View()  # noqa: RUF009  # Frozen; the runtime fills it in from the histories.


@dataclass(frozen=True, slots=True)
class Drop:
    """The order ended otherwise."""

    dispute_id: str


UserCommand: TypeAlias = AnswerDispute | ProposeSettlement | AcceptSettlement | SendReturn
DisputeCommand: TypeAlias = (
    UserCommand
    | OpenDispute
    | OpenCase
    | HearReply
    | GrantSilence
    | EndNegotiation
    | EndReturn
    | HearScan
    | Conclude
    | Rule
    | Drop
)
