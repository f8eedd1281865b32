"""Status and stuck: what an operator is told of a system that is well, and of one that is not."""

import ast
import asyncio
import inspect
import json
from pathlib import Path
from typing import Any, Final

import pytest
from nats.js.api import ConsumerConfig

from countermand.contracts.base import Owner
from countermand.contracts.order import AskSellerToCancel, CancelReason
from countermand.runtime.embedded import NatsServer
from countermand.runtime.letters import Letters
from countermand.runtime.settings import ConfigurationError
from countermand.runtime.streams import TIMERS
from lab.audit import waits
from lab.market import marketplace
from lab.status import command
from lab.status.advice import turn_of
from services.dispute.app import CARD as DISPUTE
from services.notify.app import CARD as NOTIFY
from services.order.app import CARD as ORDER
from services.seller.app import CARD as SELLER
from tests.integration.conftest import FASTEST, Shop, eventually, some_order_id, terms_now
from tests.support.orders import BUYER, place

ALL: Final = (ORDER, SELLER, DISPUTE, NOTIFY)
ASK: Final = AskSellerToCancel(actor=BUYER, reason=CancelReason.BETTER_OFFER)


async def test_a_system_that_is_well_says_so_and_what_its_open_orders_wait_for(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with shop.serving(*ALL):
        for _ in range(2):
            await shop.place()
        await shop.do(await shop.place(paid=True), ASK)
        cancelled = await shop.place(profile="prompt", under=terms_now(rate=3_600))
        await shop.do(cancelled, ASK)
        await shop.until_over(cancelled)
        await shop.settled()
        found = await status(shop, tmp_path)
        said = capsys.readouterr().out
        assert (await stuck(shop, tmp_path, 0))["stuck"] == []
    assert (found["verdict"], found["attention"]) == ("well", [])
    assert found["orders"] == {
        "open": 3,
        "waiting": {"the payment": 2, "the seller's answer": 1, "the shipment": 1},
        "stuck": 0,
        "oldest_stuck": None,
    }
    assert found["timers_armed"] == len(await shop.armed()) == 4
    assert all(consumer["bound"] for own in found["services"].values() for consumer in own)
    assert {stream["stream"]: stream["messages"] for stream in found["streams"]}["COMMANDS"] == 6
    assert "✓ all is well" in said
    assert "open orders: 3" in said


async def test_a_system_that_is_not_well_says_what_to_run(shop: Shop, tmp_path: Path) -> None:
    """Notify is away, a stranger has sent nonsense, an older version has left a consumer, and a stream is gone."""
    async with shop.serving(ORDER, SELLER, DISPUTE):
        order_id = await shop.place(profile="prompt")
        await shop.do(order_id, ASK)
        await shop.until_over(order_id)
        dead = some_order_id()
        await shop.send(dead, place(under=terms_now()))
        await shop.until(dead, "OrderPlaced")
        await shop.put(f"cmd.order.{dead}.Nope", b"{}")
        await shop.settled()
        await shop.market.js.add_consumer("ORDER", ConsumerConfig(durable_name="order-order"))
        await shop.market.js.delete_stream("REPLY")
        found, late = await status(shop, tmp_path), await stuck(shop, tmp_path, 0)
    assert found["attention"] == [
        "REPLY does not exist: countermand provision",
        "notify does not run: countermand service notify",
        "order-order is a consumer of an older version: delete it (docs/operating.md)",
        "1 dead letter to look at: countermand dead list",
    ]
    [one] = late["stuck"]
    assert (one["order_id"], one["waits_for"], one["service"]) == (order_id, "the email cancelled", "notify")
    assert (one["seen"], one["command"]) == ("notify does not run", "countermand service notify")
    assert (await stuck(shop, tmp_path, 3_600))["stuck"] == []


async def test_an_order_whose_message_died_is_stuck_by_its_letter(shop: Shop, tmp_path: Path) -> None:
    under = terms_now(rate=FASTEST)
    async with shop.serving(ORDER):
        order_id = await shop.place(under=under)
        await shop.do(order_id, ASK)
        await shop.put(f"seller.{order_id}.SellerAccepted.1", b"nonsense", {"ce-id": "a", "ce-terms": under.header})
        await shop.settled()
        await shop.market.js.purge_stream(TIMERS)  # The deadline would end it.

        async def is_stuck() -> bool:
            return bool((await stuck(shop, tmp_path, 0))["stuck"])

        await eventually(is_stuck)
        one = (await stuck(shop, tmp_path, 0))["stuck"][0]
    assert (one["waits_for"], one["deadline"]) == ("the seller's answer", True)
    assert one["command"] == "countermand dead show 1"


async def test_a_deadline_without_a_timer_is_seen(shop: Shop, tmp_path: Path) -> None:
    async with shop.serving(*ALL):
        order_id = await shop.place(under=terms_now(rate=FASTEST))
        await shop.do(order_id, ASK)
        await shop.settled()
        await shop.market.js.purge_stream(TIMERS)
        await asyncio.sleep(2.5)  # The seller's time to answer.
        [one] = (await stuck(shop, tmp_path, 0))["stuck"]
    assert (one["order_id"], one["waits_for"]) == (order_id, "the seller's answer")
    assert (one["seen"], one["command"]) == ("order has no timer for it", "docker compose restart order")


async def test_a_broker_that_goes_away_meanwhile_is_one_clear_line(server: NatsServer, shop: Shop) -> None:
    async def read_from_a_broker_that_dies() -> None:
        async with marketplace(shop.settings.nats_url) as market:
            await server.kill()
            await Letters(market.nc, market.reader, market.names).read_on()

    with pytest.raises(ConfigurationError, match="the broker does not answer as it should"):
        await read_from_a_broker_that_dies()


def test_whose_turn_each_wait_is() -> None:
    """Written by hand: whoever adds a wait says here who ends it."""
    turns = {
        Owner.ORDER: {
            "the end of the order", "the end of buyer protection", "the refund", "the refund of the accepted part",
            "the arrival of a refund", "the order to hear of the parcel", "the order to hear of the delivery",
            "the order to hear the seller's answer", "the cancellation that needs no consent", "the seller's answer",
            "the payment", "the shipment", "the order to settle the dispute", "the order to hear of the dispute",
        },
        Owner.SELLER: {
            "the answer that the seller is preparing", "the parcel to be handed over", "the carrier's first scan",
            "the parcel to arrive",
        },
        Owner.DISPUTE: {
            "the dispute to be dropped", "the seller's answer to the dispute", "an agreement", "what was agreed",
            "the ruling",
        },
    }  # fmt: skip
    source = ast.parse(inspect.getsource(waits))
    called = {
        node.args[0].value
        for node in ast.walk(source)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Wait"
        and isinstance(node.args[0], ast.Constant)
    }
    in_dispute = ast.literal_eval(
        next(ast.unparse(node.value) for node in source.body if isinstance(node, ast.AnnAssign) and node.value)
    )
    assert called | set(in_dispute.values()) == set[str]().union(*turns.values())
    assert {what: turn_of(what) for whats in turns.values() for what in whats} == {
        what: owner for owner, whats in turns.items() for what in whats
    }
    assert turn_of("the email cancelled") is Owner.NOTIFY


async def status(shop: Shop, folder: Path) -> dict[str, Any]:
    """What `countermand status --json` writes."""
    assert await command.status(shop.settings.nats_url, folder / "status.json") == 0
    return json.loads((folder / "status.json").read_text())


async def stuck(shop: Shop, folder: Path, patience_s: float) -> dict[str, Any]:
    """What `countermand stuck --json` writes."""
    assert await command.stuck(shop.settings.nats_url, patience_s, folder / "stuck.json") == 0
    return json.loads((folder / "stuck.json").read_text())
