"""Requests to the broker, many in flight over one inbox: JetStream publishes with their acks, and questions to its API.

nats-py makes a random inbox, a task and a timer of its own for each request, which costs as much as all the rest of a publish.
"""

import asyncio
import json
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import MaxPayloadError
from nats.js.errors import APIError, NoStreamResponseError

TIMEOUT_S: Final = 5.0
"""How long an answer may take; after that a publish's fate is unknown until the stream is read."""

IN_FLIGHT_MAX: Final = 256
"""Requests that wait for the broker side by side; the rest wait for their turn, which has no time limit.

Enough to keep the broker busy. Without a bound, a service that is short of processor time has thousands in flight, takes
their answers up after their time is over, asks again, and gets nothing done.
"""

_LOOK_EVERY_S: Final = 0.5
"""A timeout may come so much later."""

_NO_RESPONDERS: Final = "503"


@dataclass(frozen=True, slots=True)
class Ack:
    """JetStream's answer to a publish: the message's place, and whether its id was there already."""

    sequence: int
    duplicate: bool


async def put(nc: Client, subject: str, reply: str, headers: dict[str, str] | None, payload: bytes) -> None:
    """What `nc.publish` does, with headers written in one go: name by name they took 15 % of an order service's time.

    Raises:
        MaxPayloadError: with its headers it is longer than the broker takes.
        ValueError: a header has a line break, or the subject one or a space.
    """
    if not headers:
        await nc.publish(subject, payload, reply, headers)
        return
    block = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if (
        block.count("\n") != len(headers)
        or block.count("\r") != len(headers)
        or not subject.isprintable()
        or " " in subject
    ):
        msg = f"a subject or a header of a message to {subject!r} has a line break or a space"
        raise ValueError(msg)
    head = f"NATS/1.0\r\n{block}\r\n".encode()
    # nats-py counts the payload alone. The broker would end the connection, and nats-py would not come back from that.
    if len(head) + len(payload) > nc.max_payload:
        raise MaxPayloadError
    if not nc.is_connected or nc.is_draining_pubs:
        await nc.publish(subject, payload, reply, headers)
        return
    command = f"HPUB {subject} {reply} {len(head)} {len(head) + len(payload)}\r\n".encode()
    # nats-py's own way from here on; tests/integration/test_requests.py tells when it changes.
    await nc._send_command(b"".join((command, head, payload, b"\r\n")))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    if nc._flush_queue is not None and nc._flush_queue.empty():  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        await nc._flush_pending()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


class Requests:
    """Asks the broker over one connection."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._inbox = ""
        self._tokens = count()
        # In the order of their deadlines, since all have the same time.
        self._waiting: dict[str, tuple[asyncio.Future[bytes], float]] = {}
        self._look: asyncio.TimerHandle | None = None
        self._turns = asyncio.Semaphore(IN_FLIGHT_MAX)

    async def start(self) -> None:
        """Listen for answers. The subscription survives reconnects and ends with the connection."""
        self._inbox = self._nc.new_inbox()  # Connected: now it is known under whose prefix.
        await self._nc.subscribe(f"{self._inbox}.*", cb=self._answer)

    async def ask(self, subject: str, payload: bytes, headers: dict[str, str] | None = None) -> bytes:
        """The answer's payload.

        Raises:
            TimeoutError: none came in time.
            NoStreamResponseError: nobody listens there: the stream has no leader at the moment.
        """
        async with self._turns:
            token = str(next(self._tokens))
            loop = asyncio.get_running_loop()
            answer: asyncio.Future[bytes] = loop.create_future()
            self._waiting[token] = answer, loop.time() + TIMEOUT_S
            if self._look is None:
                self._look = loop.call_later(_LOOK_EVERY_S, self._expire, loop)
            try:
                await put(self._nc, subject, f"{self._inbox}.{token}", headers, payload)
                return await answer
            finally:
                self._waiting.pop(token, None)

    async def publish(self, subject: str, payload: bytes, headers: dict[str, str]) -> Ack:
        """Store a message; the ack says that it is.

        Raises:
            APIError: JetStream refuses it, as when a compare-and-set fails.
            TimeoutError, NoStreamResponseError: as for `ask`.
        """
        document: dict[str, Any] = json.loads(await self.ask(subject, payload, headers))
        if "error" in document:
            raise APIError.from_error(document["error"])
        return Ack(document["seq"], document.get("duplicate", False))

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for answer, deadline in list(self._waiting.values()):
            if deadline > now:
                break
            if not answer.done():
                answer.set_exception(TimeoutError(f"the broker did not answer within {TIMEOUT_S:g} s"))
        self._look = loop.call_later(_LOOK_EVERY_S, self._expire, loop) if self._waiting else None

    async def _answer(self, msg: Msg) -> None:
        answer, _ = self._waiting.get(msg.subject.rpartition(".")[2], (None, 0.0))
        if answer is None or answer.done():
            return  # Too late: whoever asked has given up.
        if msg.headers and msg.headers.get("Status") == _NO_RESPONDERS:
            answer.set_exception(NoStreamResponseError())
        else:
            answer.set_result(msg.data)
