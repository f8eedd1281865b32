"""The composition of notify: its card, and the effect that makes a decided email true."""

from dataclasses import replace
from typing import Final

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings

from countermand.contracts.base import Owner
from countermand.contracts.notify import EmailFailed, EmailSent
from countermand.runtime.card import Card
from countermand.runtime.envelope import Envelope
from countermand.runtime.failpoints import Failpoint
from countermand.runtime.main import run
from countermand.runtime.settings import ConfigurationError, explain, load_settings
from services.notify.decider import NOTIFY, LetterEvent, Letters, SendEmail
from services.notify.mail import MailRefused, compose, read_sender
from services.notify.reactions import REACTIONS, is_promised
from services.notify.smtp import SmtpSender

CARD: Card[SendEmail, Letters, LetterEvent] = Card(
    name=Owner.NOTIFY,
    decider=NOTIFY,
    reactions=REACTIONS,
    timers={},
    accepts_commands=False,
    concerns=is_promised,
    failures=(EmailFailed,),
)

_MAX_REASON_LENGTH: Final = 500


class MailSettings(BaseSettings):
    """Where emails go."""

    smtp_url: str = Field(default="smtp://127.0.0.1:2525", description="any SMTP server")
    mail_from: str = Field(default="Countermand <orders@countermand.example>", description="the sender")
    smtp_connections: int = Field(default=40, ge=1, le=100, description="kept open side by side")


class Postman:
    """Sends what was decided. Retrying while the server is away is the lane's business."""

    def __init__(self, sender: SmtpSender, mail_from: str, failpoint: Failpoint) -> None:
        self._sender = sender
        self._mail_from = mail_from
        self._failpoint = failpoint

    async def deliver(self, event: LetterEvent, command: SendEmail, caused_by: Envelope) -> LetterEvent:
        """Send the email; the event that comes back is what really happened.

        A crash after the server's 250 and before the record sends the email again, with the same Message-ID.

        Raises:
            MailServerUnavailable: the server is away or busy (4xx).
        """
        if isinstance(event, EmailFailed):
            return event
        try:
            order_id = caused_by.address.order_id
            mail = compose(event.kind, command.fact, event.fact_id, order_id, caused_by.stored_at, self._mail_from)
            await self._sender.send(mail)
        except MailRefused as error:
            reason = str(error)[:_MAX_REASON_LENGTH]
            return EmailFailed(
                kind=event.kind, fact_id=event.fact_id, to=event.to, message_id=event.message_id, reason=reason
            )
        self._failpoint.passing(Owner.NOTIFY, "after_smtp", EmailSent.__name__)
        return event


def main() -> None:
    """Run notify in this process."""
    run(_compose)


def _compose() -> Card[SendEmail, Letters, LetterEvent]:
    try:
        mail = MailSettings()
        sender = SmtpSender(mail.smtp_url, mail.smtp_connections)
    except ValidationError as error:
        raise ConfigurationError(explain(error)) from error
    except ValueError as error:
        msg = f"SMTP_URL: {error}"
        raise ConfigurationError(msg) from error
    try:
        read_sender(mail.mail_from)
    except ValueError as error:
        msg = f"MAIL_FROM: {error}"
        raise ConfigurationError(msg) from error
    postman = Postman(sender, mail.mail_from, Failpoint(load_settings().countermand_crash_at))
    return replace(CARD, effect=postman.deliver, close=sender.close, checks=lambda: (sender.check(),))
