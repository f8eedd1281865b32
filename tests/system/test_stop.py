"""SIGTERM under load: a service finishes what is at work, gives back what waits, and its successor does the rest once."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Final

import pytest
import pytest_asyncio

from countermand.contracts.base import Owner
from countermand.kernel.ids import order_id_from
from countermand.kernel.policy import Policy, PromisedEmail
from countermand.runtime.embedded import Child
from lab.market import Market
from lab.system import System, embedded
from tests.support import system as at

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDERS: Final = 2_000
EMAILS: Final = 1_000
IN_FLIGHT: Final = 500
GRACE_S: Final = 2.0
BUSY_MACHINE_S: Final = 10.0
CONNECTIONS: Final = 40
"""That notify keeps to the mail server."""

A_MAIL_AN_ORDER: Final = Policy(emails=(PromisedEmail.ORDER_PLACED,))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system() -> AsyncGenerator[System]:
    """One system for all stops."""
    async with embedded(environment={"STOP_GRACE_S": str(GRACE_S)}) as system:
        yield system


@pytest_asyncio.fixture(loop_scope="module")
async def market(system: System) -> AsyncGenerator[Market]:
    """A connection that outlives the broker."""
    async with at.connected(system.nats_url) as market:
        yield market


async def test_order_gives_back_what_it_has_in_hand(system: System, market: Market) -> None:
    """With hundreds of commands in flight it ends cleanly, none waits for `ack_wait`, and each is decided once."""
    await system.services["order"].stop()
    orders = await placed(market, "order", ORDERS)
    async with at.patient(market, "order-commands"):
        order = await at.start_service(system, "order")
        await in_flight(market, Owner.ORDER, "order-commands")

        await ends_cleanly(order)

        assert 0 < await at.count_of(market, Owner.ORDER, "OrderPlaced") < ORDERS, "it was stopped in the midst"
        await at.start_service(system, "order")
        await at.drained(market)
    assert await events_of(market, orders) == {order_id: Counter(OrderPlaced=1) for order_id in orders}
    assert await at.dead_letters(market) == []


async def test_notify_gives_back_the_emails_that_wait_for_a_slow_server(system: System, market: Market) -> None:
    """With hundreds of emails in flight it ends within its grace; each comes afterwards, and is recorded once."""
    await system.services["notify"].stop()
    orders = await placed(market, "notify", EMAILS, A_MAIL_AN_ORDER)
    await at.drained(market, Owner.ORDER, Owner.SELLER)
    await at.behave(system.mailbox_url, mode="slow", delay_s=0.1)
    async with at.patient(market, "notify-order"):
        notify = await at.start_service(system, "notify")
        await in_flight(market, Owner.NOTIFY, "notify-order")

        await ends_cleanly(notify)

        assert await at.count_of(market, Owner.NOTIFY, "EmailSent") < EMAILS, "it was stopped in the midst"
        await at.behave(system.mailbox_url, mode="ok")
        await at.start_service(system, "notify")
        await at.drained(market)
    assert await events_of(market, orders) == {order_id: Counter(OrderPlaced=1, EmailSent=1) for order_id in orders}
    counts = await at.mail_count(system.mailbox_url)
    assert counts["distinct"] == EMAILS
    assert counts["duplicates"] <= CONNECTIONS, "only what was on the wire when it stopped may come twice"
    assert await at.dead_letters(market) == []


async def test_a_service_ends_cleanly_while_the_broker_is_away(system: System, market: Market) -> None:
    """It has nobody to give anything back to; what it had in hand is done once when both are there again."""
    await system.services["order"].stop()
    orders = await placed(market, "away", IN_FLIGHT)
    order = await at.start_service(system, "order")
    await in_flight(market, Owner.ORDER, "order-commands", IN_FLIGHT // 2)
    await system.nats.kill()
    try:
        await asyncio.gather(ends_cleanly(order), ends_cleanly(system.services["notify"]))
    finally:
        await system.nats.start()
    await at.start_service(system, "order")
    await at.start_service(system, "notify")
    await at.drained(market)
    assert await events_of(market, orders) == {order_id: Counter(OrderPlaced=1) for order_id in orders}


async def test_a_service_that_never_found_its_broker_ends_when_told(system: System) -> None:
    """It waits for the broker for ever, but not for a signal."""
    order = await at.start_service(system, "order", {"NATS_URL": "nats://us:secret@127.0.0.1:9"})

    async def waits_for_it() -> bool:
        return "service.starting" in order.log_tail()

    await at.until(waits_for_it, "the service waits for its broker")
    assert order.returncode is None

    await ends_cleanly(order)

    assert "127.0.0.1:9" in order.log_tail(), "it says whom it waits for"
    assert "secret" not in order.log_tail()


async def ends_cleanly(service: Child) -> None:
    began = time.monotonic()
    at.tell(service, signal.SIGTERM)
    assert await at.ended(service) == 0, service.epitaph()
    assert time.monotonic() - began < GRACE_S + BUSY_MACHINE_S
    assert "Traceback" not in service.log_tail(lines=100)


async def placed(market: Market, name: str, orders: int, policy: Policy | None = None) -> list[str]:
    """Orders placed as fast as the broker takes them."""
    await market.policies.put(policy or Policy())
    ids = [order_id_from("stop", name, number) for number in range(orders)]
    buyers = [at.Buyer(market, order_id, policy=policy) for order_id in ids]
    await asyncio.gather(*(buyer.place(paid=False, profile="manual") for buyer in buyers))
    return ids


async def in_flight(market: Market, service: Owner, consumer: str, messages: int = IN_FLIGHT) -> None:
    """Wait until the service has so many messages in hand."""

    async def many() -> bool:
        return ((await at.consumers(market, service))[consumer].num_ack_pending or 0) >= messages

    await at.until(many, f"{messages} messages in flight")


async def events_of(market: Market, orders: list[str]) -> dict[str, Counter[str]]:
    events = await at.events_of_all(market)
    return {order_id: events.get(order_id, Counter()) for order_id in orders}
