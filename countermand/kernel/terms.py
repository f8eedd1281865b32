"""An order's terms: the seed, the policy and the clock it was placed under. They never change."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from countermand.kernel.policy import Policy

TIMER_FLOOR_S: Final = 2.0
"""A deadline shorter than this many real seconds is refused: JetStream's schedules have a floor of 250 ms."""

DAY_A_MINUTE: Final = 1440.0
"""The rate at which one simulated day takes a real minute, so that a person can act as buyer and as seller."""

_PARTS: Final = 5

_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(3000, 1, 1, tzinfo=UTC)
"""Within these a clock begins. At the slowest rate its deadlines of a year are a thousand real years later."""

_END: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""Here simulated time stands still, so that the deadlines that follow are still dates."""

_Moment = Annotated[AwareDatetime, Field(ge=_EARLIEST, lt=_LATEST)]


class Clock(BaseModel):
    """How simulated time follows real time.

    Attributes:
        epoch: the simulated moment at which the clock starts.
        started_at: the real moment that corresponds to it.
        rate: simulated seconds a real second; 1 is real time.
    """

    model_config = ConfigDict(frozen=True)

    epoch: _Moment
    started_at: _Moment
    rate: float = Field(ge=0.001, le=10_000_000)

    def simulated(self, real: datetime) -> datetime:
        """The simulated moment of a real one; never before the epoch."""
        if real <= self.started_at:
            return self.epoch
        try:
            return min(self.epoch + (real - self.started_at) * self.rate, _END)
        except OverflowError:
            return _END

    def real(self, simulated: datetime) -> datetime:
        """The real moment of a simulated one, rounded up to the next microsecond."""
        return self.started_at + (simulated - self.epoch) / self.rate + timedelta(microseconds=1)


class TermsRef(BaseModel):
    """Terms as messages carry them: the policy by its hash."""

    model_config = ConfigDict(frozen=True)

    seed: int = Field(0, ge=0, le=2**63)
    policy: str = Field(pattern=r"^[0-9a-f]{16}$", description="the policy's hash")
    clock: Clock

    def header(self) -> str:
        """The `ce-terms` header: `seed;policy;epoch;started_at;rate`, times in ISO 8601."""
        clock = self.clock
        return f"{self.seed};{self.policy};{clock.epoch.isoformat()};{clock.started_at.isoformat()};{clock.rate:.17g}"


@lru_cache(maxsize=4_096)
def terms_ref(header: str) -> TermsRef:
    """Read a `ce-terms` header.

    Raises:
        ValueError: it is malformed.
    """
    parts = header.split(";")
    if len(parts) != _PARTS:
        msg = f"ce-terms has {len(parts)} parts instead of {_PARTS}"
        raise ValueError(msg)
    seed, policy, epoch, started_at, rate = parts
    clock = Clock(epoch=_utc(epoch), started_at=_utc(started_at), rate=float(rate))
    return TermsRef(seed=int(seed), policy=policy, clock=clock)


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms with the policy's values at hand: what a decider reads."""

    seed: int
    policy: Policy
    clock: Clock

    @property
    def ref(self) -> TermsRef:
        """The same terms as messages carry them."""
        return TermsRef(seed=self.seed, policy=self.policy.hash, clock=self.clock)

    @property
    def header(self) -> str:
        """The `ce-terms` header."""
        return self.ref.header()

    def too_fast(self) -> str | None:
        """Why this clock cannot be kept: a deadline of the policy would pass in less than `TIMER_FLOOR_S`."""
        shortest_s = self.policy.shortest_deadline_s / self.clock.rate
        if shortest_s >= TIMER_FLOOR_S:
            return None
        fastest = self.policy.shortest_deadline_s / TIMER_FLOOR_S
        return (
            f"a clock rate of {self.clock.rate:g} makes the policy's shortest deadline {shortest_s:.2f} s; "
            f"timers need {TIMER_FLOOR_S:g} s, so the rate may be {fastest:g} at most"
        )


def _utc(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        msg = f"{text!r} names no time zone"
        raise ValueError(msg)
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        msg = f"{text!r} is beyond the calendar"
        raise ValueError(msg) from error
