"""The SQLite file: its tables, and what an order's row says beside the order's document."""

from typing import Final

VERSION: Final = 1
"""Of the tables and of the document. A file of another version is thrown away and filled again from the streams."""

TABLES: Final = """
    CREATE TABLE orders (
        number INTEGER PRIMARY KEY, order_id TEXT NOT NULL UNIQUE, placed_us INTEGER, changed_us INTEGER NOT NULL,
        buyer TEXT, seller TEXT, run TEXT, phase TEXT, waits TEXT, due_us INTEGER, outcome TEXT, todo TEXT NOT NULL,
        dispute TEXT NOT NULL, amiss TEXT NOT NULL, document BLOB NOT NULL
    );
    CREATE INDEX by_phase ON orders (phase, placed_us, order_id) WHERE phase IS NOT NULL;
    CREATE INDEX by_buyer ON orders (buyer, phase, placed_us, order_id) WHERE phase IS NOT NULL;
    CREATE INDEX by_seller ON orders (seller, phase, placed_us, order_id) WHERE phase IS NOT NULL;
    CREATE INDEX by_run ON orders (run, phase, placed_us, order_id) WHERE run IS NOT NULL;
    CREATE INDEX by_waits ON orders (waits, placed_us, order_id) WHERE waits <> 'nothing';
    CREATE INDEX by_due ON orders (due_us, waits) WHERE waits <> 'nothing';
    CREATE INDEX by_todo ON orders (seller, todo, placed_us) WHERE todo <> '';
    CREATE INDEX by_dispute ON orders (dispute, placed_us, order_id) WHERE dispute <> '';
    CREATE TABLE tally (
        phase TEXT, waits TEXT, outcome TEXT, orders INTEGER NOT NULL, PRIMARY KEY (phase, waits, outcome)
    ) WITHOUT ROWID;
    CREATE TABLE person (
        role TEXT, id TEXT, name TEXT, email TEXT, profile TEXT, orders INTEGER NOT NULL, last_us INTEGER NOT NULL,
        rated INTEGER NOT NULL, positive INTEGER NOT NULL, PRIMARY KEY (role, id)
    ) WITHOUT ROWID;
    CREATE INDEX person_by_last ON person (role, last_us);
    CREATE TABLE latency (
        slot INTEGER, metric TEXT, bucket INTEGER, samples INTEGER NOT NULL, PRIMARY KEY (slot, metric, bucket)
    ) WITHOUT ROWID;
    CREATE TABLE flow (
        second INTEGER, name TEXT, events INTEGER NOT NULL, PRIMARY KEY (second, name)
    ) WITHOUT ROWID;
    CREATE TABLE policy (hash TEXT PRIMARY KEY, document BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE position (stream TEXT PRIMARY KEY, sequence INTEGER NOT NULL, created TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE unread (stream TEXT, sequence INTEGER, why TEXT NOT NULL, PRIMARY KEY (stream, sequence)) WITHOUT ROWID;
"""
"""An order whose `OrderPlaced` has not been seen yet has no phase, and no list shows it.

`placed_us`, `changed_us`: the broker's microseconds since 1970; `due_us`: when
what it waits for is due, in real time; `todo`: what a seller who works by hand has to do;
`dispute`: its phase; `amiss`: what is wrong with an ended order; `bucket`: the logarithm of a latency;
`position`: up to where each stream is in the file, written in the same transaction as the rows;
`unread`: events that this version cannot read.
"""

PRAGMAS: Final = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -65536;
"""
"""A crash of the machine may lose the last transactions, rows and positions together: they are read again."""
