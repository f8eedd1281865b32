"""The language of notify: which emails were sent, and which could not be."""

from typing import ClassVar, Final

from pydantic import Field

from countermand.contracts.base import Command, EmailAddress, Event, Name, Owner, Reference
from countermand.kernel.policy import PromisedEmail


class _Event(Event):
    owner: ClassVar[Owner] = Owner.NOTIFY


class EmailSent(_Event):
    """An SMTP server took the email."""

    kind: PromisedEmail
    fact_id: Reference = Field(description="the event that promised it")
    to: EmailAddress
    subject: Name
    message_id: Name = Field(description="the Message-ID header, the same at every try")


class EmailFailed(_Event):
    """An SMTP server refused the email for good (5xx)."""

    kind: PromisedEmail
    fact_id: Reference
    to: EmailAddress
    message_id: Name
    reason: str = Field(max_length=500)


COMMANDS: Final[tuple[type[Command], ...]] = ()
EVENTS: Final[tuple[type[Event], ...]] = (EmailSent, EmailFailed)
