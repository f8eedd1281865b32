"""The runtime's ports on JetStream: histories in streams, alarms as message schedules (ADR-51), refusals as messages."""

import asyncio
import json
from datetime import datetime
from typing import Any, Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import APIError

from countermand.contracts import EVENTS
from countermand.contracts.base import Owner
from countermand.contracts.subjects import due_subject, event_subject, events_of, read, refusal_subject
from countermand.kernel.decider import Deadline, Refused
from countermand.kernel.terms import Terms, TermsRef
from countermand.runtime.dead import Heard, bury, subject_of
from countermand.runtime.direct import DirectReader, Stored
from countermand.runtime.envelope import Delivered, Envelope, event_headers, open_envelope
from countermand.runtime.names import Names
from countermand.runtime.policies import Policies
from countermand.runtime.ports import Conflict
from countermand.runtime.requests import TIMEOUT_S, Requests

_NEWER_AT_A_TIME: Final = 32
CONFLICTS: Final = (10071, 10164)
"""JetStream's codes for a compare-and-set that failed."""

_NO_MESSAGE: Final = 10037

_log = structlog.get_logger()


class JetStreamStore:
    """One owner's stream. Every writer sends the identical filter, for two different ones do not exclude each other."""

    def __init__(self, owner: Owner, requests: Requests, reader: DirectReader, names: Names) -> None:
        self._owner = owner
        self._requests = requests
        self._reader = reader
        self._names = names
        self._stream = names.journal(owner)

    async def newer(self, order_id: str, revision: int) -> list[Envelope]:
        """The events of an order after that revision."""
        if revision == 0:
            return await history(self._reader, self._names, self._owner, order_id)
        found: list[Envelope] = []
        while True:
            first = revision + 1 + len(found)
            subjects = [
                self._names.subject(f"{self._owner}.{order_id}.*.{number}")
                for number in range(first, first + _NEWER_AT_A_TIME)
            ]
            some = await self._reader.last_of_each(self._stream, subjects)
            found += [recorded(stored, self._names) for stored in some]
            if len(some) < _NEWER_AT_A_TIME:
                return found

    async def last_sequence(self, order_id: str) -> int:
        """The place of the order's last event, from the stream's leader."""
        wanted = {"last_by_subj": self._names.subject(events_of(self._owner, order_id))}
        answer = await self._requests.ask(f"$JS.API.STREAM.MSG.GET.{self._stream}", json.dumps(wanted).encode())
        document: dict[str, Any] = json.loads(answer)
        if "error" not in document:
            return document["message"]["seq"]
        if document["error"]["err_code"] == _NO_MESSAGE:
            return 0
        raise APIError.from_error(document["error"])

    async def append(self, entry: Envelope, expected: int) -> int:
        """One compare-and-set publish."""
        address = entry.address
        if entry.body is None:
            msg = "an event has a body"
            raise ValueError(msg)
        subject = event_subject(self._owner, address.order_id, address.name, address.revision or 0)
        headers = event_headers(entry)
        headers["Nats-Expected-Last-Subject-Sequence"] = str(expected)
        headers["Nats-Expected-Last-Subject-Sequence-Subject"] = self._names.subject(
            events_of(self._owner, address.order_id)
        )
        try:
            payload = entry.body.model_dump_json().encode()
            ack = await self._requests.publish(self._names.subject(subject), payload, headers)
        except APIError as error:
            if error.err_code in CONFLICTS:
                raise Conflict(entry.id, duplicate=False) from error
            raise
        if ack.duplicate:
            raise Conflict(entry.id, duplicate=True)
        return ack.sequence

    async def scan(self, sequence: int, limit: int) -> list[Stored]:
        """Up to `limit` events of all orders, from `sequence` on, as they are stored; `recorded` reads them."""
        return await self._reader.following(self._stream, self._names.subject(f"{self._owner}.>"), sequence, limit)


class JetStreamAlarms:
    """Schedules in the stream `TIMERS`."""

    def __init__(self, owner: Owner, requests: Requests, names: Names) -> None:
        self._owner = owner
        self._requests = requests
        self._names = names

    async def arm(self, timer: str, deadline: Deadline, terms: Terms) -> None:
        """Schedule the reminder."""
        at = terms.clock.real(deadline.due)
        headers = {
            "Nats-Schedule": f"@at {at.isoformat().replace('+00:00', 'Z')}",
            "Nats-Schedule-Target": self._names.subject(due_subject(timer)),
            "ce-specversion": "1.0",
            "ce-id": deadline.timer_id,
            "ce-type": f"{deadline.name}.v1",
            "ce-source": f"/countermand/{self._owner}",
            "ce-causationid": deadline.id,
            "ce-simtime": deadline.due.isoformat(),
            "ce-terms": terms.header,
        }
        payload = json.dumps({"deadline_id": deadline.id}).encode()
        await self._requests.publish(self._names.subject(timer), payload, headers)

    async def cancel(self, timer: str) -> None:
        """Unschedule. Published on another subject: on its own it would be refused, and the timer would fire."""
        headers = {"Nats-Scheduler": self._names.subject(timer), "Nats-Schedule-Next": "purge"}
        await self._requests.publish(self._names.subject(f"timer.{self._owner}.cancelled"), b"", headers)


