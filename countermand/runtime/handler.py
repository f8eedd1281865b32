"""How a message travels: heard, turned into a command, decided, appended, acked. The same four steps at every hop."""

import asyncio
import json
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from countermand.contracts import EVENTS
from countermand.contracts.base import Event, Message, Owner
from countermand.contracts.subjects import events_of, read, refusal_subject
from countermand.kernel.decider import Premature, Refused
from countermand.kernel.ids import event_id
from countermand.kernel.terms import Terms, terms_ref
from countermand.runtime.card import Card
from countermand.runtime.dead import bury
from countermand.runtime.direct import DirectReader
from countermand.runtime.envelope import Delivery, Envelope, Poison, open_envelope
from countermand.runtime.failpoints import Failpoint
from countermand.runtime.journal import PUBLISH_TIMEOUT_S, Aggregate, Conflict, Journal
from countermand.runtime.names import Names
from countermand.runtime.outage import is_outage
from countermand.runtime.policies import Policies, UnknownPolicy
from countermand.runtime.timers import Timers, timer_id

MAX_ROUNDS: Final = 100
"""Decisions on one message that did not stand. Each means that somebody else got ahead: a bound for a defect, not a crowd."""

MAX_FAILURES: Final = 20
"""Failures of ours on one message before it is dead-lettered."""

MAX_EVENTS: Final = 500
"""Beyond so many events an aggregate refuses what users ask; facts and timers still apply."""

_PATIENCE_S: Final = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Waits for a predecessor that another replica may be handling just now; then the owner's history is read."""

_RETRY_S: Final = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Waits between tries after a failure; the last one repeats."""

_FULL: Final = Refused("history_full", f"This order has more than {MAX_EVENTS} events and takes no more requests.")

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of a message, for the canonical log line."""

    outcome: str
    detail: str = ""


