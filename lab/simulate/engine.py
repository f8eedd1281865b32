"""The scheduler: delivers an order's messages to the services' replicas, on one thread, in virtual time.

Each replica runs the real `Handler`, whose ports are in memory. Where the handler waits, the scheduler goes on with
something else; where it crashes, what it had in hand comes again after `ack_wait`. Orders share nothing but the
code, so they are lived one after another.
"""

from collections import deque
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Final

from countermand.contracts.base import Command, Event, Owner
from countermand.contracts.order import OrderClosed
from countermand.runtime.card import Card
from countermand.runtime.envelope import Envelope
from countermand.runtime.handler import Handler
from lab.plan.persona import Act
from lab.simulate.faults import Faults
from lab.simulate.life import DEDUPE_WINDOW, SECOND, Life, span
from lab.simulate.ports import (
    Alarm,
    Crash,
    MemoryAlarms,
    MemoryDelivered,
    MemoryOutside,
    MemoryStore,
    due_envelope,
    stale,
)
from lab.simulate.postman import Postman
from lab.system import CARDS

ACK_WAIT: Final = 5 * SECOND
_LATENCY: Final = (200, 3_000)
"""Of a delivery, in µs: at least, and at most that much more."""

_RESTART: Final = 20 * SECOND
_CLOCK_STEP: Final = 30 * SECOND
_LATE: Final = 48 * 3600 * SECOND
_AGAIN_AFTER: Final = (0, SECOND, 20 * SECOND, 3600 * SECOND, 26 * 3600 * SECOND, 120 * 3600 * SECOND)
"""How much later a message comes again."""


class Replica:
    """A process of a service: it has one order's messages in one lane."""

    def __init__(self, card: Card[Any, Any, Any], engine: "Engine") -> None:
        self.service = card.name
        self.handler = Handler(
            card,
            MemoryStore(engine, card.name),
            MemoryAlarms(engine, card.name),
            MemoryOutside(engine),
            engine.passing,
        )
        self.lane: deque[MemoryDelivered] = deque()
        self.at_work: Coroutine[Any, Any, Any] | None = None
        self.in_hand: MemoryDelivered | None = None
        self.down_until = 0


