"""The reconciler: compares the deadlines that open orders want with the timers that are armed, and mends the difference.

Timers follow events, so there is nothing to mend in ordinary days. It makes a purged or damaged `TIMERS` stream harmless.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final

import structlog
from nats.aio.client import Client

from countermand.contracts.base import Owner
from countermand.contracts.subjects import Address, read
from countermand.kernel.decider import Deadline
from countermand.runtime.card import Card
from countermand.runtime.direct import READ_TIMEOUT_S, Stored
from countermand.runtime.jetstream import JetStreamStore, recorded
from countermand.runtime.journal import Aggregate, Journal
from countermand.runtime.names import Names
from countermand.runtime.outage import is_outage
from countermand.runtime.streams import TIMERS
from countermand.runtime.timers import Timers

_PIECE: Final = 100
"""Events taken up at a time: what comes for the service meanwhile waits some milliseconds."""

_HELD: Final = 2_000
"""Events taken up before they are read: most orders have ended by then, and need not be."""

_SHARE: Final = 0.1
"""Of the service's time, at most. Five minutes of load are hundreds of thousands of events, and a restart takes up all
there are: all at once they would keep the service from its work for a minute, and the backlog from going down again.
"""

_Held = tuple[Address, Stored]

_log = structlog.get_logger()


@dataclass(slots=True)
class Tally:
    """What a reconciler has done since it began: rounds by their end, and timers that it mended."""

    ok: int = 0
    failed: int = 0
    rearmed: int = 0
    cancelled: int = 0


class Reconciler:
    """Follows one owner's stream with aggregates of its own; holds only those that want a deadline.

    Args:
        card: tells what ends an order and what lingers.
        journal: of the owner, and of its own.
        store: the owner's stream.
        timers: arms and cancels.
        nc: asks which timers are armed.
        names: of the installation.
    """

    def __init__(
        self,
        card: Card[Any, Any, Any],
        journal: Journal[Any, Any, Any],
        store: JetStreamStore,
        timers: Timers,
        nc: Client,
        names: Names,
    ) -> None:
        self._journal = journal
        self._ends = frozenset(event.__name__ for event in card.ends)
        self._lingers = frozenset(event.__name__ for event in card.lingers)
        self._store = store
        self._timers = timers
        self._nc = nc
        self._names = names
        self._next_sequence = 1
        self._open: dict[str, Aggregate[Any]] = {}
        self.tally = Tally()

    async def run(self, every_s: float) -> None:
        """Reconcile now and then, until cancelled."""
        while True:
            try:
                await self.reconcile()
                self.tally.ok += 1
            except Exception as error:  # noqa: BLE001  # It runs beside the service; the next round tries again.
                self.tally.failed += 1
                _log.warning("timers.not_reconciled", error=repr(error), outage=is_outage(error))
            await asyncio.sleep(every_s)

    async def reconcile(self) -> None:
        """One round: arm what open orders want and nobody has armed, cancel what nobody wants."""
        await self._read_on()
        wanted = self._wanted()
        armed = await self._armed(self._journal.owner)
        missing = [subject for subject in wanted if subject not in armed]
        for subject in missing:
            await self._timers.arm(*wanted[subject])
            self.tally.rearmed += 1
        await self._read_on()  # What ended meanwhile may have cancelled its timer before we armed it.
        wanted = self._wanted()
        armed.update(missing)
        orphans = [subject for subject in armed if subject not in wanted and await self._is_orphan(subject)]
        for subject in orphans:
            await self._timers.cancel(subject)
            self.tally.cancelled += 1
        _log.info(
            "timers.reconciled", open=len(self._open), armed=len(armed), rearmed=len(missing), cancelled=len(orphans)
        )

    def _wanted(self) -> dict[str, tuple[Aggregate[Any], Deadline]]:
        """By its subject, every timer that should be armed."""
        return {
            self._timers.subject(aggregate, deadline): (aggregate, deadline)
            for aggregate in self._open.values()
            for deadline in aggregate.wanted[-1]
        }

    async def _read_on(self) -> None:
        """Take up what was written since the last round, with a rest after each piece."""
        loop = asyncio.get_running_loop()
        unread: dict[str, list[_Held]] = {}
        began, held = loop.time(), 0
        while stored := await self._store.scan(self._next_sequence, _PIECE):
            for message in stored:
                address = read(self._names.bare(message.subject))
                unread.setdefault(address.order_id, []).append((address, message))
                if address.name in self._ends and self._is_over(unread[address.order_id]):
                    del unread[address.order_id]
            self._next_sequence = stored[-1].sequence + 1
            held += len(stored)
            if held >= _HELD:
                await self._fold(unread)
                held = 0
            await asyncio.sleep((loop.time() - began) * (1 / _SHARE - 1))
            began = loop.time()
        await self._fold(unread)

    def _is_over(self, held: list[_Held]) -> bool:
        """Whether an order with this end need not be read at all: the whole of it is here, and nothing lingers."""
        return held[0][0].revision == 1 and not any(address.name in self._lingers for address, _ in held)

    async def _fold(self, unread: dict[str, list[_Held]]) -> None:
        """Read what was held, and let orders go that want nothing; one that goes on is read anew."""
        while unread:
            order_id, messages = unread.popitem()
            aggregate = self._open.get(order_id) or Aggregate(order_id)
            for _, message in messages:
                if not await self._journal.absorb(aggregate, recorded(message, self._names)):
                    aggregate = await self._journal.read(order_id)
            self._open[order_id] = aggregate
            await asyncio.sleep(0)
        for order_id in [known for known, aggregate in self._open.items() if not aggregate.wanted[-1]]:
            del self._open[order_id]

    async def _is_orphan(self, subject: str) -> bool:
        """Whether the order, read afresh, does not want this timer."""
        parts = subject.split(".")
        if len(parts) != len(("timer", "service", "order", "name", "revision")):
            return False
        aggregate = await self._journal.read(parts[2])
        if aggregate.revision < int(parts[4]):
            return False
        return subject not in {self._timers.subject(aggregate, deadline) for deadline in aggregate.wanted[-1]}

    async def _armed(self, owner: Owner) -> set[str]:
        """The subjects of all timers armed."""
        armed: set[str] = set()
        while True:
            request = {"subjects_filter": self._names.subject(f"timer.{owner}.>"), "offset": len(armed)}
            api = f"$JS.API.STREAM.INFO.{self._names.stream(TIMERS)}"
            answer = await self._nc.request(api, json.dumps(request).encode(), timeout=READ_TIMEOUT_S)
            info: dict[str, Any] = json.loads(answer.data)
            page: dict[str, int] = info["state"].get("subjects") or {}
            armed.update(map(self._names.bare, page))
            if not page or len(armed) >= info.get("total", 0):
                break
        armed.discard(f"timer.{owner}.cancelled")
        return armed
