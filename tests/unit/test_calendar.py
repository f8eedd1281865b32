"""P14: which days count, and in which zone a day begins."""

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countermand.kernel.calendar import Calendar

LA: Final = ZoneInfo("America/Los_Angeles")
CAIRO: Final = ZoneInfo("Africa/Cairo")
MARKET: Final = Calendar()


def la(day: int, hour: int = 10, *, month: int = 6, minute: int = 0) -> datetime:
    """A local time of 2026. June the 1st is a Monday."""
    return datetime(2026, month, day, hour, minute, tzinfo=LA)


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        (la(1), 1, la(2)),
        (la(1), 4, la(5)),
        (la(1), 5, la(8)),
        (la(5), 1, la(8)),
        (la(6), 1, la(8)),
        (la(7), 1, la(8)),
        (la(1), 7, la(10)),
    ],
    ids=["Mon+1", "Mon+4", "Mon+5", "Fri+1", "Sat+1", "Sun+1", "P5"],
)
def test_p14_weekends_do_not_count_and_neither_does_the_first_day(start: datetime, days: int, end: datetime) -> None:
    assert MARKET.add_business_days(start, days) == end


def test_p14_holidays_do_not_count() -> None:
    """Monday and Tuesday off: from Friday one day on is Wednesday."""
    calendar = Calendar(holidays={date(2026, 6, 8), date(2026, 6, 9)})
    assert calendar.add_business_days(la(5), 1) == la(10)
    assert not calendar.is_business_day(date(2026, 6, 8))
    assert calendar.is_business_day(date(2026, 6, 10))
    assert not calendar.is_business_day(date(2026, 6, 6))


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [(la(6, month=3), la(9, month=3), 71), (la(30, month=10), la(2, month=11), 73)],
    ids=["to summer time", "to winter time"],
)
def test_p14_a_deadline_keeps_its_local_hour_when_the_clocks_change(start: datetime, end: datetime, hours: int) -> None:
    """From Friday to Monday over the Sunday that is an hour shorter, or longer."""
    due = MARKET.add_business_days(start, 1)
    assert due == end
    assert due - start.astimezone(UTC) == timedelta(hours=hours)


def test_p14_an_hour_that_the_clocks_skip_is_read_an_hour_later() -> None:
    """In Cairo Friday the 26th of April 2024 began at one o'clock."""
    calendar = Calendar("Africa/Cairo")
    due = calendar.add_business_days(datetime(2024, 4, 25, 0, 30, tzinfo=CAIRO), 1)
    assert due.astimezone(CAIRO).replace(tzinfo=None) == datetime(2024, 4, 26, 1, 30)  # noqa: DTZ001  # As a clock shows it.


def test_p14_an_hour_that_the_clocks_repeat_is_the_first_of_the_two() -> None:
    """In Cairo the last hour of Thursday the 31st of October 2024 came twice."""
    calendar = Calendar("Africa/Cairo")
    due = calendar.add_business_days(datetime(2024, 10, 30, 23, 30, tzinfo=CAIRO), 1)
    assert due == datetime(2024, 10, 31, 20, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2026, 6, 2, 6, 59, 59, tzinfo=UTC), date(2026, 6, 1)),
        (datetime(2026, 6, 2, 7, 0, 0, tzinfo=UTC), date(2026, 6, 2)),
        (datetime(2026, 1, 2, 7, 59, 59, tzinfo=UTC), date(2026, 1, 1)),
        (datetime(2026, 1, 2, 8, 0, 0, tzinfo=UTC), date(2026, 1, 2)),
        (datetime(2026, 11, 2, 7, 59, 59, tzinfo=UTC), date(2026, 11, 1)),
        (datetime(2026, 11, 1, 7, 0, 0, tzinfo=UTC), date(2026, 11, 1)),
        (datetime(2026, 3, 9, 6, 59, 59, tzinfo=UTC), date(2026, 3, 8)),
        (datetime(2026, 3, 8, 8, 0, 0, tzinfo=UTC), date(2026, 3, 8)),
    ],
    ids=[
        "summer, before",
        "summer",
        "winter, before",
        "winter",
        "25 h, last",
        "25 h, first",
        "23 h, last",
        "23 h, first",
    ],
)
def test_x5_a_day_begins_at_midnight_in_the_markets_zone(at: datetime, day: date) -> None:
    """Also on the days that are an hour longer or shorter."""
    assert MARKET.day(at) == day


def test_p14_a_friday_late_at_night_in_los_angeles_is_a_saturday_elsewhere() -> None:
    """23:30 on Friday in Los Angeles: the next business day is Monday 23:30 there, whatever UTC says."""
    assert MARKET.add_business_days(la(5, 23, minute=30), 1) == la(8, 23, minute=30)


@pytest.mark.parametrize("days", [0, -1, 367])
def test_business_days_are_bounded(days: int) -> None:
    with pytest.raises(ValueError, match=f"business days must be 1 to 366, not {days}"):
        MARKET.add_business_days(la(1), days)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  # hypothesis adds the zone.
    st.integers(1, 366),
    st.frozensets(st.dates(date(2020, 1, 1), date(2031, 12, 31)), max_size=30),
)
def test_between_a_start_and_its_end_lie_exactly_so_many_business_days(
    start: datetime, days: int, holidays: frozenset[date]
) -> None:
    """And the end falls on one of them."""
    calendar = Calendar(holidays=holidays)
    end = calendar.add_business_days(start, days)
    first, last = calendar.day(start), calendar.day(end)
    later = [first + timedelta(days=n) for n in range(1, (last - first).days + 1)]
    assert sum(map(calendar.is_business_day, later)) == days
    assert calendar.is_business_day(last)
    assert end.utcoffset() == timedelta()
