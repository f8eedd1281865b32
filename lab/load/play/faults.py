"""What a run does to the system under load: `kill:order@20s`, `pause:nats@30s+5s`, `smtp:451@10s+20s`."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations
from typing import Any, Final, Self

import httpx

from countermand.runtime.embedded import Child, StartError
from countermand.runtime.settings import ConfigurationError
from lab.spans import seconds
from lab.system import CARDS, System

_SERVICES: Final = tuple(card.name.value for card in CARDS)
TARGETS: Final = {
    "kill": (*_SERVICES, "nats"),
    "pause": (*_SERVICES, "nats", "mailbox"),
    "smtp": ("451", "550", "slow", "down"),
}
"""By kind, what it may happen to."""

_EXPECTED: Final = "KIND:TARGET@START[+LENGTH], such as kill:order@20s, pause:nats@30s+5s or smtp:451@10s+20s"
_MAILBOX_ANSWERS_WITHIN_S: Final = 30.0
"""A mailbox that was paused until now, on a busy machine, still has to hear of the next fault."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. It begins `at_s` seconds after the run's start and lasts `lasts_s`; a killed process stays away so long."""

    text: str
    kind: str
    target: str
    at_s: float
    lasts_s: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a fault.

        Raises:
            ConfigurationError: it is none; the message says what was expected.
        """
        kind, _, rest = text.strip().partition(":")
        target, _, span = rest.partition("@")
        start, plus, length = span.partition("+")
        if not (kind and target and start):
            raise ConfigurationError(_complaint(text, f"expected {_EXPECTED}"))
        _known(text, kind, tuple(TARGETS))
        if (kind, target) == ("kill", "mailbox"):
            why = "a killed mailbox forgets its mail, so nobody could say what was lost; use pause:mailbox or smtp:down"
            raise ConfigurationError(_complaint(text, why))
        _known(text, target, TARGETS[kind])
        try:
            at_s, lasts_s = seconds(start), seconds(length) if plus else 0.0
        except ConfigurationError as error:
            raise ConfigurationError(_complaint(text, str(error))) from error
        if kind != "kill" and not lasts_s:
            raise ConfigurationError(_complaint(text, f"how long? {kind}:{target}@{start}+5s"))
        return cls(text.strip(), kind, target, at_s, lasts_s)

    @property
    def what(self) -> str:
        """What happens, without when: `kill:order`."""
        return f"{self.kind}:{self.target}"

    @property
    def struck(self) -> str:
        """The process that it happens to."""
        return "mailbox" if self.kind == "smtp" else self.target


def check(faults: tuple[Fault, ...], duration_s: float, *, mail_is_ours: bool = True) -> None:
    """Refuse faults that would not strike as they are written.

    Args:
        mail_is_ours: whether the emails go to our own mailbox, and to no `SMTP_URL`.

    Raises:
        ConfigurationError: one begins after the last arrival, strikes a mailbox that nobody writes to, or begins before
            another one has let go of the same process.
    """
    for fault in faults:
        if fault.at_s >= duration_s:
            why = f"begins at {fault.at_s:g} s, when the last order has arrived ({duration_s:g} s)"
            raise ConfigurationError(_complaint(fault.text, why))
        if fault.struck == "mailbox" and not mail_is_ours:
            why = "SMTP_URL sends the emails elsewhere, where nothing can be done to them: unset it"
            raise ConfigurationError(_complaint(fault.text, why))
    in_order = sorted(faults, key=lambda fault: fault.at_s)
    for earlier, later in combinations(in_order, 2):
        if earlier.struck == later.struck and later.at_s <= earlier.at_s + earlier.lasts_s:
            why = f"begins while {earlier.text} still has hold of {earlier.struck}: one after the other"
            raise ConfigurationError(_complaint(later.text, why))


async def strike(
    fault: Fault, system: System, now: Callable[[], float], told: Callable[[dict[str, Any]], None]
) -> None:
    """Wait for the fault's time and let it happen; what was done is undone even if this is cancelled.

    Args:
        now: seconds since the run's start.
        told: gets the raw log's line, `{text, what, began, ended}`, of a fault that began.

    Raises:
        ConfigurationError: what was killed does not start again, or the mailbox does not obey.
    """
    await asyncio.sleep(max(0.0, fault.at_s - now()))
    began: float | None = None
    try:
        async with _happening(fault, system):
            began = now()
            await asyncio.sleep(fault.lasts_s)
    except (StartError, TimeoutError, httpx.HTTPError) as error:
        msg = f"fault {fault.text}: {error or type(error).__name__}"
        raise ConfigurationError(msg) from error
    finally:
        if began is not None:
            told({"text": fault.text, "what": fault.what, "began": round(began, 3), "ended": round(now(), 3)})


@asynccontextmanager
async def _happening(fault: Fault, system: System) -> AsyncGenerator[None]:
    match fault.kind:
        case "kill":
            child = _child(fault.target, system)
            try:
                await child.kill()
                yield
            finally:
                await child.start()
        case "pause":
            child = _child(fault.target, system)
            child.pause()
            try:
                yield
            finally:
                child.resume()
        case _:
            await _behave(system, fault.target)
            try:
                yield
            finally:
                await _behave(system, "ok")


def _child(name: str, system: System) -> Child:
    return {"nats": system.nats, "mailbox": system.mailbox, **system.services}[name]


async def _behave(system: System, mode: str) -> None:
    async with httpx.AsyncClient(timeout=_MAILBOX_ANSWERS_WITHIN_S) as http:
        (await http.put(f"{system.mailbox_url}/mode", json={"mode": mode})).raise_for_status()


def _known(text: str, word: str, words: tuple[str, ...]) -> None:
    if word not in words:
        near = get_close_matches(word, words, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(words)}"
        raise ConfigurationError(_complaint(text, f"{word!r} is unknown here; {hint}"))


def _complaint(text: str, why: str) -> str:
    return f"--fault {text}: {why}"
