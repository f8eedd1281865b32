"""Provisioning: one step of its own, which may be repeated, and without which no service starts."""

import asyncio
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any, Final

import pytest
from nats.js.api import DiscardPolicy, RetentionPolicy, StreamConfig

from countermand.contracts.base import Owner
from countermand.contracts.order import AskSellerToCancel, CancelReason
from countermand.kernel.policy import Policy
from countermand.runtime.card import nothing_to_do
from countermand.runtime.embedded import NatsServer, spawn
from countermand.runtime.names import Names
from countermand.runtime.service import Service
from countermand.runtime.settings import ConfigurationError, Settings
from countermand.runtime.streams import TIMERS, check_timers, provision
from services.dispute.app import CARD as DISPUTE
from services.notify.app import CARD as NOTIFY
from services.order.app import CARD as ORDER
from services.seller.app import CARD as SELLER
from tests.integration.conftest import WITHIN_S, Shop, opened, some_order_id, terms_now
from tests.support.orders import BUYER, place

ASK: Final = AskSellerToCancel(actor=BUYER, reason=CancelReason.BETTER_OFFER)
SERVICES: Final = [(card.name, card.subscriptions()) for card in (ORDER, SELLER, DISPUTE, NOTIFY)]


def events(owner: Owner, names: str) -> set[str]:
    return {f"{owner}.*.{name}.*" for name in names.split()}


FILTERS: Final = {
    ("COMMANDS", "order-commands"): {"cmd.order.>"},
    ("COMMANDS", "seller-commands"): {"cmd.seller.>"},
    ("COMMANDS", "dispute-commands"): {"cmd.dispute.>"},
    ("ORDER", "seller-order"): events(
        Owner.ORDER,
        "OrderPlaced PaymentAcknowledged CancelRequested CancelRequestRepeated CancelRejectedNotBuyer CancelExpired "
        "CancelWithdrawn OrderCancelled AcceptanceSuperseded TrackingAsked DisputeNoted OrderClosed",
    ),
    ("ORDER", "dispute-order"): events(Owner.ORDER, "DisputeNoted OrderCancelled"),
    ("ORDER", "notify-order"): events(
        Owner.ORDER,
        "OrderPlaced CancelRequested CancelRejectedNotBuyer CancelRefused CancelExpired CancelSuperseded "
        "CancelWithdrawn OrderCancelled RefundIssued",
    ),
    ("SELLER", "order-seller"): events(
        Owner.SELLER, "SellerAccepted SellerRefused SellerMessaged Shipped ParcelScanned PartialRefundOffered"
    ),
    ("SELLER", "dispute-seller"): events(Owner.SELLER, "DisputeReplied ParcelScanned"),
    ("DISPUTE", "order-dispute"): events(Owner.DISPUTE, "DisputeOpened DisputeResolved"),
    ("DISPUTE", "notify-dispute"): events(Owner.DISPUTE, "DisputeResolved"),
    ("DEAD", "dispute-dead"): {"retry.dispute.>"},
    ("DEAD", "notify-dead"): {"retry.notify.>"},
    ("DEAD", "order-dead"): {"retry.order.>"},
    ("DEAD", "seller-dead"): {"retry.seller.>"},
    ("TIMERS", "dispute-timers"): {"due.dispute.>"},
    ("TIMERS", "order-timers"): {"due.order.>"},
    ("TIMERS", "seller-timers"): {"due.seller.>"},
}
"""Every consumer, and what it hears: commands, timers, replays, and events of others; nobody hears its own."""


