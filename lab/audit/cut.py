"""The cut: how far each stream is read, and what time it is by the broker's clock."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from countermand.runtime.settings import ConfigurationError
from lab.audit.fact import COMMANDS, OWNERS, nanoseconds
from lab.market import Market

_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Cut:
    """`last`: each owner's last sequence; `now`: ns since 1970."""

    last: dict[str, int]
    now: int


async def take_cut(market: Market) -> Cut:
    """Cut all streams, those first whose facts have their causes elsewhere.

    Raises:
        ConfigurationError: a stream is missing.
    """
    last: dict[str, int] = {}
    now = 0
    for owner in (*reversed(OWNERS), COMMANDS):
        stream = market.names.stream(owner.upper())
        answer = await market.nc.request(f"$JS.API.STREAM.INFO.{stream}", timeout=_TIMEOUT_S)
        info: dict[str, Any] = json.loads(answer.data)
        if "error" in info:
            msg = f"there is no stream {stream} here ({info['error']['description']}): run `countermand provision`"
            raise ConfigurationError(msg)
        last[owner] = info["state"]["last_seq"]
        now = nanoseconds(datetime.fromisoformat(info["ts"]))
    return Cut(last, now)
