"""Figures out of the file: counts, latencies, rates, and what a run has come to."""

import sqlite3
from collections.abc import Sequence
from math import exp

from services.web.readmodel.amiss import Check
from services.web.readmodel.answers import Counts, Percentiles, Rates, RunCounts
from services.web.readmodel.measures import Metric
from services.web.readmodel.store import BUCKETS_PER_E
from services.web.readmodel.view import Phase


def counts(db: sqlite3.Connection) -> Counts:
    """The tally, summed up three ways."""
    by: dict[str, dict[str, int]] = {"phase": {}, "waits": {}, "outcome": {}}
    for phase, waits, outcome, orders in db.execute("SELECT phase, waits, outcome, orders FROM tally WHERE orders > 0"):
        by["phase"][phase] = by["phase"].get(phase, 0) + orders
        if outcome:
            by["outcome"][outcome] = by["outcome"].get(outcome, 0) + orders
        else:
            by["waits"][waits] = by["waits"].get(waits, 0) + orders
    orders = sum(by["phase"].values())
    return Counts(orders, orders - by["phase"].get(Phase.CLOSED, 0), by["phase"], by["waits"], by["outcome"])


def latencies(db: sqlite3.Connection, since: int) -> dict[Metric, Percentiles]:
    """From the buckets of the slots since then."""
    found: dict[Metric, Percentiles] = {}
    for metric in Metric:
        query = (
            "SELECT bucket, sum(samples) FROM latency WHERE slot >= ? AND metric = ? GROUP BY bucket ORDER BY bucket"
        )
        buckets = db.execute(query, (since, metric)).fetchall()
        if buckets:
            at = [_quantile(buckets, share) for share in (0.5, 0.9, 0.99, 1.0)]
            found[metric] = Percentiles(sum(samples for _, samples in buckets), *at)
    return found


def _quantile(buckets: list[tuple[int, int]], share: float) -> float:
    rank = share * sum(samples for _, samples in buckets)
    seen = 0
    for bucket, samples in buckets:
        seen += samples
        if seen >= rank:
            return round(exp(bucket / BUCKETS_PER_E) * 1e3, 2)
    return round(exp(buckets[-1][0] / BUCKETS_PER_E) * 1e3, 2)


def rates(db: sqlite3.Connection, names: Sequence[str], until: int, recent_s: int) -> Rates:
    """From the counted seconds."""
    series = {name: [0] * recent_s for name in names}
    since = until - recent_s
    for second, name, events in db.execute(
        "SELECT second, name, events FROM flow WHERE second >= ? AND second < ?", (since, until)
    ):
        if name in series:
            series[name][second - since] = events
    return Rates(until, {name: tuple(values) for name, values in series.items()})


def run(db: sqlite3.Connection, run_id: str, changed_since_us: int) -> RunCounts | None:
    """Outcomes and failed checks of a run. What changed since then may still get its email."""
    query = "SELECT coalesce(outcome, ''), count(*) FROM orders WHERE run = ? AND phase IS NOT NULL GROUP BY 1"
    outcomes: dict[str, int] = dict(db.execute(query, (run_id,)).fetchall())
    if not outcomes:
        return None
    young = (run_id, Check.EMAILS, changed_since_us)
    (on_its_way,) = db.execute(
        "SELECT count(*) FROM orders WHERE run = ? AND amiss = ? AND changed_us > ?", young
    ).fetchone()
    failed = "FROM orders WHERE run = ? AND amiss <> '' AND NOT (amiss = ? AND changed_us > ?)"
    (failures,) = db.execute(f"SELECT count(*) {failed}", young).fetchone()
    some = dict(db.execute(f"SELECT order_id, amiss {failed} LIMIT 20", young).fetchall())
    return RunCounts(sum(outcomes.values()), outcomes.pop("", 0), outcomes, failures, on_its_way, some)


def overdue(db: sqlite3.Connection, before_us: int) -> dict[str, int]:
    """From the index of what open orders wait for, by when it is due."""
    query = "SELECT waits, count(*) FROM orders WHERE due_us < ? AND waits <> 'nothing' GROUP BY waits"
    return dict(db.execute(query, (before_us,)).fetchall())


def open_orders(db: sqlite3.Connection) -> dict[tuple[str, str], int]:
    """The tally of open orders by phase and by what they wait for."""
    query = "SELECT phase, waits, sum(orders) FROM tally WHERE outcome = '' GROUP BY phase, waits"
    return {(phase, waits): orders for phase, waits, orders in db.execute(query)}
