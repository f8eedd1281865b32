"""The policy: its name, and what it refuses."""

import json
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

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


def test_the_defaults_are_the_domains() -> None:
    policy = Policy()
    assert (policy.dialog_lapses_after_min, policy.seller_answers_within_h, policy.on_silence) == (15, 72, "cancel")
    assert (policy.unpaid_closes_after_days, policy.seller_ships_within_business_days) == (20, 7)
    assert policy.protection_ends_after_days == 15
    assert policy.refund_transit_business_days == RefundTransit(
        wallet=Span(low=0, high=0), card=Span(low=3, high=20), bank=Span(low=7, high=15)
    )
    assert (policy.self_service_after_payment, policy.consent_for_unpaid) == (False, True)
    assert policy.calendar == BusinessCalendar(timezone="America/Los_Angeles", holidays=())
    assert (policy.tracking_within_business_days, policy.dispute_answered_within_days) == (5, 5)
    assert (policy.negotiation_ends_after_days, policy.return_sent_within_days) == (7, 10)
    assert (policy.against_seller, policy.proposals) == (tuple(AgainstSeller), tuple(Proposal))
    assert policy.counter_offers


def test_the_hash_of_the_default_policy() -> None:
    """It names the policy of every order placed by default. A new or changed default gives a new name: write it here."""
    assert Policy().hash == "069def8fafd9e5a8"


def test_the_same_values_have_the_same_hash_however_they_were_written() -> None:
    written = '{"on_silence": "wait", "calendar": {"holidays": ["2026-12-25"], "timezone": "Europe/Berlin"}}'
    calendar = BusinessCalendar(timezone="Europe/Berlin", holidays=(date(2026, 12, 25),))
    policy = Policy(calendar=calendar, on_silence=OnSilence.WAIT)
    assert Policy.model_validate_json(written).hash == policy.hash
    assert Policy.model_validate_json(policy.model_dump_json()).hash == policy.hash
    assert policy.hash != Policy().hash


@pytest.mark.parametrize("name", list(Policy.model_fields))
def test_every_value_counts_in_the_hash(name: str) -> None:
    other: dict[str, Any] = {
        "on_silence": "refuse",
        "refund_transit_business_days": {"card": {"low": 1, "high": 2}},
        "self_service_after_payment": True,
        "consent_for_unpaid": False,
        "calendar": {"timezone": "UTC"},
        "against_seller": ["lost_dispute"],
        "proposals": ["full", "none"],
        "counter_offers": False,
        "emails": [],
    }
    assert Policy.model_validate({name: other.get(name, 11)}).hash != Policy().hash


@pytest.mark.parametrize(
    ("document", "names"),
    [
        ({"seller_answers_within": 48}, "seller_answers_within"),
        ({"calendar": {"zone": "UTC"}}, "calendar.zone"),
        ({"refund_transit_business_days": {"cash": {"low": 0, "high": 0}}}, "refund_transit_business_days.cash"),
        ({"calendar": {"timezone": "Mars/Olympus"}}, "calendar.timezone"),
        ({"calendar": {"timezone": ""}}, "calendar.timezone"),
        ({"calendar": {"timezone": "../../etc/passwd"}}, "calendar.timezone"),
        ({"calendar": {"timezone": "America"}}, "calendar.timezone"),
        ({"on_silence": "shrug"}, "on_silence"),
        ({"emails": ["birthday"]}, "emails.0"),
        ({"seller_answers_within_h": 0}, "seller_answers_within_h"),
        ({"seller_ships_within_business_days": 91}, "seller_ships_within_business_days"),
        ({"refund_transit_business_days": {"card": {"low": -1, "high": 2}}}, "refund_transit_business_days.card.low"),
    ],
)
def test_a_policy_with_a_mistake_is_refused_and_the_mistake_named(document: dict[str, Any], names: str) -> None:
    """Unknown keys too: a misspelt rule must not silently stay at its default."""
    with pytest.raises(ValidationError) as refused:
        Policy.model_validate_json(json.dumps(document))
    assert [".".join(map(str, error["loc"])) for error in refused.value.errors()] == [names]


def test_a_span_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValidationError, match="high"):
        Span(low=20, high=3)


def test_business_days_are_counted_in_the_policys_calendar() -> None:
    calendar = Policy(calendar=BusinessCalendar(timezone="UTC", holidays=(date(2026, 6, 1),))).business_days
    assert calendar.timezone == "UTC"
    assert not calendar.is_business_day(date(2026, 6, 1))


def test_the_facts_that_promise_an_email_by_default() -> None:
    """R6, and what a buyer waits to hear."""
    assert set(Policy().emails) == {
        PromisedEmail.CANCELLED,
        PromisedEmail.REFUSED,
        PromisedEmail.EXPIRED,
        PromisedEmail.SUPERSEDED,
        PromisedEmail.REFUND_ISSUED,
        PromisedEmail.NOT_THE_BUYER,
        PromisedEmail.DISPUTE_RULED,
    }
