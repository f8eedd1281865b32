"""The letters of one order: which facts have had theirs. Pure; deciding promises the email that the effect then sends."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias, assert_never

from countermand.contracts.base import Event
from countermand.contracts.notify import EmailFailed, EmailSent
from countermand.kernel.decider import Deadline, Decider, Decision
from countermand.kernel.policy import PromisedEmail
from countermand.kernel.terms import Terms
from services.notify.mail import message_id_of, recipient_of, subject_of


@dataclass(frozen=True, slots=True)
class SendEmail:
    """Tell the buyer about a fact."""

    kind: PromisedEmail
    fact: Event
    fact_id: str


@dataclass(frozen=True, slots=True)
class Letters:
    """`sent` holds the ids of the facts that have had their email."""

    order_id: str
    terms: Terms
    sent: frozenset[str] = frozenset()


LetterEvent: TypeAlias = EmailSent | EmailFailed


def decide(command: SendEmail, state: Letters, now: datetime) -> Decision[LetterEvent]:  # noqa: ARG001
    """One email a promised fact; a failed one may be tried again, by an operator."""
    if command.kind not in state.terms.policy.emails or command.fact_id in state.sent:
        return None
    return EmailSent(
        kind=command.kind,
        fact_id=command.fact_id,
        to=recipient_of(command.fact),
        subject=subject_of(command.kind, command.fact),
        message_id=message_id_of(command.fact_id, command.kind),
    )


def evolve(state: Letters, event: LetterEvent, event_id: str) -> Letters:  # noqa: ARG001
    """The letters after `event`."""
    match event:
        case EmailSent(fact_id=fact_id):
            return replace(state, sent=state.sent | {fact_id})
        case EmailFailed():
            return state
        case _:
            assert_never(event)


def deadlines(state: Letters) -> tuple[Deadline, ...]:  # noqa: ARG001
    """An email waits for its mail server, not for a time."""
    return ()


NOTIFY: Decider[SendEmail, Letters, LetterEvent] = Decider(Letters, decide, evolve, deadlines)
