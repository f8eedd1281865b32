"""Hearing the events of a running system, through broker restarts, each once and in its stream's order."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from lab.lean import LeanClient, place_of

_ANSWER_S: Final = 5.0
_CHECK_EVERY_S: Final = 1.0
_FORGOTTEN_AFTER_S: Final = 60

Hear = Callable[[bytes, int, bytes, bytes], None]
"""Takes an event: subject, the broker's time in ns, payload and header block."""

_log = structlog.get_logger()


class Listener:
    """A push consumer without acks on one stream. A gap, or a consumer that a broker forgot, makes it ask anew."""

    def __init__(self, nc: LeanClient, stream: str, subjects: Sequence[str], hear: Hear) -> None:
        self._nc = nc
        self._stream = stream
        self._subjects = list(subjects)
        self._hear = hear
        self._subscription: Subscription | None = None
        self._consumer = ""
        self._last = 0
        self._delivered: int = 0
        self._heard_at_check = -1
        self._heard = 0
        self._broken = False
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Hear everything from now on.

        Raises:
            NatsError: the broker does not answer.
        """
        info = await self._api(f"STREAM.INFO.{self._stream}", {})
        self._last = int(info["state"]["last_seq"])
        await self._ask()
        self._watch = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Hear no more."""
        if self._watch:
            self._watch.cancel()
        with contextlib.suppress(NatsError, TimeoutError):
            await self._api(f"CONSUMER.DELETE.{self._stream}.{self._consumer}", {})

    async def _ask(self) -> None:
        """A consumer for what comes after the last event heard."""
        if self._subscription:
            await self._subscription.unsubscribe()
        self._consumer, self._delivered, self._broken = f"load-{secrets.token_hex(6)}", 0, False
        # Not a wildcard: the server takes one for nobody's interest in this consumer, and sends nothing.
        inbox = self._nc.new_inbox()
        self._subscription = await self._nc.pour(inbox, self._take)
        config: dict[str, Any] = {
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self._last + 1,
            "deliver_subject": inbox,
            "filter_subjects": self._subjects,
            "ack_policy": "none",
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": _FORGOTTEN_AFTER_S * 1_000_000_000,
        }
        await self._api(
            f"CONSUMER.CREATE.{self._stream}.{self._consumer}", {"stream_name": self._stream, "config": config}
        )

    async def _api(self, what: str, request: dict[str, Any]) -> dict[str, Any]:
        answer = await self._nc.request(f"$JS.API.{what}", json.dumps(request).encode(), timeout=_ANSWER_S)
        document: dict[str, Any] = json.loads(answer.data)
        if "error" in document:
            msg = f"{what}: {document['error'].get('description', document['error'])}"
            raise NatsError(msg)
        return document

    def _take(self, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        if not reply or self._broken:
            return
        consumer, sequence, delivered, at, _ = place_of(reply)
        if consumer != self._consumer:
            return
        if delivered != self._delivered + 1:
            self._broken = True  # One was lost on the way: asked for again at the next check.
            return
        self._delivered, self._last = delivered, sequence
        self._heard += 1
        self._hear(subject, at, data, headers)

    async def _keep(self) -> None:
        """In silence, make sure that somebody still speaks."""
        while True:
            await asyncio.sleep(_CHECK_EVERY_S)
            if self._heard != self._heard_at_check and not self._broken:
                self._heard_at_check = self._heard
                continue
            try:
                if self._broken or not await self._is_heard():
                    await self._ask()
            except (NatsError, TimeoutError) as error:  # Away; asked again at the next check.
                _log.debug("listener.waits", stream=self._stream, error=repr(error))

    async def _is_heard(self) -> bool:
        """Whether the consumer is there, and everything that it has sent has come: after a last message no gap would tell."""
        try:
            answer = await self._nc.request(
                f"$JS.API.CONSUMER.INFO.{self._stream}.{self._consumer}", b"", timeout=_ANSWER_S
            )
        except (NatsError, TimeoutError):  # In a cluster it is silent for as long as the node is lost that had it.
            return False
        document: dict[str, Any] = json.loads(answer.data)
        if "error" in document:
            return False
        sent: int = document["delivered"]["consumer_seq"]
        return sent <= self._delivered
