"""Open orders: what each waits for, and since when, read from the streams as the audit reads them.

Memory follows the orders that are open: whatever has ended and settled is forgotten on the way.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from nats.errors import Error as NatsError

from countermand.kernel.policy import Policy
from countermand.runtime.direct import StoreReadError
from countermand.runtime.settings import ConfigurationError
from lab.audit.auditor import VERIFIED_MAX, Auditor
from lab.audit.cut import take_cut
from lab.audit.fold import fold
from lab.audit.invariants import Findings
from lab.audit.letters import emails_of, owed
from lab.audit.options import Options
from lab.audit.reading import ReadError
from lab.audit.record import Record
from lab.audit.run import look_up, read
from lab.audit.waits import waits
from lab.market import Market

EMAIL: Final = "the email "
"""How a wait for an email begins; the kind of email follows."""

_A_MOMENT_S: Final = 0.5
"""What was under way at the first look has arrived at the second."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that an order waits for, in the broker's time (ns).

    Attributes:
        since: when it began to.
        due: when it should have come: its deadline, or for what follows at once when that began.
        timed: whether a deadline says so.
    """

    order_id: str
    what: str
    since: int
    due: int
    timed: bool


@dataclass(slots=True)
class Watch:
    """What the orders wait for, in the place of the audit's judge."""

    found: dict[str, list[Waiting]] = field(default_factory=dict[str, list[Waiting]])

    def judge(self, record: Record, policy: Policy | None) -> Findings:
        """Remember what an order waits for; forget one that waits for nothing."""
        self.found.pop(record.order_id, None)
        if record.placed and (waiting := list(_of(record, policy))):
            self.found[record.order_id] = waiting
        return Findings()


@dataclass(frozen=True, slots=True)
class Orders:
    """The open orders at a moment (`now`, ns by the broker's clock)."""

    waiting: tuple[Waiting, ...]
    now: int

    @property
    def number(self) -> int:
        """How many orders wait for anything."""
        return len({one.order_id for one in self.waiting})

    def stuck(self, patience_s: float) -> list[Waiting]:
        """What should have come longer ago than that, the longest first."""
        late = [one for one in self.waiting if self.now - one.due > patience_s * 1e9]
        return sorted(late, key=lambda one: one.due)


async def open_orders(market: Market, patience_s: float, progress: Callable[[int], None] | None = None) -> Orders:
    """Read every stream once; orders that seem stuck are looked at once more.

    Args:
        progress: told now and then how many messages have been read.

    Raises:
        ConfigurationError: a stream is missing, or the broker stops answering.
    """
    watch = Watch()
    try:
        cut = await take_cut(market)
        auditor = Auditor(watch)
        await read(market, Options(), cut, auditor, {}, progress)
        orders = Orders(tuple(one for found in watch.found.values() for one in found), cut.now)
        suspects = list({one.order_id: None for one in orders.stuck(patience_s)})[:VERIFIED_MAX]
        if not suspects:
            return orders
        await asyncio.sleep(_A_MOMENT_S)  # What they wait for may have been just beyond the cut.
        for order_id, facts in await look_up(market, suspects):
            record = Record(order_id)
            for fact in facts:
                fold(record, fact)
            watch.judge(record, auditor.policies.get(record.terms.policy) if record.terms else None)
    except (ReadError, StoreReadError, TimeoutError, NatsError) as error:
        msg = f"the broker does not answer as it should: {error or type(error).__name__}"
        raise ConfigurationError(msg) from error
    return Orders(tuple(one for found in watch.found.values() for one in found), cut.now)


def _of(record: Record, policy: Policy | None) -> Iterator[Waiting]:
    terms = record.terms
    if policy is None or terms is None:
        yield Waiting(record.order_id, "its policy, which is stored nowhere", record.last, record.last, timed=False)
        return
    for wait in waits(record, policy):
        due = max(terms.real(wait.until), wait.since) if wait.until else wait.since
        yield Waiting(record.order_id, wait.what, wait.since, due, timed=bool(wait.until))
    letters = record.letters
    for fact_id, promise in owed(record, emails_of(policy)):
        if fact_id not in letters.sent and fact_id not in letters.refused:
            yield Waiting(record.order_id, f"{EMAIL}{promise.kind}", promise.at, promise.at, timed=False)
