"""Timers on a real broker: none is lost, none fires for what has ended, and none decides before its time.

Orders here run at the fastest clock: the 72 hours in which a seller must answer take two seconds.
"""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from countermand.contracts.base import Owner
from countermand.contracts.dispute import ClaimGround, OpenDispute
from countermand.contracts.order import AskSellerToCancel, CancelReason, WithdrawCancel
from countermand.contracts.seller import ShipOrder
from countermand.contracts.subjects import due_subject
from countermand.kernel.decider import Deadline
from countermand.runtime.embedded import NatsServer
from countermand.runtime.envelope import Envelope
from countermand.runtime.jetstream import JetStreamOutside, JetStreamStore
from countermand.runtime.journal import Aggregate, Journal
from countermand.runtime.outage import is_outage
from countermand.runtime.streams import COMMANDS, TIMERS
from countermand.runtime.timers import Timers
from lab.facts import Fact
from services.dispute.app import CARD as DISPUTE
from services.order.app import CARD as ORDER
from services.seller.app import CARD as SELLER
from tests.integration.conftest import FASTEST, Shop, eventually, opened, some_order_id, terms_now
from tests.support.orders import BUYER, place
from tests.support.orders import SELLER as SHOPKEEPER

ASK = AskSellerToCancel(actor=BUYER, reason=CancelReason.BETTER_OFFER)
SECONDS_TO_ANSWER = 2.0
LATE_S = 1.5
"""Later than this is late, on a busy machine too."""


def withdraw(request: Fact) -> WithdrawCancel:
    return WithdrawCancel(actor=BUYER, request_id=request.id)


async def test_a_deadline_is_kept_to_the_second(shop: Shop) -> None:
    async with shop.serving(ORDER):
        order_id = await shop.place(under=terms_now(rate=FASTEST))
        request = await shop.do(order_id, ASK)
        await assert_cancelled_in_time(shop, request)
        await shop.settled()
        assert await shop.armed() == []


async def test_timers_survive_a_restart_of_the_broker(server: NatsServer, shop: Shop) -> None:
    async with shop.serving(ORDER):
        order_id = await shop.place(under=terms_now(rate=FASTEST / 1.5))
        request = await shop.do(order_id, ASK)
        await shop.settled()
        await server.restart()
        await shop.reconnect()
        before = await shop.armed()
        await until_cancelled(shop, order_id)
        await shop.settled()
    assert before == [f"timer.order.{order_id}.AnswerDue.2", f"timer.order.{order_id}.PaymentDue.1"]
    assert await shop.events(order_id) == ["OrderPlaced", "CancelRequested", "OrderCancelled", "OrderClosed"]
    cancelled = next(fact for fact in await shop.facts(order_id) if fact.name == "OrderCancelled")
    assert cancelled.at - request.at >= timedelta(seconds=1.5 * SECONDS_TO_ANSWER - 0.1)


async def test_a_deadline_that_passes_while_the_broker_is_away_is_kept_when_it_is_back(
    server: NatsServer, shop: Shop
) -> None:
    async with shop.serving(ORDER):
        order_id = await shop.place(under=terms_now(rate=FASTEST))
        await shop.do(order_id, ASK)
        await shop.settled()
        await server.stop()
        await asyncio.sleep(SECONDS_TO_ANSWER)
        await server.start()
        await shop.reconnect()
        await until_cancelled(shop, order_id)


async def test_purging_the_timers_loses_no_deadline(server: NatsServer) -> None:
    async with opened(server, reconcile_every_s=0.2) as shop, shop.serving(ORDER, SELLER):
        order_id = await shop.place(under=terms_now(rate=FASTEST))
        eager = await shop.place(under=terms_now(rate=FASTEST), profile="eager")
        request = await shop.do(order_id, ASK)
        await shop.settled()
        before = await shop.armed()
        assert [timer.split(".")[3] for timer in before if eager in timer] == ["PaymentDue", "HandOverDue"]

        await shop.market.js.purge_stream(TIMERS)

        await assert_cancelled_in_time(shop, request)
        await shop.until(eager, "ShipmentNoted")


async def test_a_deadline_that_is_no_longer_wanted_is_cancelled(shop: Shop) -> None:
    async with shop.serving(ORDER):
        order_id = await shop.place()
        for _ in range(3):
            request = await shop.do(order_id, ASK)
            await shop.do(order_id, withdraw(request))
        await shop.settled()
        assert await shop.armed() == [f"timer.order.{order_id}.PaymentDue.1"]
        assert len(await shop.stored(TIMERS)) <= 2, "cancellations do not pile up"


async def test_nothing_is_armed_for_an_order_that_has_closed(shop: Shop) -> None:
    async with shop.serving(ORDER, SELLER):
        order_id = await shop.place(profile="prompt", paid=True)
        await shop.do(order_id, ASK)
        await shop.until(order_id, "OrderClosed")
        await shop.settled()
        assert await shop.armed() == []


