"""Connections that only read: a few threads, each with its own, so that no question waits for the event loop or for the writer."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

READERS: Final = 4
"""Threads: SQLite works without the interpreter's lock, and a question takes a millisecond or two."""

_BUSY_S: Final = 5.0

T = TypeVar("T")


class Readers:
    """Answers questions to the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mine = threading.local()
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="readmodel-read")

    async def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """The answer of a function to a connection, from another thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._answer, question)

    async def close(self) -> None:
        """Let the last questions end."""
        await asyncio.to_thread(self._pool.shutdown)

    def _answer(self, question: Callable[[sqlite3.Connection], T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        if connection is None:
            address = f"{self._path.as_uri()}?mode=ro"
            connection = sqlite3.connect(address, uri=True, timeout=_BUSY_S, isolation_level=None)
            self._mine.connection = connection
        return question(connection)
