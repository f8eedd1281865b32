"""What to simulate."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """What to simulate.

    Attributes:
        mix, faults: a name or a file.
        replicas: of each service.
        order: only the errand of this number; strikes: with only the faults of these numbers.
        policies: files; every order is placed under each of them in turn.
        replayed_plan, replayed_hash: of the run that is played again.
    """

    orders: int
    seed: int
    mix: str = "everyday"
    faults: str = "none"
    replicas: int = 1
    order: int | None = None
    strikes: frozenset[int] | None = None
    policies: tuple[Path, ...] = ()
    replayed_plan: str | None = None
    replayed_hash: str | None = None