class Handler:
    """Handles one service's messages, one at a time for an order. It settles every message it is given."""

    def __init__(
        self, card: Card[Any, Any, Any], nc: Client, reader: DirectReader, names: Names, failpoint: Failpoint
    ) -> None:
        self._card = card
        self._js = nc.jetstream(timeout=PUBLISH_TIMEOUT_S)
        self._reader = reader
        self._names = names
        self._failpoint = failpoint
        self._policies = Policies(self._js, names)
        self.journal: Journal[Any, Any, Any] = Journal(card.name, card.decider, nc, reader, self._policies, names)
        self.timers = Timers(card.name, self._js, names, failpoint)

    async def settle(self, raw: Msg) -> None:
        """Handle a delivered message until it is done, then ack it."""
        started = time.perf_counter()
        failures = tries = 0
        while True:
            try:
                handled = await self._handle(raw)
                await raw.ack()
                break
            except (Poison, UnknownPolicy) as error:
                handled = await self._give_up(raw, str(error))
                break
            except Exception as error:  # noqa: BLE001  # The bound of every failure: paused, retried or dead-lettered.
                tries += 1
                failures += not is_outage(error)
                # An append whose ack was lost may stand: the history tells, before anything is done again.
                self.journal.forget(_order_of(self._names.bare(raw.subject)))
                _log.warning("message.retried", subject=raw.subject, tries=tries, error=repr(error))
                if failures >= MAX_FAILURES:
                    handled = await self._give_up(raw, f"failed {failures} times: {error!r}")
                    break
                await asyncio.sleep(_RETRY_S[min(tries, len(_RETRY_S)) - 1])
        _log.info(
            "message.handled",
            subject=raw.subject,
            outcome=handled.outcome,
            detail=handled.detail,
            tries=tries + 1,
            ms=round((time.perf_counter() - started) * 1e3, 1),
        )

    async def _handle(self, raw: Msg) -> Handled:
        envelope = open_envelope(raw, self._names.bare(raw.subject))
        if envelope.address.kind == "due" and self._is_early(envelope):
            return await self._arm_again(envelope)
        if self._is_own_event(envelope):
            await self._follow_timers(envelope)
        command = self._command(envelope) if await self._is_concerned(envelope) else None
        return Handled("heard") if command is None else await self._decide(command, envelope)

    async def _is_concerned(self, envelope: Envelope) -> bool:
        if envelope.body is None or envelope.terms is None or envelope.address.kind != "event":
            return True
        return self._card.concerns(envelope.body, await self._policies.terms(terms_ref(envelope.terms)))

    def _command(self, envelope: Envelope) -> Any | None:
        """What the message makes the service ask of itself."""
        if envelope.address.kind == "due":
            make = self._card.timers.get(envelope.address.name)
            if make is None or envelope.deadline_id is None:
                msg = f"{self._card.name} has no timer {envelope.address.name!r}"
                raise Poison(msg)
            return make(envelope.deadline_id)
        if envelope.address.kind == "cmd":
            return envelope.body
        return self._card.reactions.react(envelope.body, envelope.id)

    async def _decide(self, command: Any, envelope: Envelope) -> Handled:
        """Decide until the decision stands: written, known from before, or settled on nothing with a fresh history."""
        own_id = event_id(envelope.id, type(command).__name__)
        aggregate = await self.journal.load(envelope.address.order_id)
        decided: Event | None = None
        made_true: Event | None = None
        patience = Patience(self._hear_what_came_before(envelope))
        try:
            for _ in range(MAX_ROUNDS):
                if own_id in aggregate.ids:
                    return Handled("known", own_id)
                decision, now = await self._consider(await self._inform(command, envelope), aggregate, envelope)
                if not isinstance(decision, Premature | Refused | None):
                    if decision != decided:  # After a lost race it may be another one: nothing stale is written.
                        decided, made_true = decision, await self._make_true(decision, command, envelope)
                    if await self._append(aggregate, made_true or decision, own_id, envelope, now):
                        return Handled("appended", type(made_true or decision).__name__)
                elif await self.journal.refresh(aggregate):
                    pass  # It was decided on an old history: once more.
                elif isinstance(decision, Premature):
                    if not await patience.waits():
                        return await self._premature(decision, envelope)
                else:
                    return await self._refuse(decision, envelope) if decision else Handled("nothing")
        finally:
            patience.close()
        msg = f"{own_id} did not settle in {MAX_ROUNDS} rounds"
        raise RuntimeError(msg)

    async def _inform(self, command: Any, envelope: Envelope) -> Any:
        """Give a command what other owners have recorded, if its decision depends on that."""
        if not isinstance(command, self._card.informed):
            return command
        history: list[Event] = []
        for owner in self._card.reads:
            subject = self._names.subject(events_of(owner, envelope.address.order_id))
            stored = await self._reader.last_of_each(self._names.journal(owner), [subject])
            history += [EVENTS[read(self._names.bare(m.subject)).name].model_validate_json(m.data) for m in stored]
        return self._card.inform(command, history)

    async def _consider(self, command: Any, aggregate: Aggregate[Any], envelope: Envelope) -> tuple[Any, datetime]:
        """What the decider says, and the simulated time at which it says so."""
        terms = await self._terms(aggregate, envelope)
        if terms is None:
            return Premature("OrderPlaced"), envelope.stored_at
        self.journal.settle_terms(aggregate, terms)
        now = max(terms.clock.simulated(envelope.stored_at), aggregate.last_at)
        decision = self._card.decider.decide(command, aggregate.state, now)
        full = aggregate.revision >= MAX_EVENTS and envelope.address.kind == "cmd"
        return (_FULL if full and decision is not None else decision), now

    async def _make_true(self, event: Event, command: Any, envelope: Envelope) -> Event:
        """Act in the world; what failed for good goes to the dead letters before it is recorded."""
        happened: Event = await self._card.effect(event, command, envelope)
        if isinstance(happened, self._card.failures) and envelope.raw is not None:
            reason = f"{type(happened).__name__}: {getattr(happened, 'reason', '')}"
            await bury(self._js, self._names, self._card.name, envelope.raw, Delivery.of(envelope.raw), reason)
        return happened

    async def _append(
        self, aggregate: Aggregate[Any], event: Event, own_id: str, envelope: Envelope, now: datetime
    ) -> bool:
        """Write the event. Whether it stands; if not, the aggregate has been brought up to date."""
        name = type(event).__name__
        self._failpoint.passing(self._card.name, "before_append", name)
        try:
            await self.journal.append(aggregate, event, own_id, envelope, now)
        except Conflict as conflict:
            await self.journal.catch_up(aggregate)
            if conflict.duplicate and own_id not in aggregate.ids:
                msg = f"the id {envelope.id!r} was used for another order before"
                raise Poison(msg) from conflict
            return False
        self._failpoint.passing(self._card.name, "after_append", name)
        return True

    async def _terms(self, aggregate: Aggregate[Any], envelope: Envelope) -> Terms | None:
        """The order's terms: from its own history, from the message if a service sent it, from the order's first event.

        A command's header is not believed: anybody may send one.
        """
        if aggregate.revision:
            return aggregate.terms
        if envelope.address.kind != "cmd" and envelope.terms:
            return await self._policies.terms(terms_ref(envelope.terms))
        ref = getattr(envelope.body, "terms", None)  # `PlaceOrder` brings them.
        if ref is not None:
            return await self._policies.terms(ref)
        if self._card.name is Owner.ORDER:
            return None
        first = self._names.subject(f"{Owner.ORDER}.{envelope.address.order_id}.OrderPlaced.1")
        stored = await self._reader.last_of_each(self._names.journal(Owner.ORDER), [first])
        return await self._policies.terms(terms_ref(stored[0].headers["ce-terms"])) if stored else None

    async def _hear_what_came_before(self, envelope: Envelope) -> None:
        """Read the history in which the predecessor must be, and react to each event as if it had just been heard."""
        address = envelope.address
        owner = Owner(address.service) if address.kind == "event" else Owner.ORDER
        if owner is self._card.name:
            return
        history = self._names.subject(events_of(owner, address.order_id))
        for stored in await self._reader.last_of_each(self._names.journal(owner), [history]):
            earlier = read(self._names.bare(stored.subject))
            if address.kind == "event" and (earlier.revision or 0) >= (address.revision or 0):
                break
            body: Message = EVENTS[earlier.name].model_validate_json(stored.data)
            heard = Envelope(
                id=stored.headers["ce-id"],
                address=earlier,
                stored_at=stored.stored_at,
                body=body,
                terms=stored.headers["ce-terms"],
                correlation_id=stored.headers["ce-correlationid"],
                causation_id=stored.headers["ce-causationid"],
                simulated_at=datetime.fromisoformat(stored.headers["ce-simtime"]),
                deadline_id=None,
                raw=None,
                traceparent=stored.headers.get("traceparent"),
            )
            command = self._card.reactions.react(body, heard.id)
            if command is not None:
                await self._decide(command, heard)

    async def _premature(self, decision: Premature, envelope: Envelope) -> Handled:
        """The predecessor never came: a user is told, a fact is kept for an operator."""
        if envelope.address.kind == "cmd":
            return await self._refuse(Refused("unknown_order", "There is no such order."), envelope)
        msg = f"{decision.awaits} never came before {envelope.address.name}"
        raise Poison(msg)

    async def _refuse(self, refused: Refused, envelope: Envelope) -> Handled:
        """Tell the sender, and nobody else: the history does not grow."""
        if envelope.address.kind != "cmd":
            return Handled("nothing", refused.reason)
        subject = refusal_subject(self._card.name, envelope.address.order_id, envelope.id)
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
        return Handled("refused", refused.reason)

    def _is_own_event(self, envelope: Envelope) -> bool:
        return envelope.address.kind == "event" and envelope.address.service == self._card.name

    async def _follow_timers(self, envelope: Envelope) -> None:
        aggregate = await self.journal.load(envelope.address.order_id)
        revision = envelope.address.revision or 0
        if aggregate.revision < revision:
            await self.journal.catch_up(aggregate)
        await self.timers.follow(aggregate, revision, envelope.causation_id)

    def _is_early(self, envelope: Envelope) -> bool:
        """Whether a timer fired before its time: the broker's clock may have been set back."""
        if envelope.simulated_at is None or envelope.terms is None:
            return False
        return terms_ref(envelope.terms).clock.simulated(envelope.stored_at) < envelope.simulated_at

    async def _arm_again(self, envelope: Envelope) -> Handled:
        """An early hint is not dropped: the deadline is armed once more, if it is still wanted."""
        aggregate = await self.journal.load(envelope.address.order_id)
        await self.journal.refresh(aggregate)  # The hint is all that is left of its timer.
        for deadline in aggregate.wanted[-1] if aggregate.wanted else ():
            if timer_id(deadline) == envelope.id:
                await self.timers.arm(aggregate, deadline)
        return Handled("early")

    async def _give_up(self, raw: Msg, reason: str) -> Handled:
        """Copy the message to the dead letters, and only then ack it."""
        place = Delivery.of(raw)
        while True:
            try:
                await bury(self._js, self._names, self._card.name, raw, place, reason)
                await raw.ack()
            except Exception as error:  # noqa: BLE001  # Acked without its copy, the message would be lost.
                _log.warning("message.not_buried", subject=raw.subject, outage=is_outage(error), error=repr(error))
                await asyncio.sleep(_RETRY_S[-1])
            else:
                _log.error("message.dead", subject=raw.subject, reason=reason)
                return Handled("dead", reason)


class Patience:
    """How long a message waits for its predecessor: a few short pauses, then what came before is read once."""

    def __init__(self, last_resort: Coroutine[Any, Any, None]) -> None:
        self._pauses = iter(_PATIENCE_S)
        self._last_resort: Coroutine[Any, Any, None] | None = last_resort

    async def waits(self) -> bool:
        """Wait once more; false when there is nothing left to wait for."""
        if (pause_s := next(self._pauses, None)) is not None:
            await asyncio.sleep(pause_s)
            return True
        last_resort, self._last_resort = self._last_resort, None
        if last_resort is None:
            return False
        await last_resort
        return True

    def close(self) -> None:
        """Give up what was not needed."""
        if self._last_resort is not None:
            self._last_resort.close()


def _order_of(subject: str) -> str:
    try:
        return read(subject).order_id
    except ValueError:
        return ""
