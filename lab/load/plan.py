"""What a run is going to do. Everything follows from the plan: who arrives when, what everybody does, every id."""

import json
from collections.abc import Iterator
from enum import StrEnum
from hashlib import blake2b
from itertools import count
from random import Random
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from lab.plan.mix import Mix, plan_hash

BURST_EVERY_S: Final = 1.0
"""All arrivals of one second at its beginning."""

LATE_S: Final = 0.010
"""A start is late when it is sent so long after its time."""

ARRIVALS_MAX: Final = 20_000_000


class Arrivals(StrEnum):
    """How arrivals are spread over time; each has the same number in the long run but the ramp, which has half."""

    CONSTANT = "constant"
    POISSON = "poisson"
    RAMP = "ramp"
    BURST = "burst"


class LoadPlan(BaseModel):
    """One run.

    Attributes:
        rate: arrivals a second; a ramp's at its end.
        warmup_s: what is scheduled in the first seconds is played and audited, and left out of the latencies.
        clock_rate: simulated seconds a real second, for every order of the run.
        in_flight_max: orders open at a time; arrivals beyond are shed, and counted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    mix: Mix
    seed: int = Field(ge=0, le=2**63)
    rate: float = Field(gt=0, le=100_000)
    duration_s: float = Field(gt=0, le=7 * 86_400)
    warmup_s: float = Field(ge=0)
    arrivals: Arrivals
    clock_rate: float = Field(ge=0.001, le=10_000_000)
    in_flight_max: int = Field(ge=1)

    @property
    def hash(self) -> str:
        """Sixteen hex digits: two runs with the same hash had the same orders at the same moments."""
        orders = arrivals_of(self)
        parts = {
            "orders": plan_hash(self.mix, self.seed, orders),
            "rate": self.rate,
            "duration_s": self.duration_s,
            "arrivals": self.arrivals,
            "clock_rate": self.clock_rate,
        }
        return blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=8).hexdigest()


def schedule(plan: LoadPlan) -> Iterator[float]:
    """When each order arrives, in seconds from the start, in order."""
    rate, duration_s = plan.rate, plan.duration_s
    match plan.arrivals:
        case Arrivals.CONSTANT:
            moments = (number / rate for number in count())
        case Arrivals.POISSON:
            moments = _poisson(rate, plan.seed)
        case Arrivals.RAMP:
            # The rate grows evenly, so n arrivals have come after a time that grows with the root of n.
            moments = ((2 * number * duration_s / rate) ** 0.5 for number in count())
        case Arrivals.BURST:
            moments = (number // (rate * BURST_EVERY_S) * BURST_EVERY_S for number in count())
    for moment in moments:
        if moment >= duration_s:
            return
        yield moment


def arrivals_of(plan: LoadPlan) -> int:
    """How many orders arrive."""
    return sum(1 for _ in schedule(plan))


def _poisson(rate: float, seed: int) -> Iterator[float]:
    """Arrivals that know nothing of each other."""
    chance = Random(f"{seed}:arrivals")
    now = chance.expovariate(rate)
    while True:
        yield now
        now += chance.expovariate(rate)
