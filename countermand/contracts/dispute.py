"""The dispute's language: claims, offers, evidence, and the ruling that names its rule and its facts."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field

from countermand.contracts.base import Brief, Command, Event, Owner, Reference, Role, Text
from countermand.kernel.money import Money

EVIDENCE_PIECES_MAX: Final = 10
"""Pieces of evidence in one message: a case, not an archive."""


class ClaimGround(StrEnum):
    """What the buyer says went wrong."""

    NOT_SENT = "not_sent"
    NOT_RECEIVED = "not_received"
    NOT_AS_DESCRIBED = "not_as_described"
    DISSATISFIED = "dissatisfied"


class Stance(StrEnum):
    """What a seller says to a claim."""

    CONCEDES = "concedes"
    OFFERS = "offers"
    CONTESTS = "contests"


class Resolution(StrEnum):
    """Who ended a dispute."""

    AGREEMENT = "agreement"
    SILENCE = "silence"
    PLATFORM = "platform"
    MOOT = "moot"


class Evidence(BaseModel):
    """A piece of evidence: what it shows, and the SHA-256 of the file that shows it."""

    model_config = ConfigDict(frozen=True)

    text: Text
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


EvidenceList = Annotated[tuple[Evidence, ...], Field(max_length=EVIDENCE_PIECES_MAX)]


class Remedy(BaseModel):
    """What is to happen: so much money back, and whether the goods go back first (P10)."""

    model_config = ConfigDict(frozen=True)

    amount: Money
    with_return: bool = False


class _Command(Command):
    owner: ClassVar[Owner] = Owner.DISPUTE


class _Event(Event):
    owner: ClassVar[Owner] = Owner.DISPUTE


class OpenDispute(_Command):
    """The buyer claims money back (R14, R18). No amount means all that was paid."""

    ground: ClaimGround
    amount: Money | None = None
    text: Text = ""
    evidence: EvidenceList = ()


class AnswerDispute(_Command):
    """The seller concedes or contests the claim, by hand. An offer is a `ProposeSettlement`."""

    dispute_id: Reference
    stance: Stance
    text: Text = ""
    evidence: EvidenceList = ()


class ProposeSettlement(_Command):
    """One side offers the other a way to end it. It replaces that side's standing offer (P16)."""

    dispute_id: Reference
    remedy: Remedy
    text: Text = ""


class AcceptSettlement(_Command):
    """One side takes the other's standing offer (P16, X9)."""

    offer_id: Reference


class SendReturn(_Command):
    """The buyer has sent the goods back, as agreed (P10)."""

    dispute_id: Reference


class DisputeOpened(_Event):
    """A dispute is open. Its id is the `dispute_id` of all that follows."""

    brief: Brief
    ground: ClaimGround
    claim: Money
    text: Text
    evidence: EvidenceList
    opened_at: datetime
    answer_by: datetime = Field(description="P7")


class DisputeAnswered(_Event):
    """The seller contests, or comes with an offer; the two negotiate."""

    dispute_id: Reference
    stance: Stance
    text: Text
    evidence: EvidenceList
    negotiate_until: datetime = Field(description="P8")


class SettlementProposed(_Event):
    """An offer stands until its side makes another one, or the dispute ends. Its id is the `offer_id` of the acceptance."""

    dispute_id: Reference
    by: Role
    remedy: Remedy
    text: Text
    negotiate_until: datetime


class SettlementAccepted(_Event):
    """An offer was accepted while it stood (X9). `return_by`: if the goods go back first (P10)."""

    dispute_id: Reference
    offer_id: Reference
    by: Role
    remedy: Remedy
    return_by: datetime | None


class ReturnSent(_Event):
    """The goods are on their way back (P10)."""

    dispute_id: Reference


class DisputeEscalated(_Event):
    """The platform steps in."""

    dispute_id: Reference
    why: Text


class DisputeResolved(_Event):
    """The end of a dispute: what the buyer gets, by whom, by which rule and on which facts (R22)."""

    brief: Brief
    dispute_id: Reference
    by: Resolution
    claim: Money
    refund: Money
    rule: Annotated[str, Field(pattern=r"^[RPX]\d{1,2}$")]
    facts: tuple[Text, ...]
    explanation: Text


COMMANDS: Final[tuple[type[Command], ...]] = (
    OpenDispute,
    AnswerDispute,
    ProposeSettlement,
    AcceptSettlement,
    SendReturn,
)
EVENTS: Final[tuple[type[Event], ...]] = (
    DisputeOpened,
    DisputeAnswered,
    SettlementProposed,
    SettlementAccepted,
    ReturnSent,
    DisputeEscalated,
    DisputeResolved,
)
