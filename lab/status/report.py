"""The status of a system: what is seen, and what of it wants attention, in words."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from lab.status.orders import Orders
from lab.status.parts import Consumer, Stream

SCHEMA: Final = "https://countermand.example/schemas/status.v1.json"

PATIENCE_S: Final = 300.0
"""What should have come five minutes ago is stuck; a mail server, a rolling restart or a busy hour may take that long."""

_FULL: Final = 0.8
"""A stream beyond this share of its bound: time enough to raise it."""

_SILENT_S: Final = 30.0
"""A consumer with messages waiting gets one within milliseconds, or within `ACK_WAIT_S` after a crash."""


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that `countermand status` tells."""

    consumers: tuple[Consumer, ...]
    streams: tuple[Stream, ...]
    timers: int
    letters: int
    outdated: tuple[str, ...]
    orders: Orders | None = None

    def attention(self) -> list[str]:
        """What an operator should look at, each with the command for it."""
        found = [f"{stream.name} does not exist: countermand provision" for stream in self.streams if not stream.exists]
        for service, own in by_service(self.consumers).items():
            missing = [consumer.name for consumer in own if not consumer.exists]
            deaf = [consumer.name for consumer in own if consumer.exists and not consumer.bound]
            if missing:
                found.append(f"{service} lacks {', '.join(missing)}: countermand provision, then restart {service}")
            if deaf:
                whole = len(deaf) == len(own)
                what = "does not run" if whole else f"does not hear {', '.join(deaf)}: restart it"
                found.append(f"{service} {what}{f': countermand service {service}' if whole else ''}")
        found += [
            f"{consumer.name} has {consumer.pending:,} messages waiting and got none for {consumer.silent_s:.0f} s: "
            f"the log of {consumer.service} tells why"
            for consumer in self.consumers
            if consumer.bound and consumer.pending and (consumer.silent_s or 0) > _SILENT_S
        ]
        found += [
            f"{stream.name} is {stream.full:.0%} full, and takes nothing when it is: raise STREAM_MAX_BYTES, then countermand provision"
            for stream in self.streams
            if stream.full > _FULL
        ]
        found += [f"{name} is a consumer of an older version: delete it (docs/operating.md)" for name in self.outdated]
        if self.letters:
            found.append(f"{_many(self.letters, 'dead letter')} to look at: countermand dead list")
        if self.orders and (stuck := self.orders.stuck(PATIENCE_S)):
            number = len({one.order_id for one in stuck})
            found.append(f"{_many(number, 'order')} stuck: countermand stuck")
        return found

    def waiting(self) -> list[tuple[str, int]]:
        """What open orders wait for, the most frequent first; one order may wait for several things."""
        return Counter(one.what for one in self.orders.waiting).most_common() if self.orders else []

    def document(self) -> dict[str, Any]:
        """The JSON of `countermand status --json`."""
        attention, orders = self.attention(), self.orders
        stuck = orders.stuck(PATIENCE_S) if orders else []
        return {
            "schema": SCHEMA,
            "seed": None,
            "verdict": "attention" if attention else "well",
            "attention": attention,
            "services": {
                service: [_consumer(consumer) for consumer in own]
                for service, own in by_service(self.consumers).items()
            },
            "streams": [
                {
                    "stream": stream.name,
                    "exists": stream.exists,
                    "messages": stream.messages,
                    "bytes": stream.bytes,
                    "max_bytes": stream.max_bytes,
                }
                for stream in self.streams
            ],
            "timers_armed": self.timers,
            "dead_letters_open": self.letters,
            "orders": orders
            and {
                "open": orders.number,
                "waiting": dict(self.waiting()),
                "stuck": len({one.order_id for one in stuck}),
                "oldest_stuck": stuck[0].order_id if stuck else None,
            },
        }


def by_service(consumers: tuple[Consumer, ...]) -> dict[str, list[Consumer]]:
    """Each service's consumers."""
    found: dict[str, list[Consumer]] = {}
    for consumer in consumers:
        found.setdefault(consumer.service, []).append(consumer)
    return found


def _consumer(consumer: Consumer) -> dict[str, Any]:
    return {
        "consumer": consumer.name,
        "stream": consumer.stream,
        "exists": consumer.exists,
        "bound": consumer.bound,
        "pending": consumer.pending,
        "ack_pending": consumer.taken,
        "redelivered": consumer.redelivered,
        "last_delivery_s": consumer.silent_s,
    }


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' if number != 1 else ''}"
