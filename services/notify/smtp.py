"""Sending over SMTP, on a few connections that stay open."""

import asyncio
import contextlib
import socket
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from countermand.runtime.health import Check
from countermand.runtime.outage import Unavailable
from services.notify.mail import Mail, MailRefused

CONNECT_TIMEOUT_S: Final = 10.0
"""For the connection and the greeting: a server that needs longer is as good as away."""

ANSWER_TIMEOUT_S: Final = 30.0
"""For each answer of the server. A mail whose answer comes later is sent again, so this is generous."""

QUIT_TIMEOUT_S: Final = 1.0
"""For the goodbye, which nothing depends on."""

_CONNECTIONS_MAX: Final = 100
"""More than this many from one client is what mail servers take for abuse."""

_ANSWER_MAX: Final = 400
"""Characters kept of what a server says: `EmailFailed.reason` holds 500."""

_PORTS: Final = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}
_FORM: Final = "an SMTP URL is smtp://[user:password@]host:port, or begins with smtps:// or smtp+starttls://"
_PERMANENT: Final = 500
_CLOSING: Final = 421
_AWAY: Final = (SMTPException, OSError)


class MailServerUnavailable(Unavailable):
    """The server is away, or asks to come back later (4xx): the mail waits. The message says what happened."""


class _HungUp(MailServerUnavailable):
    """The connection was gone before the server heard of the mail."""


@dataclass(frozen=True, slots=True)
class SmtpUrl:
    """Where the server is, and how to speak to it. `scheme` is one of `_PORTS`."""

    scheme: str
    host: str
    port: int
    username: str | None
    password: str | None = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> "SmtpUrl":
        """Read `url`.

        Raises:
            ValueError: it is none; the message says why, and never the password.
        """
        if wrong := _wrong(url):
            msg = f"{_FORM}: {wrong}"
            raise ValueError(msg)
        parts = urlsplit(url)
        return cls(
            scheme=parts.scheme,
            host=parts.hostname or "",
            port=parts.port or _PORTS[parts.scheme],
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )


class SmtpSender:
    """A pool of `connections` connections at most, opened when needed and kept."""

    def __init__(self, url: str, connections: int = 4, *, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        if not 1 <= connections <= _CONNECTIONS_MAX:
            msg = f"expected 1 to {_CONNECTIONS_MAX} SMTP connections, got {connections}"
            raise ValueError(msg)
        self._url = SmtpUrl.parse(url)
        self._answer_timeout_s = answer_timeout_s
        self._slots = asyncio.Semaphore(connections)
        self._idle: list[SMTP] = []
        self._closed = False
        self._sent = 0
        self._trouble: str | None = None

    async def send(self, mail: Mail) -> None:
        """Hand `mail` over; on return the server has taken it.

        Raises:
            MailRefused: the server refused this mail for good (5xx).
            MailServerUnavailable: it could not take it now (4xx, no connection, no answer in time). It may have taken it
                and failed to say so; a repeat has the same Message-ID.
        """
        async with self._slots:
            if self._closed:
                msg = "this sender is closed"
                raise MailServerUnavailable(msg)
            try:
                await self._tell(mail)
            except MailServerUnavailable as error:
                self._trouble = str(error)
                raise
            except MailRefused:
                self._trouble = None  # It is there, and knows what it wants.
                raise
            self._sent += 1
            self._trouble = None

    def check(self) -> Check:
        """What the last email found. Nothing depends on it: emails wait."""
        last = f"{self._sent} emails sent" if self._sent else "no email sent yet"
        return Check("smtp", self._trouble is None, self._trouble or last, vital=False)

    async def close(self) -> None:
        """Say goodbye on every connection. A mail on its way is not cut short: its connection closes after it."""
        self._closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*map(_goodbye, idle))

    async def _tell(self, mail: Mail) -> None:
        try:
            await self._deliver(mail)
        except SMTPResponseException as error:
            raise _judged(error) from error
        except _AWAY as error:
            raise self._away(error) from error

    async def _deliver(self, mail: Mail) -> None:
        if self._idle:
            with contextlib.suppress(_HungUp):  # While it was idle, which says nothing about the server now.
                await self._deliver_over(self._idle.pop(), mail)
                return
        await self._deliver_over(await self._connect(), mail)

    async def _deliver_over(self, connection: SMTP, mail: Mail) -> None:
        """Hand `mail` over on this connection, and keep it if it is still good."""
        try:
            await self._introduce(connection, mail)
            await connection.rcpt(mail.to, encoding="utf-8")
            await connection.data(mail.content)
        except SMTPResponseException:
            await _reset(connection)
            raise
        except BaseException:
            connection.close()
            raise
        finally:
            await self._keep(connection)

    async def _introduce(self, connection: SMTP, mail: Mail) -> None:
        options = () if (mail.sender + mail.to).isascii() else ("SMTPUTF8",)
        try:
            await connection.mail(mail.sender, options=options, encoding="utf-8")
        except (SMTPServerDisconnected, SMTPTimeoutError) as error:
            raise _HungUp(str(self._away(error))) from error
        except SMTPResponseException as error:
            if error.code == _CLOSING:
                raise _HungUp(str(_judged(error))) from error
            raise

    async def _connect(self) -> SMTP:
        connection = SMTP(
            hostname=self._url.host,
            port=self._url.port,
            username=self._url.username,
            password=self._url.password,
            # By its own name: the full one may take a name server seconds to find.
            local_hostname=socket.gethostname(),
            timeout=self._answer_timeout_s,
            use_tls=self._url.scheme == "smtps",
            start_tls=self._url.scheme == "smtp+starttls",
        )
        try:
            await connection.connect(timeout=CONNECT_TIMEOUT_S)
            if connection.is_ehlo_or_helo_needed:
                await connection.ehlo()
        except SMTPResponseException as error:
            connection.close()
            # Even for good, this refuses us and not the mail: a wrong password must not lose one.
            raise self._away(error) from error
        except BaseException:
            connection.close()
            raise
        return connection

    async def _keep(self, connection: SMTP) -> None:
        if not connection.is_connected:
            return
        if self._closed:
            await _goodbye(connection)
        else:
            self._idle.append(connection)

    def _away(self, error: Exception) -> MailServerUnavailable:
        return MailServerUnavailable(f"{self._url.host}:{self._url.port}: {str(error) or type(error).__name__}")


def _wrong(url: str) -> str | None:
    """What is wrong with a URL; nothing that is said quotes what may be a password."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna"), parts.port
    except ValueError:
        return "it cannot be read"
    if parts.scheme not in _PORTS:
        return f"{parts.scheme or 'no scheme'!r} is none of {', '.join(_PORTS)}"
    if not host:
        return "it names no host"
    if port == 0:
        return "its port must be 1 to 65535"
    if parts.path.strip("/") or parts.query or parts.fragment:
        return "nothing may follow the port"
    if bool(parts.username) != bool(parts.password):
        return "a user needs a password, and a password a user"
    return None


async def _reset(connection: SMTP) -> None:
    """Make the connection fit for the next mail, or close it."""
    try:
        await connection.rset()
    except _AWAY:
        connection.close()
    except BaseException:
        connection.close()
        raise


async def _goodbye(connection: SMTP) -> None:
    with contextlib.suppress(*_AWAY):
        await connection.quit(timeout=QUIT_TIMEOUT_S)
    connection.close()


def _judged(error: SMTPResponseException) -> MailRefused | MailServerUnavailable:
    text = error.message.encode(errors="replace").decode()[:_ANSWER_MAX]
    return MailRefused(error.code, text) if error.code >= _PERMANENT else MailServerUnavailable(f"{error.code} {text}")
