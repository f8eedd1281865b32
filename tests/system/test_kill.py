"""However the command line ends, nothing of it stays: no process, and after a civil end no file either."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.support import system as at

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent is gone")

CHILDREN: Final = ("nats-server", "services.mailbox", "services.order", "services.seller", "services.notify")
WEB: Final = "services.web"
"""A child of `up` alone."""

GONE_WITHIN_S: Final = 2.0


@pytest.mark.parametrize(("command", "more"), [("demo", ()), ("up", (WEB,))])
async def test_no_child_outlives_a_command_killed_with_9(tmp_path: Path, command: str, more: tuple[str, ...]) -> None:
    """Nobody is left to stop them: they end by themselves, within two seconds."""
    async with at.launched(command, temporary=tmp_path) as process:
        family = await complete_family_of(process, *more)
        try:
            process.kill()
            assert await at.gone(family, GONE_WITHIN_S) == []
        finally:
            at.end(family)


@pytest.mark.parametrize("ask", [at.press_ctrl_c, Process.terminate])
async def test_up_stops_everything_when_asked(tmp_path: Path, ask: Callable[[Process], None]) -> None:
    """Ctrl-C is how one ends it, so it is no failure: 0."""
    async with at.launched("up", temporary=tmp_path) as process:
        family = await complete_family_of(process, WEB)
        assert process.stdout is not None
        told = (await said(process, "Press Ctrl-C to stop.")).splitlines()
        assert [line.split()[0] for line in told[:5]] == ["page", "token", "NATS", "mailbox", "logs"]

        ask(process)
        _, err = await asyncio.wait_for(process.communicate(), at.WITHIN_S)

        assert (process.returncode, err.decode()) == (0, "")
        assert [pid for pid in family if at.lives(pid)] == []
        assert files_in(tmp_path) == []


async def test_demo_can_be_interrupted(tmp_path: Path) -> None:
    """Ctrl-C in the midst of the stories: 130, no traceback, and nothing left."""
    async with at.launched("demo", temporary=tmp_path) as process:
        family = await complete_family_of(process)
        await said(process, "settling (3 of")

        at.press_ctrl_c(process)
        out, err = await asyncio.wait_for(process.communicate(), at.WITHIN_S)

        assert (process.returncode, err.decode()) == (130, "")
        assert "What became of every order" not in out.decode()
        assert [pid for pid in family if at.lives(pid)] == []
        assert files_in(tmp_path) == []


async def test_demo_ends_cleanly_when_it_is_told_to(tmp_path: Path) -> None:
    """SIGTERM, as of a service manager: nothing is left, not even its temporary folder."""
    async with at.launched("demo", temporary=tmp_path) as process:
        family = await complete_family_of(process)
        await said(process, "playing")

        process.terminate()
        _, err = await asyncio.wait_for(process.communicate(), at.WITHIN_S)

        assert (process.returncode, err.decode()) == (143, "")
        assert [pid for pid in family if at.lives(pid)] == []
        assert files_in(tmp_path) == []


async def test_demo_ends_when_one_of_its_services_dies(tmp_path: Path) -> None:
    """It tells which, instead of calling the stories broken that could not be played."""
    async with at.launched("demo", temporary=tmp_path) as process:
        family = await complete_family_of(process)
        await said(process, "playing")
        (order,) = [pid for pid in family if "services.order" in at.command_of(pid)]

        os.kill(order, signal.SIGKILL)
        _, err = await asyncio.wait_for(process.communicate(), at.WITHIN_S)

        assert process.returncode == 2
        assert "order was killed by SIGKILL" in err.decode()
        assert [pid for pid in family if at.lives(pid)] == []


async def complete_family_of(process: Process, *more: str) -> list[int]:
    """The broker, the mailbox and the services, once all of them run; `more` as well."""
    children = (*CHILDREN, *more)

    async def family() -> list[int]:
        pids = at.descendants(process.pid)
        commands = [at.command_of(pid) for pid in pids]
        complete = all(any(child in command for command in commands) for child in children)
        return pids if complete else []

    return await at.until(family, f"{', '.join(children)} below {process.pid}")


async def said(process: Process, words: str) -> str:
    """Everything that it has said until these words."""
    assert process.stdout is not None
    async with asyncio.timeout(at.WITHIN_S):
        return (await process.stdout.readuntil(words.encode())).decode()


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())
