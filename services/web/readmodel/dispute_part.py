"""What the dispute's journal says, event by event. Pure."""

from dataclasses import replace

from countermand.contracts.dispute import (
    DisputeAnswered,
    DisputeEscalated,
    DisputeOpened,
    DisputeResolved,
    Resolution,
    ReturnSent,
    SettlementAccepted,
    SettlementProposed,
)
from countermand.runtime.facts import Fact
from services.web.readmodel.view import DisputePart, DisputePhase, Ruling, Settlement


def dispute_part(part: DisputePart | None, fact: Fact) -> DisputePart | None:
    """The part after an event of the dispute's."""
    event = fact.event
    if isinstance(event, DisputeOpened):
        return DisputePart(
            id=fact.id,
            ground=event.ground,
            claim=event.claim,
            opened_at=event.opened_at,
            answer_by=event.answer_by,
            text=event.text,
            evidence=event.evidence,
        )
    if part is None:
        return None
    match event:
        case DisputeAnswered(stance=stance, text=text, evidence=evidence, negotiate_until=until):
            return replace(
                part,
                phase=DisputePhase.NEGOTIATING,
                stance=stance,
                answer_text=text,
                answer_evidence=evidence,
                negotiate_until=until,
            )
        case SettlementProposed(by=by, remedy=remedy, text=text, negotiate_until=until):
            others = tuple(offer for offer in part.offers if offer.by is not by)
            offers = (*others, Settlement(fact.id, by, remedy, text))
            return replace(part, phase=DisputePhase.NEGOTIATING, offers=offers, negotiate_until=until)
        case SettlementAccepted(remedy=remedy, return_by=return_by):
            return replace(part, phase=DisputePhase.AGREED, agreed=remedy, return_by=return_by)
        case ReturnSent():
            return replace(part, return_sent=True)
        case DisputeEscalated(why=why):
            return replace(part, phase=DisputePhase.ESCALATED, escalated_because=why)
        case DisputeResolved():
            ruling = Ruling(event.by, event.refund, event.rule, event.facts, event.explanation)
            decided = event.by is not Resolution.MOOT
            return replace(part, phase=DisputePhase.RESOLVED, ruling=ruling, decided=decided)
        case _:  # What a newer dispute service may record.
            return part
