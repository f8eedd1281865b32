"""Playing errands: one life after another, each judged by the audit as soon as it has ended, and then forgotten."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random
from typing import Final

from countermand.kernel.terms import Clock, Terms
from countermand.runtime import collector
from lab.audit.fact import Fact
from lab.audit.fold import fold
from lab.audit.invariants import Findings, Invariant, Violation
from lab.audit.judge import Judge
from lab.audit.record import Record
from lab.audit.totals import Totals
from lab.plan.errand import Errand
from lab.plan.personas import buyer_of
from lab.simulate.engine import Engine
from lab.simulate.exercised import races_of
from lab.simulate.faults import NONE, Faults
from lab.simulate.figures import Figures
from lab.simulate.life import BASE, Endless, Life, Strike, span

_DIGEST_BYTES: Final = 16
_MODULUS: Final = 1 << (8 * _DIGEST_BYTES)
_END_OF_TIME: Final = 1 << 62
"""In the year 2116, in ns."""

_REFUSED_EMAIL: Final = "EmailFailed"


@dataclass(frozen=True, slots=True)
class Lived:
    """One order's life, over.

    Attributes:
        digest: of its whole history: every command and event, in order, with cause, simulated time and body.
        handled: messages that services have settled.
        struck: the faults that struck it; sometimes: how often each did, and what else should happen sometimes.
        races: the ids of the domain's races that it went through.
    """

    errand: Errand
    outcome: str | None
    facts: list[Fact]
    findings: Findings
    digest: int
    handled: int
    sometimes: Counter[str]
    refusals: Counter[str]
    struck: list[Strike]
    races: list[str]

    @property
    def violations(self) -> list[Violation]:
        """What the audit finds wrong with it."""
        return self.findings.violations


@dataclass(slots=True)
class Run:
    """What many lives came to. `seconds` of this process's CPU; amounts of money are in `totals`."""

    orders: int = 0
    handled: int = 0
    seconds: float = 0.0
    digest: int = 0
    totals: Totals = field(default_factory=Totals)
    outcomes: Counter[str] = field(default_factory=Counter[str])
    sometimes: Counter[str] = field(default_factory=Counter[str])
    refusals: Counter[str] = field(default_factory=Counter[str])
    races: Counter[str] = field(default_factory=Counter[str])
    figures: Figures = field(default_factory=Figures)
    guilty: list[Lived] = field(default_factory=list[Lived])

    @property
    def outcome_hash(self) -> str:
        """32 hex digits: the same seed, plan and faults give the same, on any machine."""
        return f"{self.digest:0{2 * _DIGEST_BYTES}x}"

    @property
    def violated(self) -> int:
        """How many violations the audit has found."""
        return sum(number for name, number in self.totals.counts.items() if name.endswith(".violated"))


class Player:
    """Lives errands with the same replicas, one after another."""

    def __init__(self, seed: int, faults: Faults = NONE, replicas: int = 1) -> None:
        self._seed = seed
        self._engine = Engine(faults, replicas)

    def play(self, errand: Errand, strikes: frozenset[int] | None = None) -> Lived:
        """Live one order's life, and judge it. `strikes`: only the faults of these numbers may strike."""
        placed_at = BASE + errand.placed_after
        clock = Clock(epoch=placed_at, started_at=placed_at, rate=1)
        terms = Terms(errand.seed, errand.policy, clock)
        rnd = Random(_number(self._seed, errand.order_id))
        life = Life(errand, terms, buyer_of(errand), rnd, span(errand.placed_after), strikes)
        endless: Violation | None = None
        try:
            self._engine.run(life)
        except Endless as error:
            endless = Violation(Invariant.I9, errand.order_id, str(error))
        findings = _judge(life)
        if endless:
            findings.violations.append(endless)
        return Lived(
            errand,
            life.outcome,
            life.facts,
            findings,
            _digest(life),
            life.handled,
            life.sometimes,
            life.refusals,
            life.struck,
            races_of(life.facts, life.sometimes),
        )


def play_all(
    errands: Iterable[Errand],
    player: Player,
    told: Callable[[Run], None] | None = None,
    keep: int = 20,
) -> Run:
    """Play errands.

    Args:
        told: called after each order.
        keep: so many orders at fault are kept with their histories.
    """
    result = Run()
    started = time.process_time()
    with collector.seldom():
        for lived in map(player.play, errands):
            _count(result, lived, keep)
            result.seconds = time.process_time() - started
            if told:
                told(result)
    return result


def _count(result: Run, lived: Lived, keep: int) -> None:
    result.orders += 1
    result.handled += lived.handled
    result.digest = (result.digest + lived.digest) % _MODULUS
    result.outcomes[lived.outcome or "open"] += 1
    result.sometimes.update(lived.sometimes)
    result.races.update(lived.races)
    result.refusals.update(lived.refusals)
    result.figures.add(lived.facts)
    result.totals.add(lived.errand.order_id, lived.findings)
    if lived.violations and len(result.guilty) < keep:
        result.guilty.append(lived)


def _judge(life: Life) -> Findings:
    record = Record(life.errand.order_id)
    for fact in life.facts:
        fold(record, fact)
    # Nothing is left to happen: whatever the order still waits for will never come.
    findings = Judge(now=_END_OF_TIME, grace=0, drained=True).judge(record, life.errand.policy)
    findings.counts["I9.checked"] = 1
    findings.violations += list(_of_emails(life, record))
    order_id = life.errand.order_id
    letters = [letter for letter in life.dead.values() if _REFUSED_EMAIL not in letter]
    findings.violations += [Violation(Invariant.I9, order_id, f"dead letter of {letter}") for letter in letters]
    findings.violations += [Violation(Invariant.I9, order_id, f"failed: {failure}") for failure in life.failures]
    findings.violations += [Violation(Invariant.I6, order_id, what) for what in life.backwards]
    refused = sum(fact.name == _REFUSED_EMAIL for fact in life.facts)
    if refused > len(life.dead) - len(letters):
        what = f"{refused} emails were refused, and {len(life.dead) - len(letters)} are among the dead letters"
        findings.violations.append(Violation(Invariant.I4, order_id, what))
    return findings


def _of_emails(life: Life, record: Record) -> Iterator[Violation]:
    """I4 at the far end: what the mail server took, against what was recorded as sent."""
    recorded = set(record.letters.ids)
    # A repetition may be refused although the first one arrived.
    failed = {fact.body.get("message_id") for fact in life.facts if fact.name == _REFUSED_EMAIL}
    for message_id in life.mails:
        if message_id not in recorded and message_id not in failed:
            yield Violation(
                Invariant.I4, life.errand.order_id, f"{message_id} arrived, and no event says that it was sent"
            )
    for message_id in recorded:
        if message_id not in life.mails:
            yield Violation(Invariant.I4, life.errand.order_id, f"{message_id} is recorded as sent, and never arrived")


def _digest(life: Life) -> int:
    lines = [f"{f.owner}.{f.revision}.{f.name} {f.id} {f.cause} {f.simulated} {f.body}" for f in life.facts]
    text = "\n".join([life.errand.order_id, *lines]).encode()
    return int.from_bytes(blake2b(text, digest_size=_DIGEST_BYTES).digest())


def _number(seed: int, order_id: str) -> int:
    return int.from_bytes(blake2b(f"simulate/{seed}/{order_id}".encode(), digest_size=8).digest())
