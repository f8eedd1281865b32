"""A connection that outlives the broker's restarts."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from countermand.runtime.connection import access
from countermand.runtime.settings import ConfigurationError, load_settings
from lab.lean import LeanClient

_CONNECT_WITHIN_S: Final = 60.0
"""Until the broker must be there for the first time."""


async def _nothing() -> None:
    """Most have nothing to do when the broker is back."""


async def _say_nothing(_: Exception) -> None:
    """What fails is told by the call that fails."""


@asynccontextmanager
async def connected(nats_url: str, reconnected: Callable[[], Awaitable[None]] = _nothing) -> AsyncGenerator[LeanClient]:
    """A client; `reconnected` is called each time that the broker is back. What is published while it is away fails at once.

    Raises:
        ConfigurationError: nobody answers.
    """
    nc = LeanClient()
    options: dict[str, Any] = {
        "name": "countermand-load",
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 0.2,
        "reconnected_cb": reconnected,
        "error_cb": _say_nothing,
        "pending_size": 0,
        **access(load_settings()).options(),
    }
    try:
        async with asyncio.timeout(_CONNECT_WITHIN_S):
            await nc.connect(nats_url.split(","), **options)
    except TimeoutError as error:
        msg = f"the NATS server at {nats_url} does not answer within {_CONNECT_WITHIN_S:g} s"
        raise ConfigurationError(msg) from error
    try:
        yield nc
    finally:
        await nc.close()
