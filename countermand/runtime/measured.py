"""The ports of a handler, counted: each does what the one behind it does, and tells the metrics."""

from countermand.contracts.base import Owner
from countermand.kernel.decider import Refused
from countermand.runtime.envelope import Delivered, Envelope
from countermand.runtime.jetstream import JetStreamDelivered
from countermand.runtime.metrics import Metrics
from countermand.runtime.outage import is_outage
from countermand.runtime.ports import Conflict, Outside, Store


class MeasuredStore:
    """A store whose writes are counted, and whose reads tell of requests."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics
        self.last_sequence = store.last_sequence

    async def newer(self, order_id: str, revision: int) -> list[Envelope]:
        """The events of an order after that revision."""
        history = await self._store.newer(order_id, revision)
        self._metrics.waits.read(history)
        return history

    async def append(self, entry: Envelope, expected: int) -> int:
        """One compare-and-set."""
        try:
            sequence = await self._store.append(entry, expected)
        except Conflict:
            self._metrics.conflict()
            raise
        self._metrics.appended(entry)
        return sequence


class MeasuredOutside:
    """The outside, whose bad news are counted."""

    def __init__(self, outside: Outside, metrics: Metrics) -> None:
        self._outside = outside
        self._metrics = metrics
        self.terms = outside.terms
        self.history = outside.history
        self.placed_under = outside.placed_under
        self.sleep = outside.sleep

    def failed(self, subject: str, tries: int, error: Exception) -> None:
        """A try failed."""
        self._metrics.failed(outage=is_outage(error))
        self._outside.failed(subject, tries, error)

    async def refuse(self, service: Owner, refused: Refused, envelope: Envelope) -> None:
        """Tell the sender; counted when told."""
        await self._outside.refuse(service, refused, envelope)
        self._metrics.refused(refused.reason)

    async def bury(self, service: Owner, delivered: Delivered, reason: str) -> None:
        """Copy it to the dead letters; counted when copied."""
        await self._outside.bury(service, delivered, reason)
        if isinstance(delivered, JetStreamDelivered):
            self._metrics.buried(delivered.heard.first.consumer)
