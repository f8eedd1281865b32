"""Real mail by real SMTP: the sender of notify against the mailbox, and against servers that misbehave."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from pathlib import Path
from time import monotonic
from typing import Any, Final

import httpx
import pytest
from aiosmtplib import SMTP

from countermand.kernel.policy import PromisedEmail
from services.mailbox.app import MailboxSettings, open_mailbox
from services.mailbox.store import Store
from services.notify.mail import Mail, MailRefused, compose
from services.notify.smtp import MailServerUnavailable, SmtpSender
from tests.support.orders import ORDER_ID, START, cancelled, refused

OTHER_ORDER: Final = "0" * 24
SENDER: Final = "Countermand <orders@countermand.example>"
SOON_S: Final = 2.0
"""Long enough for anything that happens at once, on a busy machine."""


@dataclass(frozen=True, slots=True)
class Box:
    """A mailbox that listens, and a client of its HTTP side."""

    smtp_url: str
    http: httpx.AsyncClient

    async def get(self, path: str, **params: str | int) -> Any:
        """What it answers."""
        answer = await self.http.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def behave(self, mode: str, **more: float) -> None:
        """Change how it fails."""
        answer = await self.http.put("/mode", json={"mode": mode, **more})
        assert answer.status_code == 200, answer.text


@asynccontextmanager
async def opened(**settings: Any) -> AsyncGenerator[Box]:
    """A mailbox on free ports."""
    chosen = MailboxSettings.model_validate({"smtp_port": 0, "http_port": 0} | settings)
    async with (
        open_mailbox(chosen) as addresses,
        httpx.AsyncClient(base_url=addresses.http_url, trust_env=False, timeout=SOON_S) as http,
    ):
        yield Box(addresses.smtp_url, http)


@asynccontextmanager
async def sending(url: str, connections: int = 4, answer_timeout_s: float = SOON_S) -> AsyncGenerator[SmtpSender]:
    """A sender that is closed in the end."""
    sender = SmtpSender(url, connections, answer_timeout_s=answer_timeout_s)
    try:
        yield sender
    finally:
        await sender.close()


@pytest.fixture
async def box() -> AsyncGenerator[Box]:
    async with opened() as box:
        yield box


@pytest.fixture
async def sender(box: Box) -> AsyncGenerator[SmtpSender]:
    async with sending(box.smtp_url) as sender:
        yield sender


def mail(fact_id: str = "f1", order_id: str = ORDER_ID) -> Mail:
    """A cancellation's email."""
    return compose(PromisedEmail.CANCELLED, cancelled(), fact_id, order_id, START, SENDER)


def refusal(fact_id: str = "f2") -> Mail:
    """A refusal's email."""
    return compose(PromisedEmail.REFUSED, refused("r1"), fact_id, ORDER_ID, START, SENDER)


# What arrives.


async def test_a_mail_arrives_as_it_was_composed(box: Box, sender: SmtpSender) -> None:
    sent = mail()
    await sender.send(sent)
    (listed,) = await box.get("/messages")
    assert listed.pop("received_at").endswith("+00:00")
    assert listed == {
        "id": 1,
        "message_id": sent.message_id,
        "order_id": ORDER_ID,
        "kind": "cancelled",
        "from": "orders@countermand.example",
        "to": "bea@example.org",
        "subject": sent.subject,
    }
    whole = await box.get("/messages/1")
    assert whole["subject"] == sent.subject
    assert "The seller agreed" in whole["text"]
    assert "<p>Hello Bea Buyer,</p>" in whole["html"]
    assert whole["headers"].startswith("From: Countermand")
    assert "Auto-Submitted: auto-generated" in whole["headers"]


async def test_a_mail_sent_twice_is_one_message_id_and_one_duplicate(box: Box, sender: SmtpSender) -> None:
    await sender.send(mail())
    await sender.send(mail())
    await sender.send(refusal())
    assert await box.get("/count") == {"received": 3, "distinct": 2, "duplicates": 1}
    assert await box.get("/message-ids") == {mail().message_id: 2, refusal().message_id: 1}


