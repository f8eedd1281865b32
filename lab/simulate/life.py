"""One order's life in virtual time: its streams, its agenda, and the people who wait for what happens.

Time is a whole number of microseconds since `BASE`. Nothing here knows a real clock; all chance comes from the order's own
generator, so an order lives the same life alone and among a million others.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from random import Random
from typing import Any, Final, NamedTuple

from countermand.contracts.base import Command, Event, Owner
from countermand.contracts.subjects import Address
from countermand.kernel.terms import Terms
from countermand.runtime.envelope import Envelope
from lab.audit.fact import COMMANDS, Fact
from lab.plan.errand import Errand
from lab.plan.persona import Buyer

BASE: Final = datetime(2023, 1, 2, tzinfo=UTC)
_BASE_NS: Final = int(BASE.timestamp()) * 1_000_000_000

SECOND: Final = 1_000_000
DEDUPE_WINDOW: Final = 120 * SECOND

STEPS_MAX: Final = 20_000
"""An order that takes more goes round in circles."""

Action = Callable[[Any], None]


class Strike(NamedTuple):
    """A fault that struck: its number in the order's life, where, and when in virtual time."""

    number: int
    fault: str
    place: str
    at: datetime


class Endless(Exception):
    """An order went round in circles."""


@dataclass(slots=True)
class Journal:
    """One owner's events of the order; `seen`: when each id was written."""

    entries: list[Envelope] = field(default_factory=list[Envelope])
    seen: dict[str, int] = field(default_factory=dict[str, int])


class Life:
    """Everything that exists of one order."""

    def __init__(
        self, errand: Errand, terms: Terms, buyer: Buyer, rnd: Random, start: int, strikes: frozenset[int] | None = None
    ) -> None:
        self.errand = errand
        self.terms = terms
        self.buyer = buyer
        self.chance = rnd.random
        self.now = start
        self.skew = 0
        self.header = terms.header
        self.journals = {owner: Journal() for owner in Owner}
        self.armed: dict[str, object] = {}
        self.asked: dict[str, int] = {}
        self.facts: list[Fact] = []
        self.mails: Counter[str] = Counter()
        self.mail_back_at = 0
        self.busy_until: dict[tuple[Owner, str], int] = {}
        self.outcome: str | None = None
        self.handled = 0
        self.sometimes: Counter[str] = Counter()
        self.struck: list[Strike] = []
        self._strikes = strikes
        self._struck = 0
        self.refusals: Counter[str] = Counter()
        self.dead: dict[tuple[str, str], str] = {}
        self.failures: list[str] = []
        self.backwards: list[str] = []
        self.last_arrival: dict[tuple[Owner, str], int] = {}
        self._last_of: dict[str, datetime] = {}
        self._agenda: list[tuple[int, int, Action, Any]] = []
        self._number = 0

    def at(self, moment: int, action: Action, subject: Any) -> None:
        """Do something then; what was asked for first comes first."""
        self._number += 1
        heappush(self._agenda, (moment, self._number, action, subject))

    def live(self) -> None:
        """Do everything until nothing is left.

        Raises:
            Endless: that never comes.
        """
        agenda = self._agenda
        for _ in range(STEPS_MAX):
            if not agenda:
                return
            moment, _, action, subject = heappop(agenda)
            if moment > self.now:  # noqa: PLR1730  # A call costs what a message costs.
                self.now = moment
            action(subject)
        msg = f"still busy after {STEPS_MAX:,} steps"
        raise Endless(msg)

    def mostly_short(self, most: int) -> int:
        """A span that is seldom long, in µs: half of them are below an eighth of the longest."""
        luck = self.chance()
        return int(luck * luck * luck * most)

    def stored_at(self) -> datetime:
        """What the broker's clock says."""
        return BASE + timedelta(microseconds=self.now + self.skew)

    def happens(self, what: str) -> None:
        """Note that something happened that should happen sometimes."""
        self.sometimes[what] += 1

    def strike(self, fault: str, place: str) -> bool:
        """A fault strikes, unless only others may: each has its number in the order's life."""
        self._struck += 1
        if self._strikes is not None and self._struck not in self._strikes:
            return False
        self.happens(fault)
        self.struck.append(Strike(self._struck, fault, place, BASE + timedelta(microseconds=self.now)))
        return True

    def note_event(self, entry: Envelope, body: Event) -> None:
        """Remember an event as the audit reads it."""
        address = entry.address
        simulated_at = entry.simulated_at or BASE
        if simulated_at < self._last_of.get(address.service, BASE):
            self.backwards.append(f"{address.name} of {address.service} lies before the event that it follows")
        self._last_of[address.service] = simulated_at
        self.facts.append(
            Fact(
                _BASE_NS + (self.now + self.skew) * 1_000,
                str(address.service),
                address.order_id,
                address.name,
                address.revision or 0,
                entry.sequence,
                entry.id,
                entry.causation_id or "",
                entry.correlation_id,
                simulated_at.isoformat(),
                body.model_dump(mode="json"),
            )
        )

    def note_command(self, command: Command, command_id: str) -> Envelope:
        """Remember a command as the audit reads it; as a service reads it, it comes back."""
        name, order_id = type(command).__name__, self.errand.order_id
        at = _BASE_NS + (self.now + self.skew) * 1_000
        self.facts.append(Fact(at, COMMANDS, order_id, name, 0, len(self.asked), command_id, "", "", "", {}))
        return Envelope(
            id=command_id,
            address=Address("cmd", command.owner, order_id, name, None),
            stored_at=self.stored_at(),
            sequence=len(self.asked),
            body=command,
            terms=None,
            correlation_id=command_id,
            causation_id=None,
            simulated_at=None,
            deadline_id=None,
            traceparent=None,
            delivered=None,
        )


def microseconds(moment: datetime) -> int:
    """A moment as a life counts it."""
    return span(moment - BASE)


def span(time: timedelta) -> int:
    """A time as a life counts it."""
    return (time.days * 86_400 + time.seconds) * SECOND + time.microseconds
