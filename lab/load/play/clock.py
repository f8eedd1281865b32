"""The broker's clock, by which every moment of a run is told: its events, and what is sent and when."""

import json
import time
from typing import Final

from nats.aio.client import Client

from countermand.runtime.direct import timestamp
from lab.load.play.wire import ANSWER_S

_LOOKS: Final = 7
"""The answer with the shortest way is the best one; of seven, one has a free way."""


async def broker_ahead_s(nc: Client, stream: str) -> float:
    """How much the broker's clock, in Unix time, is ahead of this process's `time.monotonic`.

    Raises:
        NatsError, TimeoutError: the broker does not answer.
    """
    best_s, ahead_s = float("inf"), 0.0
    for _ in range(_LOOKS):
        asked = time.monotonic()
        answer = await nc.request(f"$JS.API.STREAM.INFO.{stream}", b"", timeout=ANSWER_S)
        took_s = time.monotonic() - asked
        if took_s < best_s:
            best_s = took_s
            told = timestamp(json.loads(answer.data)["ts"]).timestamp()
            ahead_s = told - (asked + took_s / 2)
    return ahead_s
