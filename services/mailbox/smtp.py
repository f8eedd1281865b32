"""The SMTP server, and how it is told to fail."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Literal, cast

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import BaseModel, ConfigDict, Field

from services.mailbox.store import Store

MESSAGE_BYTES_MAX: Final = 1024**2
"""Of one message: ours have 5 kB."""

_CONNECTIONS_MAX: Final = 1_000
"""At a time; a client beyond them is asked to come back."""

_RECIPIENTS_MAX: Final = 100
"""Of one message, the least that a server must take (RFC 5321, section 4.5.3.1.8)."""

_IDLE_S: Final = 300.0
"""Until a silent client is hung up on: the least that is allowed (RFC 5321, section 4.5.3.2)."""

_STOP_S: Final = 2.0
"""What connections get to end when the server stops."""

_FOR_S_MAX: Final = 86_400
_DELAY_S_MAX: Final = 600
"""A client that waits longer than ten minutes for an answer does not exist (RFC 5321, section 4.5.3.2.6)."""

_TOO_MANY: Final = b"421 4.7.0 Too many connections, come back later\r\n"

_log = structlog.get_logger()


class Fault(BaseModel):
    """How the server behaves: `451` and `550` answer every recipient so, `slow` waits before it takes a message, `down` hangs up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["ok", "451", "550", "slow", "down"]
    delay_s: float = Field(default=1.0, ge=0, le=_DELAY_S_MAX, description="how long `slow` waits")
    for_s: float | None = Field(default=None, gt=0, le=_FOR_S_MAX, description="until it is `ok` again; else it stays")


OK: Final = Fault(mode="ok")


class Faults:
    """The fault in force. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._fault = OK
        self._ends_at: float | None = None
        self._changed = asyncio.Event()

    @property
    def fault(self) -> Fault:
        """What is in force now."""
        return OK if self._ends_at is not None and self._clock() >= self._ends_at else self._fault

    @property
    def remaining_s(self) -> float | None:
        """Until the fault ends by itself; nothing if it does not."""
        return None if self.fault is OK or self._ends_at is None else self._ends_at - self._clock()

    def set(self, fault: Fault) -> None:
        """Behave so from now on; whoever waits for the fault before it goes on."""
        self._fault = fault
        self._ends_at = None if fault.for_s is None else self._clock() + fault.for_s
        self._changed.set()
        self._changed = asyncio.Event()

    async def delay(self) -> None:
        """Wait if slowness is in force, and no longer than it is."""
        fault, remaining_s = self.fault, self.remaining_s
        if fault.mode == "slow":
            wait_s = fault.delay_s if remaining_s is None else min(fault.delay_s, remaining_s)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), wait_s)


class SmtpServer:
    """Takes mail on one address into `store`."""

    def __init__(self, store: Store, message_bytes_max: int = MESSAGE_BYTES_MAX) -> None:
        self._loop = asyncio.get_running_loop()
        self._faults = Faults(self._loop.time)
        self._handler = _Handler(store, self._faults)
        self._message_bytes_max = message_bytes_max
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    @property
    def faults(self) -> Faults:
        """How it behaves; change it by `behave`."""
        return self._faults

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, chosen by the system if `port` is 0.

        Raises:
            OSError: the address cannot be listened on.
        """
        self._server = await self._loop.create_server(self._answer, host, port)
        return self._server.sockets[0].getsockname()[1]

    def behave(self, fault: Fault) -> None:
        """Fail so from now on, or no longer."""
        self._faults.set(fault)
        if fault.mode == "down":
            self._hang_up()

    async def stop(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        ends = [connection.ended for connection in self._connections]
        self._hang_up()
        if ends:
            await asyncio.wait(ends, timeout=_STOP_S)

    def _answer(self) -> asyncio.Protocol:
        if self._faults.fault.mode == "down":
            return _HangUp(b"")
        if len(self._connections) >= _CONNECTIONS_MAX:
            return _HangUp(_TOO_MANY)
        return _Connection(self._handler, self._message_bytes_max, self._loop, self._connections)

    def _hang_up(self) -> None:
        for connection in tuple(self._connections):
            connection.hang_up()


class _HangUp(asyncio.Protocol):
    """Ends a connection as it begins."""

    def __init__(self, last_words: bytes) -> None:
        self._last_words = last_words

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(self._last_words)
        transport.close()


class _Connection(SMTP):
    """One client. It is in `connections` from its first to its last moment; `ended` is when nothing of it runs any more."""

    def __init__(
        self,
        handler: "_Handler",
        message_bytes_max: int,
        loop: asyncio.AbstractEventLoop,
        connections: set["_Connection"],
    ) -> None:
        super().__init__(
            handler,
            data_size_limit=message_bytes_max,
            enable_SMTPUTF8=True,
            hostname="mailbox",  # Its own would be looked up, which may block.
            ident="Countermand mailbox",
            timeout=_IDLE_S,
            loop=loop,
        )
        self._connections = connections
        self.ended: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.add(self)
        if self._handler_coroutine is not None:
            self._handler_coroutine.add_done_callback(self._end)

    def hang_up(self) -> None:
        """End it at once, whatever is on its way."""
        if self.transport is not None:
            cast("asyncio.Transport", self.transport).abort()

    def _end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # Read, so that a client that went away in mid-sentence is no error in the log.
        self._connections.discard(self)
        self.ended.set_result(None)


class _Handler:
    """What aiosmtpd asks about every command; its names and arguments are aiosmtpd's."""

    def __init__(self, store: Store, faults: Faults) -> None:
        self._store = store
        self._faults = faults

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        match self._faults.fault.mode:
            case "451":
                return "451 4.3.0 Told to fail for now"
            case "550":
                return "550 5.1.1 Told to fail for good"
            case _ if len(envelope.rcpt_tos) >= _RECIPIENTS_MAX:
                return "452 4.5.3 Too many recipients"
            case _:
                envelope.rcpt_tos.append(address)
                envelope.rcpt_options.extend(options)
                return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """A message counts as received when it is answered: a client that does not wait has sent nothing."""
        await self._faults.delay()
        self._store.add(
            envelope.mail_from or "", envelope.rcpt_tos, envelope.original_content or b"", datetime.now(UTC)
        )
        return "250 OK"

    async def handle_exception(self, error: Exception) -> str:
        """A failure of ours says nothing about the mail: the client may come back."""
        _log.error("mailbox.failed", exc_info=error)
        return "451 4.3.0 The mailbox failed"
