"""`countermand backup` and `countermand restore`."""

import json
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from countermand.contracts.base import Owner
from countermand.runtime.settings import ConfigurationError
from countermand.runtime.streams import stream_names
from lab.backup.manifest import Manifest, Saved, read_manifest
from lab.backup.wire import Progress, load, save
from lab.console import console_of, now_and_then
from lab.exits import PASS
from lab.market import Market, marketplace, reached
from lab.system import CARDS

_TIMEOUT_S: Final = 10.0


async def backup(nats_url: str, folder: Path) -> int:
    """Write every stream of a system that stands still into a folder.

    Raises:
        ConfigurationError: the folder is not empty, or full, or the services worked on while the streams were copied.
    """
    _make_empty(folder)
    async with marketplace(nats_url) as market:
        names = stream_names(market.names)
        tell = _progress("saved")
        before = await _positions(market)
        streams = [await _saved(market, name, folder, tell) for name in names]
        moved = [name for name, position in (await _positions(market)).items() if position != before[name]]
        if moved:
            msg = (
                f"the services worked on while the streams were copied ({', '.join(moved)} moved), so the copies do not "
                "belong together: stop the services, not the broker, and make the backup again"
            )
            raise ConfigurationError(msg)
        made_at = datetime.now(UTC).isoformat()
        with _room_in(folder):
            Manifest(made_at=made_at, server=_version(market), streams=tuple(streams)).write(folder)
    _tell(streams, f"saved in {folder}", console_of())
    return PASS


async def restore(nats_url: str, folder: Path) -> int:
    """Make every stream of a backup, on a server that has none of them.

    Raises:
        ConfigurationError: the backup is damaged, a stream is there already, or the server refuses one.
    """
    manifest = read_manifest(folder)
    async with reached(nats_url) as market:
        there = [saved.stream for saved in manifest.streams if await _exists(market, saved.stream)]
        if there:
            msg = f"the server has {', '.join(there)} already: a backup is restored into an empty server only"
            raise ConfigurationError(msg)
        tell = _progress("restored")
        for number, saved in enumerate(manifest.streams):
            try:
                state = await load(market.nc, saved.stream, folder / saved.file, saved.config, saved.state, tell)
            except ConfigurationError as error:
                msg = f"{error}; {number} of {len(manifest.streams)} streams were restored: begin again on an empty server"
                raise ConfigurationError(msg) from error
            if (state["messages"], state["last_seq"]) != (saved.messages, saved.state["last_seq"]):
                msg = f"{saved.stream} has {state['messages']} messages, and {saved.messages} were saved"
                raise ConfigurationError(msg)
    _tell(manifest.streams, f"restored from {folder}, saved at {manifest.made_at}", console_of())
    return PASS


async def _saved(market: Market, name: str, folder: Path, tell: Progress) -> Saved:
    with _room_in(folder):
        return Saved(stream=name, **await save(market.nc, name, folder / f"{name}.snapshot", tell))


@contextmanager
def _room_in(folder: Path) -> Generator[None]:
    """Tell in a line that the disk is full. A silent broker is an `OSError` too: `marketplace` tells that."""
    try:
        yield
    except TimeoutError:
        raise
    except OSError as error:
        msg = f"{folder} cannot be written: {error.strerror or error}"
        raise ConfigurationError(msg) from error


async def _positions(market: Market) -> dict[str, Any]:
    """How far each journal is written, and how far each service has heard: what must not move between two copies.

    New commands and fired timers may come: nobody has done anything about them yet.
    """
    found: dict[str, Any] = {}
    for owner in Owner:
        name = market.names.journal(owner)
        found[name] = (await market.js.stream_info(name)).state.last_seq
    for card in CARDS:
        for subscription in card.subscriptions():
            stream, name = (
                market.names.stream(subscription.stream),
                market.names.consumer(card.name, subscription.stream),
            )
            info = await market.js.consumer_info(stream, name)
            found[name] = info.delivered, info.ack_floor, info.num_ack_pending
    return found


async def _exists(market: Market, stream: str) -> bool:
    answer = await market.nc.request(f"$JS.API.STREAM.INFO.{stream}", timeout=_TIMEOUT_S)
    return "error" not in json.loads(answer.data)


def _make_empty(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        inside = next(folder.iterdir(), None)
    except OSError as error:
        msg = f"{folder} cannot be used: {error.strerror}"
        raise ConfigurationError(msg) from error
    if inside is not None:
        msg = f"{folder} has {inside.name} in it: a backup wants a folder of its own"
        raise ConfigurationError(msg)


def _progress(done: str) -> Progress:
    total = 0

    def line(_: int) -> str:
        return f"{total / 1e6:,.0f} MB {done} …"

    note = now_and_then(line)

    def tell(number: int) -> None:
        nonlocal total
        total += number
        note(number)

    return tell


def _version(market: Market) -> str:
    version = market.nc.connected_server_version
    return f"{version.major}.{version.minor}.{version.patch}"


def _tell(streams: Iterable[Saved], what: str, console: Console) -> None:
    streams = list(streams)
    messages, size = sum(saved.messages for saved in streams), sum(saved.bytes for saved in streams)
    text = f"{len(streams)} streams with {messages:,} messages, {size / 1e6:,.1f} MB, {what}"
    console.print(text, highlight=False, markup=False, soft_wrap=True)
