"""What counting costs: the CPU of the metrics of one flow in the order service, beside ports that count nothing.

`chrt -i 0 uv run python -m benchmarks.metrics`. A flow like `peer`'s: four messages heard, seven events written, one of
them a request and one its answer. Nothing else of the service runs; the least of many short runs counts.
"""

import asyncio
import time
from datetime import UTC, datetime
from itertools import count
from typing import Final

from countermand.contracts.base import Command, Message, Owner
from countermand.contracts.subjects import Address
from countermand.runtime.envelope import Envelope
from countermand.runtime.handler import Handled
from countermand.runtime.measured import MeasuredStore
from countermand.runtime.metrics import Metrics
from countermand.runtime.ports import Store
from services.order.app import CARD
from tests.support.orders import ORDER_ID, START, TERMS, cancelled, noted, place, placed, requested

FLOWS: Final = 300
RUNS: Final = 60
ORDER_CPU_US: Final = 880
"""Of the order service a flow, by `benchmarks.ceiling`."""

_ids = count()


class Nowhere:
    """A store that takes everything."""

    async def newer(self, order_id: str, revision: int) -> list[Envelope]:  # noqa: ARG002
        """Nothing."""
        return []

    async def last_sequence(self, order_id: str) -> int:  # noqa: ARG002
        """Nothing."""
        return 0

    async def append(self, entry: Envelope, expected: int) -> int:  # noqa: ARG002
        """Take it."""
        return expected + 1


async def flows_us(store: Store, metrics: Metrics | None) -> float:
    """CPU of a flow, in microseconds; the making of messages is in it."""
    done = Handled("appended")
    began = time.process_time()
    for _ in range(FLOWS):
        request_id = f"r{next(_ids)}"
        heard = [envelope(body) for body in (place(), noted(), noted(), noted())]
        own = [envelope(body) for body in (placed(), cancelled(request_id=request_id), *[noted()] * 4)]
        for entry in [envelope(requested(), request_id), *own]:
            await store.append(entry, 1)
        if metrics is not None:
            for message in heard:
                metrics.handled("", message, done, 0.001)
    return (time.process_time() - began) / FLOWS * 1e6


def envelope(body: Message, message_id: str = "m") -> Envelope:
    """A message about an order."""
    address = Address("cmd" if isinstance(body, Command) else "event", Owner.ORDER, ORDER_ID, type(body).__name__, 1)
    now = datetime.now(UTC)
    return Envelope(message_id, address, now, 1, body, TERMS.header, "c", None, START, None, None, None)


async def main() -> None:
    """Print both, and the difference."""
    bare, metrics = Nowhere(), Metrics(CARD)
    measured = MeasuredStore(bare, metrics)
    without = min([await flows_us(bare, None) for _ in range(RUNS)])
    counted = min([await flows_us(measured, metrics) for _ in range(RUNS)])
    cost = counted - without
    share = 100 * cost / ORDER_CPU_US
    print(f"metrics: {cost:.1f} µs of CPU a flow, {share:.1f} % of the order service's {ORDER_CPU_US} µs")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
