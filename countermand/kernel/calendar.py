"""The business calendar of policy P14: which days count, and in which zone a day begins."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Final
from zoneinfo import ZoneInfo

_SATURDAY: Final = 5
_MAX_BUSINESS_DAYS: Final = 366
"""More would be a mistake in a policy; it also bounds the walk over the days."""


@dataclass(frozen=True)
class Calendar:
    """Monday to Friday in one time zone, less the holidays.

    Attributes:
        timezone: an IANA name.
        holidays: local dates that are not business days.
    """

    timezone: str = "America/Los_Angeles"
    holidays: AbstractSet[date] = field(default_factory=frozenset[date])

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone in which the days are counted."""
        return ZoneInfo(self.timezone)

    def day(self, at: datetime) -> date:
        """The calendar day on which `at` falls, locally. "After the day" (R19) compares these."""
        return at.astimezone(self.zone).date()

    def is_business_day(self, day: date) -> bool:
        """Whether offices are open on a local date."""
        return day.weekday() < _SATURDAY and day not in self.holidays

    def add_business_days(self, start: datetime, days: int) -> datetime:
        """The same local time of day, `days` business days after the local day of `start`.

        The day of `start` itself does not count, so Friday 10:00 plus one is Monday 10:00, and so is Saturday 10:00
        plus one. A local time that a change to summer time skips is read an hour later, one that it repeats is the
        first of the two.

        Args:
            start: an aware datetime.
            days: 1 to 366.

        Returns:
            UTC.

        Raises:
            ValueError: `days` is out of range.
        """
        if not 1 <= days <= _MAX_BUSINESS_DAYS:
            msg = f"business days must be 1 to {_MAX_BUSINESS_DAYS}, not {days}"
            raise ValueError(msg)
        local = start.astimezone(self.zone)
        day = local.date()
        left = days
        while left:
            day += timedelta(days=1)
            left -= self.is_business_day(day)
        return datetime.combine(day, local.time(), self.zone).astimezone(UTC)