async def test_exactly_the_expected_streams_and_consumers_exist(shop: Shop) -> None:
    streams = await shop.market.js.streams_info()
    assert {stream.config.name for stream in streams} == {
        "ORDER", "SELLER", "DISPUTE", "NOTIFY", "COMMANDS", "REPLY", "DEAD", "POLICIES", "TIMERS"
    }  # fmt: skip
    consumers = await all_consumers(shop)
    heard = {
        place: {*(config.filter_subjects or ()), *filter(None, [config.filter_subject])}
        for place, config in consumers.items()
    }
    assert heard == FILTERS
    for config in consumers.values():
        assert (config.max_deliver, config.ack_wait, config.deliver_group) == (-1, 5, config.durable_name)
    for name in ("ORDER", "SELLER", "DISPUTE", "NOTIFY"):
        config = (await shop.market.js.stream_info(name)).config
        assert (config.discard, config.retention) == (DiscardPolicy.NEW, RetentionPolicy.LIMITS)
        assert (config.deny_delete, config.allow_direct, config.max_age) == (True, True, 0)


async def test_a_second_provisioning_changes_nothing(shop: Shop) -> None:
    async with shop.serving(ORDER):
        await shop.place()
        await shop.settled()
    before = await everything(shop)
    await provision(shop.market.js, shop.names, shop.settings, SERVICES)
    assert await everything(shop) == before


async def test_changed_settings_are_applied_and_lose_nothing(shop: Shop) -> None:
    async with shop.serving(ORDER):
        order_id = await shop.place()
        await shop.settled()
    changed = Settings(
        ack_wait_s=2, max_ack_pending=17, stream_max_bytes=3 * 1024**2, dedupe_window_s=60, stream_replicas=1
    )
    await provision(shop.market.js, shop.names, changed, SERVICES)

    for config in (await all_consumers(shop)).values():
        assert (config.ack_wait, config.max_ack_pending) == (2, 17)
    for stream in await shop.market.js.streams_info():
        bound = None if stream.config.name == TIMERS else 3 * 1024**2
        assert (stream.config.max_bytes or -1) == (bound or -1)
        assert (stream.config.duplicate_window, stream.config.num_replicas) == (60, 1)
    assert await shop.events(order_id) == ["OrderPlaced"]
    assert await shop.armed() == [f"timer.order.{order_id}.PaymentDue.1"]
    async with shop.serving(ORDER, SELLER):
        await shop.do(order_id, ASK)
        await shop.settled()
        assert await shop.events(order_id) == ["OrderPlaced", "CancelRequested"]


@pytest.mark.parametrize("bound", [{"max_age": 3600}, {"max_bytes": 2**20}])
async def test_timers_with_a_bound_are_refused_and_mended(shop: Shop, bound: dict[str, Any]) -> None:
    js = shop.market.js
    config = (await js.stream_info(TIMERS)).config
    await js.update_stream(replace(config, **bound))
    with pytest.raises(ConfigurationError, match="TIMERS has a max_age or max_bytes, which silently loses timers"):
        await check_timers(js, shop.names)
    with pytest.raises(ConfigurationError, match="silently loses timers"):
        async with shop.serving(ORDER):
            pass

    await provision(js, shop.names, shop.settings, SERVICES)
    await check_timers(js, shop.names)


async def test_what_the_broker_refuses_is_one_clear_line(shop: Shop) -> None:
    with pytest.raises(ConfigurationError, match=r"^JetStream refuses the provisioning: .*replicas.* \(code \d+\)$"):
        await provision(shop.market.js, shop.names, Settings(stream_replicas=3), SERVICES)
    other = Names("other.")
    await shop.market.js.add_stream(StreamConfig(name="other_TIMERS", subjects=["other.due.>"]))
    with pytest.raises(ConfigurationError, match=r"^JetStream refuses the provisioning: .* \(code \d+\)$"):
        await provision(shop.market.js, other, shop.settings, SERVICES)


async def test_a_service_without_its_consumers_does_not_start(shop: Shop) -> None:
    await shop.market.js.delete_consumer("SELLER", "order-seller")
    with pytest.raises(ConfigurationError, match="SELLER with the consumer order-seller does not exist"):
        async with Service(ORDER, shop.settings).running():
            pass
    assert "order-seller" not in {consumer for _, consumer in await all_consumers(shop)}


