"""What a worker keeps of its orders: a compressed file of lines, which the coordinator fetches piece by piece."""

import json
from collections.abc import Iterable
from pathlib import Path

import zstandard

from lab.load.play.flow import Flow
from lab.load.play.wire import PIECE_BYTES


class Share:
    """A line for every order of a worker."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self._log = zstandard.ZstdCompressor(level=3).stream_writer(self._file)

    @property
    def closed(self) -> bool:
        """Whether nothing is added any more."""
        return self._file.closed

    def write(self, flows: Iterable[Flow]) -> None:
        """Add each flow's line, as it stands."""
        for flow in flows:
            self._log.write(json.dumps(flow.line(), separators=(",", ":")).encode() + b"\n")

    def close(self) -> int:
        """End the file; its size in bytes."""
        if not self._file.closed:
            self._log.close()
            self._file.close()
        return self._path.stat().st_size

    def piece(self, at: int) -> bytes:
        """The bytes from `at` on that go into one message; the file must have ended."""
        with self._path.open("rb") as log:
            log.seek(at)
            return log.read(PIECE_BYTES)