class JetStreamOutside:
    """Whatever else a handler needs."""

    def __init__(self, nc: Client, reader: DirectReader, names: Names) -> None:
        self._js = nc.jetstream(timeout=TIMEOUT_S)
        self._reader = reader
        self._names = names
        self._policies = Policies(self._js, names)

    async def terms(self, ref: TermsRef) -> Terms:
        """An order's terms with the values of its policy."""
        return await self._policies.terms(ref)

    async def history(self, owner: Owner, order_id: str) -> list[Envelope]:
        """What an owner has recorded of an order."""
        return await history(self._reader, self._names, owner, order_id)

    async def placed_under(self, order_id: str) -> str | None:
        """The terms of the order's first event; what else is in it does not matter."""
        first = self._names.subject(event_subject(Owner.ORDER, order_id, "OrderPlaced", 1))
        stored = await self._reader.last_of_each(self._names.journal(Owner.ORDER), [first])
        return stored[0].headers["ce-terms"] if stored else None

    def failed(self, subject: str, tries: int, error: Exception) -> None:
        """Log it."""
        _log.warning("message.retried", subject=subject, tries=tries, error=repr(error))

    async def refuse(self, service: Owner, refused: Refused, envelope: Envelope) -> None:
        """Publish the refusal where the command's sender listens."""
        subject = refusal_subject(service, envelope.address.order_id, envelope.id)
        body = json.dumps(
            {
                "command": envelope.address.name,
                "command_id": envelope.id,
                "reason": refused.reason,
                "detail": refused.detail,
            }
        ).encode()
        headers = {"Nats-Msg-Id": f"refused:{subject}", "ce-causationid": envelope.id}
        await self._js.publish(self._names.subject(subject), body, headers=headers)

    async def bury(self, service: Owner, delivered: Delivered, reason: str) -> None:
        """Copy a message to the dead letters."""
        if not isinstance(delivered, JetStreamDelivered):
            msg = "only what JetStream delivered is buried here"
            raise TypeError(msg)
        await bury(self._js, self._names, service, delivered.heard, reason)

    async def sleep(self, seconds: float) -> None:
        """Let real time pass."""
        await asyncio.sleep(seconds)


class JetStreamDelivered:
    """A message as a consumer delivered it; one that is replayed, as it was delivered when it failed."""

    def __init__(self, raw: Msg, names: Names, traceparent: str | None = None) -> None:
        self.raw = raw
        self.subject = subject_of(raw, names)
        self._names = names
        self._traceparent = traceparent
        self._envelope: Envelope | None = None

    @property
    def heard(self) -> Heard:
        """What was delivered, and where it comes from."""
        return Heard.of(self.raw, self._names)

    def open(self) -> Envelope:
        """Read and check it. What follows from it is traced to the handling of it, where that is traced."""
        heard = self.heard
        self._envelope = envelope = open_envelope(heard.subject, heard.first, heard.headers, heard.data, self)
        if self._traceparent is not None:
            envelope.traceparent = self._traceparent
        return envelope

    def take(self) -> Envelope | None:
        """What was read of it, if anything could be; once, for the two must not go on holding each other."""
        envelope, self._envelope = self._envelope, None
        return envelope

    async def ack(self) -> None:
        """It is done."""
        await self.raw.ack()


async def history(reader: DirectReader, names: Names, owner: Owner, order_id: str) -> list[Envelope]:
    """What an owner has recorded of an order, in its order."""
    everything = names.subject(events_of(owner, order_id))
    stored = await reader.last_of_each(names.journal(owner), [everything])
    return [recorded(message, names) for message in stored]


def recorded(stored: Stored, names: Names) -> Envelope:
    """An event as its stream keeps it."""
    address = read(names.bare(stored.subject))
    headers = stored.headers
    return Envelope(
        id=headers["ce-id"],
        address=address,
        stored_at=stored.stored_at,
        sequence=stored.sequence,
        body=EVENTS[address.name].model_validate_json(stored.data),
        terms=headers["ce-terms"],
        correlation_id=headers.get("ce-correlationid") or headers["ce-id"],
        causation_id=headers.get("ce-causationid"),
        simulated_at=datetime.fromisoformat(headers["ce-simtime"]),
        deadline_id=None,
        traceparent=headers.get("traceparent"),
        delivered=None,
    )
