"""Dead letters as an operator handles them: read, replayed, discarded, and never deleted.

What was done about a letter is a message of the stream DEAD too: a replay on `retry.<service>.<consumer>`, which the
service hears, and a discard on `dead.<service>.<consumer>`. Each is one compare-and-set publish, so of two operators
who take up the same letter one comes second, and is told.
"""

import asyncio
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from nats.aio.client import Client
from nats.js.errors import APIError, NoStreamResponseError

from countermand.contracts.base import Owner
from countermand.contracts.subjects import read
from countermand.runtime.dead import ORIGINAL, kept
from countermand.runtime.direct import DirectReader, Stored
from countermand.runtime.jetstream import CONFLICTS
from countermand.runtime.names import Names
from countermand.runtime.requests import TIMEOUT_S
from countermand.runtime.streams import DEAD

REPLAY: Final = "replay"
DISCARD: Final = "discard"

ON_RECORD: Final = "EmailFailed"
"""A failure that is an event of its own. A replay would find the event, and do nothing."""

_BATCH: Final = 100
"""Letters read at a time, 40 KiB each at most."""

_ROUNDS: Final = 100
"""Each means that somebody else did something about the same consumer's letters: a bound for a defect, not a crowd."""

_WITHIN_S: Final = 30.0
"""After that no further round begins: the stream can be read, and not be written."""

_MAX_WORDS: Final = 500
"""Of a reason or a name, which are headers."""

_GUARD_BYTES: Final = 400
"""The headers that make a publish a compare-and-set, at most."""