async def test_an_orphan_is_cancelled_by_the_reconciler(server: NatsServer) -> None:
    async with opened(server, reconcile_every_s=0.2) as shop, shop.serving(ORDER, SELLER):
        order_id = await shop.place(profile="prompt")
        await shop.do(order_id, ASK)
        await shop.until(order_id, "OrderClosed")
        running = await shop.place()
        await shop.settled()
        wanted = f"timer.order.{running}.PaymentDue.1"
        assert await shop.armed() == [wanted]

        orphan = f"timer.order.{order_id}.AnswerDue.2"
        await arm_by_hand(shop, orphan)
        assert await shop.armed() == sorted([orphan, wanted])
        await until_armed(shop, [wanted])


async def test_what_ends_while_the_reconciler_looks_stays_cancelled(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds the timer missing, and must not arm it for good when it is cancelled meanwhile."""
    order_id = some_order_id()
    arm = Timers.arm
    async with shop.replica() as order:
        await order.does(order_id, place(under=terms_now()))
        await order.does(order_id, ASK, "ask")
        await shop.market.js.purge_stream(TIMERS, subject=f"timer.order.{order_id}.AnswerDue.2")
        reconciler = order.reconciler()

        async def end_it_and_then_arm(self: Timers, aggregate: Aggregate[Any], deadline: Deadline) -> None:
            monkeypatch.setattr(Timers, "arm", arm)
            withdrawal = WithdrawCancel(actor=BUYER, request_id="ask:AskSellerToCancel")
            await order.does(order_id, withdrawal)
            await arm(self, aggregate, deadline)

        monkeypatch.setattr(Timers, "arm", end_it_and_then_arm)
        await reconciler.reconcile()
    assert await shop.armed() == [f"timer.order.{order_id}.PaymentDue.1"]


async def test_what_armed_a_timer_delivered_again_after_its_deadlines_end_arms_nothing(shop: Shop) -> None:
    order_id = some_order_id()
    answer, payment = f"timer.order.{order_id}.AnswerDue.2", f"timer.order.{order_id}.PaymentDue.1"
    async with shop.replica() as order:
        await order.does(order_id, place(under=terms_now()))
        asked = await order.does(order_id, ASK, "ask")
        assert await shop.armed() == [answer, payment]
        await order.does(order_id, WithdrawCancel(actor=BUYER, request_id="ask:AskSellerToCancel"))
        assert await shop.armed() == [payment]

        await order.hears(COMMANDS, asked)
        assert await shop.armed() == [payment]
    async with shop.replica() as restarted:
        await restarted.hears(COMMANDS, asked)
        assert await shop.armed() == [payment]


async def test_what_armed_a_timer_delivered_again_before_its_deadlines_end_arms_it_again(shop: Shop) -> None:
    """Whoever was killed between the append and the timer has left the rest to whoever hears the cause next."""
    order_id = some_order_id()
    async with shop.replica() as order, shop.replica() as another:
        placing = await order.does(order_id, place(under=terms_now()))
        asked = await order.does(order_id, ASK)
        armed = await shop.armed()
        await shop.market.js.purge_stream(TIMERS)
        for sequence in (placing, asked):
            await another.hears(COMMANDS, sequence)
        assert await shop.armed() == armed
        assert len(armed) == 2


async def test_timers_are_set_though_the_order_fell_out_of_memory_and_a_read_is_behind(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between an append and its timers other orders may push this one out of the cache."""
    order_id, errors = some_order_id(), list[Exception]()
    async with shop.replica() as order:
        await order.does(order_id, place(under=terms_now()))
        newer: Any = JetStreamStore.newer
        append: Any = Journal[Any, Any, Any].append
        behind = False

        async def append_and_fall_out(self: Any, aggregate: Any, *args: Any) -> Any:
            nonlocal behind
            entry = await append(self, aggregate, *args)
            self.forget(order_id)
            behind = True
            return entry

        async def read_what_is_old(self: Any, *args: Any) -> list[Envelope]:
            nonlocal behind
            behind, old = False, behind
            return (await newer(self, *args))[: -1 if old else None]

        def note(_self: Any, _subject: str, _tries: int, error: Exception) -> None:
            errors.append(error)

        with monkeypatch.context() as patched:
            patched.setattr(Journal, "append", append_and_fall_out)
            patched.setattr(JetStreamStore, "newer", read_what_is_old)
            patched.setattr(JetStreamOutside, "failed", note)
            await order.does(order_id, ASK)
    assert await shop.armed() == [f"timer.order.{order_id}.{name}" for name in ("AnswerDue.2", "PaymentDue.1")]
    assert await shop.events(order_id) == ["OrderPlaced", "CancelRequested"]
    assert [error for error in errors if not is_outage(error)] == []


async def test_an_early_hint_is_armed_again_and_decides_nothing_before_its_time(shop: Shop) -> None:
    async with shop.serving(ORDER):
        order_id = await shop.place(under=terms_now(rate=FASTEST))
        request = await shop.do(order_id, ASK)
        await shop.settled()
        timer = f"timer.order.{order_id}.AnswerDue.2"
        await fire_by_hand(shop, timer)
        await shop.settled()
        assert timer in await shop.armed()
        assert await shop.events(order_id) == ["OrderPlaced", "CancelRequested"]
        await assert_cancelled_in_time(shop, request)


async def test_an_early_hint_at_a_replica_that_is_behind_is_armed_again_too(shop: Shop) -> None:
    order_id = some_order_id()
    timer, payment = f"timer.order.{order_id}.AnswerDue.2", f"timer.order.{order_id}.PaymentDue.1"
    async with shop.replica() as one, shop.replica() as behind:
        await behind.does(order_id, place(under=terms_now()))
        await one.does(order_id, ASK)
        await fire_by_hand(shop, timer)
        assert await shop.armed() == [payment]
        await behind.hears_next(TIMERS)
        assert await shop.armed() == [timer, payment]


async def test_a_forged_early_hint_of_a_service_without_that_deadline_is_dropped(shop: Shop) -> None:
    async with shop.serving(ORDER):
        order_id = await shop.place()
        await shop.settled()
        armed = await shop.armed()
        await arm_by_hand(shop, f"timer.order.{order_id}.AnswerDue.2")
        await fire_by_hand(shop, f"timer.order.{order_id}.AnswerDue.2")
        await shop.settled()
        assert await shop.armed() == armed
        assert await shop.dead() == {}


async def test_silence_in_a_dispute_counts_only_once_the_order_waits_for_the_dispute(shop: Shop) -> None:
    """The order service is away for longer than the seller has to answer: the reminder comes again until it is back."""
    under = terms_now(rate=FASTEST)
    async with shop.serving(SELLER, DISPUTE):
        async with shop.serving(ORDER):
            order_id = await shop.place(paid=True, under=under)
            await shop.market.send(order_id, ShipOrder(actor=SHOPKEEPER))
            await shop.until(order_id, "ShipmentNoted")
        claim = OpenDispute(actor=BUYER, ground=ClaimGround.NOT_RECEIVED)
        disputed = await shop.do(order_id, claim)
        answer_by: datetime = disputed.body.answer_by

        async def is_long_past() -> bool:
            return under.clock.simulated(datetime.now(UTC)) > answer_by + timedelta(days=2)

        await eventually(is_long_past)
        assert await shop.events(order_id, Owner.DISPUTE) == ["DisputeOpened"]
        async with shop.serving(ORDER):
            assert (await shop.until_over(order_id))[-1] == "OrderClosed"
            assert await shop.events(order_id, Owner.DISPUTE) == ["DisputeOpened", "DisputeResolved"]
            assert "RefundIssued" in await shop.events(order_id)
            assert await shop.dead() == {}


async def until_cancelled(shop: Shop, order_id: str) -> None:
    """Wait by looking: nobody has watched since the broker was away."""

    async def is_cancelled() -> bool:
        return "OrderCancelled" in await shop.events(order_id)

    await eventually(is_cancelled)


async def until_armed(shop: Shop, subjects: list[str]) -> None:
    async def are_armed() -> bool:
        return await shop.armed() == subjects

    await eventually(are_armed)


async def assert_cancelled_in_time(shop: Shop, request: Fact) -> None:
    """Not before the deadline in simulated or real time, and not long after it."""
    cancelled = await shop.until(request.order_id, "OrderCancelled")
    assert (cancelled.body.ground, cancelled.body.request_id) == ("silence", request.id)
    assert cancelled.simulated_at >= request.body.answer_by
    took_s = (cancelled.at - request.at).total_seconds()
    # The time runs from the storing of the command, milliseconds before that of its event.
    assert SECONDS_TO_ANSWER - 0.1 <= took_s <= SECONDS_TO_ANSWER + LATE_S


async def fire_by_hand(shop: Shop, timer: str) -> None:
    """The timer is gone, and its hint has come now."""
    [armed] = [message for message in await shop.stored(TIMERS) if message.subject == timer]
    await shop.market.js.purge_stream(TIMERS, subject=timer)
    headers = {key: value for key, value in armed.headers.items() if key.startswith("ce-")}
    await shop.put(due_subject(timer), armed.data, headers)


async def arm_by_hand(shop: Shop, timer: str) -> None:
    """A timer that nobody wants, an hour from now."""
    name = timer.split(".")[3]
    under, at = terms_now(), datetime.now(UTC) + timedelta(hours=1)
    headers = {
        "Nats-Schedule": f"@at {at.isoformat().replace('+00:00', 'Z')}",
        "Nats-Schedule-Target": due_subject(timer),
        "ce-id": f"nobody:{name}",
        "ce-causationid": "nobody",
        "ce-simtime": (under.clock.epoch + timedelta(days=1)).isoformat(),
        "ce-terms": under.ref.header(),
    }
    await shop.put(timer, json.dumps({"deadline_id": "nobody"}).encode(), headers)
