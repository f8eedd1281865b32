"""The journal on a real broker: one winner a revision, and a history that is whole or an error."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeAlias

import nats
import pytest

from countermand.contracts.base import Owner
from countermand.contracts.order import CancelWithdrawn
from countermand.contracts.subjects import Address, event_subject
from countermand.kernel.decider import Deadline, Decider
from countermand.runtime.direct import MAX_SUBJECTS, DirectReader, StoreReadError
from countermand.runtime.envelope import Envelope
from countermand.runtime.jetstream import JetStreamStore
from countermand.runtime.journal import Aggregate, Journal
from countermand.runtime.policies import Policies
from countermand.runtime.ports import Conflict
from countermand.runtime.requests import Requests
from tests.integration.conftest import Shop, some_order_id, terms_now
from tests.support.orders import BRIEF

Counted: TypeAlias = Journal[Any, int, CancelWithdrawn]

_TERMS = terms_now()


def _nothing(_command: object, _state: int, _now: datetime) -> None:
    return None


def _no_deadlines(_state: int) -> tuple[Deadline, ...]:
    return ()


COUNTER: Decider[Any, int, CancelWithdrawn] = Decider(
    lambda _order_id, _terms: 0, _nothing, lambda state, _event, _event_id: state + 1, _no_deadlines
)
"""Its state is the number of events."""


async def test_twenty_writers_at_once_win_one_revision_each_time_and_lose_nothing(shop: Shop) -> None:
    order_id = some_order_id()

    async def write_five(journal: Counted, writer: int) -> None:
        for n in range(5):
            await append_until_it_stands(journal, order_id, f"w{writer}-{n}")

    async with AsyncExitStack() as stack:
        journals = [await stack.enter_async_context(counted(shop)) for _ in range(20)]
        await asyncio.gather(*(write_five(journal, writer) for writer, journal in enumerate(journals)))
        states = [(await caught_up(journal, order_id)).state for journal in journals]

    stored = await shop.stored("ORDER")
    assert [message.subject for message in stored] == [
        event_subject(Owner.ORDER, order_id, "CancelWithdrawn", revision) for revision in range(1, 101)
    ]
    ids = [message.headers["ce-id"] for message in stored]
    assert sorted(ids) == sorted(f"w{writer}-{n}" for writer in range(20) for n in range(5))
    assert [[i for i in ids if i.startswith(f"w{writer}-")] for writer in range(20)] == [
        [f"w{writer}-{n}" for n in range(5)] for writer in range(20)
    ]
    assert states == [100] * 20


async def test_a_writer_who_is_behind_is_told_so_and_catches_up_however_far(shop: Shop) -> None:
    order_id = some_order_id()
    async with counted(shop) as quick, counted(shop) as slow:
        late = await slow.load(order_id)
        for n in range(70):
            await append_until_it_stands(quick, order_id, f"e{n}")

        with pytest.raises(Conflict) as conflict:
            await append(slow, late, "late")
        assert not conflict.value.duplicate
        assert late.revision == 0
        await slow.catch_up(late)
        await append(slow, late, "late")

        assert (late.revision, late.state, late.ids["e69"], late.ids["late"]) == (71, 71, 70, 71)


async def test_an_event_written_before_is_never_written_again(shop: Shop) -> None:
    order_id = some_order_id()
    async with counted(shop) as journal, counted(shop) as other:
        await append_until_it_stands(journal, order_id, "once")
        behind = Aggregate[int](order_id)
        other.settle_terms(behind, _TERMS)
        with pytest.raises(Conflict):
            await append(other, behind, "once")
        await other.catch_up(behind)
        with pytest.raises(Conflict) as conflict:
            await append(other, behind, "once")
    assert conflict.value.duplicate
    assert len(await shop.stored("ORDER")) == 1


async def test_the_fate_of_an_append_whose_ack_was_lost_is_in_the_history(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = some_order_id()
    publish = Requests.publish

    async def publish_and_lose_the_ack(*args: Any, **kwargs: Any) -> None:
        await publish(*args, **kwargs)
        raise TimeoutError

    async with counted(shop) as journal:
        aggregate = await journal.load(order_id)
        with monkeypatch.context() as patched:
            patched.setattr(Requests, "publish", publish_and_lose_the_ack)
            with pytest.raises(TimeoutError):
                await append(journal, aggregate, "unsure")
        assert aggregate.revision == 0

        assert await journal.refresh(aggregate)
        assert aggregate.ids == {"unsure": 1}
        assert not await journal.refresh(aggregate)


async def test_a_history_with_a_gap_is_an_error_and_no_shorter_history(shop: Shop) -> None:
    order_id = some_order_id()
    event = CancelWithdrawn(brief=BRIEF, request_id="r")
    for revision in (1, 3):
        await shop.tell(order_id, event, revision, f"e{revision}", _TERMS)
    async with counted(shop) as journal:
        with pytest.raises(ValueError, match=rf"revision 3 of order\.{order_id} does not follow 1"):
            await journal.read(order_id)


async def test_a_history_too_long_to_read_is_an_error_and_no_empty_history(shop: Shop) -> None:
    order_id = some_order_id()
    for revision in range(1, MAX_SUBJECTS + 1):
        await shop.market.nc.publish(event_subject(Owner.ORDER, order_id, "CancelWithdrawn", revision), b"{}")
    await shop.put(event_subject(Owner.ORDER, order_id, "CancelWithdrawn", MAX_SUBJECTS + 1), b"{}")
    async with counted(shop) as journal:
        with pytest.raises(StoreReadError, match="413"):
            await journal.read(order_id)


async def test_what_falls_out_of_the_cache_is_read_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("countermand.runtime.journal.MAX_CACHED", 1)
    one, two = some_order_id(), some_order_id()
    async with counted(shop) as journal:
        await append_until_it_stands(journal, one, "e1")
        first = await journal.load(one)
        assert await journal.load(one) is first
        await journal.load(two)
        again = await journal.load(one)
    assert again is not first
    assert (again.revision, again.state, again.ids) == (1, 1, {"e1": 1})


async def test_the_history_says_under_which_terms_an_order_was_placed(shop: Shop) -> None:
    """A placing that was refused, or lost against another, had terms too: they bind nobody."""
    order_id = some_order_id()
    async with counted(shop) as journal, counted(shop) as other:
        loser = await journal.load(order_id)
        journal.settle_terms(loser, terms_now(rate=1000))
        await append_until_it_stands(other, order_id, "e1")

        await journal.catch_up(loser)

    assert (loser.revision, loser.terms) == (1, _TERMS)


@asynccontextmanager
async def counted(shop: Shop) -> AsyncGenerator[Counted]:
    """A journal with a connection of its own."""
    nc = await nats.connect(shop.settings.nats_url)
    try:
        reader = DirectReader(nc)
        await reader.start()
        requests = Requests(nc)
        await requests.start()
        policies = Policies(nc.jetstream(), shop.names)
        yield Journal(Owner.ORDER, COUNTER, JetStreamStore(Owner.ORDER, requests, reader, shop.names), policies.terms)
    finally:
        await nc.close()


async def append_until_it_stands(journal: Counted, order_id: str, event_id: str) -> None:
    aggregate = await journal.load(order_id)
    while True:
        try:
            return await append(journal, aggregate, event_id)
        except Conflict:
            await journal.catch_up(aggregate)


async def append(journal: Counted, aggregate: Aggregate[int], event_id: str) -> None:
    journal.settle_terms(aggregate, _TERMS)
    cause = Envelope(
        id=f"cause of {event_id}",
        address=Address("cmd", "order", aggregate.order_id, "WithdrawCancel", None),
        stored_at=datetime.now(UTC),
        sequence=0,
        body=None,
        terms=None,
        correlation_id=event_id,
        causation_id=None,
        simulated_at=None,
        deadline_id=None,
        traceparent=None,
        delivered=None,
    )
    event = CancelWithdrawn(brief=BRIEF, request_id=f"request of {event_id}")
    await journal.append(aggregate, event, event_id, cause, _TERMS.clock.simulated(cause.stored_at))


async def caught_up(journal: Counted, order_id: str) -> Aggregate[int]:
    aggregate = await journal.load(order_id)
    await journal.catch_up(aggregate)
    return aggregate
