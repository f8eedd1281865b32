"""given / when / then for any decider.

```python
(Spec(ORDER).given(placed(), requested())
    .when(WithdrawCancel(actor=BUYER, request_id="e2"), at=after(hours=1))
    .then(CancelWithdrawn(brief=BRIEF, request_id="e2")))
```

Given events get the ids e1, e2, … in their order; an event that `then` confirms joins the history with the next id, so
that `when` and `then` may follow again.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

from countermand.kernel.decider import Deadline, Decider, Premature, Refused
from countermand.kernel.terms import Terms
from tests.support.orders import ORDER_ID, START, TERMS

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")


@dataclass(frozen=True)
class Spec(Generic[C, S, E]):
    """An aggregate, what has happened to it so far, and the terms it happened under."""

    decider: Decider[C, S, E]
    terms: Terms = TERMS
    order_id: str = ORDER_ID
    history: tuple[E, ...] = ()

    @property
    def state(self) -> S:
        """The state after the history."""
        initial = self.decider.initial(self.order_id, self.terms)
        return self.decider.fold(initial, ((f"e{n}", event) for n, event in enumerate(self.history, 1)))

    def given(self, *events: E) -> "Spec[C, S, E]":
        """These events have happened too."""
        return replace(self, history=(*self.history, *events))

    def when(self, command: C, at: datetime = START) -> "Decided[C, S, E]":
        """The aggregate is asked this, at this simulated moment."""
        return Decided(self, command, self.decider.decide(command, self.state, at))

    def wants(self, *deadlines: Deadline) -> "Spec[C, S, E]":
        """It wants exactly these reminders."""
        wanted = self.decider.deadlines(self.state)
        assert wanted == deadlines, f"{self.state}\nwants {wanted}\nnot   {deadlines}"
        return self


@dataclass(frozen=True)
class Decided(Generic[C, S, E]):
    """What came of a command."""

    spec: Spec[C, S, E]
    command: C
    decision: E | Refused | Premature | None

    def then(self, expected: E | Premature | None) -> Spec[C, S, E]:
        """Exactly this came of it; an event joins the history."""
        assert self.decision == expected, (
            f"{self.command!r}\nmeets {self.spec.state!r}\ngives {self.decision!r}\nnot   {expected!r}"
        )
        return self.spec if expected is None or isinstance(expected, Premature) else self.spec.given(expected)

    def then_refused(self, reason: str) -> Spec[C, S, E]:
        """It was refused for this reason, with a sentence for people, and changed nothing."""
        assert isinstance(self.decision, Refused), f"{self.command!r}\ngives {self.decision!r}\nnot   {reason}"
        assert self.decision.reason == reason, f"{self.command!r}\ngives {self.decision!r}\nnot   {reason}"
        assert self.decision.detail.endswith((".", "most")), self.decision
        return self.spec
