"""A whole system in child processes: the official nats-server, the mailbox, and one process a service."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

import nats
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from countermand.runtime.card import Card
from countermand.runtime.connection import access
from countermand.runtime.embedded import Child, NatsServer, StartError, Supervisor, spawn, start_nats
from countermand.runtime.names import Names
from countermand.runtime.settings import ConfigurationError, Settings, load_settings
from countermand.runtime.streams import provision
from lab.market import reached
from services.dispute.app import CARD as DISPUTE
from services.notify.app import CARD as NOTIFY
from services.order.app import CARD as ORDER
from services.seller.app import CARD as SELLER

CARDS: Final[tuple[Card[Any, Any, Any], ...]] = (ORDER, SELLER, DISPUTE, NOTIFY)
"""The services with a journal, in the order in which they start."""

READY_WITHIN_S: Final = 60.0
"""How long five Python processes may take to start on a busy machine; two seconds are usual."""

_POLL_S: Final = 0.05


@dataclass(slots=True)
class System:
    """A running system."""

    nats: NatsServer
    mailbox: Child
    services: dict[str, Child]
    supervisor: Supervisor
    smtp_url: str
    mailbox_url: str
    data_dir: Path
    environment: dict[str, str] = field(default_factory=dict[str, str])
    keeps_the_mail: bool = True

    @property
    def nats_url(self) -> str:
        """Where the broker answers."""
        return self.nats.url

    @property
    def emails_at(self) -> str | None:
        """Where the emails can be read; nothing if `SMTP_URL` sends them elsewhere."""
        return self.mailbox_url if self.keeps_the_mail else None


@asynccontextmanager
async def embedded(
    *, data_dir: Path | None = None, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[System]:
    """Start everything on free loopback ports; stop everything, in reverse, at the end.

    Args:
        data_dir: keeps the broker's store and the logs; a temporary folder, removed at the end, if nothing.
        environment: for the services, as in `{"COUNTERMAND_CRASH_AT": "…"}`.

    Raises:
        ConfigurationError: something did not start; the message has the last lines of its log.
    """
    folder = data_dir or Path(tempfile.mkdtemp(prefix="countermand-"))
    supervisor = Supervisor()
    try:
        yield await _start(folder, supervisor, dict(environment or {}))
    except StartError as error:
        raise ConfigurationError(str(error)) from error
    finally:
        await supervisor.stop()
        if data_dir is None:
            shutil.rmtree(folder, ignore_errors=True)


async def provisioned(nats_url: str, settings: Settings) -> None:
    """Create or update every stream and consumer.

    Raises:
        ConfigurationError: nobody answers, or JetStream refuses.
    """
    names = Names(settings.subject_prefix)
    async with reached(nats_url, names) as market:
        services = [(card.name, card.subscriptions()) for card in CARDS]
        await provision(market.js, names, settings, services)


async def ready(nats_url: str, settings: Settings, supervisor: Supervisor | None = None) -> None:
    """Wait until every consumer of every service has a subscriber.

    Raises:
        ConfigurationError: a service died, or is not there after `READY_WITHIN_S`.
    """
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            await first(_all_bound(nats_url, settings), *([death(supervisor)] if supervisor else []))
    except TimeoutError as error:
        msg = f"the services were not ready within {READY_WITHIN_S:g} s"
        raise ConfigurationError(msg) from error


async def death(supervisor: Supervisor) -> NoReturn:
    """Wait until a part of a system dies, and raise `ConfigurationError`, with the last lines of its log."""
    raise ConfigurationError((await supervisor.wait_for_death()).epitaph())


async def first(*works: Coroutine[Any, Any, Any]) -> Any:
    """What the first of them comes to, be it a result or an error; the others are cancelled."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task.done()).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _start(folder: Path, supervisor: Supervisor, environment: dict[str, str]) -> System:
    logs = folder / "logs"
    server = await start_nats(folder / "nats")
    supervisor.add(server)
    await provisioned(server.url, load_settings())
    ports = {"MAILBOX_SMTP_PORT": "0", "MAILBOX_HTTP_PORT": "0"}
    mailbox, addresses = await _start_listening("mailbox", folder, ports, supervisor)
    own = {"NATS_URL": server.url, "SMTP_URL": os.environ.get("SMTP_URL", addresses["smtp_url"]), "HTTP_PORT": "0"}
    environment = own | environment
    services: dict[str, Child] = {}
    for card in CARDS:
        child = await spawn(
            [sys.executable, "-m", f"services.{card.name}"],
            env=environment,
            log_path=logs / f"{card.name}.log",
            name=card.name,
        )
        supervisor.add(child)
        services[card.name] = child
    await ready(server.url, load_settings(), supervisor)
    return System(
        nats=server,
        mailbox=mailbox,
        services=services,
        supervisor=supervisor,
        smtp_url=environment["SMTP_URL"],
        mailbox_url=addresses["http_url"],
        data_dir=folder,
        environment=environment,
        keeps_the_mail=environment["SMTP_URL"] == addresses["smtp_url"],
    )


async def start_web(system: System, environment: Mapping[str, str]) -> str:
    """Start web beside a system, on a free port unless `HTTP_PORT` names one; its address.

    Raises:
        ConfigurationError: it did not start.
    """
    mailbox = {"MAILBOX_URL": system.emails_at} if system.emails_at else {}
    environment = {
        **system.environment,
        "HTTP_PORT": os.environ.get("HTTP_PORT", "0"),
        "WEB_DATABASE": str(system.data_dir / "web.db"),
        **mailbox,
        **environment,
    }
    web, addresses = await _start_listening("web", system.data_dir, environment, system.supervisor)
    system.services["web"] = web
    return addresses["http_url"]


async def _start_listening(
    name: str, folder: Path, environment: Mapping[str, str], supervisor: Supervisor
) -> tuple[Child, dict[str, str]]:
    """Start a service that tells its addresses in a file, and wait for that.

    Raises:
        ConfigurationError: it died, or is not there after `READY_WITHIN_S`.
    """
    ready_file = folder / f"{name}.json"
    ready_file.unlink(missing_ok=True)
    child = await spawn(
        [sys.executable, "-m", f"services.{name}"],
        env={f"{name.upper()}_READY_FILE": str(ready_file), **environment},
        log_path=folder / "logs" / f"{name}.log",
        name=name,
    )
    supervisor.add(child)
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            while not ready_file.exists():
                if child.returncode is not None:
                    raise ConfigurationError(child.epitaph())
                await asyncio.sleep(_POLL_S)
    except TimeoutError as error:
        msg = f"{name} was not ready within {READY_WITHIN_S:g} s: {child.epitaph()}"
        raise ConfigurationError(msg) from error
    return child, json.loads(ready_file.read_text())


async def _all_bound(nats_url: str, settings: Settings) -> None:
    names = Names(settings.subject_prefix)
    nc = await nats.connect(nats_url.split(","), **access(settings).options())
    js = nc.jetstream()
    try:
        for card in CARDS:
            for subscription in card.subscriptions():
                consumer = names.consumer(card.name, subscription.stream)
                while not await _bound(js, names.stream(subscription.stream), consumer):  # noqa: ASYNC110  # JetStream tells nobody.
                    await asyncio.sleep(_POLL_S)
    finally:
        await nc.close()


async def _bound(js: JetStreamContext, stream: str, consumer: str) -> bool:
    try:
        return bool((await js.consumer_info(stream, consumer)).push_bound)
    except (NotFoundError, TimeoutError):  # Not there yet, or too busy to say; whoever waits has a bound.
        return False
