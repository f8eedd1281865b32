"""The raw log of a run, `run.jsonl.zst`: JSON lines, compressed, from which every report can be made again.

Its first line is the `run`; then come `tick`, `sample`, `fault` and `phase` lines as they happen, an `order` line for
each order, and last the `end`.
"""

import io
import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import zstandard

from countermand.runtime.settings import ConfigurationError

FILE: Final = "run.jsonl.zst"
SCHEMA: Final = "https://countermand.example/schemas/load-log.v1.json"

CUT_SHORT: Final = "cut short"
"""What stopped a run whose log has no end: its process was killed."""

_ORDER: Final = b'{"type":"order",'
_LEVEL: Final = 3
"""A fifth of the size, at 300 MB of lines a second; higher levels save little more."""


@dataclass(frozen=True, slots=True)
class RawLog:
    """What a run left. The lines are as the file has them, without their `type`.

    Attributes:
        path: the file.
        run: the header: `schema run plan plan_hash planned started_at workers embedded environment faults thresholds
            abort_on`.
        ticks: one a worker and second.
        samples: `{second, backlog: {consumer: messages}, processes: {name: {cpu_s, rss_bytes}}}`, one a second.
        faults: `{text, what, began, ended}`; times, here as in `phases`, in seconds from the start.
        phases: `{name, began, ended}`.
        end: `{stopped, drained, audit}`.
    """

    path: Path
    run: dict[str, Any]
    ticks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    samples: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    faults: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    phases: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    end: dict[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def read(cls, place: Path) -> Self:
        """Read a run's folder or its file; the orders stay in the file.

        Raises:
            ConfigurationError: it is not there, or is no such log.
        """
        path = place / FILE if place.is_dir() else place
        lines = _checked(path)
        log = cls(path, _header(next(lines, b""), path))
        ends: list[dict[str, Any]] = []
        kept = {"tick": log.ticks, "sample": log.samples, "fault": log.faults, "phase": log.phases, "end": ends}
        for line in lines:
            if not line.startswith(_ORDER):
                document = _document(line, path)
                kept.get(document.pop("type", ""), []).append(document)
        log.end.update(ends[-1] if ends else {"stopped": CUT_SHORT, "drained": False, "audit": None})
        return log

    def orders(self) -> Iterator[dict[str, Any]]:
        """Every order's line, in no order, read from the file again.

        Raises:
            ConfigurationError: the file has gone or was changed.
        """
        for line in _checked(self.path):
            if line.startswith(_ORDER):
                yield _document(b"{" + line[len(_ORDER) :], self.path)


class RawLogWriter:
    """Writes a raw log; what is written before `flush` outlives this process."""

    def __init__(self, folder: Path) -> None:
        """Begin a log in a folder, which is made.

        Raises:
            ConfigurationError: it cannot be written, or has the log of another run.
        """
        self.path = folder / FILE
        refuse_another_run(folder)
        with self._written():
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("xb")
        self._stream = zstandard.ZstdCompressor(level=_LEVEL).stream_writer(self._file)
        self._is_empty = True

    def write(self, kind: str, document: Mapping[str, Any]) -> None:
        """Add a line."""
        self._is_empty = False
        with self._written():
            self._stream.write(json.dumps({"type": kind, **document}, separators=(",", ":")).encode() + b"\n")

    def write_orders(self, worker_log: Path, note: Callable[[dict[str, Any]], dict[str, Any]] | None = None) -> int:
        """Add what a worker kept of its orders, each as `note` makes it; how many there are."""
        orders = 0
        for line in _lines(worker_log):
            told = line if note is None else json.dumps(note(json.loads(line)), separators=(",", ":")).encode() + b"\n"
            with self._written():
                self._stream.write(_ORDER + told[1:])
            orders += 1
        return orders

    def flush(self) -> None:
        """Have all of it in the file."""
        with self._written():
            self._stream.flush()
            self._file.flush()

    def close(self) -> None:
        """End the log; again is nothing. A run that never began leaves none."""
        if self._file.closed:
            return
        with self._written(), self._file:
            self._stream.close()
        if self._is_empty:
            self.path.unlink()

    @contextmanager
    def _written(self) -> Generator[None]:
        """What the disk refuses, as on a full one, in a line."""
        try:
            yield
        except OSError as error:
            msg = f"{self.path}: cannot be written: {error.strerror}"
            raise ConfigurationError(msg) from error


def refuse_another_run(folder: Path) -> None:
    """Make sure that a folder has no log yet.

    Raises:
        ConfigurationError: it has.
    """
    if (folder / FILE).exists():
        msg = f"{folder} already holds a run: name another folder with --out, or remove it"
        raise ConfigurationError(msg)


def _checked(path: Path) -> Iterator[bytes]:
    try:
        yield from _lines(path)
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise ConfigurationError(msg) from error
    except zstandard.ZstdError as error:
        msg = f"{path}: is no raw log of `countermand load`"
        raise ConfigurationError(msg) from error


def _lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a compressed file, each with its newline; a last one that was cut short is left out."""
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
        for line in io.BufferedReader(stream, 1 << 20):
            if line.endswith(b"\n"):
                yield line


def _header(line: bytes, path: Path) -> dict[str, Any]:
    document = _document(line, path)
    if document.pop("type", None) != "run" or document.get("schema") != SCHEMA:
        msg = f"{path}: is no raw log of `countermand load` that this version reads ({SCHEMA})"
        raise ConfigurationError(msg)
    return document


def _document(line: bytes, path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(line)
    except ValueError as error:
        msg = f"{path}: is no raw log of `countermand load`"
        raise ConfigurationError(msg) from error
    return document
