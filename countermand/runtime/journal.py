"""The journal: an aggregate's history in its owner's stream, written by compare-and-set and by nothing else.

One state change is one publish. JetStream accepts it only if nobody has written to `<owner>.<order_id>.>` since the
history was read; every writer sends the identical filter, for two different ones do not exclude each other.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError

from countermand.contracts import EVENTS
from countermand.contracts.base import Event, Owner
from countermand.contracts.subjects import event_subject, events_of, read
from countermand.kernel.decider import Deadline, Decider
from countermand.kernel.terms import Terms, terms_ref
from countermand.runtime.direct import DirectReader, Stored
from countermand.runtime.envelope import Envelope, event_headers
from countermand.runtime.names import Names
from countermand.runtime.policies import Policies

PUBLISH_TIMEOUT_S: Final = 5.0
"""How long an append waits for its ack; after that its fate is unknown until the history is read again."""

MAX_CACHED: Final = 20_000
"""Aggregates in memory, some 5 KiB each. What falls out is loaded again."""

_NEWER_AT_A_TIME: Final = 32
_CONFLICTS: Final = (10071, 10164)

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E", bound=Event)


class Conflict(Exception):
    """Somebody else wrote first, or this event was written before: read the history again, then decide anew.

    `duplicate`: JetStream knows the event's id already.
    """

    def __init__(self, event_id: str, *, duplicate: bool) -> None:
        super().__init__(event_id)
        self.duplicate = duplicate


@dataclass(slots=True)
class Aggregate(Generic[S]):
    """What a service knows of one order.

    Attributes:
        terms: those of the last message tried until there is an event, whose terms they are then.
        state: folded out of the history; nothing while the terms are unknown.
        revision: how many events it has; sequence: the last one's place in the stream.
        ids: event id → revision.
        wanted: the deadlines wanted after each revision, from 0.
        last_at: the simulated time of the last event.
    """

    order_id: str
    terms: Terms | None = None
    state: S | None = None
    revision: int = 0
    sequence: int = 0
    ids: dict[str, int] = field(default_factory=dict[str, int])
    wanted: list[tuple[Deadline, ...]] = field(default_factory=list[tuple[Deadline, ...]])
    last_at: datetime = _LONG_AGO


class Journal(Generic[C, S, E]):
    """Reads and appends the histories of one owner."""

    def __init__(
        self,
        owner: Owner,
        decider: Decider[C, S, E],
        nc: Client,
        reader: DirectReader,
        policies: Policies,
        names: Names,
    ) -> None:
        self.owner = owner
        self._decider = decider
        self._js: JetStreamContext = nc.jetstream(timeout=PUBLISH_TIMEOUT_S)
        self._reader = reader
        self._policies = policies
        self._names = names
        self._stream = names.journal(owner)
        self._cache: OrderedDict[str, Aggregate[S]] = OrderedDict()

    async def load(self, order_id: str) -> Aggregate[S]:
        """The aggregate as far as this process knows it; what others wrote since may be missing."""
        known = self._cache.get(order_id)
        if known is not None:
            self._cache.move_to_end(order_id)
            return known
        aggregate = await self.read(order_id)
        self._cache[order_id] = aggregate
        if len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)
        return aggregate

    async def read(self, order_id: str) -> Aggregate[S]:
        """The aggregate read from its stream now, for a caller who keeps it to itself."""
        aggregate: Aggregate[S] = Aggregate(order_id)
        everything = self._names.subject(events_of(self.owner, order_id))
        for stored in await self._reader.last_of_each(self._stream, [everything]):
            if not await self.absorb(aggregate, stored):
                msg = f"{stored.subject} does not follow revision {aggregate.revision}"
                raise ValueError(msg)
        return aggregate

    async def refresh(self, aggregate: Aggregate[S]) -> bool:
        """Ask the stream's leader for the last event and read what is newer. Whether there was anything."""
        if await self._last_sequence(aggregate.order_id) <= aggregate.sequence:
            return False
        await self.catch_up(aggregate)
        return True

    async def catch_up(self, aggregate: Aggregate[S]) -> None:
        """Read the events that are newer than the aggregate."""
        while True:
            first = aggregate.revision + 1
            subjects = [
                self._names.subject(f"{self.owner}.{aggregate.order_id}.*.{revision}")
                for revision in range(first, first + _NEWER_AT_A_TIME)
            ]
            newer = await self._reader.last_of_each(self._stream, subjects)
            for stored in newer:
                await self.absorb(aggregate, stored)
            if len(newer) < _NEWER_AT_A_TIME:
                return

    def settle_terms(self, aggregate: Aggregate[S], terms: Terms) -> None:
        """Start an aggregate that has no history under these terms; its first event settles them for good."""
        if aggregate.revision == 0:
            aggregate.terms = terms
            aggregate.state = self._decider.initial(aggregate.order_id, terms)
            aggregate.wanted = [self._decider.deadlines(aggregate.state)]

    async def append(
        self, aggregate: Aggregate[S], event: E, event_id: str, caused_by: Envelope, now: datetime
    ) -> None:
        """Write one event after the aggregate's last, and fold it in. `now` is simulated.

        Raises:
            Conflict: it was not written now, or may have been written before.
            TimeoutError: its fate is unknown; loading the history again tells.
        """
        if aggregate.terms is None:
            msg = "an event needs its order's terms"
            raise ValueError(msg)
        revision = aggregate.revision + 1
        subject = self._names.subject(event_subject(self.owner, aggregate.order_id, type(event).__name__, revision))
        headers = event_headers(
            event_id=event_id, event=event, caused_by=caused_by, terms=aggregate.terms.ref.header(), now=now
        )
        headers["Nats-Expected-Last-Subject-Sequence"] = str(aggregate.sequence)
        headers["Nats-Expected-Last-Subject-Sequence-Subject"] = self._names.subject(
            events_of(self.owner, aggregate.order_id)
        )
        try:
            ack = await self._js.publish(subject, event.model_dump_json().encode(), headers=headers)
        except APIError as error:
            if error.err_code in _CONFLICTS:
                raise Conflict(event_id, duplicate=False) from error
            raise
        if ack.duplicate:
            raise Conflict(event_id, duplicate=True)
        self._fold(aggregate, event, event_id, revision, ack.seq, now)

    def forget(self, order_id: str) -> None:
        """Drop what is known of an order, after a failure that leaves it in doubt."""
        self._cache.pop(order_id, None)

    async def scan(self, sequence: int, limit: int) -> list[Stored]:
        """Up to `limit` events of all orders, from `sequence` on."""
        return await self._reader.following(self._stream, self._names.subject(f"{self.owner}.>"), sequence, limit)

    async def _last_sequence(self, order_id: str) -> int:
        try:
            last = await self._js.get_last_msg(self._stream, self._names.subject(events_of(self.owner, order_id)))
        except NotFoundError:
            return 0
        return last.seq or 0

    async def absorb(self, aggregate: Aggregate[S], stored: Stored) -> bool:
        """Fold a stored event in if it is the aggregate's next one. Whether it was, or was known already."""
        address = read(self._names.bare(stored.subject))
        revision = address.revision or 0
        if revision <= aggregate.revision:
            return True
        if revision > aggregate.revision + 1:
            return False
        if aggregate.revision == 0:
            self.settle_terms(aggregate, await self._policies.terms(terms_ref(stored.headers["ce-terms"])))
        event: Any = EVENTS[address.name].model_validate_json(stored.data)
        at = datetime.fromisoformat(stored.headers["ce-simtime"])
        self._fold(aggregate, event, stored.headers["ce-id"], revision, stored.sequence, at)
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
