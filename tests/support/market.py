"""One order's order, seller and dispute services wired together in memory, as unkind to messages as a broker is allowed to be.

Events reach all services, each stream in its own order, streams interleaved at random; any message may come again, at
any later time; time passes between deliveries, so that deadlines and answers race; timers fire when due and sometimes
early. Nothing is lost.
"""

import heapq
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final, TypeAlias

from countermand.contracts.base import Command, Event, Owner
from countermand.kernel.decider import Deadline, Decider, Premature, Refused
from countermand.kernel.ids import event_id
from countermand.kernel.reactions import Reactions
from countermand.kernel.terms import Terms
from services.dispute import reactions as dispute_reactions
from services.dispute.decider import DISPUTE
from services.order import reactions as order_reactions
from services.order.decider import ORDER
from services.seller import reactions as seller_reactions
from services.seller.decider import SELLER
from tests.support.orders import ORDER_ID, START

MAX_STEPS: Final = 5_000
"""An order that takes more goes round in circles."""

_LATENCY_S_MAX: Final = 30
"""Where messages race, a delivery takes up to so many simulated seconds."""

_AGAIN_AFTER: Final = (timedelta(), timedelta(seconds=20), timedelta(hours=1), timedelta(days=1), timedelta(days=5))
"""How much later a message may come again."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way to a service. A fired timer is its deadline."""

    to: Owner
    source: str
    id: str
    body: Event | Command | Deadline
    again: bool = False


def _as_it_is(command: Any, _history: list[Event]) -> Any:
    return command


@dataclass
class Service:
    """One service's side of the order: its journal, and the state and the deadlines after each event."""

    owner: Owner
    decider: Decider[Any, Any, Any]
    reactions: Reactions[Any]
    timers: Mapping[str, Callable[[str], Any]]
    initial: Any
    events: list[Any] = field(default_factory=list[Any])
    ids: list[str] = field(default_factory=list[str])
    wanted: list[tuple[Deadline, ...]] = field(default_factory=list[tuple[Deadline, ...]])
    inform: Callable[[Any, list[Event]], Any] = _as_it_is
    state: Any = None

    def __post_init__(self) -> None:
        self.state = self.initial

    def command(self, delivery: Delivery) -> Any:
        """What the message makes the service ask of itself."""
        if isinstance(delivery.body, Deadline):
            return self.timers[delivery.body.name](delivery.body.id)
        return delivery.body if isinstance(delivery.body, Command) else self.reactions.react(delivery.body, delivery.id)

    @property
    def waits_for(self) -> tuple[Deadline, ...]:
        """The deadlines it wants now."""
        return self.decider.deadlines(self.state)

    def append(self, event: Any, its_id: str) -> None:
        """An event happened."""
        self.state = self.decider.evolve(self.state, event, its_id)
        self.events.append(event)
        self.ids.append(its_id)
        self.wanted.append(self.decider.deadlines(self.state))


Ask: TypeAlias = Callable[["Market"], Command]


