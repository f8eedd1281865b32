"""The bare program that `benchmarks.ceiling` compares with: publishes a recorded message list and acks what comes, no more.

`python -m benchmarks.bare NATS_URL LIST FLOWS IN_FLIGHT`. Its list holds, flow by flow, the messages that Countermand
published: subjects, headers and bodies. Each flow gets an order id of its own; the compare-and-set expects what this flow
wrote last; timers are set for another century, as long as the others. Prints `{"seconds", "messages", "acked", "cpu_s"}`.
"""

import asyncio
import json
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any, Final

import nats
from nats.aio.msg import Msg
from uvloop import new_event_loop

from countermand.kernel.ids import order_id_from
from countermand.runtime.names import Names
from lab.system import CARDS

_EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"
_FILTER: Final = f"{_EXPECTED}-Subject"
_PUBLISH_TIMEOUT_S: Final = 30.0
_QUIET_S: Final = 1.0


async def main(url: str, recorded: list[list[dict[str, Any]]], flows: int, in_flight: int) -> None:
    """Publish, ack, count."""
    nc = await nats.connect(url)
    js = nc.jetstream(timeout=_PUBLISH_TIMEOUT_S)
    acked = 0

    async def ack(msg: Msg) -> None:
        nonlocal acked
        await msg.ack()
        acked += 1

    names = Names()
    for card in CARDS:
        for heard in card.subscriptions():
            queue = names.consumer(card.name, heard.stream)
            await nc.subscribe(names.delivery(card.name, heard.stream), queue, cb=ack, pending_bytes_limit=0)
    numbers = iter(range(flows))
    published = count()

    async def play() -> None:
        for number in numbers:
            order_id, last = order_id_from("bare", number), dict[str, str]()
            for message in recorded[number % len(recorded)]:
                headers = {name: value.replace("{order}", order_id) for name, value in message["headers"].items()}
                if (owned := headers.get(_FILTER)) is not None:
                    headers[_EXPECTED] = last.get(owned, "0")
                subject = message["subject"].replace("{order}", order_id)
                body = message["body"].replace("{order}", order_id).encode()
                done = await js.publish(subject, body, headers=headers)
                next(published)
                if owned is not None:
                    last[owned] = str(done.seq)

    began, cpu_s = time.perf_counter(), time.process_time()
    await asyncio.gather(*(play() for _ in range(in_flight)))
    seconds = time.perf_counter() - began
    before = -1
    while before != acked:
        before = acked
        await asyncio.sleep(_QUIET_S)
    result = {"seconds": seconds, "messages": next(published), "acked": acked, "cpu_s": time.process_time() - cpu_s}
    sys.stdout.write(json.dumps(result) + "\n")
    await nc.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()), int(sys.argv[3]), int(sys.argv[4])))
