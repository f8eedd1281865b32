"""Deliberate bugs: each undoes one thing that keeps orders right. The simulation must see every one."""

# pyright: reportPrivateUsage=false
# ruff: noqa: SLF001

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final, cast

import pytest

from countermand.contracts.base import Event, Owner
from countermand.contracts.order import OrderCancelled, PaymentAcknowledged, RefundIssued
from countermand.contracts.seller import SellerAccepted, Shipped
from countermand.kernel.decider import Decider
from countermand.kernel.policy import PromisedEmail
from countermand.runtime import handler, journal, timers
from countermand.runtime.envelope import Envelope
from lab.simulate import engine, ports
from services.notify import reactions as notify_reactions
from services.notify.decider import NOTIFY
from services.order import reactions as order_reactions
from services.order import settling
from services.order.state import Due, Facts
from services.seller import decider as seller_decider

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Bug:
    """One thing undone. `found_as`: the invariants of which one must be violated; `mix`: whose orders meet it."""

    name: str
    break_it: Callable[[Patch], None]
    found_as: frozenset[str]
    mix: str = "everyday"


def no_compare_and_set(patch: Patch) -> None:
    """Two replicas write over each other."""
    append = ports.MemoryStore.append

    async def blindly(self: Any, entry: Envelope, _expected: int) -> int:
        return await append(self, entry, await self.last_sequence(entry.address.order_id))

    patch.setattr(ports.MemoryStore, "append", blindly)


def no_idempotence_check(patch: Patch) -> None:
    """What follows from a message has another id each time: after a crash nobody knows how far it had come."""
    numbers = count()

    def another(cause: str, name: str) -> str:
        return f"{cause}:{name}{next(numbers)}"

    patch.setattr(handler, "event_id", another)


def refund_without_guard(patch: Patch) -> None:
    """A refund is what was paid, whatever has gone back before."""

    def refund(facts: Facts, cause: Any, _amount: int, now: datetime, *, lost_dispute: bool = False) -> RefundIssued:
        return whole(facts, cause, facts.ledger.captured_minor, now, lost_dispute=lost_dispute)

    def whole(facts: Facts, cause: Any, amount: int, now: datetime, *, lost_dispute: bool) -> RefundIssued:
        paid = facts.brief.price.model_copy(update={"amount_minor": amount})
        return RefundIssued(
            brief=facts.brief,
            amount=paid,
            cause=cause,
            method=facts.payment_method,
            issued_at=now,
            arrives_at=now,
            lost_dispute=lost_dispute,
        )

    patch.setattr(settling, "_refund", refund)


def forgotten_refund(patch: Patch) -> None:
    """Nobody reacts to a cancellation with a refund."""
    patch.setitem(order_reactions.REACTIONS._table, OrderCancelled, _nothing)


def late_money_kept(patch: Patch) -> None:
    """A payment after the cancellation stays."""
    patch.setitem(order_reactions.REACTIONS._table, PaymentAcknowledged, _nothing)


def early_timers(patch: Patch) -> None:
    """Timers fire an hour early, and nobody compares times."""
    arm = ports.MemoryAlarms.arm

    async def early(self: Any, timer: str, deadline: Any, terms: Any) -> None:
        await arm(self, timer, deadline, _hour_off(terms))

    patch.setattr(ports.MemoryAlarms, "arm", early)
    patch.setattr(handler.Handler, "_is_early", _never)
    patch.setattr(settling, "is_due", _whenever)
    decide: Callable[[Any, Any, datetime], Any] = seller_decider.SELLER.decide
    _decide_otherwise(patch, Owner.SELLER, lambda command, state, now: decide(command, state, now + timedelta(hours=1)))


def no_timers(patch: Patch) -> None:
    """Deadlines are wanted and never armed."""

    async def nothing(*_: object) -> None: ...

    patch.setattr(timers.Timers, "follow", nothing)


def unpromised_email(patch: Patch) -> None:
    """The buyer is told of everything, whatever the policy promises."""
    decide: Callable[[Any, Any, datetime], Any] = NOTIFY.decide

    def talkative(command: Any, state: Any, now: datetime) -> Any:
        policy = state.terms.policy.model_copy(update={"emails": tuple(PromisedEmail)})
        return decide(command, replace(state, terms=replace(state.terms, policy=policy)), now)

    _decide_otherwise(patch, Owner.NOTIFY, talkative)
    cards = tuple(replace(card, concerns=_always) if card.name is Owner.NOTIFY else card for card in engine.CARDS)
    patch.setattr(engine, "CARDS", cards)


def forgotten_email(patch: Patch) -> None:
    """Nobody tells the buyer of a cancellation."""
    patch.setitem(notify_reactions.REACTIONS._table, OrderCancelled, _nothing)


def acked_when_delivered(patch: Patch) -> None:
    """A message is acked before it is handled: a crash loses it."""
    opened = ports.MemoryDelivered.open

    def acked(self: Any) -> Envelope:
        self.acked = True
        return opened(self)

    die = engine.Engine._die

    def dies(self: Any, replica: Any) -> None:
        if replica.in_hand is not None and replica.in_hand.acked:
            replica.in_hand = None
        die(self, replica)

    patch.setattr(ports.MemoryDelivered, "open", acked)
    patch.setattr(engine.Engine, "_die", dies)