async def test_the_list_is_chosen_by_order_kind_and_limit_the_newest_last(box: Box, sender: SmtpSender) -> None:
    for one in (mail("a"), refusal("b"), mail("c", OTHER_ORDER), mail("d")):
        await sender.send(one)
    assert [one["id"] for one in await box.get("/messages")] == [1, 2, 3, 4]
    assert [one["id"] for one in await box.get("/messages", order=ORDER_ID)] == [1, 2, 4]
    assert [one["id"] for one in await box.get("/messages", order=ORDER_ID, kind="cancelled")] == [1, 4]
    assert [one["id"] for one in await box.get("/messages", kind="refused")] == [2]
    assert [one["id"] for one in await box.get("/messages", limit=2)] == [3, 4]
    assert await box.get("/message-ids", order=OTHER_ORDER) == {mail("c").message_id: 1}


async def test_only_the_newest_bodies_are_kept_but_every_message_id() -> None:
    async with opened(max_messages=3) as box, sending(box.smtp_url) as sender:
        for number in range(5):
            await sender.send(mail(f"f{number}"))
        assert [one["id"] for one in await box.get("/messages")] == [3, 4, 5]
        assert (await box.http.get("/messages/2")).status_code == 404
        assert len(await box.get("/message-ids")) == 5
        assert await box.get("/count") == {"received": 5, "distinct": 5, "duplicates": 0}


async def test_bodies_are_bounded_in_bytes_too() -> None:
    async with opened(max_kept_bytes=2 * len(mail().content) + 100) as box, sending(box.smtp_url) as sender:
        for number in range(5):
            await sender.send(mail(f"f{number}"))
        assert [one["id"] for one in await box.get("/messages")] == [4, 5]


async def test_a_message_that_is_too_large_is_refused_for_good() -> None:
    async with opened(max_message_bytes=1_000) as box, sending(box.smtp_url) as sender:
        with pytest.raises(MailRefused) as raised:
            await sender.send(mail())
        assert raised.value.code == 552
        assert await box.get("/messages") == []


async def test_many_message_ids_are_listed_whole(box: Box, sender: SmtpSender) -> None:
    sent = [mail(f"f{number}") for number in range(1_050)]
    await asyncio.gather(*map(sender.send, sent))
    assert await box.get("/message-ids") == {one.message_id: 1 for one in sent}


async def test_deleting_forgets_everything(box: Box, sender: SmtpSender) -> None:
    await sender.send(mail())
    assert (await box.http.delete("/messages")).status_code == 204
    assert await box.get("/messages") == []
    assert await box.get("/message-ids") == {}
    assert await box.get("/count") == {"received": 0, "distinct": 0, "duplicates": 0}
    await sender.send(mail())
    assert await box.get("/count") == {"received": 1, "distinct": 1, "duplicates": 0}


async def test_an_international_address_arrives(box: Box, sender: SmtpSender) -> None:
    fact = cancelled()
    buyer = fact.brief.buyer.model_copy(update={"email": "zoë@bücher.example", "name": "Zoë 👩‍👧, <x>"})
    fact = fact.model_copy(update={"brief": fact.brief.model_copy(update={"buyer": buyer})})
    await sender.send(compose(PromisedEmail.CANCELLED, fact, "f1", ORDER_ID, START, SENDER))
    assert [one["to"] for one in await box.get("/messages")] == ["zoë@xn--bcher-kva.example"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no header at all",
        b"Subject: =?utf-8?b?\xff?=\r\nX-Countermand-Order: \xff\xfe\r\n\r\n\xff\xfe",
        b"Content-Type: text/plain; charset=no-such\r\n\r\nhello",
        b"Content-Type: multipart/alternative; boundary=x\r\n\r\n--y\r\n",
        b'Content-Type: multipart/alternative; boundary="\r\n\r\n--\r\n',
        b"Message-ID:\r\nTo: =?\r\nSubject: " + b"a" * 900 + b"\r\n " + b"b" * 900 + b"\r\n\r\n",
    ],
)
async def test_mail_of_any_kind_is_taken_and_shown(box: Box, content: bytes) -> None:
    connection = SMTP(hostname="127.0.0.1", port=port_of(box.smtp_url), start_tls=False, local_hostname="test")
    async with connection:
        for _ in range(2):
            await connection.sendmail("a@example.org", ["b@example.org", "c@example.org"], content)
    assert await box.get("/count") == {"received": 2, "distinct": 2, "duplicates": 0}
    assert (await box.get("/messages/1"))["to"] == "b@example.org, c@example.org"


