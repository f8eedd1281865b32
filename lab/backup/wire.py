"""One stream's snapshot, chunk by chunk, to a file and back."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.msg import Msg

from countermand.runtime.settings import ConfigurationError

_CHUNK_BYTES: Final = 64 * 1024
"""What a broker with a payload limit like ours takes back; a server cuts its own chunks to any size."""

_WINDOW_BYTES: Final = 1024 * 1024
"""What may be on its way to us unacked, and so in memory."""

_SILENCE_S: Final = 30.0
"""The server gives up after 5 s without an ack; after as many more it is not there."""

_INDEXED_WITHIN_S: Final = 600.0
"""After the last chunk the server builds its index, a second for each million messages."""

_FAILED: Final = ("408", "500")

Progress = Callable[[int], None]


async def save(nc: Client, stream: str, path: Path, progress: Progress) -> dict[str, Any]:
    """Write a stream's snapshot, with its consumers, to a file. Its config, state, bytes and sha256 come back.

    Args:
        progress: told of every chunk's bytes.

    Raises:
        ConfigurationError: the server refuses, fails, or goes silent.
    """
    chunks = asyncio.Queue[Msg]()
    subject, written, digest = nc.new_inbox(), 0, hashlib.sha256()
    subscription = await nc.subscribe(subject, cb=chunks.put)
    try:
        wanted = {"deliver_subject": subject, "chunk_size": _CHUNK_BYTES, "window_size": _WINDOW_BYTES}
        answer = await _ask(nc, f"$JS.API.STREAM.SNAPSHOT.{stream}", json.dumps(wanted).encode(), stream)
        with path.open("wb") as file:
            while chunk := await _next(chunks, stream):
                file.write(chunk.data)
                digest.update(chunk.data)
                written += len(chunk.data)
                progress(len(chunk.data))
                if chunk.reply:
                    await nc.publish(chunk.reply)
    finally:
        await subscription.unsubscribe()
    return {"config": answer["config"], "state": answer["state"], "bytes": written, "sha256": digest.hexdigest()}


async def load(nc: Client, stream: str, path: Path, config: Any, state: Any, progress: Progress) -> dict[str, Any]:
    """Make a stream from its snapshot. Its state comes back.

    Raises:
        ConfigurationError: the server refuses, fails, or goes silent.
    """
    request = json.dumps({"config": config, "state": state}).encode()
    to = (await _ask(nc, f"$JS.API.STREAM.RESTORE.{stream}", request, stream))["deliver_subject"]
    size = min(_CHUNK_BYTES, nc.max_payload)
    with path.open("rb") as file:
        while chunk := file.read(size):
            await _ask(nc, to, chunk, stream)
            progress(len(chunk))
    return (await _ask(nc, to, b"", stream, _INDEXED_WITHIN_S))["state"]


def sha256_of(path: Path) -> str:
    """A file's checksum."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _next(chunks: asyncio.Queue[Msg], stream: str) -> Msg | None:
    """The next chunk; nothing at the end."""
    try:
        async with asyncio.timeout(_SILENCE_S):
            chunk = await chunks.get()
    except TimeoutError:
        msg = f"{stream}: the server sent nothing for {_SILENCE_S:g} s"
        raise ConfigurationError(msg) from None
    if chunk.data:
        return chunk
    headers = chunk.headers or {}
    if headers.get("Status") in _FAILED:
        msg = f"{stream}: the server broke the snapshot off: {headers.get('Description', headers['Status'])}"
        raise ConfigurationError(msg)
    return None


async def _ask(nc: Client, subject: str, payload: bytes, stream: str, within_s: float = _SILENCE_S) -> dict[str, Any]:
    try:
        answer = await nc.request(subject, payload, timeout=within_s)
    except TimeoutError:
        msg = f"{stream}: the server did not answer within {within_s:g} s"
        raise ConfigurationError(msg) from None
    document: dict[str, Any] = json.loads(answer.data) if answer.data else {}
    if "error" in document:
        msg = f"{stream}: the server refuses: {document['error']['description']}"
        raise ConfigurationError(msg)
    return document
