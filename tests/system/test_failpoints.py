"""Redelivery after a crash: a service dies where it hurts, starts again, and each thing has still happened once."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Final

import pytest
import pytest_asyncio

from countermand.contracts.base import Owner
from countermand.kernel.ids import order_id_from
from countermand.runtime.failpoints import EXIT_CODE
from countermand.runtime.streams import TIMERS
from lab.market import Market
from lab.stories import STORIES
from lab.stories.play import Performance, perform
from lab.stories.story import Story
from lab.system import CARDS, System, embedded
from tests.support import system as at

pytestmark = pytest.mark.asyncio(loop_scope="module")

LATER_THAN_ALL_ELSE_S: Final = 5.0
"""Of redelivery: the restarted service has done the rest by then."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system() -> AsyncGenerator[System]:
    """One system for all crashes. What a dead process had in hand comes back after a second."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ACK_WAIT_S", "1")
        async with embedded() as system:
            yield system


@pytest.mark.parametrize(
    ("crash_at", "story", "expected"),
    [
        ("order:after_append:CancelDialogOpened", "change-of-mind", at.CANCELLED_UNPAID),
        ("order:before_append:OrderCancelled", "change-of-mind", at.CANCELLED_UNPAID),
        ("order:after_append:OrderCancelled", "change-of-mind", at.CANCELLED_UNPAID),
        ("order:after_append:OrderCancelled", "pocket-refund", at.CANCELLED_REFUNDED),
        ("order:after_append:RefundIssued", "pocket-refund", at.CANCELLED_REFUNDED),
        ("order:after_append:RefundReceived", "pocket-refund", at.CANCELLED_REFUNDED),
        ("order:after_append:OrderClosed", "pocket-refund", at.CANCELLED_REFUNDED),
        ("order:after_append:CancelRequested", "change-of-mind", at.CANCELLED_UNPAID),
        ("seller:after_append:SellerAccepted", "pocket-refund", at.CANCELLED_REFUNDED),
        ("order:after_arming:AnswerDue", "change-of-mind", at.CANCELLED_UNPAID),
        ("notify:after_smtp:EmailSent", "change-of-mind", at.CANCELLED_UNPAID),
    ],
)
async def test_a_crash_there_changes_nothing_of_what_happens(
    system: System, crash_at: str, story: str, expected: Counter[str]
) -> None:
    """Redelivery, not luck: what was done before the crash is known again, what was not is done."""
    service, place, _ = crash_at.split(":")
    await system.services[service].stop()
    doomed = await at.start_service(system, service, {"COUNTERMAND_CRASH_AT": crash_at})
    before = await at.mail_count(system.mailbox_url)

    async with at.connected(system.nats_url) as market:
        playing = asyncio.create_task(played(market, STORIES[story], run=f"{crash_at} {story}"))
        try:
            assert await at.ended(doomed) == EXIT_CODE
            await at.start_service(system, service)
            performance = await playing
        finally:
            playing.cancel()
        await at.drained(market)

        [verdict] = performance.verdicts
        assert (verdict.wrong, performance.report.violations) == ((), ())
        facts = await at.facts_of(market, verdict.order_id)
        assert Counter(fact.name for fact in facts) == expected
        assert [subject for subject in await at.armed_timers(market) if verdict.order_id in subject] == []
        assert await at.dead_letters(market) == []

    promised = Counter(fact.body.message_id for fact in facts if fact.owner is Owner.NOTIFY)
    twice = place == "after_smtp"  # The server had it, and nobody wrote that down.
    assert set(promised.values()) == {1}
    assert await at.message_ids(system.mailbox_url, verdict.order_id) == dict.fromkeys(promised, 2 if twice else 1)
    after = await at.mail_count(system.mailbox_url)
    assert after["received"] - before["received"] == len(promised) + twice
    assert after["duplicates"] - before["duplicates"] == twice


async def test_a_timer_is_not_armed_again_when_what_it_waited_for_has_come(system: System) -> None:
    """The command whose event arms it comes again after everything else: the order is closed, so nothing is armed."""
    order_id = order_id_from("armed")
    await system.services["order"].stop()
    async with (
        at.connected(system.nats_url) as market,
        at.patient(market, "order-commands", ack_wait_s=LATER_THAN_ALL_ELSE_S),
    ):
        doomed = await at.start_service(system, "order", {"COUNTERMAND_CRASH_AT": "order:after_arming:AnswerDue"})
        buying = asyncio.create_task(at.Buyer(market, order_id).cancels_unpaid())
        try:
            assert await at.ended(doomed) == EXIT_CODE
            await at.start_service(system, "order")
            await buying
        finally:
            buying.cancel()
        await at.drained(market)

        assert (await at.events_of_all(market))[order_id] == at.CANCELLED_UNPAID
        assert [subject for subject in await at.armed_timers(market) if order_id in subject] == []


@pytest.mark.parametrize(("paid", "limit"), [(False, "PaymentDue"), (True, "ShipmentDue")])
async def test_a_crash_between_an_event_and_its_timer_leaves_the_timer_to_redelivery(
    system: System, *, paid: bool, limit: str
) -> None:
    """And not to the reconciler alone: what that has armed at the new process's start is taken away again."""
    order_id = order_id_from("placed", limit)
    await system.services["order"].stop()
    async with (
        at.connected(system.nats_url) as market,
        at.patient(market, "order-commands", ack_wait_s=LATER_THAN_ALL_ELSE_S),
    ):

        async def armed() -> list[str]:
            return [subject for subject in await at.armed_timers(market) if order_id in subject]

        doomed = await at.start_service(system, "order", {"COUNTERMAND_CRASH_AT": "order:after_append:OrderPlaced"})
        await at.Buyer(market, order_id).place(paid=paid, profile="manual")
        assert await at.ended(doomed) == EXIT_CODE
        assert await armed() == []

        await at.start_service(system, "order", {"RECONCILE_EVERY_S": "600"})
        await at.until(armed, "the reconciler's first round")
        await market.js.purge_stream(TIMERS)
        await at.drained(market)

        assert await armed() == [f"timer.order.{order_id}.{limit}.1"]
        assert (await at.events_of_all(market))[order_id]["OrderPlaced"] == 1
        assert await at.dead_letters(market) == []


async def played(market: Market, story: Story, run: str) -> Performance:
    """Play one story; `EmailSent` stands for its emails, which the test itself looks at."""
    return await perform([story], market, cards=CARDS, mailbox_url=None, seed=7, run=run, progress=at.silently)