async def test_a_mail_without_html_has_its_text(box: Box) -> None:
    plain = EmailMessage()
    plain["Subject"] = "grüße"
    plain.set_content("hällo\n")
    async with SMTP(hostname="127.0.0.1", port=port_of(box.smtp_url), start_tls=False, local_hostname="t") as smtp:
        await smtp.send_message(plain, sender="a@example.org", recipients=["b@example.org"])
    whole = await box.get("/messages/1")
    assert (whole["subject"], whole["text"], whole["html"]) == ("grüße", "hällo\n", None)


# How it fails when told to.


async def test_451_is_the_servers_trouble_and_passes(box: Box, sender: SmtpSender) -> None:
    await box.behave("451")
    with pytest.raises(MailServerUnavailable, match="451"):
        await sender.send(mail())
    await box.behave("ok")
    await sender.send(mail())
    assert await box.get("/count") == {"received": 1, "distinct": 1, "duplicates": 0}


async def test_550_is_the_mails_trouble_and_the_next_goes_through(box: Box, sender: SmtpSender) -> None:
    await box.behave("550")
    with pytest.raises(MailRefused, match="550") as raised:
        await sender.send(mail())
    assert raised.value.code == 550
    await box.behave("ok")
    await sender.send(refusal())
    assert list(await box.get("/message-ids")) == [refusal().message_id]


async def test_slow_waits_before_it_takes_a_message(box: Box, sender: SmtpSender) -> None:
    await box.behave("slow", delay_s=0.3)
    began = monotonic()
    await sender.send(mail())
    assert monotonic() - began >= 0.3
    assert await box.get("/count") == {"received": 1, "distinct": 1, "duplicates": 0}


async def test_slower_than_anybody_waits_is_as_good_as_away(box: Box) -> None:
    await box.behave("slow", delay_s=60)
    async with sending(box.smtp_url, answer_timeout_s=0.2) as sender:
        with pytest.raises(MailServerUnavailable, match="Timed out"):
            await sender.send(mail())
    await box.behave("ok")
    assert await box.get("/count") == {"received": 0, "distinct": 0, "duplicates": 0}


async def test_slowness_that_ends_lets_those_go_who_wait(box: Box, sender: SmtpSender) -> None:
    await box.behave("slow", delay_s=60)
    waiting = asyncio.create_task(sender.send(mail()))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await box.behave("ok")
    await asyncio.wait_for(waiting, SOON_S)


async def test_slowness_for_some_time_keeps_nobody_longer(box: Box, sender: SmtpSender) -> None:
    await box.behave("slow", delay_s=60, for_s=0.2)
    await asyncio.wait_for(sender.send(mail()), SOON_S)


async def test_down_hangs_up_on_old_connections_and_new(box: Box, sender: SmtpSender) -> None:
    await sender.send(mail())
    await box.behave("down")
    with pytest.raises(MailServerUnavailable):
        await sender.send(refusal())
    with pytest.raises(MailServerUnavailable):
        await sender.send(refusal())
    await box.behave("ok")
    await sender.send(refusal())
    assert await box.get("/count") == {"received": 2, "distinct": 2, "duplicates": 0}


