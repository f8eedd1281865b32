"""Auditing histories without a broker: what `countermand audit` would say about them."""

import time

from lab.audit.auditor import Auditor
from lab.audit.invariants import Violation
from lab.audit.judge import Judge
from lab.audit.record import NS
from lab.audit.report import Report, report_of
from tests.support.histories import History

STEP_NS = 1_000_000
"""A millisecond of the broker's time between two messages of a history."""


def audited(*histories: History, grace_s: float = 0, after_s: float = 1, drained: bool = False) -> Report:
    """The report on histories written one after another, the last of them `after_s` ago."""
    auditor = judged(*histories, grace_s=grace_s, after_s=after_s, drained=drained)
    return report_of(auditor.totals, 1)


def judged(*histories: History, grace_s: float = 0, after_s: float = 1, drained: bool = False) -> Auditor:
    """An auditor that has heard and judged them."""
    began = time.time_ns()
    messages = sum(len(history.wires) for history in histories)
    now = began + messages * STEP_NS + int(after_s * NS)
    auditor = Auditor(Judge(now=now, grace=int(grace_s * NS), drained=drained))
    for number, history in enumerate(histories):
        auditor.policies[history.policy.hash] = history.policy
        first_at = began + sum(len(earlier.wires) for earlier in histories[:number]) * STEP_NS
        facts = history.facts(first_at=first_at, step=STEP_NS)
        auditor.hear(facts)
        for order_id in list(auditor.late):
            auditor.reopen(order_id, facts)
    auditor.finish()
    for order_id, findings in auditor.suspects.items():
        auditor.totals.add(order_id, findings)
    return auditor


def broken(*histories: History, grace_s: float = 0, after_s: float = 1, drained: bool = False) -> list[str]:
    """The invariants that do not hold, each once."""
    report = audited(*histories, grace_s=grace_s, after_s=after_s, drained=drained)
    return sorted({str(violation.invariant) for violation in report.violations})


def words(violations: tuple[Violation, ...]) -> str:
    """What is wrong, in a line each."""
    return "\n".join(f"{violation.invariant} {violation.what}" for violation in violations)
