"""From the streams into the file: each stream is read at the file's own pace, from where its position says.

The streams are read by place, a few hundred messages at a time, and not by a consumer: nothing is kept at the broker,
a restart goes on where the last transaction ended, and a slow disk makes the lag grow instead of a queue. One message
heard on the stream's subjects tells that there is something to read; while there is more, nothing is listened to.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, TypeVar

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from countermand.contracts.base import Owner
from countermand.contracts.order import OrderPlaced
from countermand.kernel.policy import Policy
from countermand.runtime.direct import DirectReader, Stored, StoreReadError
from countermand.runtime.facts import Fact, fact_from
from countermand.runtime.names import Names
from countermand.runtime.policies import Policies, UnknownPolicy
from services.web.readmodel.store import Batch, Position, Store

BATCH: Final = 500
"""Messages in a transaction: larger ones save nothing more."""

_POLL_S: Final = 0.25
"""How late a message may be seen whose ring went unheard."""

_STORED_AFTER_S: Final = 0.002
"""A message is heard a moment before it is stored."""

_AGAIN_S: Final = 0.5
"""Between tries while the broker is away."""

T = TypeVar("T")

_log = structlog.get_logger()


class Told(Protocol):
    """Who hears what the file holds."""

    def begin(self, positions: Mapping[Owner, int]) -> None:
        """It goes on from here, which may be elsewhere than before."""
        ...

    def publish(self, batch: Batch) -> None:
        """A batch has been written."""
        ...


class Follower:
    """Fills the file, and tells what came."""

    def __init__(self, nc: Client, reader: DirectReader, names: Names, store: Store, told: Told) -> None:
        self._nc = nc
        self._js = nc.jetstream()
        self._reader = reader
        self._names = names
        self._store = store
        self._told = told
        self._policies = Policies(self._js, names)
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="readmodel")
        self._created: dict[Owner, str] = {}
        self._news = asyncio.Condition()
        self.positions: dict[Owner, int] = dict.fromkeys(Owner, 0)
        self.away = True
        self.begun = asyncio.Event()

    async def run(self) -> None:
        """Follow until cancelled. While the broker is away, or the streams are not there yet, it waits."""
        while True:
            try:
                await self._begin()
                async with asyncio.TaskGroup() as following:
                    for owner in Owner:
                        following.create_task(self._follow(owner))
            except* (TimeoutError, NatsError, StoreReadError) as errors:
                if not self.away:
                    _log.warning("readmodel.waits", error=repr(errors.exceptions[0]))
                self.away = True
            except* Exception as errors:  # noqa: BLE001
                # As a full disk: it is tried again, and until then pages say that they are old.
                _log.error("readmodel.failed", exc_info=errors)
                self.away = True
            await asyncio.sleep(_AGAIN_S)

    async def reached(self, owner: Owner, sequence: int, within_s: float) -> bool:
        """Wait until the file holds that message; false if not in time."""
        try:
            async with asyncio.timeout(within_s), self._news:
                await self._news.wait_for(lambda: self.positions[owner] >= sequence)
        except TimeoutError:
            return False
        return True

    async def ends(self) -> dict[Owner, int]:
        """The place of each stream's last message. Raises what JetStream does."""
        return {owner: (await self._js.stream_info(self._names.journal(owner))).state.last_seq for owner in Owner}

    async def close(self) -> None:
        """Let the last transaction end."""
        await asyncio.to_thread(self._writer.shutdown)
        self._store.close()

    async def _begin(self) -> None:
        """Find out where to go on; from the beginning, where the streams are others than those in the file."""
        infos = {owner: await self._js.stream_info(self._names.journal(owner)) for owner in Owner}
        self._created = {owner: str(info.created) for owner, info in infos.items()}
        held = await self._write(self._store.positions)
        for owner, info in infos.items():
            position = held.get(owner, Position(0, self._created[owner]))
            if position.created != self._created[owner] or position.sequence > info.state.last_seq:
                _log.warning("readmodel.begins_anew", stream=owner)
                await self._write(self._store.forget)
                held = {}
                break
        async with self._news:
            self.positions = {owner: held[owner].sequence if owner in held else 0 for owner in Owner}
            self._news.notify_all()
        self._told.begin(self.positions)
        self.away = False
        self.begun.set()

    async def _follow(self, owner: Owner) -> None:
        stream, subject = self._names.journal(owner), self._names.subject(f"{owner}.>")
        while True:
            ring = asyncio.Event()
            bell = await self._nc.subscribe(subject, cb=_ringing(ring))
            await bell.unsubscribe(limit=1)
            while stored := await self._reader.following(stream, subject, self.positions[owner] + 1, BATCH):
                await self._take(owner, stored)
            try:
                await asyncio.wait_for(ring.wait(), _POLL_S)
                await asyncio.sleep(_STORED_AFTER_S)
            except TimeoutError:
                await bell.unsubscribe()

    async def _take(self, owner: Owner, stored: list[Stored]) -> None:
        batch = self._read(owner, stored)
        for fact in batch.facts:
            if isinstance(fact.event, OrderPlaced):
                await self._learn(fact.event)
        await self._write(lambda: self._store.apply(batch))
        async with self._news:
            self.positions[owner] = batch.last
            self._news.notify_all()
        self._told.publish(batch)

    def _read(self, owner: Owner, stored: list[Stored]) -> Batch:
        facts: list[Fact] = []
        unread: dict[int, str] = {}
        for message in stored:
            try:
                facts.append(fact_from(message, self._names))
            except (ValueError, KeyError) as error:
                unread[message.sequence] = f"{message.subject}: {error!r}"[:1_000]
                _log.error("readmodel.unread", subject=message.subject, sequence=message.sequence, error=repr(error))
        return Batch(owner, self._created[owner], stored[-1].sequence, facts, unread)

    async def _learn(self, event: OrderPlaced) -> None:
        """An order's policy decides what its buyer may do; it is stored before the order is placed."""
        hash_ = event.terms.policy
        if not self._store.knows(hash_):
            try:
                policy = (await self._policies.terms(event.terms)).policy
            except UnknownPolicy as error:
                _log.error("readmodel.unknown_policy", policy=hash_, error=str(error))
                policy = Policy()
            await self._write(lambda: self._store.learn(policy, hash_))

    async def _write(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, work)


def _ringing(ring: asyncio.Event) -> "Callable[[Msg], asyncio.Future[None]]":
    async def hear(_: Msg) -> None:
        ring.set()

    return hear  # pyright: ignore[reportReturnType]
