"""The composition of web: settings, the connection, the read model and its follower, the HTTP server; and their end."""

import asyncio
import contextlib
import json
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, Final

import httpx
import structlog
from fastapi import FastAPI
from nats.aio.client import Client
from pydantic import ValidationError

from countermand.runtime import collector, log
from countermand.runtime.connection import Access, ConnectionLost, access, tell_refusals
from countermand.runtime.direct import DirectReader
from countermand.runtime.http import listening
from countermand.runtime.main import CONFIGURATION_ERROR, CONNECTION_LOST, new_event_loop
from countermand.runtime.names import Names
from countermand.runtime.policies import Policies
from countermand.runtime.requests import Requests
from countermand.runtime.settings import ConfigurationError, Settings, explain, load_settings
from services.web.api.application import create_api
from services.web.broker import Broker
from services.web.commands import Commands
from services.web.faults import Faults
from services.web.hub import Hub
from services.web.loads import Loads, open_loads
from services.web.parts import Web
from services.web.readmodel.follow import Follower
from services.web.readmodel.queries import Queries
from services.web.readmodel.store import Store
from services.web.settings import WebSettings

_FIRST_LINK_S: Final = 3.0
"""What the broker gets to answer before the page is shown without it."""

_ITSELF: Final = ("web", 0)
"""Whence web asks itself: its rate is no other address's."""

_MAILBOX_S: Final = 5.0
_RECONNECT_EVERY_S: Final = 1
_FOREVER: Final = -1

Lose = Callable[[str], None]

_log = structlog.get_logger()


def _nothing(_why: str) -> None:
    pass


def main() -> None:
    """Run web in this process until it is told to stop; exits with one line: 2 if its configuration cannot be, 1 if its connection was ended."""
    try:
        common = load_settings()
        log.configure("web", common.log_level, common.log_format)
        with asyncio.Runner(loop_factory=new_event_loop) as runner, collector.seldom():
            runner.run(run(common, WebSettings()))
    except ValidationError as error:
        _give_up(explain(error))
    except (ConfigurationError, OSError) as error:
        _give_up(str(error))
    except ConnectionLost as error:
        _give_up(str(error), CONNECTION_LOST)