class Market:
    """The three services of one order, the messages between them, and simulated time.

    `duplicates` is the share of messages that come again, `races` how often something overtakes something else; without
    races everything happens at once and in the order in which it was sent.
    """

    def __init__(self, terms: Terms, rnd: Random, *, duplicates: float = 0.2, races: float = 0.2) -> None:
        self.now = START
        self.order = Service(
            Owner.ORDER,
            ORDER,
            order_reactions.REACTIONS,
            order_reactions.TIMERS,
            ORDER.initial(ORDER_ID, terms),
        )
        self.seller = Service(
            Owner.SELLER,
            SELLER,
            seller_reactions.REACTIONS,
            seller_reactions.TIMERS,
            SELLER.initial(ORDER_ID, terms),
            inform=seller_reactions.inform,
        )
        self.dispute = Service(
            Owner.DISPUTE,
            DISPUTE,
            dispute_reactions.REACTIONS,
            dispute_reactions.TIMERS,
            DISPUTE.initial(ORDER_ID, terms),
            inform=dispute_reactions.inform,
        )
        self.services = {service.owner: service for service in (self.order, self.seller, self.dispute)}
        self.refusals: dict[str, Refused] = {}
        self.log: list[str] = []
        self._rnd = rnd
        self._duplicates = duplicates
        self._races = races
        self._lanes: dict[tuple[Owner, str], deque[tuple[int, Delivery]]] = {}
        self._agenda: list[tuple[datetime, int, Delivery | Ask]] = []
        self._asked = 0
        self._numbers = 0
        self._waiting: set[tuple[Owner, str]] = set()

    def plan(self, at: datetime, ask: Ask) -> None:
        """Somebody will send the command that `ask` makes of what is known then."""
        self._put(at, ask)

    def run(self, check: Callable[["Market"], None]) -> None:
        """Let everything happen until nothing is left to. `check` looks whenever no message is on its way."""
        for _ in range(MAX_STEPS):
            if not self._step(check):
                return
        msg = f"still busy after {MAX_STEPS} steps: {self.log[-20:]}"
        raise AssertionError(msg)

    def ids_of(self, *events: type[Event]) -> list[str]:
        """The ids of the events of these types, service by service, each in its own order."""
        recorded = [pair for s in self.services.values() for pair in zip(s.ids, s.events, strict=True)]
        return [its_id for its_id, event in recorded if isinstance(event, events)]

    def _step(self, check: Callable[["Market"], None]) -> bool:
        ready = [lane for lane, queue in self._lanes.items() if queue and lane not in self._waiting]
        if ready and not (self._agenda and self._rnd.random() < self._races / 4):
            lane = self._rnd.choice(ready) if self._races else min(ready, key=lambda lane: self._lanes[lane][0][0])
            if self._deliver(self._lanes[lane][0][1]):
                self._repeat_sometimes(self._lanes[lane].popleft()[1])
            else:
                self._waiting.add(lane)
        else:
            if not ready and not self._waiting:
                check(self)
            if not self._agenda:
                assert not self._waiting, f"waits for ever: {self._waiting}"
                return False
            self._next_on_the_agenda()
        return True

    def _next_on_the_agenda(self) -> None:
        due, _, item = heapq.heappop(self._agenda)
        self.now = max(self.now, due)
        if isinstance(item, Delivery) and item.again:
            self._deliver(item)
        elif isinstance(item, Delivery):
            self._send(item)
        else:
            command = item(self)
            self._asked += 1
            self._send(Delivery(command.owner, "commands", f"c{self._asked}", command))

    def _put(self, at: datetime, item: Delivery | Ask) -> None:
        self._numbers += 1
        heapq.heappush(self._agenda, (at, self._numbers, item))

    def _send(self, delivery: Delivery) -> None:
        self._numbers += 1
        self._lanes.setdefault((delivery.to, delivery.source), deque()).append((self._numbers, delivery))

    def _repeat_sometimes(self, delivery: Delivery) -> None:
        # A refused command is not repeated: the sender was told, and a repetition is decided anew.
        if delivery.id not in self.refusals and self._rnd.random() < self._duplicates:
            self._put(self.now + self._rnd.choice(_AGAIN_AFTER), replace(delivery, again=True))

    def _deliver(self, delivery: Delivery) -> bool:
        """Handle a message; it stays in its lane if it is premature."""
        self.now += timedelta(seconds=self._rnd.randint(0, _LATENCY_S_MAX) if self._races else 0)
        service = self.services[delivery.to]
        command, cause, began = service.command(delivery), delivery.id, len(service.events)
        while command is not None and (own_id := event_id(cause, type(command).__name__)) not in service.ids:
            decision = self._decision(service, command, cause)
            match decision:
                case None:
                    break
                case Premature():
                    return False
                case Refused():
                    assert isinstance(delivery.body, Command), f"{command} was refused, but no user sent it"
                    self.refusals[delivery.id] = decision
                    break
                case event:
                    service.append(event, own_id)
                    self._waiting.clear()
                    for to in (other for other in self.services if other is not service.owner):
                        self._send(Delivery(to, service.owner, own_id, event))
                    command, cause = service.reactions.react(event, own_id), own_id
        self._follow(service, began)
        return True

    def _decision(self, service: Service, command: Any, cause: str) -> Any:
        informed = service.inform(command, [*self.order.events, *self.seller.events])
        decision = service.decider.decide(informed, service.state, self.now)
        self.log.append(f"{self.now:%m-%d %H:%M} {service.owner} {cause} {command} -> {decision}")
        return decision

    def _follow(self, service: Service, began: int) -> None:
        """Arm what the events since then made wanted, as the runtime does."""
        before = service.wanted[began - 1] if began else ()
        for deadline in service.wanted[-1] if service.wanted else ():
            if deadline in before:
                continue
            reminder = Delivery(service.owner, "timers", f"{deadline.id}:{deadline.name}", deadline)
            self._put(deadline.due, reminder)
            if self._rnd.random() < self._races:
                self._put(self.now + (deadline.due - self.now) * self._rnd.random(), reminder)
