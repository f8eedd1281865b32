"""The writer of the read model's file: batches of events in, each batch with its position in one transaction."""

import sqlite3
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Final

from countermand.contracts.order import OrderPlaced
from countermand.contracts.seller import SellerRated
from countermand.kernel.policy import Policy
from countermand.runtime.facts import Fact
from services.web.readmodel import schema
from services.web.readmodel.measures import Sample, samples
from services.web.readmodel.projection import project
from services.web.readmodel.row import Row, microseconds, row_of, view_of
from services.web.readmodel.view import View

SLOT_S: Final = 10
"""Latencies are kept in spans of so many seconds."""

RECENT_S: Final = 900
"""Latencies and rates are kept so long."""

BUCKETS_PER_E: Final = 20
"""Latency buckets a factor of e: each is 5 % wide."""

_VIEWS_MAX: Final = 5_000
"""Views in memory, about 5 KiB each: the orders in the middle of their lives."""

_IDS_AT_ONCE: Final = 500
"""Below SQLite's bound on the parameters of a statement."""

_COLUMNS: Final = Row._fields
_UPSERT: Final = (
    f"INSERT INTO orders ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "  # noqa: S608
    f"ON CONFLICT (order_id) DO UPDATE SET {', '.join(f'{one} = excluded.{one}' for one in _COLUMNS[1:])}"
)
_TALLY: Final = "INSERT INTO tally VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET orders = orders + excluded.orders"
_PERSON: Final = """
    INSERT INTO person VALUES (?, ?, ?, ?, ?, 1, ?, 0, 0) ON CONFLICT DO UPDATE SET
    name = excluded.name, email = excluded.email, profile = excluded.profile, orders = orders + 1,
    last_us = max(last_us, excluded.last_us)
"""
_RATED: Final = """
    INSERT INTO person VALUES ('seller', ?, '', '', ?, 0, 0, 1, ?) ON CONFLICT DO UPDATE SET
    rated = rated + 1, positive = positive + excluded.positive
"""
_LATENCY: Final = (
    "INSERT INTO latency VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET samples = samples + excluded.samples"
)
_FLOW: Final = "INSERT INTO flow VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET events = events + excluded.events"
_POSITION: Final = "INSERT INTO position VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET sequence = excluded.sequence"


