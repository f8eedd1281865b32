"""What follows from an event in its own service: done before its cause is acked, and once if that comes again."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import pytest

from countermand.contracts.base import Owner
from countermand.contracts.order import AskSellerToCancel, CancelReason, PaymentMethod
from countermand.contracts.seller import SellerAccepted
from countermand.kernel.ids import event_id
from countermand.kernel.policy import Policy
from countermand.runtime import handler
from countermand.runtime.embedded import NatsServer
from countermand.runtime.failpoints import Failpoint
from countermand.runtime.jetstream import JetStreamStore
from countermand.runtime.streams import COMMANDS
from services.order.app import CARD as ORDER
from services.order.commands import IssueRefund
from services.seller.app import CARD as SELLER
from tests.integration.conftest import Replica, Shop, deciding, opened, some_order_id, terms_now
from tests.support.orders import BUYER, place

ASK: Final = AskSellerToCancel(actor=BUYER, reason=CancelReason.BETTER_OFFER)
AGREED: Final = SellerAccepted(request_id="ask:AskSellerToCancel")
BEFORE: Final = ["OrderPlaced", "CancelRequested"]
CHAIN: Final = {
    PaymentMethod.WALLET: ["OrderCancelled", "RefundIssued", "RefundReceived", "OrderClosed"],
    PaymentMethod.CARD: ["OrderCancelled", "RefundIssued"],
}
"""What follows when the seller agrees: money on a card is on its way for days, and the timer waits for it."""


class Died(BaseException):
    """The process ended here."""


@pytest.mark.parametrize(
    ("method", "dies_after"), [(method, name) for method, names in CHAIN.items() for name in names]
)
async def test_after_a_crash_in_mid_chain_whoever_hears_the_cause_does_the_rest_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, method: PaymentMethod, dies_after: str
) -> None:
    order_id, under = some_order_id(), terms_now()
    with monkeypatch.context() as patched:
        patched.setattr(Failpoint, "passing", dying_at("after_append", dies_after))
        async with shop.replica() as doomed:
            agreed = await until_the_seller_agrees(shop, doomed, order_id, under, method)
            with pytest.raises(Died):
                await doomed.hears("SELLER", agreed)
    done = CHAIN[method][: CHAIN[method].index(dies_after) + 1]
    assert await shop.events(order_id) == [*BEFORE, *done]
    assert [timer.split(".")[3] for timer in await shop.armed()] == ["AnswerDue", "ShipmentDue"], (
        "none is set in between"
    )

    async with shop.replica() as successor, shop.replica() as another:
        for replica in (successor, another, successor):
            await replica.hears("SELLER", agreed)
            assert await shop.events(order_id) == [*BEFORE, *CHAIN[method]]
            assert await shop.armed() == (
                [f"timer.order.{order_id}.RefundDue.4"] if method == PaymentMethod.CARD else []
            )
    await assert_each_follows_from_the_one_before(shop, order_id)


async def test_two_replicas_with_one_cause_in_hand_write_its_chain_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second hears it before the first one has gone on: each finds what the other has written."""
    order_id, under = some_order_id(), terms_now()
    async with shop.replica() as one, shop.replica() as two:
        agreed = await until_the_seller_agrees(shop, one, order_id, under, PaymentMethod.WALLET)
        append = JetStreamStore.append
        overtaken = 0

        async def append_when_the_other_is_done(self: Any, entry: Any, expected: int) -> int:
            nonlocal overtaken
            if entry.address.name == "RefundIssued" and not overtaken:
                overtaken += 1
                await two.hears("SELLER", agreed)
            return await append(self, entry, expected)

        monkeypatch.setattr(JetStreamStore, "append", append_when_the_other_is_done)
        await one.hears("SELLER", agreed)
    assert overtaken == 1
    assert await shop.events(order_id) == [*BEFORE, *CHAIN[PaymentMethod.WALLET]]
    assert await shop.armed() == []
    await assert_each_follows_from_the_one_before(shop, order_id)


async def test_a_chain_given_up_in_its_midst_is_kept_for_an_operator_and_goes_on_when_its_cause_is_heard_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("countermand.runtime.handler._RETRY_S", (0.001,))

    def fail(command: Any, state: Any, now: Any) -> Any:
        if isinstance(command, IssueRefund):
            msg = "a bug of ours"
            raise TypeError(msg)
        return ORDER.decider.decide(command, state, now)

    order_id, under = some_order_id(), terms_now()
    async with shop.replica(deciding(ORDER, fail)) as broken:
        agreed = await until_the_seller_agrees(shop, broken, order_id, under, PaymentMethod.WALLET)
        await broken.hears("SELLER", agreed)
        assert await shop.events(order_id) == [*BEFORE, "OrderCancelled"]
        assert await shop.dead() == {agreed: "failed 20 times: TypeError('a bug of ours')"}
    async with shop.replica() as mended:
        await mended.hears("SELLER", agreed)
    assert await shop.events(order_id) == [*BEFORE, *CHAIN[PaymentMethod.WALLET]]
    assert await shop.armed() == []


