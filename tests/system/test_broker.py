"""The broker dies under load and comes back: nothing is lost, and nothing happens twice."""

import asyncio
from collections import Counter
from typing import Final

import pytest

from countermand.contracts.base import Owner
from countermand.kernel.ids import order_id_from
from lab.audit import Options, audit
from lab.market import Market
from lab.system import embedded
from tests.support import system as at

pytestmark = pytest.mark.timeout(300)  # Minutes of waiting on a busy machine, not of a hanging test.

ORDERS: Final = 400
EVERY_S: Final = 0.02
DIES_AFTER: Final = 100
"""Orders begun when the broker is killed."""

AWAY_S: Final = 10.0


async def test_a_broker_killed_under_load_costs_time_and_nothing_else() -> None:
    """Each order ends once, with each event and each email once; no timer, message or dead letter is left over."""
    async with embedded() as system, at.connected(system.nats_url) as market:
        orders = [order_id_from("broker", number) for number in range(ORDERS)]
        buyers = [at.Buyer(market, order_id) for order_id in orders]
        load_is_on = asyncio.Event()
        load = asyncio.create_task(place_and_cancel(buyers, load_is_on))
        try:
            await load_is_on.wait()
            await system.nats.kill()
            closed_before = sum(buyer.ended for buyer in buyers)
            await asyncio.sleep(AWAY_S)
            await system.nats.start()
            await load
        finally:
            load.cancel()
        await at.drained(market)

        assert 0 < closed_before < ORDERS, "the broker was killed in the midst of the load"
        assert sum(buyer.sent_again for buyer in buyers) > 0, "somebody noticed that it was away"
        expected = {order_id: wanted(number) for number, order_id in enumerate(orders)}
        assert await at.events_of_all(market) == expected
        report = await audit(market, Options(drained=True, mailbox_url=system.mailbox_url))
        assert (report.violations, report.orders) == ((), ORDERS)
        assert await at.dead_letters(market) == []
        assert await at.refusals(market) == []
        assert await at.armed_timers(market) == set()
        assert {child.returncode for child in system.services.values()} == {None}, "no service died of it"
        await every_email_came(market, system.mailbox_url)


async def place_and_cancel(buyers: list[at.Buyer], load_is_on: asyncio.Event) -> None:
    """Every second order is paid by wallet. The pace is the clock's, whatever becomes of the orders before."""
    async with asyncio.TaskGroup() as group:
        start = asyncio.get_running_loop().time()
        for number, buyer in enumerate(buyers):
            await asyncio.sleep(start + number * EVERY_S - asyncio.get_running_loop().time())
            group.create_task(buyer.cancels_paid() if is_paid(number) else buyer.cancels_unpaid())
            if number == DIES_AFTER:
                load_is_on.set()


def is_paid(number: int) -> bool:
    return number % 2 == 1


def wanted(number: int) -> Counter[str]:
    return at.CANCELLED_REFUNDED if is_paid(number) else at.CANCELLED_UNPAID


async def every_email_came(market: Market, mailbox_url: str) -> None:
    """One mail for each `EmailSent`; a mail whose record had not been written when the broker died comes twice."""
    came = await at.message_ids(mailbox_url)
    recorded = await at.count_of(market, Owner.NOTIFY, "EmailSent")
    assert len(came) == recorded
    assert max(came.values()) <= 2
