"""Reading whole streams: a pull consumer without acks a stream, over a NATS client that does nothing else with a message.

A message costs 3 µs before it becomes a fact, and the server sends 125 000 a second; batched Direct Gets answer 30 000
at best.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any, Final

from countermand.runtime.connection import access
from countermand.runtime.names import Names
from countermand.runtime.settings import load_settings
from lab.audit import fact
from lab.audit.fact import Fact
from lab.lean import LeanClient, place_of
from lab.market import Market

BATCH: Final = 1_000
"""Messages asked for at a time, about 1 MB: enough to keep the server busy while the last batch is folded."""

READ_TIMEOUT_S: Final = 30.0
"""A batch takes 10 ms; a broker that is silent for so long is not there."""

_AGAIN_AFTER_S: Final = 0.1
_UNHEARD_MAX: Final = 100
"""Asks in a row that nobody hears. In a cluster a consumer may be there before the nodes know where: asked again, for ten
seconds, in which it also finds another leader if one node is lost."""

_FORGOTTEN_AFTER_S: Final = 60
"""An audit that was killed leaves its consumers to the server, which drops them after this long."""


class ReadError(Exception):
    """The broker does not give what it should; the message says why."""


@asynccontextmanager
async def opened(market: Market, last: Mapping[str, int], since: datetime | None) -> AsyncGenerator[list["Feed"]]:
    """A feed an owner over a connection of its own, causes before their effects; `last` is where each ends."""
    nc = LeanClient()
    entry = access(load_settings()).options()
    await nc.connect(market.url.split(","), name="countermand-audit", allow_reconnect=False, error_cb=_quiet, **entry)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(nc.close)
        feeds = [Feed(nc, market.names, owner, last[owner]) for owner in (fact.COMMANDS, *fact.OWNERS)]
        for feed in feeds:
            await feed.start(since)
            stack.push_async_callback(feed.close)
        yield feeds


class Feed:
    """One owner's stream, from a moment on and up to a sequence, in facts."""

    def __init__(self, nc: LeanClient, names: Names, owner: str, last: int) -> None:
        self.owner = owner
        self._nc = nc
        self._owner_stream = names.stream(owner.upper())
        self._prefix = len(names.prefix)
        self._last = last
        self._inbox = nc.new_inbox()
        self._consumer = f"audit-{secrets.token_hex(6)}"
        self._clock = 0
        self._arriving: list[Fact] = []
        self._arrived = asyncio.Event()
        self._trouble = ""
        self._asked_for_the_last = False
        self._unheard = 0
        self._again: asyncio.Task[None] | None = None

    async def start(self, since: datetime | None) -> None:
        """Make the consumer and ask for the first batch.

        Raises:
            ReadError: JetStream refuses the consumer.
        """
        await self._nc.pour(self._inbox, self._hear)
        config: dict[str, Any] = {
            "deliver_policy": "by_start_time" if since else "all",
            "ack_policy": "none",
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": _FORGOTTEN_AFTER_S * 1_000_000_000,
            # What people wrote in a command is not needed, only that it was sent.
            "headers_only": self.owner == fact.COMMANDS,
        }
        if since:
            config["opt_start_time"] = since.isoformat()
        request = {"stream_name": self._owner_stream, "config": config}
        api = f"$JS.API.CONSUMER.CREATE.{self._owner_stream}.{self._consumer}"
        answer = await self._nc.request(api, json.dumps(request).encode(), timeout=READ_TIMEOUT_S)
        document: dict[str, Any] = json.loads(answer.data)
        if "error" in document:
            msg = f"cannot read {self._owner_stream}: {document['error']['description']}"
            raise ReadError(msg)
        if self._last and document["num_pending"]:
            await self._ask()
        else:
            self._asked_for_the_last = True
            self._arrived.set()

    async def batch(self) -> list[Fact]:
        """The next facts in the stream's order; none at the end. The following batch is under way already.

        Raises:
            ReadError: the broker reported a failure, or went silent.
        """
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                await self._arrived.wait()
        except TimeoutError:
            msg = f"{self._owner_stream} sent nothing for {READ_TIMEOUT_S:g} s"
            raise ReadError(msg) from None
        if self._trouble:
            raise ReadError(self._trouble)
        facts, self._arriving = self._arriving, []
        if not self._asked_for_the_last:
            await self._ask()
        return facts

    async def close(self) -> None:
        """Drop the consumer."""
        if self._again:
            self._again.cancel()
        await self._nc.request(f"$JS.API.CONSUMER.DELETE.{self._owner_stream}.{self._consumer}", timeout=READ_TIMEOUT_S)

    async def _ask(self) -> None:
        self._arrived.clear()
        api = f"$JS.API.CONSUMER.MSG.NEXT.{self._owner_stream}.{self._consumer}"
        await self._nc.publish(api, json.dumps({"batch": BATCH, "no_wait": True}).encode(), reply=self._inbox)

    async def _ask_again(self) -> None:
        await asyncio.sleep(_AGAIN_AFTER_S)
        await self._ask()

    def _hear(self, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        if not reply:
            self._hear_status(headers)
            return
        self._unheard = 0
        _, sequence, _, at, pending = place_of(reply)
        # The broker's clock may have been set back; the stream's order is what counts.
        self._clock = max(self._clock, at)
        if sequence <= self._last:
            self._arriving.append(self._fact(subject, sequence, data, headers))
        if sequence >= self._last or not pending:
            self._asked_for_the_last = True
            self._arrived.set()
        elif len(self._arriving) >= BATCH:
            self._arrived.set()

    def _hear_status(self, headers: bytes) -> None:
        """The end of a batch that had less than was asked for, or a failure."""
        status = headers.partition(b"\r\n")[0].decode()
        if status.startswith("NATS/1.0 503") and self._unheard < _UNHEARD_MAX:
            self._unheard += 1
            self._again = asyncio.create_task(self._ask_again())
            return
        if not status.startswith(("NATS/1.0 404", "NATS/1.0 408")):
            self._trouble = f"{self._owner_stream}: {status.removeprefix('NATS/1.0 ')}"
        self._arrived.set()

    def _fact(self, subject: bytes, sequence: int, data: bytes, headers: bytes) -> Fact:
        bare = subject.decode()[self._prefix :]
        block = headers.decode(errors="replace")
        if self.owner == fact.COMMANDS:
            return fact.command(self._owner_stream, bare, sequence, self._clock, block)
        return fact.event(self.owner, bare, sequence, self._clock, block, data)


async def _quiet(_: Exception) -> None:
    """What fails is told by the call that fails."""