async def test_a_chain_too_long_is_a_failure_and_no_endless_loop(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("countermand.runtime.handler._RETRY_S", (0.001,))
    monkeypatch.setattr(handler, "_MAX_CHAIN", 2)
    order_id, under = some_order_id(), terms_now()
    async with shop.replica() as order:
        agreed = await until_the_seller_agrees(shop, order, order_id, under, PaymentMethod.WALLET)
        await order.hears("SELLER", agreed)
    assert await shop.events(order_id) == [*BEFORE, *CHAIN[PaymentMethod.WALLET]][:-2]
    [reason] = (await shop.dead()).values()
    assert "agreed has led to 2 events, one after another" in reason


# Beginnings, which are decided unread


@pytest.mark.parametrize("remembered", [True, False], ids=["within the dedupe window", "after it"])
async def test_a_placing_that_comes_again_to_a_cold_cache_places_once(server: NatsServer, *, remembered: bool) -> None:
    order_id = some_order_id()
    async with opened(server, dedupe_window_s=120 if remembered else 1) as shop:
        async with shop.replica() as one, shop.replica() as cold:
            placing = await one.does(order_id, place(under=terms_now()))
            if not remembered:
                await asyncio.sleep(2)
            await cold.hears(COMMANDS, placing)
        assert await shop.events(order_id) == ["OrderPlaced"]
        assert await shop.armed() == [f"timer.order.{order_id}.PaymentDue.1"]
        assert (await shop.refusals(), await shop.dead()) == ({}, {})


async def test_another_placing_of_an_order_that_is_there_is_refused_at_a_cold_cache(shop: Shop) -> None:
    order_id, under = some_order_id(), terms_now()
    async with shop.replica() as one, shop.replica() as cold:
        await one.does(order_id, place(under=under))
        await cold.does(order_id, place(under=terms_now(rate=10)), "second")
        await cold.does(order_id, ASK, "ask")
    [placed, requested] = await shop.facts(order_id)
    assert (placed.name, requested.name) == ("OrderPlaced", "CancelRequested")
    assert {fact.headers["ce-terms"] for fact in await shop.stored("ORDER")} == {under.ref.header()}
    assert await shop.refusals() == {f"reply.order.{order_id}.second": "already_placed"}


@pytest.mark.parametrize("is_cold", [False, True])
async def test_another_placing_under_a_policy_that_nobody_knows_is_refused_at_any_cache(
    shop: Shop, *, is_cold: bool
) -> None:
    order_id, unknown = some_order_id(), terms_now(Policy(seller_answers_within_h=99))
    async with shop.replica() as one, shop.replica() as cold:
        await one.does(order_id, place(under=terms_now()))
        await (cold if is_cold else one).does(order_id, place(under=unknown), "second")
    assert await shop.events(order_id) == ["OrderPlaced"]
    assert await shop.refusals() == {f"reply.order.{order_id}.second": "already_placed"}
    assert await shop.dead() == {}


async def test_an_order_that_the_seller_has_heard_of_before_is_planned_once_at_a_cold_cache(shop: Shop) -> None:
    order_id, under = some_order_id(), terms_now()
    async with shop.replica() as order:
        await order.does(order_id, place(paid=True, profile="eager", under=under))
    [placed] = await shop.stored("ORDER")
    async with shop.replica(SELLER) as one, shop.replica(SELLER) as cold:
        for replica in (one, cold):
            await replica.hears("ORDER", placed.sequence)
    assert await shop.events(order_id, Owner.SELLER) == ["ParcelPlanned"]
    assert await shop.dead() == {}


async def test_a_placing_reads_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    order_id, reads = some_order_id(), list[str]()

    async def note(_self: Any, one: str, *_: Any) -> Any:
        reads.append(one)

    async with shop.replica() as order:
        monkeypatch.setattr(JetStreamStore, "newer", note)
        monkeypatch.setattr(JetStreamStore, "last_sequence", note)
        await order.does(order_id, place(under=terms_now()))
    assert await shop.events(order_id) == ["OrderPlaced"]
    assert reads == []


async def until_the_seller_agrees(shop: Shop, order: Replica, order_id: str, under: Any, method: PaymentMethod) -> int:
    """A paid order, and a request that the seller accepts; the place of that in the seller's journal."""
    await order.does(order_id, place(paid=True, method=method, under=under))
    await order.does(order_id, ASK, "ask")
    return await shop.tell(order_id, AGREED, 1, "agreed", under)


async def assert_each_follows_from_the_one_before(shop: Shop, order_id: str) -> None:
    """The ids tell, and the time is that of the cause: both are the same whoever wrote the event, and when."""
    _, _, *chain = [fact for fact in await shop.facts(order_id) if fact.owner is Owner.ORDER]
    assert [fact.caused_by for fact in chain] == ["agreed", *(fact.id for fact in chain[:-1])]
    assert len({fact.simulated_at for fact in chain}) == 1
    for fact in chain:
        assert fact.id == event_id(fact.caused_by or "", fact.id.rpartition(":")[2])


def dying_at(place_name: str, event: str) -> Callable[..., None]:
    def passing(_self: Failpoint, _service: str, place: str, name: str) -> None:
        if (place, name) == (place_name, event):
            raise Died

    return passing
