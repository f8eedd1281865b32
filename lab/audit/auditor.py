"""The auditor: takes facts in the order of time, keeps a record of every open order, and lets go of those that settled.

Memory follows the open orders. What comes late about an order that it has let go of, as a payment after the end or a
parcel after the refund, is set aside; whoever feeds the auditor looks up that order's history and gives it back.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from countermand.kernel.policy import Policy
from lab.audit.fact import COMMANDS, UNREADABLE, Fact
from lab.audit.fold import fold
from lab.audit.invariants import Findings, Invariant, Violation
from lab.audit.judge import settled
from lab.audit.record import NS, Record
from lab.audit.table import RATING, START
from lab.audit.totals import Totals

LINGER_NS: Final = 2 * NS
"""How long, by the broker's time, a settled order is kept for what usually follows."""

_RATED_WITHIN_NS: Final = 120 * NS
"""How long it is kept for the seller's rating. The sellers' service may be away; or it is somebody's who rates nothing."""

_PLACED_WITHIN_NS: Final = 600 * NS
"""How long somebody who asked for an order is remembered, if none is placed."""

VERIFIED_MAX: Final = 2_000
"""Orders at fault whose history is read again before they count; if there are more, something is thoroughly broken."""


class Judges(Protocol):
    """Who says something about an order that is let go of: the audit's `Judge`, or whoever else reads all streams."""

    def judge(self, record: Record, policy: Policy | None) -> Findings:
        """Everything about one order; it may be asked again when more is known."""
        ...


class Auditor:
    """Folds and judges. It does no I/O: `late` and `suspects` are what it wants looked up, `wanted` the policies.

    Attributes:
        late: facts about orders that are not open, by order.
        suspects: orders at fault: what seems to be missing may be in a stream that was cut a moment earlier.
    """

    def __init__(self, judge: Judges, *, run: str | None = None, since: int = 0, linger_ns: int = LINGER_NS) -> None:
        self.totals = Totals()
        self.late: dict[str, list[Fact]] = {}
        self.suspects: dict[str, Findings] = {}
        self.policies: dict[str, Policy | None] = {}
        self.wanted: set[str] = set()
        self._judge = judge
        self._run = run
        self._since = since
        self._linger_ns = linger_ns
        self._open: dict[str, Record] = {}
        self._ignored: dict[str, bool] = {}  # Whether it has ended, and may be forgotten.
        self._ending: deque[tuple[int, str]] = deque()

    @property
    def open_orders(self) -> int:
        """Orders in memory."""
        return len(self._open)

    def knows(self, order_id: str) -> bool:
        """Whether it is one of the open orders."""
        return order_id in self._open

    def want_policies(self, facts: Iterable[Fact]) -> None:
        """Ask for the policies under which the orders of these facts were placed."""
        for fact in facts:
            if fact.name == "OrderPlaced":
                record = Record(fact.order_id)
                fold(record, fact)
                self._want_policy(record)

    def hear(self, facts: Iterable[Fact]) -> None:
        """Take in facts; each stream's in its order."""
        orders = self._open
        for fact in facts:
            record = orders.get(fact.order_id) or self._meet(fact)
            if record is None:
                continue
            fold(record, fact)
            if fact.name == "OrderPlaced":
                self._begin(record)
            elif fact.name == "OrderClosed":
                self._ending.append((fact.at, fact.order_id))

    def let_go(self, now: int) -> None:
        """Judge and forget the orders that had settled a while before `now`. Every wanted policy must be known."""
        before = now - self._linger_ns
        while self._ending and self._ending[0][0] < before:
            _, order_id = self._ending.popleft()
            record = self._open.get(order_id)
            if record is None:
                if self._ignored.get(order_id):
                    del self._ignored[order_id]
            elif not self._may_go(record, now):
                self._ending.append((now, order_id))
            elif record.events:
                self._close(record)
            else:
                del self._open[order_id]  # It was asked for, and refused.

    def finish(self) -> None:
        """Judge what is still open."""
        for record in [record for record in self._open.values() if record.events]:
            self._close(record)
        self._open.clear()

    def reopen(self, order_id: str, history: Sequence[Fact]) -> None:
        """Give back the history of an order that something came late about."""
        late = self.late.pop(order_id)
        first, sequences = late[0].at, {(fact.owner, fact.sequence) for fact in late}
        record = Record(order_id)
        for fact in history:
            if fact.at <= first and (fact.owner, fact.sequence) not in sequences:
                fold(record, fact)
        placed_at = next((fact.at for fact in history if fact.name == "OrderPlaced"), first)
        self._ending.append((late[-1].at, order_id))
        if record.placed and (placed_at < self._since or not self._is_meant(record)):
            self._ignored[order_id] = bool(record.ending.outcomes)
            return
        if record.placed and self.suspects.pop(order_id, None) is None:
            self.totals.take_out(order_id, self._judge.judge(record, self._policy(record)))
        self._open[order_id] = record
        self.hear(late)

    def judge_alone(self, order_id: str, history: Iterable[Fact], *, again: bool = False) -> None:
        """Judge one order by its whole history; it is a suspect if it is at fault, unless this is done again."""
        record = self._open[order_id] = Record(order_id)
        for fact in history:
            fold(record, fact)
        if again:
            self.suspects.pop(order_id, None)
        self._close(record, again=again)

    def _may_go(self, record: Record, now: int) -> bool:
        """Whether nothing more is expected of it, not even what need not come."""
        if not record.events:
            return min(asked.at for asked in record.commands.values()) + _PLACED_WITHIN_NS < now
        policy = self._policy(record)
        rated = record.states[RATING] != START or record.last + _RATED_WITHIN_NS < now
        return policy is not None and rated and settled(record, policy)

    def _meet(self, fact: Fact) -> Record | None:
        """The record of an order that is not open: a new one for a new order, else nothing yet."""
        order_id = fact.order_id
        if order_id in self._ignored:
            if fact.name == "OrderClosed":
                self._ignored[order_id] = True
                self._ending.append((fact.at, order_id))
            return None
        if order_id in self.late:
            self.late[order_id].append(fact)
            return None
        if fact.owner == COMMANDS:
            if fact.name != "PlaceOrder":
                return None  # If anything comes of it, that will be a late fact.
            self._ending.append((fact.at, order_id))
        elif fact.name == UNREADABLE and "." in order_id:
            what = f"the stream of {fact.owner} holds {order_id!r}, which is no event's subject"
            self.totals.blame(Violation(Invariant.I6, "", what))
            return None
        elif fact.name != "OrderPlaced":
            self.late[order_id] = [fact]
            return None
        record = self._open[order_id] = Record(order_id)
        return record

    def _begin(self, record: Record) -> None:
        """An order was placed: is it one of those to audit, and do we know its policy?"""
        if not self._is_meant(record):
            del self._open[record.order_id]
            self._ignored[record.order_id] = False
        else:
            self._want_policy(record)

    def _want_policy(self, record: Record) -> None:
        if record.terms and record.terms.policy not in self.policies:
            self.wanted.add(record.terms.policy)

    def _is_meant(self, record: Record) -> bool:
        return self._run is None or record.run_id == self._run

    def _policy(self, record: Record) -> Policy | None:
        return self.policies.get(record.terms.policy) if record.terms else None

    def _close(self, record: Record, *, again: bool = False) -> None:
        findings = self._judge.judge(record, self._policy(record))
        if findings.violations and not again and len(self.suspects) < VERIFIED_MAX:
            self.suspects[record.order_id] = findings
        else:
            self.totals.add(record.order_id, findings)
        self._open.pop(record.order_id, None)