@dataclass(frozen=True, slots=True)
class Act:
    """What an operator did about a letter: `replay` or `discard`. `sequence`: its place in DEAD."""

    kind: str
    at: datetime
    actor: str
    reason: str
    sequence: int
    id: str = ""

    def __str__(self) -> str:
        """As in `replayed by anna at 2026-01-31 12:00:00: policy stored`."""
        return f"{self.kind}ed by {self.actor} at {self.at:%Y-%m-%d %H:%M:%S}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter.

    Attributes:
        sequence: its place in DEAD, by which people call it.
        subject, stream, original: of the message that failed, and its place there; `stored_at` when the broker got it.
        order_id: of its subject, if that is one.
        cut_from: how many bytes the whole body has; nothing if all of it is here.
        follows: the letter that was replayed when this failed.
        act: what was done about it.
    """

    sequence: int
    service: str
    consumer: str
    subject: str
    stream: str
    original: int
    order_id: str | None
    reason: str
    at: datetime
    stored_at: str | None
    cut_from: int | None
    follows: int | None
    act: Act | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a wish to replay or discard. `done`: it was done now; `refused`: it cannot be; `what`: in words."""

    sequence: int
    what: str
    done: bool = False
    refused: bool = False
    act: Act | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What an operator wants done: `replay` or `discard`, by whom and why. `dry_run`: only to be told what would happen."""

    kind: str
    actor: str
    reason: str
    dry_run: bool = False


@dataclass(slots=True)
class Letters:
    """The stream DEAD as far as it has been read: 1 KB of memory a letter. `known`: all letters, by their sequence."""

    nc: Client
    reader: DirectReader
    names: Names
    known: dict[int, Letter] = field(default_factory=dict[int, Letter])
    _next: int = 1
    _last: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])

    async def read_on(self) -> None:
        """Read what is new."""
        while found := await self.reader.following(self.names.stream(DEAD), ">", self._next, _BATCH):
            for stored in found:
                self._take(stored)
            self._next = found[-1].sequence + 1

    def open(self) -> list[Letter]:
        """Those about which nothing has been done."""
        return [letter for letter in self.known.values() if letter.act is None]

    async def carry_out(self, sequence: int, wish: Wish) -> Outcome:
        """Replay or discard a letter; nothing if that, or the other, has been done."""
        act_id = f"{wish.kind}:{sequence}:{secrets.token_hex(6)}"
        loop = asyncio.get_running_loop()
        until = loop.time() + _WITHIN_S
        for _ in range(_ROUNDS):
            if loop.time() > until:
                break
            await self.read_on()
            letter = self.known.get(sequence)
            if letter is None:
                return Outcome(sequence, "there is no such dead letter", refused=True)
            if letter.act is not None:
                mine = letter.act.id == act_id  # Its ack was lost.
                return Outcome(sequence, str(letter.act) if mine else f"was {letter.act}", done=mine, act=letter.act)
            message = await self._composed(letter, wish)
            if isinstance(message, str):
                return Outcome(sequence, message, refused=True)
            if wish.dry_run:
                return Outcome(sequence, f"would be {wish.kind}ed: {letter.subject} for {letter.service}")
            await self._put(letter, wish, act_id, *message)
        consumer = self.known[sequence].consumer
        msg = f"nothing can be written about the letters of {consumer} now, or too many others do something about them"
        raise TimeoutError(msg)

    async def content(self, letter: Letter) -> Stored:
        """The letter as it is stored, with its body.

        Raises:
            TimeoutError: a replica of the stream that lags behind was asked.
        """
        found = await self.reader.following(self.names.stream(DEAD), ">", letter.sequence, 1)
        if not found:
            msg = f"letter {letter.sequence} cannot be read yet"
            raise TimeoutError(msg)
        return found[0]

    async def heard(self, act: Act, letter: Letter) -> bool:
        """Whether the service has settled a replay."""
        consumer = self.names.consumer(Owner(letter.service), DEAD)
        info = await self.nc.jetstream(timeout=TIMEOUT_S).consumer_info(self.names.stream(DEAD), consumer)
        return info.ack_floor is not None and info.ack_floor.stream_seq >= act.sequence

    async def _composed(self, letter: Letter, wish: Wish) -> tuple[dict[str, str], bytes] | str:
        """What is to be published; or why nothing can be."""
        headers = {
            f"{ORIGINAL}subject": letter.subject,
            f"{ORIGINAL}stream": letter.stream,
            f"{ORIGINAL}sequence": str(letter.original),
            f"{ORIGINAL}letter": str(letter.sequence),
            f"{ORIGINAL}action": wish.kind,
            f"{ORIGINAL}actor": words(wish.actor),
            f"{ORIGINAL}action-reason": words(wish.reason),
        }
        if wish.kind == DISCARD:
            return headers, b""
        if letter.reason.startswith(f"{ON_RECORD}: "):
            return f"cannot be replayed: {ON_RECORD} is on record, and would only be found again"
        whole = await self._whole(letter)
        if isinstance(whole, str):
            return whole
        own, data = whole
        headers = own | headers
        size = len(data) + sum(len(name) + len(value.encode()) + 4 for name, value in headers.items()) + _GUARD_BYTES
        if size > self.nc.max_payload:
            return (
                f"cannot be replayed: with its headers it has {size} bytes, and the broker takes {self.nc.max_payload}"
            )
        return headers, data

    async def _whole(self, letter: Letter) -> tuple[dict[str, str], bytes] | str:
        """The message that failed: from the letter, or if that has not all of it from where it came from."""
        if letter.stored_at and letter.cut_from is None:
            stored = await self.content(letter)
            own_id = stored.headers.get(f"{ORIGINAL}id")
            of_ours = {f"{ORIGINAL}time": letter.stored_at} | ({f"{ORIGINAL}id": own_id} if own_id else {})
            return kept(stored.headers) | of_ours, stored.data
        found = await self.reader.following(letter.stream, ">", letter.original, 1)
        if not found or (found[0].sequence, self.names.bare(found[0].subject)) != (letter.original, letter.subject):
            why = f"only a part of its {letter.cut_from} bytes" if letter.cut_from else "not when it was stored"
            return (
                f"cannot be replayed: the letter has {why}, and {letter.stream} no longer has message {letter.original}"
            )
        headers, own_id = kept(found[0].headers), found[0].headers.get("Nats-Msg-Id")
        headers |= {f"{ORIGINAL}time": found[0].stored_at.isoformat()} | ({f"{ORIGINAL}id": own_id} if own_id else {})
        return headers, found[0].data

    async def _put(self, letter: Letter, wish: Wish, act_id: str, headers: dict[str, str], data: bytes) -> None:
        """Publish, unless somebody did something about a letter of the same consumer since it was read; reading on tells."""
        family = self.names.subject(f"*.{letter.service}.{letter.consumer}")
        expected = self._last[letter.service, letter.consumer]
        guard = {
            "Nats-Msg-Id": act_id,
            "Nats-Expected-Last-Subject-Sequence": str(expected),
            "Nats-Expected-Last-Subject-Sequence-Subject": family,
        }
        kind = "retry" if wish.kind == REPLAY else "dead"
        subject = self.names.subject(f"{kind}.{letter.service}.{letter.consumer}")
        try:
            await self.nc.jetstream(timeout=TIMEOUT_S).publish(subject, data, headers=headers | guard)
        except APIError as error:
            if error.err_code not in CONFLICTS:
                raise
        except (TimeoutError, NoStreamResponseError):
            pass

    def _take(self, stored: Stored) -> None:
        kind, _, rest = self.names.bare(stored.subject).partition(".")
        service, _, consumer = rest.partition(".")
        self._last[service, consumer] = stored.sequence
        headers = stored.headers
        action, about = headers.get(f"{ORIGINAL}action"), headers.get(f"{ORIGINAL}letter")
        if action in {REPLAY, DISCARD}:
            letter = self.known.get(_number(about) or 0)
            if letter is not None and letter.act is None:
                self.known[letter.sequence] = replace(letter, act=_act(action, stored))
        elif kind == "dead":
            self.known[stored.sequence] = _letter(stored, service, consumer)


def words(text: str) -> str:
    """A text as one line of a header: what cannot be printed is escaped, what is too long is cut."""
    line = " ".join(text.split())[:_MAX_WORDS]
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def _act(kind: str, stored: Stored) -> Act:
    get = stored.headers.get
    actor, reason = get(f"{ORIGINAL}actor", "somebody"), get(f"{ORIGINAL}action-reason", "")
    return Act(kind, stored.stored_at, actor, reason, stored.sequence, get("Nats-Msg-Id", ""))


def _letter(stored: Stored, service: str, consumer: str) -> Letter:
    get: Any = stored.headers.get
    subject, follows, size = get(f"{ORIGINAL}subject", ""), get(f"{ORIGINAL}letter"), get(f"{ORIGINAL}size")
    return Letter(
        sequence=stored.sequence,
        service=service,
        consumer=consumer,
        subject=subject,
        stream=get(f"{ORIGINAL}stream", ""),
        original=_number(get(f"{ORIGINAL}sequence")) or 0,
        order_id=_order_of(subject),
        reason=get(f"{ORIGINAL}reason", ""),
        at=stored.stored_at,
        stored_at=get(f"{ORIGINAL}time"),
        cut_from=_number(size),
        follows=_number(follows),
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _order_of(subject: str) -> str | None:
    try:
        return read(subject).order_id
    except ValueError:
        return None
