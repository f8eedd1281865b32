"""Loads that an operator starts from the console: `countermand load` as a child process, one at a time."""

import asyncio
import contextlib
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Coroutine, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from countermand.runtime.embedded import Child, spawn
from countermand.runtime.settings import ConfigurationError, Settings

RATE_MAX: Final = 500
DURATION_S_MIN: Final = 5
DURATION_S_MAX: Final = 600
"""What fits into a console beside other work; `countermand load` itself takes more."""

KEPT: Final = 5
"""Runs with their reports; 500 orders a second for ten minutes leave a log of some hundred megabytes."""

_SEED_MAX: Final = 2**53 - 1
"""Every JSON reader gets it right."""

_OVERTIME_S: Final = 1_200.0
"""Beyond its arrivals: the last orders get five minutes, the audit and the reports the rest."""

_STOP_WITHIN_S: Final = 120.0
"""One that is told to stop still audits and reports what there is."""

_LEAVE_WITHIN_S: Final = 3.0
"""When web itself stops, which may take ten seconds before it is killed, and then the load with it."""

_PROGRAM: Final = "countermand"
_RUN: Final = "run"

Mix = Literal["peer", "standard", "everyday", "rush-sale", "disputes", "silent-sellers", "unhurried"]
"""The mixes that come with `countermand load`."""

Verdict = Literal["pass", "threshold", "aborted", "invalid", "interrupted", "broken"]

ReportFile = Literal["report.html", "result.json"]

_log = structlog.get_logger()


class LoadBody(BaseModel):
    """A load: so many orders a second, for so long, by whom, and with which seed."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"rate": 20, "duration_s": 30, "mix": "everyday"}]}
    )

    rate: int = Field(ge=1, le=RATE_MAX, description="orders a second")
    duration_s: int = Field(ge=DURATION_S_MIN, le=DURATION_S_MAX, description="of the arrivals")
    mix: Mix = Field(default="everyday", description="who buys what from whom")
    seed: int | None = Field(default=None, ge=0, le=_SEED_MAX, description="of all decisions; nothing: a new one")


class LoadOut(BaseModel):
    """A load and how it goes. Without a verdict it still runs, or could not be played: then `line` says why."""

    id: str
    rate: int
    duration_s: int
    mix: Mix
    seed: int
    state: Literal["running", "stopping", "ended"]
    started_at: datetime
    ended_at: datetime | None
    line: str = Field(description="the last that it said of itself", examples=["12 s of 30 s, 20.1 orders/s"])
    exit_code: int | None = Field(description="of `countermand load`; minus the signal that ended it")
    verdict: Verdict | None
    reasons: tuple[str, ...] = Field(description="of the verdict")
    report: str | None = Field(description="where its page is", examples=["/console/loads/0a1b2c3d/report"])
    result: str | None = Field(description="where its figures are, as JSON")


class LoadRuns(Exception):
    """One load runs already; two would measure each other."""


class NoLoad(Exception):
    """There is no load of that id, or it has no such file."""


class Load:
    """One run of `countermand load`, in a folder of its own."""

    def __init__(self, body: LoadBody, folder: Path) -> None:
        self.id: Final = secrets.token_hex(4)
        self.body: Final = body
        self.seed: Final = secrets.randbelow(2**31) if body.seed is None else body.seed
        self.folder: Final = folder / self.id
        self.told_to_stop: Final = asyncio.Event()
        self.ended_at: datetime | None = None
        self._started_at = datetime.now(UTC)
        self._child: Child | None = None
        self._told: _Told | None = None
        self._failure = ""

    async def play(self, program: Path, environment: Mapping[str, str]) -> None:
        """Run it to its end: its own, or the end that somebody wants, or the bound of its time."""
        try:
            child = self._child = await spawn(
                [str(program), *self._arguments()],
                env={**environment, "TMPDIR": str(self.folder)},  # So that one that is killed leaves nothing behind.
                log_path=self.folder / "load.log",
                name="countermand load",
            )
            await self._until_it_ends(child)
            self._told = await asyncio.to_thread(_told, self.folder / _RUN)
        except (OSError, TimeoutError) as error:  # Too many processes, a full disk, a kernel that holds it.
            self._failure = f"countermand load cannot be run: {error}"
        finally:
            self.ended_at = datetime.now(UTC)

    def out(self) -> LoadOut:
        """How it goes, for programs and for the page."""
        running = "stopping" if self.told_to_stop.is_set() else "running"
        place = f"/console/loads/{self.id}"
        line = self._child.log_tail(1) if self._child else ""
        return LoadOut(
            id=self.id,
            rate=self.body.rate,
            duration_s=self.body.duration_s,
            mix=self.body.mix,
            seed=self.seed,
            state="ended" if self.ended_at else running,
            started_at=self._started_at,
            ended_at=self.ended_at,
            line=self._failure or line,
            exit_code=self._child.returncode if self._child else None,
            verdict=self._told.verdict if self._told else None,
            reasons=self._told.reasons if self._told else (),
            report=f"{place}/report" if self._told else None,
            result=f"{place}/result.json" if self._told else None,
        )

    async def file(self, name: ReportFile) -> bytes:
        """One of its reports.

        Raises:
            NoLoad: it has none.
        """
        if self._told is None:
            raise NoLoad
        try:
            return await asyncio.to_thread((self.folder / _RUN / name).read_bytes)
        except OSError as error:
            raise NoLoad from error

    def _arguments(self) -> list[str]:
        body = self.body
        wish = ["--rate", str(body.rate), "--duration", f"{body.duration_s}s", "--mix", body.mix]
        return ["load", *wish, "--seed", str(self.seed), "--out", str(self.folder / _RUN)]

    async def _until_it_ends(self, child: Child) -> None:
        try:
            await _first(child.died(), self.told_to_stop.wait(), within_s=self.body.duration_s + _OVERTIME_S)
            await child.stop(_STOP_WITHIN_S, by=signal.SIGINT)
        except asyncio.CancelledError:
            await child.stop(_LEAVE_WITHIN_S, by=signal.SIGINT)
            raise


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
            raise LoadRuns
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


class _Told(BaseModel):
    """What we read of a run's result."""

    verdict: Verdict
    reasons: tuple[str, ...]


def _told(folder: Path) -> _Told | None:
    """The verdict that a run has left; nothing if it came to none."""
    try:
        return _Told.model_validate_json((folder / "result.json").read_bytes())
    except (OSError, ValidationError):
        return None


async def _first(*ends: Coroutine[Any, Any, Any], within_s: float) -> None:
    tasks = [asyncio.create_task(end) for end in ends]
    try:
        await asyncio.wait(tasks, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
