"""What has arrived: every Message-ID with how often, and the newest messages whole.

It lives in a temporary SQLite database, which keeps its pages on disk and goes when it is closed: after a million mails
the process is as large as after a thousand.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from typing import Any, Final

MESSAGES_MAX: Final = 10_000
"""Messages kept whole: more than anybody reads, and enough to look at every mail of a short run."""

KEPT_BYTES_MAX: Final = 256 * 1024**2
"""Of all messages kept: what a container without a disk of its own can spare."""

_FIELD_MAX: Final = 1_000
"""Characters kept of one header: anybody may send one of any length."""

_IDS_A_READ: Final = 1_000
"""Message-IDs read at a time, so that listing a million holds up no mail for long."""

_ID_MAX: Final = 2**63 - 1

_SCHEMA: Final = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    CREATE TABLE seen (id INTEGER PRIMARY KEY, message_id TEXT UNIQUE, order_id TEXT, times INTEGER, first_at REAL);
    CREATE INDEX seen_of_order ON seen (order_id);
    CREATE TABLE message (
        id INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT, order_id TEXT, kind TEXT,
        sender TEXT, recipients TEXT, subject TEXT, received_at TEXT, content BLOB
    );
    CREATE INDEX message_of_order ON message (order_id, id);
"""
_SEEN: Final = """
    INSERT INTO seen (message_id, order_id, times, first_at) VALUES (?, ?, 1, ?)
    ON CONFLICT (message_id) DO UPDATE SET times = times + 1 RETURNING times
"""
_ADD: Final = """
    INSERT INTO message (message_id, order_id, kind, sender, recipients, subject, received_at, content)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_DROP_OLDEST: Final = "DELETE FROM message WHERE id = (SELECT min(id) FROM message) RETURNING length(content)"
_SUMMARY: Final = "SELECT id, message_id, order_id, kind, sender, recipients, subject, received_at FROM message "
_NEWEST: Final = _SUMMARY + "WHERE (:kind IS NULL OR kind = :kind) ORDER BY id DESC LIMIT :limit"
_NEWEST_OF_ORDER: Final = (
    _SUMMARY + "WHERE order_id = :order AND (:kind IS NULL OR kind = :kind) ORDER BY id DESC LIMIT :limit"
)
_IDS: Final = "SELECT id, message_id, times FROM seen WHERE id > ? ORDER BY id LIMIT ?"
_FIRST: Final = "SELECT id, message_id, first_at FROM seen WHERE id > ? ORDER BY id LIMIT ?"
_IDS_OF_ORDER: Final = "SELECT id, message_id, times FROM seen WHERE order_id = ? ORDER BY id"

_headers = BytesHeaderParser(policy=policy.compat32)


@dataclass(frozen=True, slots=True)
class Summary:
    """One message of the list. `sender` and `recipients` are the envelope's; `received_at` is ISO 8601."""

    id: int
    message_id: str
    order_id: str
    kind: str
    sender: str
    recipients: str
    subject: str
    received_at: str


@dataclass(frozen=True, slots=True)
class Body:
    """What one message says; nothing for a part that it does not have."""

    text: str | None
    html: str | None
    headers: str


