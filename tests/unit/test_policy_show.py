"""Policies for people: what is shown reads back, and what is generated is current."""

from datetime import date
from pathlib import Path
from zoneinfo import available_timezones

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from countermand.kernel.policy import (
    AgainstSeller,
    BusinessCalendar,
    OnSilence,
    Policy,
    PromisedEmail,
    Proposal,
    RefundTransit,
    Span,
)
from countermand.runtime.policy_file import read_policy
from lab.policy.page import files, page
from lab.policy.show import CHANGED, flow, show
from lab.policy.values import values

_EXAMPLES = sorted((Path(__file__).parents[2] / "deploy/policies").glob("*.yaml"))

spans = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda ends: Span(low=min(ends), high=max(ends)))
calendars = st.builds(
    BusinessCalendar,
    timezone=st.sampled_from(sorted(available_timezones())),
    holidays=st.lists(st.dates(date(1000, 1, 1)), max_size=4).map(tuple),
)
policies = st.builds(
    Policy,
    dialog_lapses_after_min=st.floats(0.01, 1440),
    seller_answers_within_h=st.integers(1, 2160),
    on_silence=st.sampled_from(OnSilence),
    unpaid_closes_after_days=st.integers(1, 365),
    seller_ships_within_business_days=st.integers(1, 90),
    tracking_within_business_days=st.integers(1, 60),
    dispute_answered_within_days=st.integers(1, 60),
    negotiation_ends_after_days=st.integers(1, 90),
    protection_ends_after_days=st.integers(1, 365),
    return_sent_within_days=st.integers(1, 60),
    refund_transit_business_days=st.builds(RefundTransit, wallet=spans, card=spans, bank=spans),
    self_service_after_payment=st.booleans(),
    consent_for_unpaid=st.booleans(),
    calendar=calendars,
    against_seller=st.lists(st.sampled_from(AgainstSeller)).map(tuple),
    proposals=st.lists(st.sampled_from(Proposal)).map(tuple),
    counter_offers=st.booleans(),
    emails=st.lists(st.sampled_from(PromisedEmail)).map(tuple),
)


@given(policies)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_shown_reads_back_as_the_same_policy(tmp_path: Path, policy: Policy) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(show(policy), encoding="utf-8")
    read = read_policy(path)
    assert (read, read.hash) == (policy, policy.hash)


@given(policies)
@settings(deadline=None)
def test_other_readers_of_yaml_find_every_key_too(policy: Policy) -> None:
    assert set(yaml.safe_load(show(policy))) == set(Policy.model_fields)


def test_every_field_is_shown_with_the_id_of_its_rule() -> None:
    """A new field without one fails here."""
    assert {value.place[0] for value in values()} == set(Policy.model_fields)
    rules = {value.rule for value in values()}
    assert rules == {f"P{number}" for number in range(1, 17)} | {"R6"}


def test_a_value_is_shown_with_its_unit_its_meaning_and_what_may_be_written() -> None:
    assert (
        "# P2, hours: until the seller must have answered a request\n"
        "# Allowed: a whole number from 1 to 2160\n"
        "seller_answers_within_h: 72\n"
    ) in show(Policy())
    assert (
        "calendar:\n"
        "  # P14: business days are Monday to Friday in this IANA time zone\n"
        "  # Allowed: a text\n"
        "  timezone: America/Los_Angeles\n"
    ) in show(Policy())


def test_what_differs_from_the_default_is_marked_and_nothing_else_is() -> None:
    policy = Policy(counter_offers=False, calendar=BusinessCalendar(holidays=(date(2026, 12, 25),)))
    lines = show(policy).splitlines()
    assert lines[0] == f"# Policy {policy.hash}: 2 of 21 values changed."
    assert [line for line in lines if CHANGED in line] == [
        "  holidays: [2026-12-25]  # <- changed; the default is []",
        "counter_offers: false  # <- changed; the default is true",
    ]
    assert show(Policy()).splitlines()[0] == f"# Policy {Policy().hash}: the default."
    assert CHANGED not in show(Policy())


@pytest.mark.parametrize(
    ("value", "written"), [("no", '"no"'), ("a: b", '"a: b"'), ("", '""'), ("UTC", "UTC"), (2.0, "2"), (0.5, "0.5")]
)
def test_a_text_that_could_be_read_as_something_else_has_quotes(value: object, written: str) -> None:
    assert flow(value) == written


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_what_is_generated_is_current(path: Path) -> None:
    """`python -m lab.policy.page` writes it."""
    assert path.read_text(encoding="utf-8") == files()[path]


def test_the_page_says_that_an_order_keeps_its_policy() -> None:
    assert "An order keeps the policy it was placed under." in page()
    assert all(f"`{value.key}`" in page() for value in values())


@pytest.mark.parametrize("path", _EXAMPLES, ids=lambda path: path.name)
def test_every_example_can_be_read(path: Path) -> None:
    assert (read_policy(path) == Policy()) is (path.name == "default.yaml")


def test_the_examples_are_the_three_that_the_page_promises() -> None:
    assert [path.stem for path in _EXAMPLES] == ["default", "real-aliexpress", "strict-buyer-protection"]


def test_the_real_marketplace_lets_the_buyer_press_cancel_after_payment_and_asks_nobody_before() -> None:
    """P12, P13."""
    real = read_policy(next(path for path in _EXAMPLES if path.stem == "real-aliexpress"))
    assert real == Policy(self_service_after_payment=True, consent_for_unpaid=False)
