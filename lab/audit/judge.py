"""The judgement of one order: what its facts prove, and what is missing although it is time."""

from collections.abc import Iterator
from dataclasses import dataclass

from countermand.kernel.policy import Policy
from lab.audit.causes import fired, is_explained, unexplained
from lab.audit.draws import undrawn
from lab.audit.ending import due_outcome
from lab.audit.invariants import Findings, Invariant, Violation
from lab.audit.letters import emails_of, groundless, owed
from lab.audit.money import movements, unfounded
from lab.audit.parcel import is_hidden
from lab.audit.races import races
from lab.audit.record import Record
from lab.audit.waits import Wait, waits


@dataclass(frozen=True, slots=True)
class Judge:
    """When an audit judges. `now`: the broker's time in ns; `grace`: how long a message may be on its way, in ns.

    `drained`: nothing is on its way any more, so nothing is pending but what waits for its time.
    """

    now: int
    grace: int
    drained: bool

    def judge(self, record: Record, policy: Policy | None) -> Findings:
        """Everything about one order."""
        findings = Findings()
        wrong = list(record.wrong)
        if not record.placed:
            wrong.append((Invariant.I6, "its history does not begin with OrderPlaced"))
        elif policy is None:
            wrong.append((Invariant.I6, "its policy is stored nowhere"))
        else:
            wrong += self._outcome(record, policy, findings)
            wrong += self._emails(record, policy, findings)
            wrong += [(Invariant.I3, what) for what in unfounded(record)]
            wrong += [(Invariant.I7, what) for what in unexplained(record)]
            wrong += _timers(record, findings)
            wrong += [(Invariant.I10, what) for what in undrawn(record, policy)]
        _count(record, findings)
        findings.violations = [Violation(invariant, record.order_id, what) for invariant, what in wrong]
        return findings

    def _outcome(self, record: Record, policy: Policy, findings: Findings) -> Iterator[tuple[Invariant, str]]:
        """I1, and I2 and I9 where they are about what does not come."""
        if record.ending.outcomes and len(record.ending.outcomes) == 1:
            due = due_outcome(record)
            if record.ending.outcomes[0] != due:
                yield Invariant.I1, f"ends as {record.ending.outcomes[0]}, where its history says {due}"
        for wait in waits(record, policy):
            if wait.until:
                if self._is_over(record, wait):
                    yield Invariant.I1, f"waits for {wait.what} until {wait.until}, which has passed"
            elif self.drained or wait.since + self.grace < self.now:
                hidden = is_hidden(record) and wait.what == "the order to hear of the parcel"
                late = Invariant.I9 if self.drained else Invariant.I1
                yield Invariant.I2 if hidden else late, f"waits for {wait.what}, which does not come"
        if not record.ending.outcomes:
            findings.counts["I1.pending"] += 1

    def _is_over(self, record: Record, wait: Wait) -> bool:
        if record.terms is None:
            return False
        return max(record.terms.real(wait.until), wait.since) + self.grace < self.now

    def _emails(self, record: Record, policy: Policy, findings: Findings) -> Iterator[tuple[Invariant, str]]:
        counts, letters, emails = findings.counts, record.letters, emails_of(policy)
        for what in groundless(record, emails):
            yield Invariant.I4, what
        for fact_id, promise in owed(record, emails):
            counts["emails.promised"] += 1
            if fact_id in letters.sent:
                counts["emails.delivered"] += 1
                counts["emails.duplicates"] += len(letters.sent[fact_id]) - 1
            elif fact_id in letters.refused:
                counts["emails.failed"] += 1
            elif self.drained or promise.at + self.grace < self.now:
                counts["emails.lost"] += 1
                yield Invariant.I4, f"no email {promise.kind} about {fact_id}"
            else:
                counts["I4.pending"] += 1


def settled(record: Record, policy: Policy) -> bool:
    """Whether nothing more is expected of an order: it has ended, its money, goods and emails have arrived."""
    if not record.ending.outcomes or not is_explained(record):
        return False
    letters = record.letters
    told = all(fact_id in letters.sent or fact_id in letters.refused for fact_id, _ in owed(record, emails_of(policy)))
    return told and not any(waits(record, policy))


def _timers(record: Record, findings: Findings) -> Iterator[tuple[Invariant, str]]:
    for what, late_s in fired(record):
        findings.late_s.append(max(0.0, late_s))
        if late_s < 0:
            yield Invariant.I8, what


def _count(record: Record, findings: Findings) -> None:
    ledger, counts = record.ledger, findings.counts
    counts["orders"] = counts["I1.checked"] = 1
    counts["events"] = counts["I6.checked"] = counts["I7.checked"] = record.events
    counts["I2.checked"] = len(record.parcel.answered) + (record.parcel.shipped_at is not None)
    counts["I3.checked"] = movements(record)
    counts["I4.checked"] = counts["emails.promised"]
    counts["I5.checked"] = len(record.requests.asked)
    counts["I5.pending"] = record.requests.pending is not None
    counts["I8.checked"] = len(findings.late_s)
    counts["I10.checked"] = len(ledger.refunds)
    if ledger.captured:
        counts[f"money.{ledger.currency}.captured"] = ledger.captured
        counts[f"money.{ledger.currency}.refunded"] = ledger.refunded
    if ledger.reseller:
        counts[f"money.{ledger.currency}.resellers"] = ledger.reseller
    for name, winner in races(record):
        counts[f"races.{name}.{winner}"] += 1
