"""What notify does about what it hears: every fact of the table may promise an email. Pure."""

from countermand.contracts.base import Event
from countermand.kernel.reactions import Reactions
from countermand.kernel.terms import Terms
from services.notify.decider import SendEmail
from services.notify.promises import PROMISES

REACTIONS: Reactions[SendEmail] = Reactions()


def tell_the_buyer(fact: Event, fact_id: str) -> SendEmail:
    """R6, and R2: the buyer is told."""
    return SendEmail(PROMISES[type(fact)], fact, fact_id)


for promising in PROMISES:
    REACTIONS.on(promising)(tell_the_buyer)


def is_promised(fact: object, terms: Terms) -> bool:
    """Whether the order's policy promises an email about this fact."""
    return isinstance(fact, Event) and PROMISES.get(type(fact)) in terms.policy.emails
