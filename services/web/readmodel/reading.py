"""Connections that only read: one on the event loop, and one in a thread for questions that take long.

A usual question takes a millisecond, nearly all of it Python's; several threads that fought for the interpreter made
it three times as slow (ADR 0016). Who reads a WAL never waits for the writer.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

_BUSY_S: Final = 5.0

T = TypeVar("T")


class Reading:
    """Answers questions to the file."""

    def __init__(self, path: Path) -> None:
        self._quick, self._slow = _open(path), _open(path)
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="readmodel-read")

    def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """The answer of a function to a connection, at once."""
        return _answered(question, self._quick)

    async def ask_at_length(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """The answer to a question that reads as many rows as there are orders of a kind; nobody else waits for it."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._aside, lambda: _answered(question, self._slow))

    async def close(self) -> None:
        """Let the last questions end."""
        await asyncio.to_thread(self._aside.shutdown)
        self._quick.close()
        self._slow.close()


def _answered(question: Callable[[sqlite3.Connection], T], db: sqlite3.Connection) -> T:
    """From one state of the file, however many statements it takes."""
    with db:
        db.execute("BEGIN")
        return question(db)


def _open(path: Path) -> sqlite3.Connection:
    address = f"{path.as_uri()}?mode=ro"
    return sqlite3.connect(address, uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
