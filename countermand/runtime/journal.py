"""The journal: an aggregate's history in its owner's stream, written by compare-and-set and by nothing else.

One state change is one publish. JetStream accepts it only if nobody has written to `<owner>.<order_id>.>` since the
history was read; every writer sends the identical filter, for two different ones do not exclude each other.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

from countermand.contracts.base import Event, Owner
from countermand.contracts.subjects import Address
from countermand.kernel.decider import Deadline, Decider
from countermand.kernel.terms import Terms, TermsRef, terms_ref
from countermand.runtime.envelope import Envelope
from countermand.runtime.ports import Store

MAX_CACHED: Final = 20_000
"""Aggregates in memory, some 5 KiB each. What falls out is loaded again."""

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E", bound=Event)

FindTerms = Callable[[TermsRef], Awaitable[Terms]]
"""Terms with the values of their policy; raises `UnknownPolicy`."""


@dataclass(slots=True)
class Aggregate(Generic[S]):
    """What a service knows of one order.

    Attributes:
        terms: those of the last message tried until there is an event, whose terms they are then; header: as sent.
        state: folded out of the history; nothing while the terms are unknown.
        revision: how many events it has; sequence: the last one's place in the stream.
        ids: event id → revision.
        wanted: the deadlines wanted after each revision, from 0.
        last_at: the simulated time of the last event.
    """

    order_id: str
    terms: Terms | None = None
    header: str = ""
    state: S | None = None
    revision: int = 0
    sequence: int = 0
    ids: dict[str, int] = field(default_factory=dict[str, int])
    wanted: list[tuple[Deadline, ...]] = field(default_factory=list[tuple[Deadline, ...]])
    last_at: datetime = _LONG_AGO


class Journal(Generic[C, S, E]):
    """Reads and appends the histories of one owner."""

    def __init__(self, owner: Owner, decider: Decider[C, S, E], store: Store, terms: FindTerms) -> None:
        self.owner = owner
        self._decider = decider
        self._store = store
        self._find_terms = terms
        self._cache: OrderedDict[str, Aggregate[S]] = OrderedDict()

    async def load(self, order_id: str, *, begins: bool = False) -> Aggregate[S]:
        """The aggregate as far as this process knows it; what others wrote since may be missing.

        Args:
            begins: one that this process does not know is taken to have no events.
        """
        known = self._cache.get(order_id)
        if known is not None:
            self._cache.move_to_end(order_id)
            return known
        aggregate: Aggregate[S] = Aggregate(order_id) if begins else await self.read(order_id)
        self._cache[order_id] = aggregate
        if len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)
        return aggregate

    async def read(self, order_id: str) -> Aggregate[S]:
        """The aggregate read from its stream now, for a caller who keeps it to itself."""
        aggregate: Aggregate[S] = Aggregate(order_id)
        for entry in await self._store.newer(order_id, 0):
            if not await self.absorb(aggregate, entry):
                msg = (
                    f"revision {entry.address.revision} of {self.owner}.{order_id} does not follow {aggregate.revision}"
                )
                raise ValueError(msg)
        return aggregate

    async def refresh(self, aggregate: Aggregate[S]) -> bool:
        """Ask for the order's last event and read what is newer. Whether there was anything."""
        if await self._store.last_sequence(aggregate.order_id) <= aggregate.sequence:
            return False
        await self.catch_up(aggregate)
        return True

    async def catch_up(self, aggregate: Aggregate[S]) -> None:
        """Read the events that are newer than the aggregate."""
        for entry in await self._store.newer(aggregate.order_id, aggregate.revision):
            await self.absorb(aggregate, entry)

    def settle_terms(self, aggregate: Aggregate[S], terms: Terms) -> None:
        """Start an aggregate that has no history under these terms; its first event settles them for good."""
        if aggregate.revision == 0 and aggregate.terms is not terms:
            aggregate.terms, aggregate.header = terms, terms.header
            aggregate.state = self._decider.initial(aggregate.order_id, terms)
            aggregate.wanted = [self._decider.deadlines(aggregate.state)]

    async def append(
        self, aggregate: Aggregate[S], event: E, event_id: str, caused_by: Envelope, now: datetime
    ) -> Envelope:
        """Write one event after the aggregate's last, and fold it in; it comes back as its cause was handled. `now` is simulated.

        Raises:
            Conflict: it was not written now, or may have been written before.
            TimeoutError: its fate is unknown; loading the history again tells.
        """
        if aggregate.terms is None:
            msg = "an event needs its order's terms"
            raise ValueError(msg)
        revision = aggregate.revision + 1
        entry = Envelope(
            id=event_id,
            address=Address("event", self.owner, aggregate.order_id, type(event).__name__, revision),
            stored_at=caused_by.stored_at,
            sequence=0,
            body=event,
            terms=aggregate.header,
            correlation_id=caused_by.correlation_id,
            causation_id=caused_by.id,
            simulated_at=now,
            deadline_id=None,
            traceparent=caused_by.traceparent,
            delivered=None,
        )
        sequence = await self._store.append(replace(entry), aggregate.sequence)
        self._fold(aggregate, event, event_id, revision, sequence, now)
        return entry

    async def newer(self, order_id: str, revision: int) -> list[Envelope]:
        """The recorded events of an order after that revision."""
        return await self._store.newer(order_id, revision)

    def forget(self, order_id: str) -> None:
        """Drop what is known of an order, after a failure that leaves it in doubt."""
        self._cache.pop(order_id, None)

    async def absorb(self, aggregate: Aggregate[S], entry: Envelope) -> bool:
        """Fold a recorded event in if it is the aggregate's next one. Whether it was, or was known already."""
        revision = entry.address.revision or 0
        if revision <= aggregate.revision:
            return True
        if revision > aggregate.revision + 1:
            return False
        if entry.terms is None or entry.simulated_at is None:
            msg = "a recorded event has terms and a time"
            raise ValueError(msg)
        if aggregate.revision == 0:
            self.settle_terms(aggregate, await self._find_terms(terms_ref(entry.terms)))
        event: Any = entry.body
        self._fold(aggregate, event, entry.id, revision, entry.sequence, entry.simulated_at)
        return True

    def _fold(
        self, aggregate: Aggregate[S], event: E, event_id: str, revision: int, sequence: int, at: datetime
    ) -> None:
        if aggregate.state is None:
            msg = "a history needs its order's terms"
            raise ValueError(msg)
        aggregate.state = self._decider.evolve(aggregate.state, event, event_id)
        aggregate.revision = revision
        aggregate.sequence = sequence
        aggregate.ids[event_id] = revision
        aggregate.last_at = max(aggregate.last_at, at)
        wanted = self._decider.deadlines(aggregate.state)
        aggregate.wanted.append(aggregate.wanted[-1] if wanted == aggregate.wanted[-1] else wanted)
