"""Who waits for news gets all of it, or is let go; and nobody asks more often than allowed."""

import asyncio
from datetime import UTC, datetime

import pytest

from countermand.contracts.base import Owner
from countermand.contracts.seller import ParcelStopped
from countermand.runtime.facts import Fact
from services.web.hub import BACKLOG_MAX, OWNERS, Hub, TooManyListeners
from services.web.readmodel.store import Batch
from services.web.safety import Buckets

AT = datetime(2026, 1, 5, tzinfo=UTC)


def batch(first: int, last: int, order_id: str = "o1") -> Batch:
    facts = [
        Fact(f"e{n}", Owner.SELLER, order_id, "ParcelStopped", n, n, "c", AT, AT, ParcelStopped())
        for n in range(first, last + 1)
    ]
    return Batch("seller", "2026", last, facts, {})


async def test_a_client_that_is_too_slow_is_let_go_and_the_others_are_not() -> None:
    """What waits for it is bounded: it comes back with the last event that it has."""
    hub = Hub(10)
    with hub.listening() as slow, hub.listening("o1") as quick:
        for number in range(1, BACKLOG_MAX + 2, 500):
            hub.publish(batch(number, number + 499))
            assert len(await quick.heard(5)) == 500
        assert (slow.ended, quick.ended, hub.overruns) == (True, False, 1)
        assert len(await slow.heard(5)) == BACKLOG_MAX
    assert hub.listeners == 0


async def test_only_news_of_the_orders_asked_for_arrives() -> None:
    hub = Hub(10)
    with hub.listening("o1", "o2") as two, hub.bell("o3") as bell:
        for number, order_id in enumerate(("o1", "o2", "o3"), 1):
            hub.publish(batch(number, number, order_id))
        assert [news.order_id for news in await two.heard(5)] == ["o1", "o2"]
        assert await two.heard(0.01) == []
        assert bell.is_set()
    assert hub.cursor == tuple(3 if owner is Owner.SELLER else 0 for owner in OWNERS)


async def test_an_event_carries_the_place_where_somebody_goes_on_who_has_it() -> None:
    hub = Hub(10)
    hub.begin({**hub.positions, Owner.ORDER: 7})
    with hub.listening() as listener:
        hub.publish(batch(4, 5))
        ids = [news.frame.splitlines()[0] for news in await listener.heard(5)]
    assert ids == ["id: 7-4-0-0", "id: 7-5-0-0"]


async def test_what_comes_close_together_is_heard_together() -> None:
    """A client is woken for the first event at once, and then not for each one."""
    hub = Hub(10)
    with hub.listening() as listener:
        hub.publish(batch(1, 1))
        assert len(await listener.heard(5)) == 1
        for number in range(2, 7):
            hub.publish(batch(number, number))
            await asyncio.sleep(0)
        assert len(await listener.heard(5)) == 5


async def test_who_followed_something_else_is_let_go() -> None:
    """As after an outage in which the read model went on unheard: what was missed is in the streams."""
    hub = Hub(10)
    with hub.listening() as listener, hub.bell("o1") as bell:
        hub.begin(hub.positions)
        assert (listener.ended, bell.is_set()) == (False, False)
        hub.begin({**hub.positions, Owner.ORDER: 7})
        assert (listener.ended, await listener.heard(5)) == (True, [])
        assert bell.is_set()


def test_no_more_clients_are_served_than_allowed() -> None:
    hub = Hub(1)
    with hub.listening(), pytest.raises(TooManyListeners), hub.listening("o1"):
        pass


def test_a_bucket_refills_with_time() -> None:
    """Ten a second, twenty at once; another address has a bucket of its own."""
    buckets = Buckets(10, 20)
    assert [buckets.take("a", now=0.0) for _ in range(20)] == [0.0] * 20
    assert buckets.take("a", now=0.0) == pytest.approx(0.1)
    assert buckets.take("b", now=0.0) == 0.0
    assert [buckets.take("a", now=0.5) == 0.0 for _ in range(6)] == [True] * 5 + [False]
