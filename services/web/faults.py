"""Faults that an operator starts from the console: the mail server's, and those of a process, which its owner strikes."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, get_args

import httpx
from pydantic import BaseModel, ConfigDict, Field

FOR_S_MAX: Final = 120
"""Nothing is learned from more."""

LINE_BYTES_MAX: Final = 64 * 1024
"""Of a wish and of its answer, a line of JSON each."""

ANSWER_WITHIN_S: Final = 5.0

OfProcess = Literal[
    "kill:order",
    "kill:seller",
    "kill:dispute",
    "kill:notify",
    "kill:nats",
    "pause:order",
    "pause:seller",
    "pause:dispute",
    "pause:notify",
    "pause:nats",
    "pause:mailbox",
]
OfMail = Literal["smtp:451", "smtp:550", "smtp:slow", "smtp:down"]

What = OfProcess | OfMail
"""As in `countermand load --fault`."""

NO_PROCESSES: Final = (
    "Processes cannot be struck here: web has no WEB_FAULTS. With Docker Compose: docker compose kill order, "
    "and docker compose up -d order"
)

NOBODY: Final = "Who owns the processes, or the mailbox, does not answer."


class FaultBody(BaseModel):
    """What happens, and for how long: a process that is killed starts again then."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"what": "kill:order", "for_s": 10}]})

    what: What
    for_s: int = Field(ge=1, le=FOR_S_MAX, description="seconds")


class FaultOut(BaseModel):
    """A fault that goes on. `ends_at`: when it will be undone, in real time; nothing: by nobody who is known here."""

    what: What
    ends_at: datetime | None


class Told(BaseModel):
    """What the owner of the processes answers: the faults that go on, and why the wish was refused, if it was."""

    faults: tuple[FaultOut, ...]
    refused: str = ""


class FaultRefused(Exception):
    """It cannot be done, or not now; the message says why."""


class NobodyStrikes(Exception):
    """The owner of the processes does not answer, or the mailbox does not."""


class Faults:
    """Asks for faults.

    Args:
        socket: where the owner of the processes listens; nothing if nobody strikes them.
        mail: the mailbox's HTTP client; nothing if there is no mailbox.
    """

    def __init__(self, socket: Path | None, mail: httpx.AsyncClient | None) -> None:
        self._socket = socket
        self._mail = mail

    @property
    def strikes(self) -> bool:
        """Whether somebody strikes processes."""
        return self._socket is not None

    @property
    def offered(self) -> tuple[What, ...]:
        """What can be asked for here."""
        of_processes: tuple[What, ...] = get_args(OfProcess) if self._socket else ()
        of_mail: tuple[What, ...] = get_args(OfMail) if self._mail else ()
        return of_processes + of_mail

    async def start(self, body: FaultBody) -> FaultOut:
        """Let it happen, from now on. A fault of the mail server takes the place of another one.

        Raises:
            FaultRefused: it cannot be done here, or another one has hold of that process.
            NobodyStrikes: there is no answer.
        """
        kind, _, mode = body.what.partition(":")
        if kind == "smtp" and self._mail:
            await self._mode(self._mail, body.for_s, mode)
            return FaultOut(what=body.what, ends_at=_in(body.for_s))
        if body.what not in self.offered:
            raise FaultRefused("There is no mailbox here." if kind == "smtp" else NO_PROCESSES)
        told = await self._ask(body.model_dump_json())
        if told.refused:
            raise FaultRefused(told.refused)
        return next(one for one in told.faults if one.what == body.what)

    async def all(self) -> tuple[FaultOut, ...]:
        """Those that go on. Raises `NobodyStrikes`."""
        found = (await self._ask("")).faults if self._socket else ()
        if self._mail and not any(one.what == "pause:mailbox" for one in found):
            mode, left_s = await self._mode(self._mail)
            if mode != "ok":
                ends_at = None if left_s is None else _in(left_s)
                found += (FaultOut.model_validate({"what": f"smtp:{mode}", "ends_at": ends_at}),)
        return found

    async def _mode(self, mail: httpx.AsyncClient, for_s: int = 0, mode: str = "") -> tuple[str, float | None]:
        """What the mail server does and how much longer; if a mode is named, from now on that one."""
        try:
            asked = mail.put("/mode", json={"mode": mode, "for_s": for_s}) if mode else mail.get("/mode")
            answer = (await asked).raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise NobodyStrikes(str(error)) from error
        return answer["mode"], answer["remaining_s"]

    async def _ask(self, wish: str) -> Told:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                reader, writer = await asyncio.open_unix_connection(self._socket, limit=LINE_BYTES_MAX)
                try:
                    writer.write(f"{wish}\n".encode())
                    return Told.model_validate_json(await reader.readline())
                finally:
                    writer.close()
        except (OSError, TimeoutError, ValueError) as error:
            raise NobodyStrikes(str(error)) from error


def _in(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)