async def test_a_service_on_a_broker_that_nobody_provisioned_says_so_and_exits_with_2(server: NatsServer) -> None:
    log_path = server.log_path.parent / "order.log"
    environment = {"NATS_URL": server.url}
    child = await spawn([sys.executable, "-m", "services.order"], env=environment, log_path=log_path, name="order")
    try:
        await asyncio.wait_for(child.died(), WITHIN_S)
    finally:
        await child.kill()
    *logged, said = child.log_tail().splitlines()
    assert [json.loads(line)["event"] for line in logged] == ["service.listening", "service.starting"]
    assert (child.returncode, said) == (
        2, "SELLER with the consumer order-seller does not exist: run `countermand provision`"
    )  # fmt: skip


async def test_two_installations_on_one_account_do_not_see_each_other(server: NatsServer) -> None:
    order_id = some_order_id()
    letters: list[str] = []

    async def post(event: Any, _command: object, _caused_by: object) -> Any:
        letters.append(event.to)
        return event

    silent = replace(NOTIFY, effect=nothing_to_do)
    async with (
        opened(server) as plain,
        opened(server, subject_prefix="one.") as one,
        opened(server, subject_prefix="two.") as two,
        plain.serving(ORDER, SELLER, silent),
        one.serving(ORDER, SELLER, silent),
        two.serving(ORDER, SELLER, replace(NOTIFY, effect=post)),
    ):
        await plain.place(order_id=order_id, under=terms_now(rate=10))
        await one.place(order_id=order_id, under=terms_now(Policy(seller_answers_within_h=99)), profile="prompt")
        await one.do(order_id, ASK)
        await one.until(order_id, "OrderClosed")
        stranger = await two.send(order_id, place(under=terms_now(Policy(seller_answers_within_h=99))))
        for shop in (plain, one, two):
            await shop.settled()

        assert await plain.events(order_id) == ["OrderPlaced"]
        assert await one.events(order_id) == ["OrderPlaced", "CancelRequested", "OrderCancelled", "OrderClosed"]
        assert await one.events(order_id, Owner.SELLER) == ["SellerAccepted", "SellerRated"]
        assert await one.events(order_id, Owner.NOTIFY) == ["EmailSent"]
        assert await two.events(order_id) == []
        assert list(await two.dead()) == [stranger], "a policy stored in one is unknown in the other"
        assert [await shop.dead() for shop in (plain, one)] == [{}, {}]
        assert [len(await shop.armed()) for shop in (plain, one, two)] == [1, 0, 0]
        assert [fact.name for fact in plain.market.facts(order_id)] == ["OrderPlaced"]
        assert [message.subject.split(".")[0] for message in await one.stored("ORDER")] == ["one"] * 4
        assert letters == []


async def everything(shop: Shop) -> dict[str, Any]:
    """The configurations, the messages, and how far each durable consumer has come; the test's own are at their own pace."""
    streams = await shop.market.js.streams_info()
    infos = await consumers_of(shop, (str(stream.config.name) for stream in streams))
    consumers = [info for info in infos if info.config.durable_name]
    return {
        "streams": {stream.config.name: (asdict(stream.config), stream.state.messages) for stream in streams},
        "consumers": {
            (info.stream_name, info.name): (asdict(info.config), info.num_pending, info.delivered) for info in consumers
        },
    }


async def all_consumers(shop: Shop) -> dict[tuple[str, str], Any]:
    """The configuration of every durable consumer; those that watch for the test have no durable name."""
    infos = await consumers_of(shop, (str(stream.config.name) for stream in await shop.market.js.streams_info()))
    return {(info.stream_name, info.name): info.config for info in infos if info.config.durable_name}


async def consumers_of(shop: Shop, streams: Iterable[str]) -> list[Any]:
    return [info for stream in streams for info in await shop.market.js.consumers_info(stream)]
