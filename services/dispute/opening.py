"""When a dispute may be opened: the table of what the order and the parcel must have come to (R14, R17, P6, P9). Pure."""

from datetime import datetime, timedelta

from countermand.contracts.base import Actor, Brief, Role
from countermand.contracts.dispute import DisputeOpened, OpenDispute
from countermand.kernel.decider import Premature, Refused
from countermand.kernel.money import Money
from services.dispute.state import Quiet
from services.dispute.view import View


def _why_not(asked: OpenDispute, view: View, brief: Brief, now: datetime) -> Refused | None:
    """Why a dispute may not be opened now; the table of domain.md."""
    if asked.actor != Actor(role=Role.BUYER, id=brief.buyer.id):
        return Refused("not_the_buyer", "Only the buyer may open a dispute.")
    if not view.captured_minor:
        return Refused("nothing_to_claim", "Nothing has been paid.")
    if view.ended or not view.owed_minor:
        return Refused("order_closed", "The order has ended, or everything has been refunded.")
    if asked.amount is not None and asked.amount.currency != brief.price.currency:
        return Refused("wrong_currency", f"This order was paid in {brief.price.currency}.")
    if asked.amount is not None and not asked.amount.amount_minor:
        return Refused("nothing_to_claim", "A claim must be above zero.")
    if view.delivered_at is not None:
        ended = view.protected_until is not None and now > view.protected_until
        return Refused("protection_ended", "Buyer protection has ended.") if ended else None
    if asked.amount is not None and asked.amount.amount_minor < view.owed_minor:
        return Refused("full_claims_only", "Before the parcel arrives only the whole amount can be claimed.")
    return None if view.shipped_at is not None else _why_not_unsent(view, now)


def _why_not_unsent(view: View, now: datetime) -> Refused | None:
    if view.request_pending:
        return Refused("request_pending", "The seller has not answered the request yet.")
    if not view.refused:
        return Refused("ask_the_seller_first", "Ask the seller to cancel first.")
    if view.provide_by is None:
        return Refused("ask_for_tracking_first", "Ask the seller for the tracking number first.")
    if view.unavailable or view.number is not None or now > view.provide_by:
        return None  # A number counts for its scans only, and this parcel has none.
    return Refused(
        "tracking_awaited", f"The seller has until {view.provide_by:%Y-%m-%d %H:%M} UTC to show a tracking number."
    )


def open_case(asked: OpenDispute, view: View, state: Quiet, now: datetime) -> DisputeOpened | Refused | Premature:
    """Open the dispute, or say why not."""
    if view.brief is None:
        return Premature("OrderPlaced")
    if refusal := _why_not(asked, view, view.brief, now):
        return refusal
    amount = min(asked.amount.amount_minor, view.owed_minor) if asked.amount else view.owed_minor
    return DisputeOpened(
        brief=view.brief,
        ground=asked.ground,
        claim=Money(amount_minor=amount, currency=view.brief.price.currency),
        text=asked.text,
        evidence=asked.evidence,
        opened_at=now,
        answer_by=now + timedelta(days=state.terms.policy.dispute_answered_within_days),
    )