async def run(common: Settings, settings: WebSettings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConfigurationError, OSError: as of `open_web`.
        ConnectionLost: the broker has ended the connection for good.
    """
    told_to_stop = asyncio.Event()
    lost: list[str] = []

    def lose(why: str) -> None:
        if not told_to_stop.is_set():
            lost.append(why)
            told_to_stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)
    async with open_web(common, settings, lose):
        await told_to_stop.wait()
    if lost:
        msg = f"the broker has ended the connection for good: {lost[0]}"
        raise ConnectionLost(msg)


@contextlib.asynccontextmanager
async def open_web(common: Settings, settings: WebSettings, lose: Lose = _nothing) -> AsyncGenerator[str]:
    """Web, which listens at the address that comes, while the block runs. The broker may be away meanwhile, or at first.

    Args:
        common: where the broker is, and who we are there.
        settings: of web.
        lose: called with the reason if the broker ends the connection for good.

    Raises:
        ConfigurationError: the operator's token, the broker's password or the database cannot be used, or the address cannot be listened on.
        OSError: the ready file cannot be written.
    """
    async with contextlib.AsyncExitStack() as ends:
        path = settings.web_database
        if path is None:
            folder = tempfile.TemporaryDirectory(prefix="countermand-web-", ignore_cleanup_errors=True)
            path = Path(ends.enter_context(folder)) / "web.db"
        web = await ends.enter_async_context(_parts(common, settings, path.resolve(), lose))
        with contextlib.suppress(TimeoutError):  # Away: it is said on every page, until it is there.
            await asyncio.wait_for(web.follower.begun.wait(), _FIRST_LINK_S)
        api = create_api(web)
        await _open_first_page(api, settings)
        serving = listening(api, settings.http_host, settings.http_port)
        address = await ends.enter_async_context(serving)
        ends.callback(web.hub.close)
        _tell(address, settings.web_ready_file)
        yield address
        _log.info("web.stopping")


@contextlib.asynccontextmanager
async def _parts(common: Settings, settings: WebSettings, path: Path, lose: Lose) -> AsyncGenerator[Web]:
    names, nc = Names(common.subject_prefix), Client()
    entry = access(common)
    hub = Hub(settings.web_live_clients)
    reader, requests = DirectReader(nc), Requests(nc)
    try:
        store = Store(path)
    except Exception as error:
        msg = f"WEB_DATABASE {path} cannot be used: {error}"
        raise ConfigurationError(msg) from error
    async with contextlib.AsyncExitStack() as ends:
        follower = Follower(nc, reader, names, store, hub)
        ends.push_async_callback(follower.close)
        queries = Queries(path)
        ends.push_async_callback(queries.close)
        mail: httpx.AsyncClient | None = None
        if settings.mailbox_url:
            mail = httpx.AsyncClient(base_url=settings.mailbox_url, timeout=_MAILBOX_S, trust_env=False)
            ends.push_async_callback(mail.aclose)
        token = settings.token()
        loads: Loads | None = None
        if settings.web_loads:
            loads = await ends.enter_async_context(open_loads(common, settings.mailbox_url, path.parent))
        web = Web(
            settings=settings,
            names=names,
            nc=nc,
            reader=reader,
            queries=queries,
            commands=Commands(nc, requests, reader, names, hub),
            hub=hub,
            follower=follower,
            policies=Policies(nc.jetstream(), names),
            mail=mail,
            token=token,
            broker=Broker(nc, reader, names),
            loads=loads,
            faults=Faults(settings.web_faults, mail),
        )
        linking = asyncio.create_task(_link(common, entry, web, requests, lose))
        ends.push_async_callback(_unlink, linking, nc)
        yield web


async def _link(common: Settings, entry: Access, web: Web, requests: Requests, lose: Lose) -> None:
    """Connect, however long it takes, and follow."""

    async def hear_end() -> None:
        lose(str(web.nc.last_error))

    async def hear_refusal(msg: Any) -> None:
        tokens = web.names.bare(msg.subject).split(".")
        web.hub.ring(tokens[2] if len(tokens) > 2 else "")  # noqa: PLR2004

    try:
        await web.nc.connect(
            common.nats_url.split(","),
            name="countermand-web",
            max_reconnect_attempts=_FOREVER,
            reconnect_time_wait=_RECONNECT_EVERY_S,
            connect_timeout=_RECONNECT_EVERY_S,
            error_cb=tell_refusals,
            closed_cb=hear_end,
            **entry.options(),
        )
        await web.reader.start()
        await requests.start()
        await web.nc.subscribe(web.names.subject("reply.>"), cb=hear_refusal)
        await web.follower.run()
    except Exception as error:  # noqa: BLE001  # As over an address that is none.
        _log.exception("web.not_linked")
        lose(str(error))


async def _unlink(linking: "asyncio.Task[None]", nc: Client) -> None:
    linking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await linking
    await nc.close()


async def _open_first_page(api: FastAPI, settings: WebSettings) -> None:
    """Have routes, models and templates built before anybody waits for them: FastAPI does so for the first who asks."""
    host = min(settings.allowed_hosts(), default="").encode()
    inside = httpx.ASGITransport(api, raise_app_exceptions=False, client=_ITSELF)
    async with httpx.AsyncClient(transport=inside, base_url="http://web", headers={b"Host": host}) as browser:
        await browser.get("/")


def _tell(address: str, ready_file: Path | None) -> None:
    """Write the file whole or not at all: somebody is waiting to read it."""
    if ready_file is not None:
        draft = ready_file.with_name(f".{ready_file.name}.draft")
        draft.write_text(json.dumps({"http_url": address}))
        draft.replace(ready_file)
    _log.info("web.listening", http_url=address)


def _give_up(why: str, code: int = CONFIGURATION_ERROR) -> None:
    sys.stderr.write(f"web: {why}\n")
    sys.exit(code)
