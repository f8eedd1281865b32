"""Mail servers that fail: the mail waits or is given up, and the orders go on."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from itertools import count
from typing import Final
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from countermand.contracts.base import Owner
from countermand.kernel.ids import order_id_from
from countermand.runtime.embedded import spawn
from lab.market import Market
from lab.system import System, embedded
from tests.support import system as at

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDERS: Final = 10
LONGER_THAN_ACK_WAIT_S: Final = 6.0
_numbers = count()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system() -> AsyncGenerator[System]:
    """One system for all failures."""
    async with embedded() as system:
        yield system


@pytest_asyncio.fixture(loop_scope="module")
async def market(system: System) -> AsyncGenerator[Market]:
    """The marketplace from outside."""
    async with at.connected(system.nats_url) as market:
        yield market


async def test_mail_waits_for_a_server_that_is_busy(system: System, market: Market) -> None:
    """While every mail is answered 451 the orders end; then each mail comes, once."""
    await at.behave(system.mailbox_url, mode="451")
    buyers = await cancelled(market)
    await asyncio.sleep(LONGER_THAN_ACK_WAIT_S)

    assert await in_hand(market) == ORDERS, "each mail waits in its lane"
    assert await no_mail_came(system, buyers), "nothing came while the server was busy"
    assert [name for buyer in buyers for name in await emails(market, buyer)] == [], "and nothing was given up"

    await at.behave(system.mailbox_url, mode="ok")
    await at.drained(market)
    await each_came_once(system, market, buyers)


async def test_mail_that_is_refused_for_good_is_recorded_and_left_to_an_operator(
    system: System, market: Market
) -> None:
    """On 550 one `EmailFailed` and one dead letter say why; the order ends as if nothing had happened."""
    dead_before = len(await at.dead_letters(market))
    await at.behave(system.mailbox_url, mode="550")
    [buyer] = await cancelled(market, orders=1)
    await at.drained(market)
    await at.behave(system.mailbox_url, mode="ok")

    facts = await at.facts_of(market, buyer.order_id)
    assert Counter(fact.name for fact in facts) == at.CANCELLED_UNPAID - Counter(EmailSent=1) + Counter(EmailFailed=1)
    [failed] = [fact for fact in facts if fact.name == "EmailFailed"]
    assert failed.body.reason.startswith("550 5.1.1 Told to fail for good")
    assert failed.body.to == f"{buyer.order_id}@shop.example"

    [letter] = (await at.dead_letters(market))[dead_before:]
    [fact] = [fact for fact in facts if fact.id == failed.body.fact_id]
    assert letter.subject == "dead.notify.notify-order"
    assert letter.headers["dead-subject"] == f"order.{buyer.order_id}.OrderCancelled.{fact.revision}"
    assert (letter.headers["dead-stream"], letter.headers["dead-sequence"]) == ("ORDER", str(fact.sequence))
    assert "550 5.1.1 Told to fail for good" in letter.headers["dead-reason"]
    assert letter.headers["ce-id"] == fact.id, "its own headers are kept, so that it can be replayed"
    assert await no_mail_came(system, [buyer])


async def test_mail_waits_for_a_server_that_is_away(system: System, market: Market) -> None:
    """Its process is killed, and started again on its port: what was promised meanwhile comes then."""
    await system.mailbox.kill()
    buyers = await cancelled(market)
    assert await in_hand(market) == ORDERS
    assert [name for buyer in buyers for name in await emails(market, buyer)] == []

    await start_mailbox_again(system)
    await at.drained(market)
    await each_came_once(system, market, buyers)


async def cancelled(market: Market, orders: int = ORDERS) -> list[at.Buyer]:
    """Unpaid orders, cancelled; their flows have ended, whatever becomes of the mail."""
    buyers = [at.Buyer(market, order_id_from("smtp", next(_numbers))) for _ in range(orders)]
    await asyncio.gather(*(buyer.cancels_unpaid() for buyer in buyers))
    return buyers


async def in_hand(market: Market) -> int | None:
    """How many facts notify has heard and not settled."""
    return (await at.consumers(market, Owner.NOTIFY))["notify-order"].num_ack_pending


async def emails(market: Market, buyer: at.Buyer) -> list[str]:
    """What notify has recorded about an order."""
    return [fact.name for fact in await at.facts_of(market, buyer.order_id) if fact.owner == "notify"]


async def no_mail_came(system: System, buyers: list[at.Buyer]) -> bool:
    return not any([await at.message_ids(system.mailbox_url, buyer.order_id) for buyer in buyers])


async def each_came_once(system: System, market: Market, buyers: list[at.Buyer]) -> None:
    for buyer in buyers:
        facts = await at.facts_of(market, buyer.order_id)
        assert Counter(fact.name for fact in facts) == at.CANCELLED_UNPAID
        [sent] = [fact for fact in facts if fact.name == "EmailSent"]
        assert await at.message_ids(system.mailbox_url, buyer.order_id) == {sent.body.message_id: 1}


async def start_mailbox_again(system: System) -> None:
    ports = {"SMTP": urlsplit(system.smtp_url).port, "HTTP": urlsplit(system.mailbox_url).port}
    system.mailbox = await spawn(
        [sys.executable, "-m", "services.mailbox"],
        env={f"MAILBOX_{name}_PORT": str(port) for name, port in ports.items()},
        log_path=system.mailbox.log_path,
        name="mailbox",
    )
    system.supervisor.add(system.mailbox)