@dataclass(frozen=True, slots=True)
class Batch:
    """Some messages of one stream, in its order. `last`: the place of the last one; `unread`: why, by place."""

    stream: str
    created: str
    last: int
    facts: Sequence[Fact]
    unread: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where a stream is in the file. `created`: when that stream was, for another one may have its name."""

    sequence: int
    created: str


class Store:
    """The only writer. For one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._views: OrderedDict[str, tuple[View, Row]] = OrderedDict()
        self._policies: dict[str, Policy] = {}
        self._database = self._open()

    def positions(self) -> dict[str, Position]:
        """Up to where each stream is in the file."""
        rows = self._database.execute("SELECT stream, sequence, created FROM position")
        return {stream: Position(sequence, created) for stream, sequence, created in rows}

    def knows(self, policy_hash: str) -> bool:
        """Whether that policy is in the file."""
        return policy_hash in self._policies

    def learn(self, policy: Policy, policy_hash: str) -> None:
        """Keep a policy under the hash by which orders name it."""
        row = (policy_hash, policy.model_dump_json().encode())
        with self._database:
            self._database.execute("INSERT OR REPLACE INTO policy VALUES (?, ?)", row)
        self._policies[policy_hash] = policy

    def forget(self) -> None:
        """Begin anew: the streams are not those that the file was filled from. Policies stay: their hash names them."""
        with self._database:
            for table in ("orders", "tally", "person", "latency", "flow", "unread", "position"):
                self._database.execute(f"DELETE FROM {table}")  # noqa: S608
        self._views.clear()

    def apply(self, batch: Batch) -> None:
        """Write a batch: all of it and its position, or nothing."""
        before = self._rows_of({fact.order_id for fact in batch.facts})
        views = {order_id: view for order_id, (view, _) in before.items()}
        measured: list[Sample] = []
        for fact in batch.facts:
            view = views.get(fact.order_id) or View(fact.order_id)
            views[fact.order_id] = after = project(view, fact)
            measured += _new(samples(view), samples(after))
        after_rows = {order_id: row_of(view, self._policy_of(view)) for order_id, view in views.items()}
        with self._database:
            execute = self._database.executemany
            execute(_UPSERT, after_rows.values())
            execute(_TALLY, _tallied((row for _, row in before.values()), after_rows.values()))
            execute(_PERSON, _people(batch.facts))
            execute(_RATED, _ratings(batch.facts))
            execute(_LATENCY, _latencies(measured))
            execute(_FLOW, _flows(batch.facts))
            execute("INSERT OR REPLACE INTO unread VALUES (?, ?, ?)", _unread(batch))
            self._prune(batch.facts)
            self._database.execute(_POSITION, (batch.stream, batch.last, batch.created))
        self._remember(views, after_rows)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, isolation_level="IMMEDIATE", check_same_thread=False)
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version != schema.VERSION:
            if version or database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                database.close()
                self._delete()
                database = sqlite3.connect(self._path, isolation_level="IMMEDIATE", check_same_thread=False)
            database.executescript(schema.PRAGMAS + schema.TABLES + f"PRAGMA user_version = {schema.VERSION};")
        database.executescript(schema.PRAGMAS)
        self._views.clear()
        stored = database.execute("SELECT hash, document FROM policy")
        self._policies = {hash_: Policy.model_validate_json(document) for hash_, document in stored}
        return database

    def _delete(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                self._path.with_name(self._path.name + suffix).unlink()

    def _policy_of(self, view: View) -> Policy:
        return self._policies.get(view.order.terms.policy, _DEFAULT) if view.order else _DEFAULT

    def _rows_of(self, order_ids: set[str]) -> dict[str, tuple[View, Row]]:
        found = {order_id: self._views[order_id] for order_id in order_ids if order_id in self._views}
        missing = sorted(order_ids - found.keys())
        for start in range(0, len(missing), _IDS_AT_ONCE):
            some = missing[start : start + _IDS_AT_ONCE]
            marks = ", ".join("?" * len(some))
            rows = self._database.execute(f"SELECT {', '.join(_COLUMNS)} FROM orders WHERE order_id IN ({marks})", some)  # noqa: S608
            found |= {row.order_id: (view_of(row.document), row) for row in map(Row._make, rows)}
        return found

    def _remember(self, views: Mapping[str, View], rows: Mapping[str, Row]) -> None:
        for order_id, view in views.items():
            self._views[order_id] = view, rows[order_id]
            self._views.move_to_end(order_id)
        while len(self._views) > _VIEWS_MAX:
            self._views.popitem(last=False)

    def _prune(self, facts: Sequence[Fact]) -> None:
        if facts:
            oldest = int(facts[-1].at.timestamp()) - RECENT_S
            self._database.execute("DELETE FROM latency WHERE slot < ?", (oldest // SLOT_S,))
            self._database.execute("DELETE FROM flow WHERE second < ?", (oldest,))


_DEFAULT: Final = Policy()


def bucket_of(seconds: float) -> int:
    """The latency bucket of a measurement."""
    return round(log(max(seconds, 1e-6)) * BUCKETS_PER_E)


def _new(before: Sequence[Sample], after: Sequence[Sample]) -> list[Sample]:
    had = {(one.metric, one.of) for one in before}
    return [one for one in after if (one.metric, one.of) not in had]


def _tallied(before: Iterable[Row], after: Iterable[Row]) -> list[tuple[str, str, str, int]]:
    change: Counter[tuple[str, str, str]] = Counter()
    change.update(row.counted_as for row in after if row.counted_as)
    change.subtract(row.counted_as for row in before if row.counted_as)
    return [(*place, number) for place, number in change.items() if number]


def _people(facts: Sequence[Fact]) -> list[tuple[str, str, str, str, str, int]]:
    found: list[tuple[str, str, str, str, str, int]] = []
    for fact in facts:
        if isinstance(fact.event, OrderPlaced):
            brief, at = fact.event.brief, microseconds(fact.at)
            found.append(("buyer", brief.buyer.id, brief.buyer.name, brief.buyer.email, "", at))
            found.append(("seller", brief.seller.id, brief.seller.id, "", brief.seller.profile, at))
    return found


def _ratings(facts: Sequence[Fact]) -> list[tuple[str, str, int]]:
    return [
        (fact.event.seller.id, fact.event.seller.profile, int(fact.event.positive))
        for fact in facts
        if isinstance(fact.event, SellerRated)
    ]


def _latencies(measured: Sequence[Sample]) -> list[tuple[int, str, int, int]]:
    counted = Counter((int(one.ended_at.timestamp()) // SLOT_S, one.metric, bucket_of(one.seconds)) for one in measured)
    return [(*place, number) for place, number in counted.items()]


def _flows(facts: Sequence[Fact]) -> list[tuple[int, str, int]]:
    counted = Counter((int(fact.at.timestamp()), fact.name) for fact in facts)
    return [(*place, number) for place, number in counted.items()]


def _unread(batch: Batch) -> list[tuple[str, int, str]]:
    return [(batch.stream, sequence, why) for sequence, why in batch.unread.items()]
