"""What `countermand up` does to its own processes when its console asks for it, over a socket that only its user can open."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NoReturn

from pydantic import ValidationError

from countermand.runtime.settings import ConfigurationError
from lab.load.play.faults import Fault, strike
from lab.system import System
from services.web.faults import ANSWER_WITHIN_S, LINE_BYTES_MAX, FaultBody, FaultOut, Told

_SOCKET: Final = "faults.sock"


class Breaking:
    """Strikes processes of a system; one fault a process at a time."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._struck: dict[str, FaultOut] = {}
        self._striking: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[ConfigurationError] = asyncio.get_running_loop().create_future()

    async def failed(self) -> NoReturn:
        """Wait until a fault cannot be undone, and raise the `ConfigurationError` that says why."""
        raise await asyncio.shield(self._failed)

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one wish; an empty one only asks what goes on."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                told = self._told((await reader.readline()).strip())
                writer.write(f"{told.model_dump_json()}\n".encode())
                await writer.drain()
        except (OSError, TimeoutError, ValueError):
            pass  # Whoever asked sees that there is no answer.
        finally:
            writer.close()

    async def let_go(self) -> None:
        """Undo what goes on."""
        for task in self._striking:
            task.cancel()
        await asyncio.gather(*self._striking, return_exceptions=True)

    def _told(self, wish: bytes) -> Told:
        refused = ""
        if wish:
            try:
                refused = self._begin(FaultBody.model_validate_json(wish))
            except ValidationError as error:
                refused = str(error)
        return Told(faults=tuple(self._struck.values()), refused=refused)

    def _begin(self, body: FaultBody) -> str:
        fault = Fault.parse(f"{body.what}@0s+{body.for_s}s")
        if fault.struck in self._struck:
            return f"Something happens to {fault.struck} already: wait for its end."
        ends_at = datetime.now(UTC) + timedelta(seconds=body.for_s)
        self._struck[fault.struck] = FaultOut(what=body.what, ends_at=ends_at)
        task = asyncio.create_task(self._strike(fault))
        self._striking.add(task)
        task.add_done_callback(self._striking.discard)
        return ""

    async def _strike(self, fault: Fault) -> None:
        try:
            await strike(fault, self._system, lambda: 0.0, lambda _: None)
        except ConfigurationError as error:
            if not self._failed.done():
                self._failed.set_result(error)
        finally:
            del self._struck[fault.struck]


@contextlib.asynccontextmanager
async def breaking(system: System) -> AsyncGenerator[tuple[Breaking, Path]]:
    """Listen for wishes while the block runs; what goes on at its end is undone. With it comes the socket's path."""
    with tempfile.TemporaryDirectory(prefix="countermand-", ignore_cleanup_errors=True) as folder:  # Of mode 700.
        socket, hand = Path(folder) / _SOCKET, Breaking(system)
        server = await asyncio.start_unix_server(hand.hear, socket, limit=LINE_BYTES_MAX)
        try:
            yield hand, socket
        finally:
            server.close()
            await hand.let_go()
