"""How a message travels: heard, turned into a command, decided, appended, acked. The same four steps at every hop.

What follows from an event in its own service, its timers and the service's reaction to it, is done before the message
that caused it is acked: after a crash that message comes again, finds its event, and goes on from there.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import structlog

from countermand.contracts.base import Event, Owner
from countermand.contracts.subjects import read
from countermand.kernel.decider import Premature, Refused
from countermand.kernel.ids import event_id
from countermand.kernel.terms import Terms, terms_ref
from countermand.runtime.card import Card, everything
from countermand.runtime.envelope import Delivered, Envelope, Poison
from countermand.runtime.journal import Aggregate, Journal
from countermand.runtime.outage import Unavailable, is_outage
from countermand.runtime.policies import UnknownPolicy
from countermand.runtime.ports import Alarms, Conflict, Outside, Passing, Store
from countermand.runtime.timers import Timers

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

_MAX_CHAIN: Final = 20
"""Events of one service that follow from one message; ours have four. A bound for reactions that go round in circles."""

_NO_EVENT: Final = (Premature, Refused, type(None))

_FULL: Final = Refused("history_full", f"This order has more than {MAX_EVENTS} events and takes no more requests.")

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of a message, for the canonical log line."""

    outcome: str
    detail: str = ""
    tries: int = 1


@dataclass(frozen=True, slots=True)
class Decided:
    """What a decision led to: an event, written now or at an earlier delivery, or `detail`, which says why there is none."""

    outcome: str
    detail: str = ""
    entry: Envelope | None = None


