"""One load that an operator has started: what was wished for, how it goes, what came of it."""

import asyncio
import secrets
import signal
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from countermand.runtime.embedded import Child, spawn

RATE_MAX: Final = 500
DURATION_S_MIN: Final = 5
DURATION_S_MAX: Final = 600
"""What fits into a console beside other work; `countermand load` itself takes more."""

_SEED_MAX: Final = 2**53 - 1
"""Every JSON reader gets it right."""

_OVERTIME_S: Final = 1_200.0
"""Beyond its arrivals: the last orders get five minutes, the audit and the reports the rest."""

_STOP_WITHIN_S: Final = 120.0
"""One that is told to stop still audits and reports what there is."""

_LEAVE_WITHIN_S: Final = 3.0
"""When web itself stops, which may take ten seconds before it is killed, and then the load with it."""

_RUN: Final = "run"

Mix = Literal["peer", "standard", "everyday", "rush-sale", "disputes", "silent-sellers", "unhurried"]
"""The mixes that come with `countermand load`."""

Verdict = Literal["pass", "threshold", "aborted", "invalid", "interrupted", "broken"]

ReportFile = Literal["report.html", "result.json"]


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
