"""What the dispute records, honestly."""

from datetime import timedelta

from countermand.contracts.base import Role
from countermand.contracts.dispute import (
    ClaimGround,
    DisputeAnswered,
    DisputeEscalated,
    DisputeOpened,
    DisputeResolved,
    Remedy,
    Resolution,
    ReturnSent,
    SettlementAccepted,
    SettlementProposed,
    Stance,
)
from countermand.contracts.order import (
    DisputeNoted,
)
from tests.support.writer import Writer, usd


class DisputeSide(Writer):
    """The dispute's events."""

    def dispute(self, claim: int | None = None, *, cause: str | None = None) -> str:
        """The buyer claims money back."""
        body = DisputeOpened(
            brief=self.brief,
            ground=ClaimGround.NOT_AS_DESCRIBED,
            claim=usd(self.captured - self.refunded if claim is None else claim),
            text="",
            evidence=(),
            opened_at=self.now,
            answer_by=self.now + timedelta(days=self.policy.dispute_answered_within_days),
        )
        return self.tell(body, cause or self.ask("OpenDispute", "dispute"), "OpenCase")

    def note_dispute(self, dispute: str, *, moot: bool = False) -> str:
        """The order hears of it."""
        body = DisputeNoted(dispute_id=dispute, moot=moot)
        if not moot:
            asked = {"seller": self.brief.seller, "claim": self._of(dispute, DisputeOpened).claim}
            body = body.model_copy(update=asked)
        return self.tell(body, dispute, "NoteDispute")

    def contest(self, dispute: str) -> str:
        """The seller contests."""
        until = self.now + timedelta(days=self.policy.negotiation_ends_after_days)
        body = DisputeAnswered(dispute_id=dispute, stance=Stance.CONTESTS, text="", evidence=(), negotiate_until=until)
        return self.tell(body, self.ask("AnswerDispute", "dispute"), "AnswerDispute")

    def propose(self, dispute: str, amount: int, by: Role = Role.SELLER, *, cause: str | None = None) -> str:
        """One side offers."""
        until = self.now + timedelta(days=self.policy.negotiation_ends_after_days)
        body = SettlementProposed(
            dispute_id=dispute, by=by, remedy=Remedy(amount=usd(amount)), text="", negotiate_until=until
        )
        return self.tell(body, cause or self.ask("ProposeSettlement", "dispute"), "ProposeSettlement")

    def settle(self, dispute: str, offer: str, by: Role = Role.BUYER, *, cause: str | None = None) -> str:
        """The other side accepts."""
        remedy = self._of(offer, SettlementProposed).remedy
        body = SettlementAccepted(dispute_id=dispute, offer_id=offer, by=by, remedy=remedy, return_by=None)
        return self.tell(body, cause or self.ask("AcceptSettlement", "dispute"), "AcceptSettlement")

    def send_back(self, dispute: str) -> str:
        """The goods go back."""
        return self.tell(ReturnSent(dispute_id=dispute), self.ask("SendReturn", "dispute"), "SendReturn")

    def escalate(self, dispute: str, talk: str) -> str:
        """The platform steps in when the time to talk has passed."""
        self.wait(days=self.policy.negotiation_ends_after_days)
        return self.tell(DisputeEscalated(dispute_id=dispute, why="time"), f"{talk}:NegotiationEnds", "EndNegotiation")

    def resolve(self, dispute: str, cause: str, refund: int, by: Resolution = Resolution.PLATFORM) -> str:
        """The ruling."""
        body = DisputeResolved(
            brief=self.brief,
            dispute_id=dispute,
            by=by,
            claim=self._of(dispute, DisputeOpened).claim,
            refund=usd(refund),
            rule="R20",
            facts=(),
            explanation="So it is.",
        )
        return self.tell(body, cause, "Rule")