class Handler:
    """Handles one service's messages, one at a time for an order. It settles every message it is given."""

    def __init__(
        self, card: Card[Any, Any, Any], store: Store, alarms: Alarms, outside: Outside, passing: Passing
    ) -> None:
        self._card = card
        self._outside = outside
        self._passing = passing
        self.journal: Journal[Any, Any, Any] = Journal(card.name, card.decider, store, outside.terms)
        self.timers = Timers(card.name, alarms, passing)

    async def settle(self, delivered: Delivered) -> Handled:
        """Handle a delivered message until it is done, then ack it."""
        failures = tries = 0
        while True:
            try:
                handled = await self._handle(delivered)
                await delivered.ack()
                break
            except (Poison, UnknownPolicy) as error:
                handled = await self._give_up(delivered, str(error))
                break
            except Exception as error:  # noqa: BLE001  # The bound of every failure: paused, retried or dead-lettered.
                tries += 1
                failures += not is_outage(error)
                # An append whose ack was lost may stand: the history tells, before anything is done again.
                self.journal.forget(_order_of(delivered.subject))
                self._outside.failed(delivered.subject, tries, error)
                if failures >= MAX_FAILURES:
                    handled = await self._give_up(delivered, f"failed {failures} times: {error!r}")
                    break
                await self._outside.sleep(_RETRY_S[min(tries, len(_RETRY_S)) - 1])
        return handled if tries == 0 else replace(handled, tries=tries + 1)

    async def _handle(self, delivered: Delivered) -> Handled:
        envelope = delivered.open()
        if envelope.address.kind == "due" and self._is_early(envelope):
            return await self._arm_again(envelope)
        command = self._command(envelope) if await self._is_concerned(envelope) else None
        return Handled("heard") if command is None else await self._obey(command, envelope)

    async def _obey(self, command: Any, envelope: Envelope) -> Handled:
        """Decide, and do what follows in this service: it reacts to its event in turn, and sets its timers at the end."""
        first = decided = await self._decide(command, envelope)
        chain: list[Envelope] = []
        while (entry := decided.entry) is not None:
            chain.append(entry)
            follows = self._card.reactions.react(entry.body, entry.id)
            if follows is None:
                break
            if len(chain) == _MAX_CHAIN:
                msg = f"{envelope.id} has led to {_MAX_CHAIN} events, one after another"
                raise RuntimeError(msg)
            decided = await self._decide(follows, entry)
        if chain:
            await self._follow_timers(chain[0], chain[-1])
            return Handled(first.outcome, " ".join(entry.address.name for entry in chain))
        return Handled(first.outcome, first.detail)

    async def _is_concerned(self, envelope: Envelope) -> bool:
        if self._card.concerns is everything or envelope.address.kind != "event":
            return True
        if envelope.body is None or envelope.terms is None:
            return True
        return self._card.concerns(envelope.body, await self._outside.terms(terms_ref(envelope.terms)))

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

    async def _decide(self, command: Any, envelope: Envelope) -> Decided:
        """Decide until the decision stands: written, known from before, or settled on nothing with a fresh history."""
        own_id = event_id(envelope.id, type(command).__name__)
        begins = isinstance(envelope.body, self._card.begins)
        aggregate = await self.journal.load(envelope.address.order_id, begins=begins)
        decided: Event | None = None
        made_true: Event | None = None
        patience = Patience()
        for _ in range(MAX_ROUNDS):
            if own_id in aggregate.ids:
                return Decided("known", entry=await self._recall(aggregate, own_id, envelope))
            informed = await self._inform(command, envelope) if isinstance(command, self._card.informed) else command
            decision, now = await self._consider(informed, aggregate, envelope)
            if not isinstance(decision, _NO_EVENT):
                if decision != decided:  # After a lost race it may be another one: nothing stale is written.
                    decided, made_true = decision, await self._make_true(decision, command, envelope)
                if entry := await self._append(aggregate, made_true or decision, own_id, envelope, now):
                    return Decided("appended", entry=entry)
            elif await self.journal.refresh(aggregate):
                pass  # It was decided on an old history: once more.
            elif isinstance(decision, Premature):
                if (pause_s := patience.pause_s()) is not None:
                    await self._outside.sleep(pause_s)
                elif patience.last_resort():
                    self._passing(self._card.name, "last_resort", envelope.address.name)
                    await self._hear_what_came_before(envelope)
                else:
                    return await self._premature(decision, envelope)
            else:
                return await self._refuse(decision, envelope) if decision else Decided("nothing")
        msg = f"{own_id} did not settle in {MAX_ROUNDS} rounds"
        raise RuntimeError(msg)

    async def _inform(self, command: Any, envelope: Envelope) -> Any:
        """Give a command what other owners have recorded: its decision depends on that."""
        history: list[Event] = []
        for owner in self._card.reads:
            recorded = await self._outside.history(owner, envelope.address.order_id)
            history += [entry.body for entry in recorded if isinstance(entry.body, Event)]
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
        if isinstance(happened, self._card.failures) and envelope.delivered is not None:
            reason = f"{type(happened).__name__}: {getattr(happened, 'reason', '')}"
            await self._outside.bury(self._card.name, envelope.delivered, reason)
        return happened

    async def _append(
        self, aggregate: Aggregate[Any], event: Event, own_id: str, envelope: Envelope, now: datetime
    ) -> Envelope | None:
        """Write the event; nothing if it does not stand, and then the aggregate has been brought up to date."""
        name = type(event).__name__
        self._passing(self._card.name, "before_append", name)
        try:
            entry = await self.journal.append(aggregate, event, own_id, envelope, now)
        except Conflict as conflict:
            await self.journal.catch_up(aggregate)
            # A read may lag behind: only the leader's word shows that the id is somebody else's.
            if conflict.duplicate and own_id not in aggregate.ids and not await self.journal.refresh(aggregate):
                msg = f"the id {envelope.id!r} was used for another order before"
                raise Poison(msg) from conflict
            return None
        self._passing(self._card.name, "after_append", name)
        return entry

    async def _recall(self, aggregate: Aggregate[Any], own_id: str, envelope: Envelope) -> Envelope:
        """The event that an earlier delivery of the message led to, as if it had just been written."""
        revision = aggregate.ids[own_id]
        for entry in await self.journal.newer(aggregate.order_id, revision - 1):
            if entry.id == own_id:
                return replace(entry, stored_at=envelope.stored_at)
        msg = f"a read does not show revision {revision} yet, which has been written"
        raise Unavailable(msg)

    async def _terms(self, aggregate: Aggregate[Any], envelope: Envelope) -> Terms | None:
        """The order's terms: from its own history, from the message if a service sent it, from the order's first event.

        A command's header is not believed: anybody may send one.
        """
        if aggregate.revision:
            return aggregate.terms
        if envelope.address.kind != "cmd" and envelope.terms:
            return await self._outside.terms(terms_ref(envelope.terms))
        ref = getattr(envelope.body, "terms", None)  # `PlaceOrder` brings them.
        if ref is not None:
            try:
                return await self._outside.terms(ref)
            except UnknownPolicy:
                if await self.journal.refresh(aggregate):  # It had begun, under other terms.
                    return aggregate.terms
                raise
        if self._card.name is Owner.ORDER:
            return None
        first = await self._outside.placed_under(envelope.address.order_id)
        return await self._outside.terms(terms_ref(first)) if first else None

    async def _hear_what_came_before(self, envelope: Envelope) -> None:
        """Read the history in which the predecessor must be, and react to each event as if it had just been heard."""
        address = envelope.address
        owner = Owner(address.service) if address.kind == "event" else Owner.ORDER
        if owner is self._card.name:
            return
        for earlier in await self._outside.history(owner, address.order_id):
            if address.kind == "event" and (earlier.address.revision or 0) >= (address.revision or 0):
                break
            command = self._card.reactions.react(earlier.body, earlier.id)
            if command is not None:
                await self._obey(command, earlier)

    async def _premature(self, decision: Premature, envelope: Envelope) -> Decided:
        """The predecessor never came: a user is told, a fact is kept for an operator, and a reminder comes again."""
        if envelope.address.kind == "cmd":
            return await self._refuse(Refused("unknown_order", "There is no such order."), envelope)
        if envelope.address.kind == "due":
            return Decided((await self._arm_again(envelope)).outcome)
        msg = f"{decision.awaits} never came before {envelope.address.name}"
        raise Poison(msg)

    async def _refuse(self, refused: Refused, envelope: Envelope) -> Decided:
        """Tell the sender, and nobody else: the history does not grow."""
        if envelope.address.kind != "cmd":
            return Decided("nothing", refused.reason)
        await self._outside.refuse(self._card.name, refused, envelope)
        return Decided("refused", refused.reason)

    async def _follow_timers(self, first: Envelope, last: Envelope) -> None:
        aggregate = await self.journal.load(first.address.order_id)
        before, after = (first.address.revision or 1) - 1, last.address.revision or 0
        if aggregate.revision < after:  # Other orders pushed it out of memory, and it was read a moment too early.
            await self.journal.catch_up(aggregate)
        if aggregate.revision < after:
            msg = f"a read does not show revision {after} yet, which has been written"
            raise Unavailable(msg)
        await self.timers.follow(aggregate, before, after, first.causation_id)

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
            if deadline.timer_id == envelope.id:
                await self.timers.arm(aggregate, deadline)
        return Handled("early")

    async def _give_up(self, delivered: Delivered, reason: str) -> Handled:
        """Copy the message to the dead letters, and only then ack it."""
        while True:
            try:
                await self._outside.bury(self._card.name, delivered, reason)
                await delivered.ack()
            except Exception as error:  # noqa: BLE001  # Acked without its copy, the message would be lost.
                _log.warning(
                    "message.not_buried", subject=delivered.subject, outage=is_outage(error), error=repr(error)
                )
                await self._outside.sleep(_RETRY_S[-1])
            else:
                _log.error("message.dead", subject=delivered.subject, reason=reason)
                return Handled("dead", reason)


class Patience:
    """How long a message waits for its predecessor: a few short pauses, then what came before is read once."""

    def __init__(self) -> None:
        self._pauses = 0
        self._resorts = 0

    def pause_s(self) -> float | None:
        """How long to wait now; nothing when that has been long enough."""
        self._pauses += 1
        return _PATIENCE_S[self._pauses - 1] if self._pauses <= len(_PATIENCE_S) else None

    def last_resort(self) -> bool:
        """Whether to read what came before; once."""
        self._resorts += 1
        return self._resorts == 1


def _order_of(subject: str) -> str:
    try:
        return read(subject).order_id
    except ValueError:
        return ""
