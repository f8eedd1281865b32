"""What the broker says of a service's stream and consumers, asked seldom, for whoever wants to know how it is."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import ConsumerInfo, StreamInfo
from nats.js.errors import NotFoundError

from countermand.contracts.base import Owner
from countermand.runtime.card import Subscription
from countermand.runtime.names import Names

_EVERY_S: Final = 3.0
"""However often somebody asks us, the broker is asked no more often."""

_WITHIN_S: Final = 2.0
"""For all answers together: who asks us has a limit too."""


class Watch:
    """The service's own stream, and its consumers by their streams' bare names, as of a few seconds ago.

    Attributes:
        own: the service's own stream; nothing if it is missing or the broker did not say.
        problem: what is missing, or that the broker did not say; nothing if all is there.
        failures: how often it did not say.
    """

    def __init__(self, nc: Client, names: Names, service: Owner, subscriptions: Sequence[Subscription]) -> None:
        self.consumers: dict[str, ConsumerInfo] = {}
        self.own: StreamInfo | None = None
        self.problem: str | None = "not looked yet"
        self.failures = 0
        self._js = nc.jetstream(timeout=_WITHIN_S)
        self._names = names
        self._service = service
        self._streams = [subscription.stream for subscription in subscriptions]
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()

    async def refresh(self) -> None:
        """Look again, unless somebody just has."""
        async with self._looking:
            if time.monotonic() - self._looked_at < _EVERY_S:
                return
            try:
                async with asyncio.timeout(_WITHIN_S):
                    self.problem = await self._look()
            except (NatsError, TimeoutError, ConnectionError) as error:
                self.failures += 1
                self.consumers, self.own = {}, None
                self.problem = f"the broker did not say: {str(error) or type(error).__name__}"
            self._looked_at = time.monotonic()

    async def _look(self) -> str | None:
        """Ask for each; what is missing, if anything is."""
        self.own = await self._own_stream()
        missing = [] if self.own else [f"the stream {self._names.journal(self._service)}"]
        for stream in self._streams:
            consumer = self._names.consumer(self._service, stream)
            try:
                self.consumers[stream] = await self._js.consumer_info(self._names.stream(stream), consumer)
            except NotFoundError:
                self.consumers.pop(stream, None)
                missing.append(f"{self._names.stream(stream)} with the consumer {consumer}")
        return f"missing: {', '.join(missing)}" if missing else None

    async def _own_stream(self) -> StreamInfo | None:
        try:
            return await self._js.stream_info(self._names.journal(self._service))
        except NotFoundError:
            return None
