"""What buyers wait for, in real seconds: from their request to its answer, and to the email about it.

The moment of asking is the request's `requested_at`, mapped back to real time by the order's clock; so it is the same
for whichever replica wrote the request.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

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
    """What to do about a message; nothing, in a service in which no buyer's wait ends.

    By the type of the body, and not by `isinstance`: that is slow where a class is a pydantic model.

    Attributes:
        asked: a request was written, read or heard.
        on_appended: about an event of this service that was just written.
        on_heard: about a message that was just settled.
    """

    def __init__(self) -> None:
        self.asked = _Asked()
        self.on_appended: dict[type[Any], Callable[[Envelope], None]] = {}
        self.on_heard: dict[type[Any], Callable[[Envelope, Handled], None]] = {}

    def read(self, history: Sequence[Envelope]) -> None:
        """Events of this service were read from its stream: requests of another replica may be among them."""
        for entry in history:
            if type(entry.body) is CancelRequested:
                self.asked.remember(entry)


def waits_of(service: Owner, registry: CollectorRegistry) -> Waits:
    """What to observe in this service."""
    if service is Owner.ORDER:
        return _OrderWaits(registry)
    return _NotifyWaits(registry) if service is Owner.NOTIFY else Waits()


class _OrderWaits(Waits):
    """The order service writes requests and their answers. One that it did not write itself it has read before it answers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__()
        self._to_answer = _histogram("request_to_answer", "From a request to its answer.", registry).labels(Owner.ORDER)
        self.on_appended = {CancelRequested: self.asked.remember, **dict.fromkeys(_ANSWERS, self._answered)}

    def _answered(self, answer: Envelope) -> None:
        self.asked.observe(answer, self._to_answer)


class _NotifyWaits(Waits):
    """Notify hears requests and their answers, and writes that the email was sent."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__()
        about = "From a request to the email about its answer."
        self._to_email = _histogram("request_to_email", about, registry).labels(Owner.NOTIFY)
        of_fact = _histogram("fact_to_email", "From a fact to its email.", registry, "kind")
        self._of_fact = {kind: of_fact.labels(Owner.NOTIFY, kind) for kind in PromisedEmail}
        emails = Counter(
            "countermand_emails_total", "Emails recorded.", ["service", "kind", "result"], registry=registry
        )
        self._sent = {kind: emails.labels(Owner.NOTIFY, kind, "sent") for kind in PromisedEmail}
        self._failed = {kind: emails.labels(Owner.NOTIFY, kind, "failed") for kind in PromisedEmail}
        self.on_appended = {EmailSent: self._was_sent, EmailFailed: self._has_failed}
        self.on_heard = {CancelRequested: self._heard_request, **dict.fromkeys(_ANSWERS, self._heard_answer)}

    def _was_sent(self, record: Envelope) -> None:
        kind = _kind_of(record)
        self._sent[kind].inc()
        self._of_fact[kind].observe(max(time.time() - record.stored_at.timestamp(), 0.0))

    def _has_failed(self, record: Envelope) -> None:
        self._failed[_kind_of(record)].inc()

    def _heard_request(self, request: Envelope, _: Handled) -> None:
        self.asked.remember(request)

    def _heard_answer(self, answer: Envelope, handled: Handled) -> None:
        if handled.outcome == "appended" and handled.detail == EmailSent.__name__:
            self.asked.observe(answer, self._to_email)


class _Asked:
    """The latest requests, by their id the real time at which the buyer asked."""

    def __init__(self) -> None:
        self._at: OrderedDict[str, float] = OrderedDict()

    def remember(self, request: Envelope) -> None:
        """Keep it; what is remembered already stays."""
        if request.id in self._at:
            return
        asked = real_of(getattr(request.body, "requested_at", None), request.terms)
        if asked is None:
            return
        self._at[request.id] = asked
        if len(self._at) > MAX_REQUESTS:
            self._at.popitem(last=False)

    def observe(self, answer: Envelope, wait: Histogram) -> None:
        """A wait ended now, if it is known when it began. It stays known: an answer may be heard twice."""
        asked = self._at.get(getattr(answer.body, "request_id", None) or "")
        if asked is not None:
            wait.observe(max(time.time() - asked, 0.0))


def real_of(simulated: datetime | None, terms: str | None) -> float | None:
    """A simulated moment as a Unix time; nothing where a stranger's message has no time, or an impossible one."""
    if simulated is None or terms is None:
        return None
    try:
        return terms_ref(terms).clock.real(simulated).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _kind_of(record: Envelope) -> PromisedEmail:
    body: Any = record.body
    return body.kind


def _histogram(name: str, about: str, registry: CollectorRegistry, *labels: str) -> Histogram:
    return Histogram(f"countermand_{name}_seconds", about, ["service", *labels], registry=registry, buckets=_LONG_S)