def no_look_at_the_leader(patch: Patch) -> None:
    """A replica that is behind settles on nothing."""

    async def is_fresh(_self: object, _aggregate: object) -> bool:
        return False

    patch.setattr(journal.Journal, "refresh", is_fresh)


def stale_decision(patch: Patch) -> None:
    """What was decided before a lost race is written after it."""
    decided: dict[int, Any] = {}
    consider = handler.Handler._consider

    async def once(self: Any, command: Any, aggregate: Any, envelope: Envelope) -> Any:
        key = id(command)
        if key not in decided:
            decided[key] = (await consider(self, command, aggregate, envelope), command)
        return decided[key][0]

    patch.setattr(handler.Handler, "_consider", once)


def ships_what_it_accepted(patch: Patch) -> None:
    """The seller does not hold the parcel of a request that it has accepted."""
    evolve: Callable[[Any, Any, str], Any] = seller_decider.SELLER.evolve

    def forgetful(state: Any, event: Any, event_id: str) -> Any:
        return state if isinstance(event, SellerAccepted) else evolve(state, event, event_id)

    _evolve_otherwise(patch, Owner.SELLER, forgetful)


def shipment_not_told(patch: Patch) -> None:
    """The order does not hear that its parcel has left."""
    patch.setitem(order_reactions.REACTIONS._table, Shipped, _nothing)


def fails_at_first(patch: Patch) -> None:
    """Each message of a service fails once, by a mistake of ours that a second try hides."""
    tried: set[int] = set()
    handle = handler.Handler._handle

    async def clumsy(self: Any, delivered: Any) -> Any:
        if id(delivered) not in tried:
            tried.add(id(delivered))
            raise KeyError(delivered.subject)
        return await handle(self, delivered)

    patch.setattr(handler.Handler, "_handle", clumsy)


def time_runs_back(patch: Patch) -> None:
    """An event may lie before the one that it follows, when the broker's clock is set back."""
    monotonic = cast("Callable[..., None]", journal.Journal._fold)

    def fold(self: Any, aggregate: Any, *recorded: Any) -> None:
        monotonic(self, aggregate, *recorded)
        aggregate.last_at = recorded[-1]  # And not the latest so far.
        if aggregate.revision > 1:
            aggregate.last_at = datetime.min.replace(tzinfo=UTC)

    patch.setattr(journal.Journal, "_fold", fold)


def refused_emails_are_not_kept(patch: Patch) -> None:
    """An email that was refused for good is recorded, and no operator can send it again."""

    async def nothing(*_: object) -> None: ...

    patch.setattr(ports.MemoryOutside, "bury", nothing)


BUGS: Final = (
    Bug("no compare-and-set", no_compare_and_set, frozenset({"I1", "I3", "I6"})),
    Bug("no idempotence check", no_idempotence_check, frozenset({"I1", "I9"})),
    Bug("refund without guard", refund_without_guard, frozenset({"I3"}), "disputes"),
    Bug("forgotten refund", forgotten_refund, frozenset({"I1", "I3", "I9"})),
    Bug("late money kept", late_money_kept, frozenset({"I3", "I9"})),
    Bug("early timers", early_timers, frozenset({"I8"})),
    Bug("no timers", no_timers, frozenset({"I1"})),
    Bug("unpromised email", unpromised_email, frozenset({"I4"})),
    Bug("forgotten email", forgotten_email, frozenset({"I4"})),
    Bug("acked when delivered", acked_when_delivered, frozenset({"I1", "I4", "I9"})),
    Bug("no look at the leader", no_look_at_the_leader, frozenset({"I1", "I2", "I4", "I9"})),
    Bug("stale decision", stale_decision, frozenset({"I6"})),
    Bug("fails at first", fails_at_first, frozenset({"I9"})),
    Bug("time runs back", time_runs_back, frozenset({"I6"})),
    Bug("refused emails are not kept", refused_emails_are_not_kept, frozenset({"I4"})),
    Bug("ships what it accepted", ships_what_it_accepted, frozenset({"I2", "I6"})),
    Bug("shipment not told", shipment_not_told, frozenset({"I1", "I2", "I9"})),
)


def _nothing(_event: object, _id: str) -> None:
    """The reaction of somebody who does not care. To take it out and put it back would change the table's order."""


def _never(_self: object, _envelope: object) -> bool:
    return False


def _whenever(due: Due | None, deadline_id: str, _now: datetime) -> bool:
    return due is not None and due.id == deadline_id


def _always(_event: Event, _terms: object) -> bool:
    return True


def _hour_off(terms: Any) -> Any:
    clock = terms.clock.model_copy(update={"started_at": terms.clock.started_at - timedelta(hours=1)})
    return type(terms)(terms.seed, terms.policy, clock)


def _decide_otherwise(patch: Patch, owner: Owner, decide: Callable[[Any, Any, datetime], Any]) -> None:
    _another(patch, owner, lambda was: Decider(was.initial, decide, was.evolve, was.deadlines))


def _evolve_otherwise(patch: Patch, owner: Owner, evolve: Callable[[Any, Any, str], Any]) -> None:
    _another(patch, owner, lambda was: Decider(was.initial, was.decide, evolve, was.deadlines))


def _another(patch: Patch, owner: Owner, made: Callable[[Any], Any]) -> None:
    cards = tuple(replace(card, decider=made(card.decider)) if card.name is owner else card for card in engine.CARDS)
    patch.setattr(engine, "CARDS", cards)
