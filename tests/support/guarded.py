"""A broker as `deploy/nats` has it: nobody comes in without a password, and each user may do only what is theirs."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import nats
from nats.aio.client import Client

from countermand.runtime.connection import access
from countermand.runtime.embedded import LOOPBACK, Child, nats_server_path, spawn
from countermand.runtime.names import Names
from countermand.runtime.settings import Settings
from lab.access import files
from lab.access.users import users

CONFIGURATION: Final = Path(__file__).parents[2] / "deploy/nats/nats-server.conf"

_READY_WITHIN_S: Final = 30.0
_POLL_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Guarded:
    """A running server, and the folder with its users' passwords."""

    url: str
    folder: Path
    process: Child

    def change_passwords(self) -> None:
        """Every user gets another one, and whoever is connected is told to go."""
        other, etc = self.folder.parent / "other", self.folder.parent / "etc"
        files.write(other, users(Names()))
        (etc / "users").unlink()
        (etc / "users").symlink_to(other / files.SERVER)
        os.kill(self.process.pid, signal.SIGHUP)

    def environment(self, user: str) -> dict[str, str]:
        """What makes a process that user's."""
        return {"NATS_URL": self.url, "NATS_USER": user, "NATS_PASSWORD_FILE": str(self.folder / user / files.PASSWORD)}

    @asynccontextmanager
    async def connected(self, user: str) -> AsyncGenerator["Visitor"]:
        """A connection of that user's."""
        visitor = Visitor()
        settings = Settings(nats_user=user, nats_password_file=self.folder / user / files.PASSWORD)
        visitor.nc = await nats.connect(self.url, error_cb=visitor.note, **access(settings).options())
        try:
            yield visitor
        finally:
            await visitor.nc.close()


@dataclass(slots=True)
class Visitor:
    """Somebody who tries things."""

    nc: Client = field(default_factory=Client)
    refusals: list[str] = field(default_factory=list[str])

    async def note(self, error: Exception) -> None:
        """What the server says."""
        self.refusals.append(str(error).lower())

    async def may_publish(self, *subjects: str) -> list[str]:
        """Those on which the server takes a message."""
        for subject in subjects:
            await self.nc.publish(subject, b"")
        return await self._allowed("publish", subjects)

    async def may_hear(self, *subjects: str) -> list[str]:
        """Those to which the server lets it listen."""
        for subject in subjects:
            await self.nc.subscribe(subject)
        return await self._allowed("subscription", subjects)

    async def _allowed(self, what: str, subjects: Sequence[str]) -> list[str]:
        for _ in range(
            2
        ):  # nats-py's PING may overtake what was published just before it, but not what was before another.
            await self.nc.flush()
        return [subject for subject in subjects if not self._refused(f'{what} to "{subject}"'.lower())]

    def _refused(self, what: str) -> bool:
        return any(what in refusal for refusal in self.refusals)


@asynccontextmanager
async def guarded(folder: Path) -> AsyncGenerator[Guarded]:
    """Start the server that compose starts, on a free port and with a store in `folder`."""
    secrets, etc = folder / "secrets", folder / "etc"
    files.write(secrets, users(Names()))
    etc.mkdir()
    (etc / "users").symlink_to(secrets / files.SERVER)
    text = CONFIGURATION.read_text().replace('"/data"', json.dumps(str(folder / "store")))
    (etc / "nats-server.conf").write_text(f"{text}\nports_file_dir: {json.dumps(str(folder))}\n")
    server = await spawn(
        [str(nats_server_path()), "-c", str(etc / "nats-server.conf"), "-a", LOOPBACK, "-p", "-1"],
        env={
            "NATS_NODE": "nats",
            "NATS_MONITOR": f"{LOOPBACK}:-1",
            "NATS_STORE_MAX": "32GB",
            "NATS_SYNC_INTERVAL": "120s",
        },
        log_path=folder / "nats-server.log",
        name="nats-server",
    )
    try:
        async with asyncio.timeout(_READY_WITHIN_S):
            while (url := _told_url(folder)) is None:
                assert server.returncode is None, server.epitaph()
                await asyncio.sleep(_POLL_S)
        yield Guarded(url, secrets, server)
    finally:
        await server.kill()


def _told_url(folder: Path) -> str | None:
    """What the server wrote when it was ready."""
    for path in folder.glob("*.ports"):
        with suppress(ValueError):  # Half written.
            return json.loads(path.read_text())["nats"][0]
    return None
