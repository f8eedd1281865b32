"""Loads that an operator starts from the console: `countermand load` as a child process, one at a time."""

import asyncio
import contextlib
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Final

import structlog

from countermand.runtime.settings import ConfigurationError, Settings
from services.web.load import Load, LoadBody, LoadOut, NoLoad

KEPT: Final = 5
"""Runs with their reports; 500 orders a second for ten minutes leave a log of some hundred megabytes."""

_PROGRAM: Final = "countermand"
_RUNS: Final = "A load runs already. Stop it, or wait for its end."

_log = structlog.get_logger()


class LoadRuns(Exception):
    """One load runs already; two would measure each other. The message is for people."""


class Loads:
    """The last few loads, the newest first; made by `open_loads`."""

    def __init__(self, program: Path, environment: Mapping[str, str], folder: Path) -> None:
        self._program = program
        self._environment = environment
        self._folder = folder
        self._loads: list[Load] = []
        self._playing: asyncio.Task[None] | None = None

    def start(self, body: LoadBody) -> LoadOut:
        """Start a load; the oldest one kept is forgotten.

        Raises:
            LoadRuns: one runs already.
        """
        if self._playing is not None and not self._playing.done():
            raise LoadRuns(_RUNS)
        load = Load(body, self._folder)
        for old in self._loads[KEPT - 1 :]:
            shutil.rmtree(old.folder, ignore_errors=True)
        self._loads = [load, *self._loads[: KEPT - 1]]
        self._playing = asyncio.create_task(load.play(self._program, self._environment))
        _log.info("load.started", load=load.id, **body.model_dump(exclude={"seed"}), seed=load.seed)
        return load.out()

    def stop(self, id_: str) -> LoadOut:
        """Tell a load to end and to report what there is; nothing if it has ended.

        Raises:
            NoLoad: there is none of that id.
        """
        load = self.load(id_)
        load.told_to_stop.set()
        return load.out()

    def load(self, id_: str) -> Load:
        """One of them.

        Raises:
            NoLoad: there is none of that id.
        """
        for load in self._loads:
            if load.id == id_:
                return load
        raise NoLoad

    def all(self) -> list[LoadOut]:
        """How they go."""
        return [load.out() for load in self._loads]

    async def close(self) -> None:
        """End the one that runs, at once."""
        if self._playing is not None:
            self._playing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._playing


@contextlib.asynccontextmanager
async def open_loads(common: Settings, mailbox_url: str | None, beside: Path) -> AsyncGenerator[Loads]:
    """Loads on the system that web itself looks at, kept in a folder that goes when the block ends.

    Args:
        common: tells the child where the broker is, and who it is there.
        mailbox_url: where it finds the emails.
        beside: the folder that gets ours: on the disk of the read model.

    Raises:
        ConfigurationError: there is no program to run.
    """
    program = shutil.which(_PROGRAM, path=str(Path(sys.executable).parent))
    if program is None:
        msg = f"WEB_LOADS: there is no {_PROGRAM} beside {sys.executable}"
        raise ConfigurationError(msg)
    ours = common.model_dump(
        mode="json", include={"nats_url", "nats_user", "nats_password_file", "nats_ca_file", "subject_prefix"}
    )
    environment = {name.upper(): value for name, value in ours.items() if value}
    if mailbox_url:
        environment["MAILBOX_URL"] = mailbox_url
    with tempfile.TemporaryDirectory(prefix="loads-", dir=beside, ignore_cleanup_errors=True) as folder:
        loads = Loads(Path(program), environment, Path(folder))
        try:
            yield loads
        finally:
            await loads.close()
