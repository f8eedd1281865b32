"""What buyers wait for, in real seconds: from their request to its answer, and to the email about it.

The moment of asking is the request's `requested_at`, mapped back to real time by the order's clock; so it is the same
for whichever replica wrote the request.
"""

import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from countermand.contracts.base import Owner
from countermand.contracts.notify import EmailFailed, EmailSent
from countermand.contracts.order import (
    CancelExpired,
    CancelRefused,
    CancelRequested,
    CancelSuperseded,
    CancelWithdrawn,
    OrderCancelled,
)
from countermand.kernel.policy import PromisedEmail
from countermand.kernel.terms import terms_ref
from countermand.runtime.envelope import Envelope
from countermand.runtime.handler import Handled

MAX_REQUESTS: Final = 20_000
"""Requests in memory, some 300 bytes each: as many as a journal keeps orders in mind."""

_ANSWERS: Final = (OrderCancelled, CancelRefused, CancelExpired, CancelSuperseded, CancelWithdrawn)

_LONG_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 21_600, 86_400, 259_200)
"""Up to the 72 hours that a seller has, in real time."""


class Waits:
    """Of a service in which no buyer's wait ends: nothing."""

    def read(self, history: Sequence[Envelope]) -> None:
        """Events of this service were read from its stream."""

    def appended(self, entry: Envelope) -> None:
        """An event was written."""

    def heard(self, envelope: Envelope, handled: Handled) -> None:
        """A message was settled."""


def waits_of(service: Owner, registry: CollectorRegistry) -> Waits:
    """What to observe in this service."""
    if service is Owner.ORDER:
        return _OrderWaits(registry)
    return _NotifyWaits(registry) if service is Owner.NOTIFY else Waits()


class _OrderWaits(Waits):
    """The order service writes requests and their answers. One that it did not write itself it has read before it answers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._asked = _Asked()
        self._to_answer = _histogram("request_to_answer", "From a request to its answer.", registry).labels(Owner.ORDER)

    def read(self, history: Sequence[Envelope]) -> None:
        for entry in history:
            if isinstance(entry.body, CancelRequested):
                self._asked.remember(entry)

    def appended(self, entry: Envelope) -> None:
        body = entry.body
        if isinstance(body, CancelRequested):
            self._asked.remember(entry)
        elif isinstance(body, _ANSWERS) and (asked := self._asked.when(body.request_id)) is not None:
            self._to_answer.observe(max(time.time() - asked, 0.0))


class _NotifyWaits(Waits):
    """Notify hears requests and their answers, and writes that the email was sent."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._asked = _Asked()
        about = "From a request to the email about its answer."
        self._to_email = _histogram("request_to_email", about, registry).labels(Owner.NOTIFY)
        self._of_fact = _histogram("fact_to_email", "From a fact to its email.", registry, "kind")
        emails = Counter(
            "countermand_emails_total", "Emails recorded.", ["service", "kind", "result"], registry=registry
        )
        self._sent = {kind: emails.labels(Owner.NOTIFY, kind, "sent") for kind in PromisedEmail}
        self._failed = {kind: emails.labels(Owner.NOTIFY, kind, "failed") for kind in PromisedEmail}

    def appended(self, entry: Envelope) -> None:
        body = entry.body
        if isinstance(body, EmailSent):
            self._sent[body.kind].inc()
            self._of_fact.labels(Owner.NOTIFY, body.kind).observe(max(time.time() - entry.stored_at.timestamp(), 0.0))
        elif isinstance(body, EmailFailed):
            self._failed[body.kind].inc()

    def heard(self, envelope: Envelope, handled: Handled) -> None:
        body = envelope.body
        if isinstance(body, CancelRequested):
            self._asked.remember(envelope)
        elif isinstance(body, _ANSWERS) and handled.detail == EmailSent.__name__ and handled.outcome == "appended":
            asked = self._asked.when(body.request_id)
            if asked is not None:
                self._to_email.observe(max(time.time() - asked, 0.0))


class _Asked:
    """The latest requests, by their id the real time at which the buyer asked."""

    def __init__(self) -> None:
        self._at: OrderedDict[str, float] = OrderedDict()

    def remember(self, request: Envelope) -> None:
        """Keep it; what is remembered already stays."""
        body = request.body
        if request.id in self._at or not isinstance(body, CancelRequested):
            return
        asked = real_of(body.requested_at, request.terms)
        if asked is None:
            return
        self._at[request.id] = asked
        if len(self._at) > MAX_REQUESTS:
            self._at.popitem(last=False)

    def when(self, request_id: str | None) -> float | None:
        """When it was asked, as a Unix time; nothing if it is not known. Kept: two emails may tell of one request."""
        return self._at.get(request_id or "")


def real_of(simulated: datetime | None, terms: str | None) -> float | None:
    """A simulated moment as a Unix time; nothing where a stranger's message has no time, or an impossible one."""
    if simulated is None or terms is None:
        return None
    try:
        return terms_ref(terms).clock.real(simulated).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _histogram(name: str, about: str, registry: CollectorRegistry, *labels: str) -> Histogram:
    return Histogram(f"countermand_{name}_seconds", about, ["service", *labels], registry=registry, buckets=_LONG_S)
