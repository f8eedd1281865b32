"""Everything that is asked of the read model."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from countermand.contracts.base import SellerRecord
from services.web.readmodel import figures, lists
from services.web.readmodel.answers import Counts, Found, OrderDetail, Percentiles, Person, Rates, RunCounts
from services.web.readmodel.lists import Which
from services.web.readmodel.measures import Metric
from services.web.readmodel.reading import Reading
from services.web.readmodel.row import microseconds, moment_of
from services.web.readmodel.store import SLOT_S
from services.web.readmodel.view import DisputePhase, Phase
from services.web.readmodel.waits import Waits

PAGE: Final = 50
PAGE_MAX: Final = 200
"""Orders of a page."""

EMAIL_GRACE_S: Final = 10.0
"""How long an email may be on its way after the last event before it counts as missing, as for `countermand audit`."""

_OPEN: Final = tuple(phase for phase in Phase if phase is not Phase.CLOSED)
_OPEN_DISPUTES: Final = tuple(phase for phase in DisputePhase if phase is not DisputePhase.RESOLVED)


class Queries:
    """Asks the file; every method answers from one consistent state of it."""

    def __init__(self, path: Path) -> None:
        self._reading = Reading(path)

    async def close(self) -> None:
        """Let go of the file."""
        await self._reading.close()

    async def order(self, order_id: str) -> OrderDetail | None:
        """One order; nothing if none of that id has been placed, or the read model does not know it yet."""
        return self._reading.ask(lambda db: lists.order(db, order_id))

    async def orders(
        self,
        which: Which | None = None,
        *,
        phases: Sequence[Phase] = (),
        waits: Waits | None = None,
        after: str | None = None,
        limit: int = PAGE,
    ) -> Found:
        """A page of orders, the newest first.

        Args:
            which: only those of a buyer, of a seller or of a run.
            phases: only those in one of these phases; in any, if none is named.
            waits: only those that wait for this.
            after: the `next` of the page before.
            limit: so many at most.

        Raises:
            BadCursor: `after` is none.
        """
        before = lists.cursor(after)
        wanted = tuple(phases) or (_OPEN if waits else tuple(Phase))

        def question(db: sqlite3.Connection) -> Found:
            return lists.page(db, which, wanted, waits, before, limit)

        # No index holds both, so it may look through all open orders of somebody before it has found a page.
        return await self._reading.ask_at_length(question) if which and waits else self._reading.ask(question)

    async def inbox(self, seller_id: str, limit: int = PAGE) -> Found:
        """What a seller who works by hand has to do, the oldest first; not in pages: it is meant to become empty."""
        return self._reading.ask(lambda db: lists.inbox(db, seller_id, limit))

    async def disputes(self, *, resolved: bool = False, limit: int = PAGE) -> Found:
        """Orders with an open dispute, or with a resolved one, the newest first."""
        phases = (DisputePhase.RESOLVED,) if resolved else _OPEN_DISPUTES
        return self._reading.ask(lambda db: lists.disputes(db, phases, limit))

    async def people(self, role: str, limit: int = PAGE) -> list[Person]:
        """Buyers (`role` "buyer") or sellers ("seller") with orders, the last active first."""
        query = (
            "SELECT id, name, email, profile, orders, last_us, rated, positive FROM person "
            "WHERE role = ? ORDER BY last_us DESC LIMIT ?"
        )
        return self._reading.ask(lambda db: [_person(row) for row in db.execute(query, (role, limit))])

    async def seller_record(self, seller_id: str) -> SellerRecord | None:
        """What buyers can see of a seller (R24); nothing while no order of theirs has ended."""
        return self._reading.ask(lambda db: lists.seller_record(db, seller_id))

    async def counts(self) -> Counts:
        """How many orders there are, by what they are and wait for."""
        return self._reading.ask(figures.counts)

    async def overdue(self, grace_s: float) -> dict[str, int]:
        """Open orders whose time limit passed more than so many real seconds ago, by what they wait for."""
        before = microseconds(datetime.now(UTC) - timedelta(seconds=grace_s))
        return await self._reading.ask_at_length(lambda db: figures.overdue(db, before))

    async def open_orders(self) -> dict[tuple[str, str], int]:
        """Open orders by phase and by what they wait for."""
        return self._reading.ask(figures.open_orders)

    async def latencies(self, recent_s: int = 300) -> dict[Metric, Percentiles]:
        """How long answers and emails took lately, by metric; nothing for one that was not measured."""
        since = int(datetime.now(UTC).timestamp() - recent_s) // SLOT_S
        return self._reading.ask(lambda db: figures.latencies(db, since))

    async def rates(self, names: Sequence[str], recent_s: int = 60) -> Rates:
        """How many events of these names were recorded in each of the last seconds, the current one left out."""
        until = int(datetime.now(UTC).timestamp())
        return self._reading.ask(lambda db: figures.rates(db, names, until, recent_s))

    async def run(self, run_id: str) -> RunCounts | None:
        """What the orders of a run have come to; nothing if it has none."""
        since = microseconds(datetime.now(UTC) - timedelta(seconds=EMAIL_GRACE_S))
        return await self._reading.ask_at_length(lambda db: figures.run(db, run_id, since))

    async def unread(self) -> int:
        """Events that this version could not read."""
        return self._reading.ask(lambda db: int(db.execute("SELECT count(*) FROM unread").fetchone()[0]))


def _person(row: tuple[Any, ...]) -> Person:
    id_, name, email, profile, orders, last_us, rated, positive = row
    return Person(id_, name, email, profile, orders, moment_of(last_us), rated, positive)