class Engine:
    """All replicas of all services, and the order that lives now."""

    life: Life

    def __init__(self, faults: Faults, replicas: int) -> None:
        self.faults = faults
        self.unlucky = bool(faults.on)
        self._deliveries = faults.duplicate + faults.delay + faults.reorder + faults.drop
        self._shares: dict[str, float] = faults.model_dump()
        postman = Postman(self)
        cards = [replace(card, effect=postman.deliver) if card.name is Owner.NOTIFY else card for card in CARDS]
        self._replicas = {card.name: [Replica(card, self) for _ in range(replicas)] for card in cards}
        self._listeners = _listeners(cards)

    def run(self, life: Life) -> None:
        """Live an order's life to its end.

        Raises:
            Endless: it has none.
        """
        self.life = life
        try:
            for act in life.buyer.begin(life.terms.clock):
                self._plan(act)
            life.live()
        finally:
            for replicas in self._replicas.values():
                for replica in replicas:
                    _abandon(replica)
                    replica.down_until = 0
                    replica.handler.journal.forget(life.errand.order_id)

    # What the ports ask

    def life_of(self, order_id: str) -> Life:
        """The life of that order.

        Raises:
            LookupError: it does not live now; a handler has mixed up its orders.
        """
        if order_id != self.life.errand.order_id:
            msg = f"{order_id} is asked for while {self.life.errand.order_id} lives"
            raise LookupError(msg)
        return self.life

    def seen_of(self, owner: Owner, order_id: str) -> list[Envelope]:
        """What a read finds of an owner's history."""
        life = self.life_of(order_id)
        entries = life.journals[owner].entries
        if self.unlucky and stale(life, owner) and self.strikes("stale_read", owner):
            return entries[:-1]
        return entries

    def strikes(self, fault: str, place: str) -> bool:
        """Whether a fault happens now."""
        life = self.life
        return life.chance() < self._shares[fault] and life.strike(fault, place)

    def passing(self, service: str, place: str, name: str) -> None:
        """A place at which a replica may die."""
        if place == "last_resort":
            self.life.happens(place)
        if self.unlucky and self.strikes("crash", f"{service} {place} {name}"):
            self.life.happens(f"crash_{place}")
            raise Crash(service, place, name)

    def publish(self, owner: Owner, entry: Envelope) -> None:
        """An event has been written: everybody who listens hears of it."""
        life, body = self.life, entry.body
        if not isinstance(body, Event):
            raise TypeError(body)
        if self.unlucky and self.strikes("clock_step", owner):
            life.skew = int((2 * life.chance() - 1) * _CLOCK_STEP)
        life.note_event(entry, body)
        for service in self._listeners.get(type(body), ()):
            self._send(service, owner, entry)
        if owner is not Owner.NOTIFY:
            if isinstance(body, OrderClosed):
                life.outcome = str(body.outcome)
            life.at(life.now, self._tell_the_buyer, entry)

    def fire(self, alarm: Alarm) -> None:
        """A schedule's time has come, unless it was cancelled or replaced."""
        life = self.life
        if life.armed.get(alarm.timer) is alarm:
            del life.armed[alarm.timer]
            envelope = due_envelope(alarm, life.stored_at(), life.header, life.errand.order_id)
            self._send(alarm.owner, "TIMERS", envelope)

    # People

    def _tell_the_buyer(self, entry: Envelope) -> None:
        """Not from within the append: what fails here is no service's failure."""
        if isinstance(entry.body, Event):
            for act in self.life.buyer.hear(entry.body, entry.id):
                self._plan(act)

    def _plan(self, act: Act) -> None:
        self.life.at(self.life.now + span(act.after), self._ask, act)

    def _ask(self, act: Act) -> None:
        """Somebody sends a command; JetStream drops an id that it has just had."""
        life = self.life
        before = life.asked.get(act.id)
        if before is not None and life.now - before < DEDUPE_WINDOW:
            return
        life.asked[act.id] = life.now
        self._send(act.command.owner, "COMMANDS", life.note_command(act.command, act.id))

    # Deliveries

    def _send(self, service: Owner, stream: str, envelope: Envelope) -> None:
        """A consumer's messages come one after another, unless something goes wrong."""
        life = self.life
        least, more = _LATENCY
        moment = life.now + least + int(life.chance() * more)
        consumer = (service, stream)
        free = life.busy_until.get(consumer, 0)
        moment = max(moment, free)
        delivered = MemoryDelivered(self, envelope, service, consumer)
        if self.unlucky and (luck := life.chance()) < self._deliveries:
            moment = self._misfortune(delivered, moment, luck)
            if moment < 0:
                return
        life.busy_until[consumer] = moment
        life.at(moment, self._arrive, delivered)

    def _misfortune(self, delivered: MemoryDelivered, moment: int, luck: float) -> int:
        """What happens to a delivery: when it arrives after all, or -1 if it does not hold up its followers."""
        life, faults = self.life, self.faults
        fault = faults.of_a_delivery(luck)
        if not life.strike(fault, f"{delivered.envelope.address.name} to {delivered.service}"):
            return moment
        if fault == "duplicate":
            after = _AGAIN_AFTER[int(life.chance() * len(_AGAIN_AFTER))]
            life.at(moment + after, self._again, delivered)
            return moment
        if fault == "delay":
            return moment + life.mostly_short(_LATE)
        late = life.mostly_short(_LATE) if fault == "reorder" else ACK_WAIT
        life.at(moment + late, self._arrive_late, (delivered, moment))
        return -1

    def _arrive_late(self, late: tuple[MemoryDelivered, int]) -> None:
        """Count whether others of its consumer have overtaken it."""
        delivered, meant_at = late
        if self.life.last_arrival.get(delivered.consumer, 0) > meant_at:
            self.life.happens("overtaken")
        self._arrive(delivered)

    def _again(self, delivered: MemoryDelivered) -> None:
        self._arrive(MemoryDelivered(self, delivered.envelope, delivered.service, delivered.consumer))

    def _arrive(self, delivered: MemoryDelivered) -> None:
        """A replica of the service gets the message."""
        life = self.life
        replicas = self._replicas[delivered.service]
        replica = replicas[0]
        if len(replicas) > 1:
            up = [other for other in replicas if other.down_until <= life.now] or replicas
            replica = up[int(life.chance() * len(up))]
        life.last_arrival[delivered.consumer] = life.now
        replica.lane.append(delivered)
        if replica.at_work is None:
            self._work(replica)

    def _work(self, replica: Replica) -> None:
        """Handle what is in the lane, one message after another."""
        if replica.down_until > self.life.now:
            return
        lane = replica.lane
        while lane and replica.at_work is None:
            replica.in_hand = lane.popleft()
            replica.at_work = replica.handler.settle(replica.in_hand)
            self._step(replica)

    def _step(self, replica: Replica) -> None:
        """Go on with a message until its handler waits, ends or dies."""
        life = self.life
        at_work, in_hand = replica.at_work, replica.in_hand
        if at_work is None or in_hand is None:
            return
        try:
            duration: int = at_work.send(None)
        except StopIteration:
            life.handled += 1
            replica.at_work = None
            if not in_hand.acked:
                life.at(life.now + ACK_WAIT, self._again, in_hand)
        except Crash:
            self._die(replica)
        else:
            life.at(life.now + duration, self._resume, (replica, at_work))

    def _resume(self, waiting: tuple[Replica, Coroutine[Any, Any, Any]]) -> None:
        replica, at_work = waiting
        if replica.at_work is at_work:
            self._step(replica)
            self._work(replica)

    def _die(self, replica: Replica) -> None:
        """What it had in hand comes again; what it knew is lost."""
        life = self.life
        lost = [replica.in_hand, *replica.lane]
        _abandon(replica)
        replica.handler.journal.forget(life.errand.order_id)
        for delivered in lost:
            if delivered is not None:
                life.at(life.now + ACK_WAIT, self._again, delivered)
        replica.down_until = life.now + int(life.chance() * _RESTART)
        life.at(replica.down_until, self._work, replica)


def _abandon(replica: Replica) -> None:
    if replica.at_work is not None:
        replica.at_work.close()
    replica.at_work = replica.in_hand = None
    replica.lane.clear()


def _listeners(cards: list[Card[Any, Any, Any]]) -> dict[type[Event | Command], tuple[Owner, ...]]:
    """By event, the services that are told of it: those that react to what others say."""
    heard: dict[Any, list[Owner]] = {}
    for card in cards:
        for message in card.reactions:
            if message.owner != card.name:
                heard.setdefault(message, []).append(card.name)
    return {message: tuple(services) for message, services in heard.items()}
