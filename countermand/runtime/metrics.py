"""What a service counts, from the facts that its handling of messages gives: `docs/metrics.md` has the table.

On the hot path nothing is looked up by its labels: every child is kept.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import Counter, Histogram

from countermand.contracts import COMMANDS, EVENTS
from countermand.contracts.subjects import read
from countermand.runtime.card import Card
from countermand.runtime.envelope import Envelope
from countermand.runtime.handler import Handled
from countermand.runtime.histograms import SHORT_S, Histograms, Spread
from countermand.runtime.names import Names
from countermand.runtime.registry import process_registry
from countermand.runtime.streams import COMMANDS as COMMANDS_STREAM
from countermand.runtime.streams import TIMERS
from countermand.runtime.waits import real_of, waits_of

OTHER: Final = "other"
"""A label's value for whatever is in no list of ours: anybody may send a subject."""

_KINDS: Final = {"cmd": "command", "event": "event", "due": "timer"}


@dataclass(frozen=True, slots=True)
class _Settled:
    """Where a message of one kind, name and outcome is counted."""

    count: Counter
    handling: Spread
    hop: Spread


class Metrics:
    """One service's counters. Nothing here raises, whatever a stranger has sent."""

    def __init__(self, card: Card[Any, Any, Any]) -> None:
        service = card.name
        self.registry = process_registry(service)
        self.waits = waits_of(service, self.registry)
        self._on_heard, self._on_appended = self.waits.on_heard, self.waits.on_appended
        self._service = service
        self._names: dict[str, Mapping[str, object]] = {"cmd": COMMANDS, "event": EVENTS, "due": card.timers}
        self._handled = self._counter("messages_handled", "Messages settled.", "kind", "name", "outcome")
        about = "From a message's turn to its ack."
        self._handling = Histograms("message_handling_seconds", about, service, "kind", self.registry)
        about = "From the store time of a message to its end."
        self._hop = Histograms("hop_seconds", about, service, "source", self.registry)
        self._late = Histogram(
            "countermand_timers_late_seconds",
            "From a timer's moment to its end.",
            ["service"],
            registry=self.registry,
            buckets=SHORT_S,
        ).labels(service)
        self._settled: dict[tuple[str, str, str], _Settled] = {}
        appended = self._counter("events_appended", "Events written by this process.", "event")
        own = [name for name, event in EVENTS.items() if event.owner == service]
        self._appended = {name: appended.labels(service, name) for name in own}
        self._conflicts = self._counter("append_conflicts", "Compare-and-sets lost.").labels(service)
        retries = self._counter("message_retries", "Tries that failed and are repeated.", "reason")
        self._outages, self._failures = retries.labels(service, "outage"), retries.labels(service, "failure")
        dead = self._counter("dead_letters", "Messages copied to DEAD.", "consumer")
        consumers = [Names().consumer(service, subscription.stream) for subscription in card.subscriptions()]
        self._dead = {consumer: dead.labels(service, consumer) for consumer in (*consumers, OTHER)}
        self._refusals = self._counter("refusals", "Commands refused to their sender.", "reason")

    def handled(self, subject: str, envelope: Envelope | None, handled: Handled, seconds: float) -> None:
        """A message was settled; there is no envelope of one that nobody could read."""
        if envelope is None:
            settled = self._settled_as(*_address_of(subject), handled.outcome)
            settled.count.inc()
            settled.handling.observe(seconds)
            return
        address = envelope.address
        key = address.kind, address.name, handled.outcome
        settled = self._settled.get(key) or self._settled_as(*key)
        settled.count.inc()
        settled.handling.observe(seconds)
        now = time.time()
        settled.hop.observe(max(now - envelope.stored_at.timestamp(), 0.0))
        if address.kind == "due":
            due = real_of(envelope.simulated_at, envelope.terms)
            if due is not None and handled.outcome != "early":
                self._late.observe(max(now - due, 0.0))
        if (note := self._on_heard.get(type(envelope.body))) is not None:
            note(envelope, handled)

    def appended(self, entry: Envelope) -> None:
        """An event was written, and its ack came."""
        self._appended[entry.address.name].inc()
        if (note := self._on_appended.get(type(entry.body))) is not None:
            note(entry)

    def conflict(self) -> None:
        """A compare-and-set was lost."""
        self._conflicts.inc()

    def failed(self, *, outage: bool) -> None:
        """A try at a message failed."""
        (self._outages if outage else self._failures).inc()

    def refused(self, reason: str) -> None:
        """A command was refused; the reasons are words of the deciders."""
        self._refusals.labels(self._service, reason).inc()

    def buried(self, consumer: str) -> None:
        """A message of that consumer was copied to the dead letters."""
        self._dead.get(consumer, self._dead[OTHER]).inc()

    def _settled_as(self, kind: str, name: str, outcome: str) -> _Settled:
        """Where it is counted; kept only for names that are ours, so that strangers fill no memory."""
        known = name in self._names.get(kind, ())
        kind_label = _KINDS.get(kind, OTHER)
        settled = _Settled(
            self._handled.labels(self._service, kind_label, name if known else OTHER, outcome),
            self._handling.of(kind_label),
            self._hop.of(_source(kind, name)),
        )
        if known:
            self._settled[kind, name, outcome] = settled
        return settled

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"countermand_{name}_total", about, ["service", *labels], registry=self.registry)


def _address_of(subject: str) -> tuple[str, str]:
    try:
        address = read(subject)
    except ValueError:
        return OTHER, OTHER
    return address.kind, address.name


def _source(kind: str, name: str) -> str:
    """The stream from which it came."""
    if kind == "event":
        return EVENTS[name].owner.upper() if name in EVENTS else OTHER
    return {"cmd": COMMANDS_STREAM, "due": TIMERS}.get(kind, OTHER)
