"""The read model's file: the same rows however the streams are interleaved, once each, and lists that agree with them."""

import asyncio
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import structlog

from countermand.contracts.base import Owner
from countermand.kernel.policy import Policy
from countermand.runtime.facts import Fact
from services.web.readmodel.lists import Which
from services.web.readmodel.queries import Queries
from services.web.readmodel.store import Batch, Position, Store
from services.web.readmodel.view import Phase
from tests.support.lives import lives

ORDERS = 40


@pytest.fixture(scope="module")
def recorded() -> tuple[list[Fact], dict[str, Policy]]:
    """Everything that happened to some orders, and the policies that they were placed under."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    facts: list[Fact] = []
    policies: dict[str, Policy] = {}
    for mix in ("everyday", "disputes"):
        for errand, some in lives(mix, 5, ORDERS // 2):
            facts += some
            policies[errand.policy.hash] = errand.policy
    structlog.reset_defaults()
    return facts, policies


def batches(facts: Sequence[Fact], rnd: random.Random) -> Iterator[Batch]:
    """The streams, each in its own order, in pieces of any size and in any order among each other."""
    streams = {owner: iter([fact for fact in facts if fact.owner is owner]) for owner in Owner}
    sequences: Counter[Owner] = Counter()
    while streams:
        owner = rnd.choice(list(streams))
        some = list(islice(streams[owner], rnd.randint(1, 30)))
        if some:
            sequences[owner] += len(some)
            yield Batch(owner, "2026", sequences[owner], some, {})
        else:
            del streams[owner]


def filled(path: Path, recorded: tuple[list[Fact], dict[str, Policy]], seed: int, restart_every: int = 0) -> Store:
    facts, policies = recorded
    store = Store(path)
    for hash_, policy in policies.items():
        store.learn(policy, hash_)
    for number, batch in enumerate(batches(facts, random.Random(seed))):
        store.apply(batch)
        if restart_every and number % restart_every == 0:
            store.close()
            store = Store(path)
    return store


def contents(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All tables, less the row numbers, which depend on the order of reading."""
    columns = (
        "order_id, placed_us, changed_us, buyer, seller, run, phase, waits, outcome, todo, dispute, amiss, document"
    )
    with sqlite3.connect(path) as db:
        tables = {
            name: sorted(db.execute(f"SELECT * FROM {name}").fetchall())  # noqa: S608
            for name in ("tally", "person", "position", "policy")
        }
        tables["tally"] = [row for row in tables["tally"] if row[-1]]
        tables["orders"] = db.execute(f"SELECT {columns} FROM orders ORDER BY order_id").fetchall()  # noqa: S608
    db.close()
    return tables


def test_the_order_in_which_the_streams_are_read_does_not_matter(
    recorded: tuple[list[Fact], dict[str, Policy]], tmp_path: Path
) -> None:
    """Nor does a restart between any two batches."""
    found: list[dict[str, list[tuple[Any, ...]]]] = []
    for seed, restart_every in ((1, 0), (2, 0), (3, 2)):
        path = tmp_path / f"{seed}.db"
        filled(path, recorded, seed, restart_every).close()
        found.append(contents(path))
    assert found[1] == found[0]
    assert found[2] == found[0]
    assert len(found[0]["orders"]) == ORDERS
    assert {row[7] for row in found[0]["orders"]} == {"nothing"}, "every simulated order has ended"
    assert {row[11] for row in found[0]["orders"]} == {""}, "and nothing is amiss with any"


def test_a_batch_that_fails_leaves_nothing(recorded: tuple[list[Fact], dict[str, Policy]], tmp_path: Path) -> None:
    """Rows and position are one transaction."""
    store = Store(tmp_path / "web.db")
    facts = [fact for fact in recorded[0] if fact.owner is Owner.ORDER][:10]
    store.apply(Batch("order", "2026", 10, facts, {}))
    before = contents(tmp_path / "web.db")
    broken = Batch("order", "2026", None, facts[:1], {})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(sqlite3.IntegrityError):
        store.apply(broken)
    assert contents(tmp_path / "web.db") == before
    assert store.positions() == {"order": Position(10, "2026")}


async def test_lists_and_counts_agree_with_the_rows(
    recorded: tuple[list[Fact], dict[str, Policy]], tmp_path: Path
) -> None:
    """Pages hold every order of their kind once, the newest first; the tally counts what the pages hold."""
    path = tmp_path / "web.db"
    facts, policies = recorded
    half = [fact for fact in facts if fact.revision <= 3], policies  # Lives cut short, so that some are open.
    await asyncio.to_thread(lambda: filled(path, half, 1).close())
    queries = Queries(path)
    try:
        everything = await _all(queries, None, ())
        assert len(everything) == len(set(everything)) == ORDERS
        assert everything == await _by_time(queries, everything)
        counts = await queries.counts()
        assert counts.orders == ORDERS
        for phase in Phase:
            assert len(await _all(queries, None, (phase,))) == counts.by_phase.get(phase, 0)
        sellers = [person.id for person in await queries.people("seller", 500)]
        of_sellers = [order_id for seller in sellers for order_id in await _all(queries, Which.seller(seller), ())]
        assert sorted(of_sellers) == sorted(everything)
    finally:
        await queries.close()


async def _all(queries: Queries, which: Which | None, phases: Sequence[Phase]) -> list[str]:
    found: list[str] = []
    after: str | None = None
    while True:
        page = await queries.orders(which, phases=phases, after=after, limit=3)
        found += [detail.view.order_id for detail in page.orders]
        after = page.next
        if after is None:
            return found


async def _by_time(queries: Queries, order_ids: Sequence[str]) -> list[str]:
    placed = {
        order_id: detail.view.order.placed_real_at
        for order_id in order_ids
        if (detail := await queries.order(order_id)) and detail.view.order
    }
    return sorted(order_ids, key=lambda order_id: (placed[order_id], order_id), reverse=True)
