"""The mailbox as a whole: settings, both servers in one event loop, and their end."""

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from countermand.runtime import log
from countermand.runtime.http import listening, url
from countermand.runtime.main import CONFIGURATION_ERROR, new_event_loop
from countermand.runtime.settings import ConfigurationError, explain, load_settings
from services.mailbox.http import create_app
from services.mailbox.smtp import MESSAGE_BYTES_MAX, SmtpServer
from services.mailbox.store import KEPT_BYTES_MAX, MESSAGES_MAX, Store

_log = structlog.get_logger()


class MailboxSettings(BaseSettings):
    """`MAILBOX_HTTP_PORT=0 countermand service mailbox`; port 0 lets the system choose."""

    model_config = SettingsConfigDict(env_prefix="MAILBOX_", env_file=None, extra="ignore")

    host: str = Field(default="127.0.0.1", min_length=1, max_length=253)
    smtp_port: int = Field(default=2525, ge=0, le=65_535)
    http_port: int = Field(default=8025, ge=0, le=65_535)
    max_messages: int = Field(default=MESSAGES_MAX, ge=1, le=1_000_000, description="kept whole, the newest")
    max_kept_bytes: int = Field(default=KEPT_BYTES_MAX, ge=1, description="of all messages kept")
    max_message_bytes: int = Field(default=MESSAGE_BYTES_MAX, ge=1, description="of one message; a larger one gets 552")
    ready_file: Path | None = Field(default=None, description="gets the addresses as JSON once both servers listen")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the mailbox listens."""

    smtp_url: str
    http_url: str


def main() -> None:
    """Run the mailbox in this process until it is told to stop; exits with 2 and one line if its configuration cannot be."""
    try:
        common = load_settings()
        log.configure("mailbox", common.log_level, common.log_format)
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(run(MailboxSettings()))
    except ValidationError as error:
        _give_up(explain(error))
    except (ConfigurationError, OSError) as error:
        _give_up(str(error))


async def run(settings: MailboxSettings) -> None:
    """Be a mailbox until SIGTERM or SIGINT.

    Raises:
        ConfigurationError, OSError: an address cannot be listened on, or the ready file cannot be written.
    """
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)
    try:
        async with open_mailbox(settings):
            await told_to_stop.wait()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def open_mailbox(settings: MailboxSettings) -> AsyncGenerator[Addresses]:
    """A mailbox that listens while the block runs.

    Raises:
        ConfigurationError, OSError: as of `run`.
    """
    store = Store(settings.max_messages, settings.max_kept_bytes)
    smtp = SmtpServer(store, settings.max_message_bytes)
    async with contextlib.AsyncExitStack() as ends:
        ends.callback(store.close)
        ends.push_async_callback(smtp.stop)
        smtp_port = await smtp.start(settings.host, settings.smtp_port)
        app = create_app(store, smtp)
        http_url = await ends.enter_async_context(listening(app, settings.host, settings.http_port))
        addresses = Addresses(url("smtp", settings.host, smtp_port), http_url)
        _tell(addresses, settings.ready_file)
        yield addresses
        _log.info("mailbox.stopping", received=store.received, distinct=store.distinct)


def _tell(addresses: Addresses, ready_file: Path | None) -> None:
    """Write the file whole or not at all: somebody is waiting to read it."""
    if ready_file is not None:
        draft = ready_file.with_name(f".{ready_file.name}.draft")
        draft.write_text(json.dumps(asdict(addresses)))
        draft.replace(ready_file)
    _log.info("mailbox.listening", **asdict(addresses))


def _give_up(why: str) -> None:
    sys.stderr.write(f"mailbox: {why}\n")
    sys.exit(CONFIGURATION_ERROR)
