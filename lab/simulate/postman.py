"""notify's effect in a simulation: a mail server that takes an email, is busy or away, or refuses it."""

from typing import TYPE_CHECKING, Final

from countermand.contracts.base import Owner
from countermand.contracts.notify import EmailFailed, EmailSent
from countermand.runtime.envelope import Envelope
from countermand.runtime.outage import Unavailable
from lab.simulate.life import SECOND
from lab.simulate.ports import pause
from services.notify.decider import LetterEvent, SendEmail

if TYPE_CHECKING:
    from lab.simulate.engine import Engine

_AWAY: Final = (60 * SECOND, 3600 * SECOND)


class Postman:
    """Emails are counted by their Message-ID."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    async def deliver(self, event: LetterEvent, command: SendEmail, caused_by: Envelope) -> LetterEvent:  # noqa: ARG002
        """Send it, unless the mail server has something against it.

        Raises:
            Unavailable: it is busy or away.
        """
        engine = self._engine
        life = engine.life
        if isinstance(event, EmailFailed):
            return event
        if engine.unlucky:
            if engine.strikes("smtp_away", event.kind):
                least, most = _AWAY
                life.mail_back_at = life.now + least + int(life.chance() * (most - least))
            if life.now < life.mail_back_at:
                await pause(life.mail_back_at - life.now)  # Of the tries meanwhile, the last one stands for all.
                msg = "the mail server is away"
                raise Unavailable(msg)
            if engine.strikes("smtp_busy", event.kind):
                msg = "451 try again later"
                raise Unavailable(msg)
            if engine.strikes("smtp_refuses", event.kind):
                return EmailFailed(
                    kind=event.kind, fact_id=event.fact_id, to=event.to, message_id=event.message_id, reason="550 no"
                )
        life.mails[event.message_id] += 1
        engine.passing(Owner.NOTIFY, "after_smtp", EmailSent.__name__)
        return event
