"""Any SMTP server will do: one that is not ours gets the emails, and gets them whole."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Final

import pytest
import pytest_asyncio
from aiosmtpd.smtp import SMTP

from countermand.kernel.ids import order_id_from
from lab.market import Market
from lab.system import System, embedded
from tests.support import system as at

pytestmark = pytest.mark.asyncio(loop_scope="module")

INJECTION: Final = "Bea\r\nBcc: victim@example.org\r\nSubject: Buy gold\r\n\r\nDear reader"


@dataclass(frozen=True, slots=True)
class Mail:
    """A message as the server got it."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        """It, read by Python's own parser."""
        return message_from_bytes(self.content, policy=default)


@dataclass(slots=True)
class Inbox:
    """What the server takes; the names are aiosmtpd's."""

    mails: list[Mail] = field(default_factory=list[Mail])
    busy_times: int = 0
    url: str = ""

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Take it, or ask for it once more after all."""
        self.mails.append(Mail(envelope.mail_from, tuple(envelope.rcpt_tos), envelope.original_content))
        if self.busy_times:
            self.busy_times -= 1
            return "451 4.3.0 Taken, but come back"
        return "250 OK"

    async def of(self, order_id: str, mails: int) -> list[Mail]:
        """The mails about an order, once there are so many."""

        async def look() -> list[Mail]:
            found = [mail for mail in self.mails if mail.message["X-Countermand-Order"] == order_id]
            return found if len(found) >= mails else []

        return await at.until(look, f"{mails} emails about {order_id}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def inbox() -> AsyncGenerator[Inbox]:
    """A server of another make than our mailbox's settings know of, on a port that the system chose."""
    inbox = Inbox()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(inbox, hostname="foreign"), "127.0.0.1", 0)
    async with server:
        inbox.url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield inbox


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(inbox: Inbox) -> AsyncGenerator[System]:
    """A system that was told to use that server."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SMTP_URL", inbox.url)
        async with embedded() as system:
            yield system


@pytest_asyncio.fixture(loop_scope="module")
async def market(system: System) -> AsyncGenerator[Market]:
    """The marketplace from outside."""
    async with at.connected(system.nats_url) as market:
        yield market


async def test_the_server_named_by_smtp_url_gets_each_email_as_text_and_html(
    system: System, market: Market, inbox: Inbox
) -> None:
    """One email a promised fact, to the buyer, both parts saying the same; our own mailbox gets none."""
    order_id = order_id_from("foreign", "paid")
    await at.Buyer(market, order_id).cancels_paid()

    mails = await inbox.of(order_id, 2)
    await at.drained(market)

    assert len(inbox.mails) == 2
    messages = [mail.message for mail in mails]
    assert sorted(message["X-Countermand-Kind"] for message in messages) == ["cancelled", "refund_issued"]
    assert [mail.recipients for mail in mails] == [(f"{order_id}@shop.example",)] * 2
    for message in messages:
        assert message.get_content_type() == "multipart/alternative"
        assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
        assert message["To"] == f"Bea Buyer <{order_id}@shop.example>"
        for part in ("plain", "html"):
            body = message.get_body((part,))
            assert body is not None
            assert "Desk lamp, brass" in body.get_content()
    recorded = {fact.body.message_id for fact in await at.facts_of(market, order_id) if fact.name == "EmailSent"}
    assert {message["Message-ID"] for message in messages} == recorded
    assert (await at.mail_count(system.mailbox_url))["received"] == 0


async def test_a_repeated_email_is_the_same_email(market: Market, inbox: Inbox) -> None:
    """The server takes it and says 451: what comes again bears the same Message-ID, byte for byte."""
    inbox.busy_times = 1
    order_id = order_id_from("foreign", "twice")
    await at.Buyer(market, order_id).cancels_unpaid()

    first, again = await inbox.of(order_id, 2)
    await at.drained(market)

    assert first.message["Message-ID"] == again.message["Message-ID"]
    assert first.content == again.content
    assert [fact.name for fact in await at.facts_of(market, order_id)].count("EmailSent") == 1


async def test_a_name_with_line_breaks_adds_neither_headers_nor_recipients(market: Market, inbox: Inbox) -> None:
    """A buyer whose name continues with a Bcc header reaches nobody else and says nothing in our name."""
    order_id = order_id_from("foreign", "injection")
    await at.Buyer(market, order_id, name=INJECTION).cancels_unpaid()

    [mail] = await inbox.of(order_id, 1)

    assert mail.recipients == (f"{order_id}@shop.example",)
    message = mail.message
    assert message["Bcc"] is None
    assert message.get_all("Subject") == [message["Subject"]]
    assert "gold" not in message["Subject"]
    assert [address.addr_spec for address in message["To"].addresses] == [f"{order_id}@shop.example"]
    head = mail.content.partition(b"\r\n\r\n")[0]
    assert [line for line in head.split(b"\r\n") if line.lower().startswith((b"bcc", b"dear"))] == []
    assert len([part.get_content_type() for part in message.iter_parts()]) == 2, "the name began no body of its own"


async def test_a_story_whose_emails_go_elsewhere_is_judged_by_what_was_recorded(inbox: Inbox) -> None:
    ran = await at.countermand("story", "change-of-mind", environment={"SMTP_URL": inbox.url})
    assert (ran.code, ran.err) == (0, "")
    assert "1 of 1 stories right, 1 emails" in ran.out


async def test_a_mailbox_that_does_not_answer_is_noticed_before_anything_is_played(system: System) -> None:
    nobody = "http://127.0.0.1:1"
    ran = await at.countermand("story", "change-of-mind", "--nats", system.nats_url, "--mailbox", nobody)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert f"no mailbox answers at {nobody}" in ran.err