@pytest.mark.parametrize("mode", ["451", "550", "slow", "down"])
async def test_a_failure_for_some_time_ends_by_itself(box: Box, sender: SmtpSender, mode: str) -> None:
    await box.behave(mode, for_s=0.2, delay_s=60)
    assert (await box.get("/mode"))["mode"] == mode
    await asyncio.sleep(0.25)
    assert await box.get("/mode") == {"mode": "ok", "delay_s": 1.0, "remaining_s": None}
    await asyncio.wait_for(sender.send(mail()), SOON_S)


async def test_a_failure_of_the_mailbox_itself_loses_no_mail(
    box: Box, sender: SmtpSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By itself aiosmtpd would answer 500, and the sender would give the mail up."""

    def disk_full(*_: object) -> None:
        raise sqlite3.OperationalError

    with monkeypatch.context() as patched:
        patched.setattr(Store, "add", disk_full)
        with pytest.raises(MailServerUnavailable, match="451"):
            await sender.send(mail())
    await sender.send(mail())
    assert (await box.get("/count"))["received"] == 1


async def test_more_connections_than_it_can_hold_are_asked_to_come_back(
    box: Box, sender: SmtpSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.mailbox.smtp._CONNECTIONS_MAX", 1)
    await sender.send(mail())
    async with sending(box.smtp_url) as other:
        with pytest.raises(MailServerUnavailable, match="421"):
            await other.send(mail())
    await sender.send(refusal())


async def test_more_recipients_than_a_message_may_have_are_left_out(box: Box) -> None:
    everybody = [f"u{number}@example.org" for number in range(101)]
    async with SMTP(hostname="127.0.0.1", port=port_of(box.smtp_url), start_tls=False, local_hostname="t") as smtp:
        left_out, _ = await smtp.sendmail("a@example.org", everybody, b"Subject: all\r\n\r\nhello")
    assert {address: answer.code for address, answer in left_out.items()} == {"u100@example.org": 452}
    assert (await box.get("/messages/1"))["to"] == ", ".join(everybody[:100])


# Connections.


async def test_a_server_that_restarts_costs_no_mail_an_error() -> None:
    async with opened() as box:
        port = port_of(box.smtp_url)
        sender = SmtpSender(box.smtp_url, answer_timeout_s=SOON_S)
        await asyncio.gather(*(sender.send(mail(f"f{number}")) for number in range(8)))
    async with opened(smtp_port=port) as box:
        for number in range(8):
            await sender.send(mail(f"g{number}"))
        assert await box.get("/count") == {"received": 8, "distinct": 8, "duplicates": 0}
        await sender.close()


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with sending(f"smtp://127.0.0.1:{port}") as sender:
        with pytest.raises(MailServerUnavailable, match=f"127.0.0.1:{port}"):
            await sender.send(mail())


async def test_a_closed_sender_sends_nothing(box: Box, sender: SmtpSender) -> None:
    await sender.send(mail())
    await sender.close()
    with pytest.raises(MailServerUnavailable, match="closed"):
        await sender.send(mail())
    assert (await box.get("/count"))["received"] == 1


async def test_a_cancelled_send_leaves_no_half_sent_mail_behind(box: Box) -> None:
    await box.behave("slow", delay_s=60)
    async with sending(box.smtp_url, connections=1) as sender:
        cut_short = asyncio.create_task(sender.send(mail()))
        await asyncio.sleep(0.1)
        cut_short.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cut_short
        await box.behave("ok")
        await sender.send(refusal())
    assert list(await box.get("/message-ids")) == [refusal().message_id]


@dataclass(slots=True)
class Stub:
    """What a server of a script has seen; `commands` are those with arguments."""

    port: int = 0
    connections: int = 0
    mails: int = 0
    at_once: int = 0
    at_once_max: int = 0
    commands: list[str] = field(default_factory=list[str])


Script = dict[str, str | list[str]]
"""The answer to each first word of a command, `.` for the message itself; of several, one each time, then `250 ok`."""
_GOOD: Final[dict[str, str]] = {"": "220 hi", "DATA": "354 go", "QUIT": "221 bye"}


@asynccontextmanager
async def stub(script: Script, on_mail: Callable[[Stub], Awaitable[None]] | None = None) -> AsyncGenerator[Stub]:
    """Serve while the block runs. An empty answer hangs up; every other command gets 250."""
    state = Stub()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.connections += 1
        command = ""
        try:
            while answer := _answer(script, command):
                writer.write(f"{answer}\r\n".encode())
                await writer.drain()
                if command == "DATA" and answer.startswith("354"):
                    state.at_once += 1
                    state.at_once_max = max(state.at_once, state.at_once_max)
                    await reader.readuntil(b"\r\n.\r\n")
                    if on_mail is not None:
                        await on_mail(state)
                    state.at_once -= 1
                    state.mails += 1
                    command = "."
                else:
                    line = (await reader.readuntil(b"\r\n")).decode()
                    state.commands.append(line.strip())
                    command = line.split()[0].upper()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        await asyncio.sleep(0.05)  # What is still being said gets to end.


def _answer(script: Script, command: str) -> str:
    answer = script.get(command, _GOOD.get(command, "250 ok"))
    if isinstance(answer, str):
        return answer
    return answer.pop(0) if answer else "250 ok"


async def test_connections_are_kept_and_never_more_than_allowed() -> None:
    async def take_time(_: Stub) -> None:
        await asyncio.sleep(0.01)

    async with stub({}, take_time) as server, sending(f"smtp://127.0.0.1:{server.port}", connections=3) as sender:
        await asyncio.gather(*(sender.send(mail(f"f{number}")) for number in range(30)))
        await sender.send(mail())
        assert (server.mails, server.connections, server.at_once_max) == (31, 3, 3)


async def test_a_refused_mail_does_not_cost_the_connection() -> None:
    async with stub({"RCPT": "550 nobody"}) as server, sending(f"smtp://127.0.0.1:{server.port}") as sender:
        for _ in range(3):
            with pytest.raises(MailRefused):
                await sender.send(mail())
        assert server.connections == 1


async def test_a_server_that_asks_a_kept_connection_to_close_costs_no_mail_an_error() -> None:
    script: Script = {"MAIL": ["250 ok", "421 idle too long"]}
    async with stub(script) as server, sending(f"smtp://127.0.0.1:{server.port}") as sender:
        await sender.send(mail())
        await sender.send(refusal())
        assert (server.mails, server.connections) == (2, 2)


async def test_only_an_address_that_needs_it_asks_for_smtputf8() -> None:
    async with stub({}) as server, sending(f"smtp://127.0.0.1:{server.port}") as sender:
        await sender.send(mail())
        await sender.send(replace(mail(), to="zoë@example.org"))
    assert [line for line in server.commands if line.startswith(("MAIL", "RCPT"))] == [
        "MAIL FROM:<orders@countermand.example>",
        "RCPT TO:<bea@example.org>",
        "MAIL FROM:<orders@countermand.example> SMTPUTF8",
        "RCPT TO:<zoë@example.org>",
    ]


async def test_a_connection_that_dies_under_a_mail_is_not_used_to_send_it_again() -> None:
    """Whether the server took it is unknown: the caller decides when to repeat."""
    async with stub({".": ""}) as server, sending(f"smtp://127.0.0.1:{server.port}") as sender:
        with pytest.raises(MailServerUnavailable):
            await sender.send(mail())
        assert (server.mails, server.connections) == (1, 1)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ({"": "554 go away"}, MailServerUnavailable),
        ({"": "421 busy"}, MailServerUnavailable),
        ({"": ""}, MailServerUnavailable),
        ({"": "garbage"}, MailServerUnavailable),
        ({"EHLO": "502 what"}, MailServerUnavailable),
        ({"MAIL": "421 closing"}, MailServerUnavailable),
        ({"MAIL": "450 later"}, MailServerUnavailable),
        ({"MAIL": "553 no such sender"}, MailRefused),
        ({"RCPT": "450 greylisted"}, MailServerUnavailable),
        ({"RCPT": "551 not here"}, MailRefused),
        ({"RCPT": ""}, MailServerUnavailable),
        ({"DATA": "451 not now"}, MailServerUnavailable),
        ({"DATA": "554 no"}, MailRefused),
        ({".": "452 disk full"}, MailServerUnavailable),
        ({".": "554 spam " + "x" * 1_000}, MailRefused),
        ({".": "421 closing"}, MailServerUnavailable),
        ({"RCPT": "550 no", "RSET": ""}, MailRefused),
        ({"RCPT": "550 no", "RSET": "421 closing"}, MailRefused),
    ],
    ids=str,
)
async def test_every_answer_is_the_mails_fault_or_the_servers(script: Script, error: type[Exception]) -> None:
    async with stub(script) as server, sending(f"smtp://127.0.0.1:{server.port}") as sender:
        for _ in range(2):
            with pytest.raises(error) as raised:
                await sender.send(mail())
            assert len(str(raised.value)) <= 500  # `EmailFailed.reason` holds no more.


async def test_a_server_that_never_answers_is_given_up_on() -> None:
    async def fall_silent(_: Stub) -> None:
        await asyncio.sleep(SOON_S)

    async with (
        stub({}, fall_silent) as server,
        sending(f"smtp://127.0.0.1:{server.port}", answer_timeout_s=0.1) as sender,
    ):
        with pytest.raises(MailServerUnavailable, match="Timed out"):
            await sender.send(mail())


@pytest.mark.parametrize("login", ["smtp://user:secret@", "smtp+starttls://", "smtps://"])
async def test_what_the_server_cannot_do_is_not_done_without(login: str) -> None:
    """No login, or no TLS: the mail waits, and is not sent in the open."""
    async with stub({}) as server, sending(f"{login}127.0.0.1:{server.port}") as sender:
        with pytest.raises(MailServerUnavailable) as raised:
            await sender.send(mail())
        assert server.mails == 0
        assert "secret" not in str(raised.value)


async def test_a_wrong_password_loses_no_mail() -> None:
    script: Script = {"EHLO": "250-hi\r\n250 AUTH PLAIN", "AUTH": "535 wrong"}
    async with stub(script) as server, sending(f"smtp://u:secret@127.0.0.1:{server.port}") as sender:
        with pytest.raises(MailServerUnavailable, match="535") as raised:
            await sender.send(mail())
        assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:25",
        "http://localhost:25",
        "smtp://",
        "smtp://:25",
        "smtp://host:port",
        "smtp://host:0",
        "smtp://host:99999",
        "smtp://host:25/path",
        "smtp://host:25?x=secret",
        "smtp://user@host:25",
        "smtp://:secret@host:25",
        "smtp://user:sec/ret@host:25",
        "smtp://[::1:25",
        "smtp://" + "h" * 64 + ":25",
    ],
)
def test_a_malformed_url_is_told_in_one_sentence_without_the_password(url: str) -> None:
    with pytest.raises(ValueError, match="an SMTP URL is smtp://") as raised:
        SmtpSender(url)
    assert "\n" not in str(raised.value)
    assert "sec" not in str(raised.value)


@pytest.mark.parametrize("connections", [0, -1, 101])
def test_the_number_of_connections_is_bounded(connections: int) -> None:
    with pytest.raises(ValueError, match="expected 1 to 100 SMTP connections"):
        SmtpSender("smtp://localhost", connections)


# The HTTP side, and the process.


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/messages?order=no", None, 400),
        ("GET", "/messages?kind=no", None, 400),
        ("GET", "/messages?limit=0", None, 400),
        ("GET", "/messages?limit=1001", None, 400),
        ("GET", "/messages?limit=x", None, 400),
        ("GET", "/messages?ordre=x", None, 400),
        ("GET", "/message-ids?order=no", None, 400),
        ("GET", "/messages/1", None, 404),
        ("GET", "/messages/99999999999999999999", None, 404),
        ("GET", "/messages/x", None, 404),
        ("GET", "/nothing", None, 404),
        ("POST", "/messages", b"{}", 405),
        ("PUT", "/mode", b"", 400),
        ("PUT", "/mode", b"{", 400),
        ("PUT", "/mode", b"[]", 400),
        ("PUT", "/mode", b'"ok"', 400),
        ("PUT", "/mode", b'{"mode": "lazy"}', 400),
        ("PUT", "/mode", b'{"mode": 451}', 400),
        ("PUT", "/mode", b'{"mode": "slow", "delay_s": -1}', 400),
        ("PUT", "/mode", b'{"mode": "slow", "delay_s": 601}', 400),
        ("PUT", "/mode", b'{"mode": "slow", "delay_s": NaN}', 400),
        ("PUT", "/mode", b'{"mode": "down", "for_s": 0}', 400),
        ("PUT", "/mode", b'{"mode": "ok", "more": 1}', 400),
        ("PUT", "/mode", b"[" * 9_000, 400),
        ("PUT", "/mode", b"x" * 20_000, 413),
    ],
    ids=str,
)
async def test_bad_input_gets_a_problem(box: Box, method: str, path: str, body: bytes | None, status: int) -> None:
    answer = await box.http.request(method, path, content=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer.json()["detail"]
    assert (await box.get("/mode"))["mode"] == "ok"


async def test_it_says_that_it_is_well(box: Box) -> None:
    assert await box.get("/healthz") == {"status": "ok"}


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT])
async def test_the_process_tells_where_it_listens_and_ends_when_told(tmp_path: Path, signal_: signal.Signals) -> None:
    ready = tmp_path / "ready.json"
    mailbox = await start(MAILBOX_READY_FILE=str(ready))
    async with asyncio.timeout(30):
        while not ready.exists():  # noqa: ASYNC110 (it appears whole, and nothing else tells)
            await asyncio.sleep(0.02)
    addresses: dict[str, str] = json.loads(ready.read_text())
    async with sending(addresses["smtp_url"]) as sender, httpx.AsyncClient(trust_env=False) as http:
        await sender.send(mail())
        await http.put(f"{addresses['http_url']}/mode", json={"mode": "down"})
        with pytest.raises(MailServerUnavailable):
            await sender.send(mail())
        await http.put(f"{addresses['http_url']}/mode", json={"mode": "ok"})
        await sender.send(mail())
        assert (await http.get(f"{addresses['http_url']}/count")).json()["received"] == 2
        mailbox.send_signal(signal_)  # With connections open.
        _, logged = await asyncio.wait_for(mailbox.communicate(), 10)
    assert mailbox.returncode == 0
    lines = [json.loads(line) for line in logged.splitlines()]
    assert [line["event"] for line in lines] == ["mailbox.listening", "mailbox.stopping"]
    assert lines[0]["smtp_url"] == addresses["smtp_url"]
    assert lines[0]["http_url"] == addresses["http_url"]


@pytest.mark.parametrize("port", ["MAILBOX_SMTP_PORT", "MAILBOX_HTTP_PORT"])
async def test_a_port_in_use_is_one_line_and_exit_2(port: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        mailbox = await start(**{port: str(number)})
        _, logged = await asyncio.wait_for(mailbox.communicate(), 30)
    assert mailbox.returncode == 2
    assert len(logged.splitlines()) == 1
    assert str(number) in logged.decode()


async def test_an_impossible_setting_is_one_line_and_exit_2() -> None:
    mailbox = await start(MAILBOX_MAX_MESSAGES="many")
    _, logged = await asyncio.wait_for(mailbox.communicate(), 30)
    assert mailbox.returncode == 2
    assert len(logged.splitlines()) == 1
    assert "max_messages" in logged.decode()


async def start(**environment: str) -> asyncio.subprocess.Process:
    """The mailbox as a process, on free ports."""
    free = {"MAILBOX_SMTP_PORT": "0", "MAILBOX_HTTP_PORT": "0", "LOG_FORMAT": "json"}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.mailbox",
        env=os.environ | free | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def port_of(url: str) -> int:
    """The port of an address."""
    return int(url.rpartition(":")[2])