class Store:
    """The mailbox's memory."""

    def __init__(self, messages_max: int = MESSAGES_MAX, kept_bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._messages_max = messages_max
        self._kept_bytes_max = kept_bytes_max
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_SCHEMA)
        self.received = 0
        self.distinct = 0
        self._kept = 0
        self._kept_bytes = 0

    def add(self, sender: str, recipients: list[str], content: bytes, received_at: datetime) -> None:
        """Keep a message; the oldest go when there are too many."""
        headers = _headers.parsebytes(content)
        self.received += 1
        message_id = _field(headers["Message-ID"]) or f"<none-{self.received}@mailbox.invalid>"
        order_id = _field(headers["X-Countermand-Order"])
        ((times,),) = self._database.execute(_SEEN, (message_id, order_id, received_at.timestamp())).fetchall()
        self.distinct += times == 1
        row = (
            message_id,
            order_id,
            _field(headers["X-Countermand-Kind"]),
            _utf8(sender),
            _utf8(", ".join(recipients)),
            _field(headers["Subject"]),
            received_at.isoformat(),
            content,
        )
        self._database.execute(_ADD, row)
        self._kept += 1
        self._kept_bytes += len(content)
        while self._kept > self._messages_max or self._kept_bytes > self._kept_bytes_max:
            self._drop_oldest()

    def newest(self, *, order_id: str | None, kind: str | None, limit: int) -> list[Summary]:
        """The newest `limit` messages that fit, the newest last."""
        query = _NEWEST if order_id is None else _NEWEST_OF_ORDER
        rows = self._database.execute(query, {"order": order_id, "kind": kind, "limit": limit}).fetchall()
        return [Summary(*row) for row in reversed(rows)]

    def message(self, id_: int) -> tuple[Summary, Body] | None:
        """One message, if it is still kept."""
        if id_ > _ID_MAX:
            return None
        row = self._database.execute(_SUMMARY + "WHERE id = ?", (id_,)).fetchone()
        if row is None:
            return None
        (content,) = self._database.execute("SELECT content FROM message WHERE id = ?", (id_,)).fetchone()
        return Summary(*row), read(content)

    def message_ids(self, order_id: str | None) -> Iterator[tuple[str, int]]:
        """Every Message-ID and how often it came, the first seen first: of one order, or of all."""
        if order_id is not None:
            yield from ((row[1], row[2]) for row in self._database.execute(_IDS_OF_ORDER, (order_id,)).fetchall())
            return
        yield from self._every(_IDS)

    def arrivals(self) -> Iterator[tuple[str, float]]:
        """Every Message-ID and when it came first, in Unix time."""
        yield from self._every(_FIRST)

    def clear(self) -> None:
        """Forget everything, the counts too."""
        self._database.executescript("DELETE FROM message; DELETE FROM seen;")
        self.received = self.distinct = self._kept = self._kept_bytes = 0

    def close(self) -> None:
        """Give the disk back."""
        self._database.close()

    def _every(self, query: str) -> Iterator[tuple[str, Any]]:
        last = 0
        while rows := self._database.execute(query, (last, _IDS_A_READ)).fetchall():
            yield from ((row[1], row[2]) for row in rows)
            last = rows[-1][0]

    def _drop_oldest(self) -> None:
        ((size,),) = self._database.execute(_DROP_OLDEST).fetchall()
        self._kept -= 1
        self._kept_bytes -= size


def read(content: bytes) -> Body:
    """The parts of a message as people read them. Anybody may send anything: what cannot be read is shown raw."""
    head, _, rest = content.partition(b"\r\n\r\n")
    headers = head.decode(errors="replace")
    try:
        message = message_from_bytes(content, policy=policy.default)
        return Body(_part(message, "plain"), _part(message, "html"), headers)
    except Exception:  # noqa: BLE001 (the parser's answer to broken mail is whatever its author did not foresee)
        return Body(rest.decode(errors="replace"), None, headers)


def _part(message: EmailMessage, subtype: str) -> str | None:
    part = message.get_body((subtype,))
    return None if part is None else _utf8(part.get_content()).replace("\r\n", "\n")


def _field(value: Any) -> str:
    """A header decoded, on one line; as it came if it cannot be decoded."""
    raw = "".join(str(value or "").splitlines())
    try:
        text = str(make_header(decode_header(raw)))
    except Exception:  # noqa: BLE001 (as in `read`)
        text = raw
    return _utf8(" ".join(text.split()))[:_FIELD_MAX]


def _utf8(text: str) -> str:
    """`text` without what neither JSON nor SQLite can hold: bytes that were no UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
