"""Orders out of the file: one, or a page of a list."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from countermand.contracts.base import SellerRecord
from countermand.kernel.ids import is_order_id
from countermand.kernel.policy import Policy
from services.web.readmodel.answers import Found, OrderDetail, detail_of
from services.web.readmodel.row import view_of
from services.web.readmodel.view import DisputePhase, Phase
from services.web.readmodel.waits import Waits

_DIGITS_MAX: Final = 18
"""Of a time in microseconds that SQLite can hold."""

_NEWEST_FIRST: Final = "ORDER BY placed_us DESC, order_id DESC"


class Which(NamedTuple):
    """A column and a value that a list is narrowed to: `Which.buyer("ann")`."""

    column: str
    value: str

    @classmethod
    def buyer(cls, buyer_id: str) -> "Which":
        """One buyer's orders."""
        return cls("buyer", buyer_id)

    @classmethod
    def seller(cls, seller_id: str) -> "Which":
        """One seller's orders."""
        return cls("seller", seller_id)


class BadCursor(ValueError):
    """A cursor that no page gave."""


def order(db: sqlite3.Connection, order_id: str) -> OrderDetail | None:
    """One order that has been placed."""
    row = db.execute("SELECT document FROM orders WHERE order_id = ? AND phase IS NOT NULL", (order_id,)).fetchone()
    return _detail(db, row[0], datetime.now(UTC)) if row else None


def page(
    db: sqlite3.Connection,
    which: Which | None,
    phases: Sequence[Phase],
    waits: Waits | None,
    before: tuple[int, str] | None,
    limit: int,
) -> Found:
    """Each phase has its own piece of an index, in the order of placing: the heads of all pieces hold the page."""
    conditions = [f"{which.column} = ?"] if which else []
    values: list[Any] = [which.value] if which else []
    if before:
        conditions.append("(placed_us, order_id) < (?, ?)")
        values += before
    if waits:
        conditions.append("waits = ? AND waits <> 'nothing'")
        values.append(waits)
    if waits and not which:  # It has an index of its own, which the plus keeps in use.
        wanted = ", ".join(f"'{phase}'" for phase in phases)
        found = _head(db, [" AND ".join([*conditions, f"+phase IN ({wanted})"])], values, limit + 1)
    else:
        pieces = [" AND ".join([*conditions, f"phase = '{phase}'"]) for phase in phases]
        found = _head(db, pieces, values * len(pieces), limit + 1)
    orders = _details(db, [number for number, _, _ in found[:limit]])
    _, placed_us, order_id = found[limit - 1] if len(found) > limit else (0, 0, "")
    return Found(orders, f"{placed_us}-{order_id}" if order_id else None)


def inbox(db: sqlite3.Connection, seller_id: str, limit: int) -> Found:
    """What a seller has to do by hand, the oldest first."""
    query = "SELECT number FROM orders WHERE seller = ? AND todo <> '' ORDER BY placed_us LIMIT ?"
    numbers = [number for (number,) in db.execute(query, (seller_id, limit))]
    return Found(tuple(reversed(_details(db, numbers))), None)


def disputes(db: sqlite3.Connection, phases: Sequence[DisputePhase], limit: int) -> Found:
    """Orders whose dispute is in one of these phases, the newest first."""
    pieces = [f"dispute = '{phase}' AND dispute <> ''" for phase in phases]
    return Found(_details(db, [number for number, _, _ in _head(db, pieces, (), limit)]), None)


def seller_record(db: sqlite3.Connection, seller_id: str) -> SellerRecord | None:
    """What buyers can see of a seller (R24); nothing while no order of theirs has ended."""
    query = "SELECT rated, positive FROM person WHERE role = 'seller' AND id = ? AND rated > 0"
    row = db.execute(query, (seller_id,)).fetchone()
    return SellerRecord(positive_percent=round(100 * row[1] / row[0], 1), orders=row[0]) if row else None


def cursor(text: str | None) -> tuple[int, str] | None:
    """A page's cursor: the broker's microseconds and the id of the last order of the page before.

    Raises:
        BadCursor: it is none.
    """
    if text is None:
        return None
    placed, _, order_id = text.partition("-")
    if not (placed.isascii() and placed.isdecimal()) or len(placed) > _DIGITS_MAX or not is_order_id(order_id):
        msg = f"{text!r} is no cursor"
        raise BadCursor(msg)
    return int(placed), order_id


def _head(
    db: sqlite3.Connection, pieces: Sequence[str], values: Sequence[Any], limit: int
) -> list[tuple[int, int, str]]:
    """Number, time and id of the newest orders of all pieces."""
    each = [
        f"SELECT * FROM (SELECT number, placed_us, order_id FROM orders WHERE {piece} {_NEWEST_FIRST} LIMIT {limit:d})"  # noqa: S608
        for piece in pieces
    ]
    return db.execute(f"{' UNION ALL '.join(each)} {_NEWEST_FIRST} LIMIT {limit:d}", values).fetchall()


def _details(db: sqlite3.Connection, numbers: Sequence[int]) -> tuple[OrderDetail, ...]:
    marks = ", ".join("?" * len(numbers))
    rows = db.execute(f"SELECT document FROM orders WHERE number IN ({marks}) {_NEWEST_FIRST}", numbers).fetchall()  # noqa: S608
    now = datetime.now(UTC)
    return tuple(_detail(db, document, now) for (document,) in rows)


def _detail(db: sqlite3.Connection, document: bytes, now: datetime) -> OrderDetail:
    view = view_of(document)
    row = db.execute("SELECT document FROM policy WHERE hash = ?", (view.placed.terms.policy,)).fetchone()
    record = seller_record(db, view.placed.brief.seller.id)
    return detail_of(view, _policy(row[0]) if row else Policy(), now, record)


@lru_cache(maxsize=256)
def _policy(document: bytes) -> Policy:
    return Policy.model_validate_json(document)
