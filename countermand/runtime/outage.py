"""Which failures pass by themselves: the broker or its store is away. They pause work and are never counted against a message."""

import asyncio
from typing import Final

from nats.errors import (
    ConnectionClosedError,
    ConnectionDrainingError,
    ConnectionReconnectingError,
    NoRespondersError,
    NoServersError,
    OutboundBufferLimitError,
    StaleConnectionError,
)
from nats.js.errors import APIError, NoStreamResponseError

_AWAY: Final = (
    asyncio.TimeoutError,
    ConnectionError,
    ConnectionClosedError,
    ConnectionDrainingError,
    ConnectionReconnectingError,
    NoRespondersError,
    NoServersError,
    NoStreamResponseError,
    OutboundBufferLimitError,
    StaleConnectionError,
)
_SERVER_ERRORS: Final = range(500, 600)
_STORE_FULL: Final = (10023, 10047, 10077)
"""JetStream's codes for insufficient resources, storage and a stream at its max_bytes."""


class Unavailable(Exception):
    """Something outside that this service needs is away, as a mail server; the message says what."""


def is_outage(error: BaseException) -> bool:
    """Whether waiting is the right answer to `error`."""
    if isinstance(error, APIError):
        return error.code in _SERVER_ERRORS or error.err_code in _STORE_FULL
    return isinstance(error, (*_AWAY, Unavailable))
