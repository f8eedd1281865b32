"""An order's terms: its clock, and how they travel."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from countermand.kernel.policy import BusinessCalendar, Policy, RefundTransit, Span
from countermand.kernel.terms import DAY_A_MINUTE, Clock, Terms, TermsRef, terms_ref

EPOCH: Final = datetime(2026, 6, 1, 17, tzinfo=UTC)
STARTED: Final = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
HEADER: Final = "7;72eb2d08cb7fbc61;2026-06-01T17:00:00+00:00;2026-11-22T09:30:00+00:00;1440"

moments = st.datetimes(
    datetime(2020, 1, 1),  # noqa: DTZ001  # hypothesis adds the zone.
    datetime(2040, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))]),
)
rates = st.floats(1e-3, 1e7)


def clock(rate: float = DAY_A_MINUTE) -> Clock:
    return Clock(epoch=EPOCH, started_at=STARTED, rate=rate)


def test_a_simulated_day_takes_a_real_minute_by_default() -> None:
    assert clock().simulated(STARTED) == EPOCH
    assert clock().simulated(STARTED + timedelta(minutes=3)) == EPOCH + timedelta(days=3)


def test_simulated_time_never_lies_before_the_epoch() -> None:
    """A message from before the clock started, by a server whose clock is behind."""
    assert clock().simulated(STARTED - timedelta(days=1)) == EPOCH


def test_simulated_time_stands_still_before_the_calendar_ends() -> None:
    """So that the deadlines that follow are still dates."""
    end = datetime(9000, 1, 1, tzinfo=UTC)
    assert clock(1e7).simulated(STARTED + timedelta(days=3650)) == end
    assert clock(1e7).simulated(STARTED + timedelta(days=9000)) == end


@given(st.timedeltas(timedelta(), timedelta(days=800)), rates)
def test_i8_a_timer_set_to_the_real_moment_of_a_deadline_is_never_early(later: timedelta, rate: float) -> None:
    """Rounding goes up: by 1.5 microseconds of real time at most.

    A policy's longest deadline is a year, and takes a thousand real years at the slowest rate.
    """
    assume(later / rate <= timedelta(days=366_000))
    deadline = EPOCH + later
    fired = clock(rate).real(deadline)
    assert clock(rate).simulated(fired) >= deadline
    assert fired - timedelta(microseconds=2) <= STARTED + later / rate


@given(st.integers(0, 2**63), moments, moments, rates)
def test_terms_survive_the_header(seed: int, epoch: datetime, started_at: datetime, rate: float) -> None:
    """Every digit of the rate, and times in whatever zone they were written."""
    ref = TermsRef(seed=seed, policy="0123456789abcdef", clock=Clock(epoch=epoch, started_at=started_at, rate=rate))
    read = terms_ref(ref.header())
    assert read == ref
    assert read.clock.epoch.utcoffset() == timedelta()


def test_the_header_is_what_the_contract_says() -> None:
    ref = TermsRef(seed=7, policy="72eb2d08cb7fbc61", clock=clock())
    assert ref.header() == HEADER
    assert terms_ref(HEADER) == ref


@pytest.mark.parametrize(
    "header",
    [
        "",
        "7",
        HEADER + ";",
        HEADER.replace("7;72eb", "-1;72eb"),
        HEADER.replace("7;72eb", "seven;72eb"),
        HEADER.replace("7;72eb", f"{2**63 + 1};72eb"),
        HEADER.replace("7;72eb", ";72eb"),
        HEADER.replace("72eb2d08cb7fbc61", "72EB2D08CB7FBC61"),
        HEADER.replace("72eb2d08cb7fbc61", "72eb"),
        HEADER.replace("72eb2d08cb7fbc61", "72eb2d08cb7fbc61\n"),
        HEADER.replace("2026-06-01T17:00:00+00:00", "2026-06-01T17:00:00"),
        HEADER.replace("2026-06-01T17:00:00+00:00", "yesterday"),
        HEADER.replace("2026-06-01T17:00:00+00:00", "2026-13-01T17:00:00+00:00"),
        HEADER.replace(";1440", ";0"),
        HEADER.replace(";1440", ";-1"),
        HEADER.replace(";1440", ";nan"),
        HEADER.replace(";1440", ";inf"),
        HEADER.replace(";1440", ";1e8"),
        HEADER.replace(";1440", ";fast"),
    ],
)
def test_a_malformed_header_is_refused(header: str) -> None:
    """Anybody may have written it."""
    with pytest.raises(ValueError, match=r".+"):
        terms_ref(header)


def test_a_header_from_the_edge_of_time_is_refused() -> None:
    with pytest.raises(ValueError, match=r".+"):
        terms_ref(HEADER.replace("2026-06-01T17:00:00+00:00", "0001-01-01T00:00:00+01:00"))


@pytest.mark.parametrize(
    "epoch",
    ["2026-06-01T17:00:00", "1969-12-31T23:59:59Z", "3000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00"],
    ids=["no zone", "before 1970", "after 2999", "no date in UTC"],
)
def test_a_clock_begins_at_a_moment_that_leaves_room_for_deadlines(epoch: str) -> None:
    """In a zone, and within bounds: it arrives in a message's body, which anybody may have written."""
    for wrong in ("epoch", "started_at"):
        begins = {"epoch": "2026-06-01T17:00:00Z", "started_at": "2026-06-01T17:00:00Z", wrong: epoch}
        with pytest.raises(ValidationError, match=wrong):
            Clock.model_validate({**begins, "rate": 1})


def test_simulated_time_stands_still_at_the_end_of_the_calendar() -> None:
    """A fast clock reaches it within hours; deadlines after it are still dates."""
    fast = clock(10_000_000)
    end = fast.simulated(STARTED + timedelta(days=30))
    assert end == datetime(9000, 1, 1, tzinfo=UTC)
    assert fast.simulated(STARTED + timedelta(days=300)) == end


def test_a_clock_is_too_fast_when_a_deadline_passes_in_less_than_two_seconds() -> None:
    """The default's shortest deadline is 72 h: at 129 600 it takes two seconds."""
    assert Terms(7, Policy(), clock(129_600)).too_fast() is None
    assert Terms(7, Policy(), clock(129_601)).too_fast() == (
        "a clock rate of 129601 makes the policy's shortest deadline 2.00 s; timers need 2 s, so the rate may be 129600 at most"
    )


@pytest.mark.parametrize(
    ("policy", "shortest_s"),
    [
        (Policy(), 72 * 3600),
        (Policy(seller_answers_within_h=1), 3600),
        (Policy(seller_answers_within_h=2160, unpaid_closes_after_days=1), 86_400),
        (Policy(seller_answers_within_h=2160, protection_ends_after_days=2), 2 * 86_400),
        (
            Policy(seller_answers_within_h=2160, refund_transit_business_days=RefundTransit(card=Span(low=0, high=9))),
            86_400,
        ),
        (
            Policy(seller_answers_within_h=2160, refund_transit_business_days=RefundTransit(card=Span(low=4, high=9))),
            4 * 86_400,
        ),
    ],
)
def test_the_shortest_deadline_is_the_policys(policy: Policy, shortest_s: float) -> None:
    """A refund that may take any business day takes at least one, unless it comes at once."""
    assert policy.shortest_deadline_s == shortest_s


def test_terms_travel_with_the_policys_hash() -> None:
    policy = Policy(calendar=BusinessCalendar(timezone="Europe/Berlin"))
    terms = Terms(7, policy, clock())
    assert terms.ref == TermsRef(seed=7, policy=policy.hash, clock=clock())
