"""Facts: events as an outside observer reads them from the streams, without asking any service."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from countermand.contracts import EVENTS
from countermand.contracts.base import Event, Owner
from countermand.contracts.subjects import events_of, read
from countermand.runtime.direct import DirectReader, Stored
from countermand.runtime.names import Names


@dataclass(frozen=True, slots=True)
class Fact:
    """One event. `at` is the broker's time of storing it, `simulated_at` the order's own."""

    id: str
    owner: Owner
    order_id: str
    name: str
    revision: int
    sequence: int
    caused_by: str
    at: datetime
    simulated_at: datetime
    body: Any

    @property
    def event(self) -> Event:
        """The event itself."""
        return self.body


def fact_from(stored: Stored, names: Names) -> Fact:
    """Read a stored event."""
    address = read(names.bare(stored.subject))
    headers = stored.headers
    return Fact(
        id=headers["ce-id"],
        owner=Owner(address.service),
        order_id=address.order_id,
        name=address.name,
        revision=address.revision or 0,
        sequence=stored.sequence,
        caused_by=headers.get("ce-causationid", ""),
        at=stored.stored_at,
        simulated_at=datetime.fromisoformat(headers["ce-simtime"]),
        body=EVENTS[address.name].model_validate_json(stored.data),
    )


async def history(reader: DirectReader, names: Names, order_id: str) -> list[Fact]:
    """Everything that every service recorded about an order, in the order of the broker's time."""
    pages = await asyncio.gather(
        *(reader.last_of_each(names.journal(owner), [names.subject(events_of(owner, order_id))]) for owner in Owner)
    )
    return by_time(fact_from(stored, names) for page in pages for stored in page)


def by_time(facts: Iterable[Fact]) -> list[Fact]:
    """Facts of several streams, merged by the broker's time; a cause always comes before its effect."""
    return sorted(facts, key=lambda fact: (fact.at, fact.owner, fact.revision))
