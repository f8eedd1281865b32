"""The marketplace's policy: every rule of thumb an operator may change, with its unit and its default.

P1 to P16 are the ids of the domain's policies. An order keeps the policy it was placed under: `Policy.hash` names it.
Units end the names; a description begins with the id and says the rest, since `policy show` and docs/policy.md print it.
"""

import json
from datetime import date
from enum import StrEnum
from functools import cached_property
from hashlib import blake2b
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from countermand.kernel.calendar import Calendar


class OnSilence(StrEnum):
    """What happens when the seller has not answered a request in time (P3)."""

    CANCEL = "cancel"
    REFUSE = "refuse"
    WAIT = "wait"


class PromisedEmail(StrEnum):
    """The facts that may promise the buyer an email; which of them do is `Policy.emails`."""

    ORDER_PLACED = "order_placed"
    REQUEST_RECEIVED = "request_received"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    REFUND_ISSUED = "refund_issued"
    NOT_THE_BUYER = "not_the_buyer"
    DISPUTE_RULED = "dispute_ruled"


class AgainstSeller(StrEnum):
    """What counts against a seller's feedback (P15)."""

    TOO_SLOW = "too_slow"
    UNRESPONSIVE = "unresponsive"
    NEVER_SHIPPED = "never_shipped"
    LOST_DISPUTE = "lost_dispute"


class Proposal(StrEnum):
    """What may be proposed in a dispute (P16)."""

    FULL = "full"
    PARTIAL = "partial"
    NONE = "none"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        msg = f"{name!r} is no time zone of the IANA database"
        raise ValueError(msg) from error
    return name


class BusinessCalendar(_Part):
    """P14: Monday to Friday, less the holidays, in one time zone."""

    timezone: Annotated[str, AfterValidator(_known_zone)] = Field(
        default="America/Los_Angeles", description="in this IANA time zone"
    )
    holidays: tuple[date, ...] = Field(default=(), description="less these dates")


class Span(_Part):
    """From `low` to `high` business days, both included, each equally likely."""

    low: int = Field(ge=0, le=60)
    high: int = Field(ge=0, le=60)

    @model_validator(mode="after")
    def _low_is_not_above_high(self) -> Self:
        if self.low > self.high:
            msg = f"low may not be more than high, but {self.low} is more than {self.high}"
            raise ValueError(msg)
        return self


class RefundTransit(_Part):
    """P11: business days until a refund has reached the buyer, by the method that paid; 0 is at once."""

    wallet: Span = Field(default=Span(low=0, high=0), description="in a wallet; drawn from low to high, 0 is at once")
    card: Span = Field(default=Span(low=3, high=20), description="on a card; drawn from low to high, 0 is at once")
    bank: Span = Field(
        default=Span(low=7, high=15), description="in a bank account; drawn from low to high, 0 is at once"
    )


class Policy(_Part):
    """What the marketplace lets buyers and sellers do, and by when. Times are simulated except P1's."""

    dialog_lapses_after_min: float = Field(
        default=15, ge=0.01, le=1440, description="P1: until a cancel dialog that nobody confirms lapses"
    )
    seller_answers_within_h: int = Field(
        default=72, ge=1, le=2160, description="P2: until the seller must have answered a request"
    )
    on_silence: OnSilence = Field(
        default=OnSilence.CANCEL,
        description="P3: what the seller's silence means for an unshipped order: cancel it, refuse the request, or wait on",
    )
    unpaid_closes_after_days: int = Field(default=20, ge=1, le=365, description="P4: until an unpaid order closes")
    seller_ships_within_business_days: int = Field(
        default=7,
        ge=1,
        le=90,
        description="P5: until the seller must have shipped; else the order closes with a full refund",
    )
    tracking_within_business_days: int = Field(
        default=5,
        ge=1,
        le=60,
        description="P6: until the seller must have shown the tracking number that the buyer asked for",
    )
    dispute_answered_within_days: int = Field(
        default=5,
        ge=1,
        le=60,
        description="P7: until the seller must have answered a dispute; silence grants the buyer's claim",
    )
    negotiation_ends_after_days: int = Field(
        default=7, ge=1, le=90, description="P8: until a negotiation ends and the platform decides"
    )
    protection_ends_after_days: int = Field(
        default=15,
        ge=1,
        le=365,
        description="P9: after delivery, until buyer protection ends and no dispute can be opened",
    )
    return_sent_within_days: int = Field(
        default=10, ge=1, le=60, description="P10: until the buyer must have sent back goods that the seller takes back"
    )
    refund_transit_business_days: RefundTransit = Field(
        default=RefundTransit(),
        description="P11: until a refund has arrived",
    )
    self_service_after_payment: bool = Field(
        default=False,
        description="P12: whether the Cancel button is offered after payment too; the seller still decides",
    )
    consent_for_unpaid: bool = Field(
        default=True, description="P13: whether an unpaid order is cancelled only if the seller agrees, not at once"
    )
    calendar: BusinessCalendar = Field(
        default=BusinessCalendar(), description="P14: business days are Monday to Friday"
    )
    against_seller: tuple[AgainstSeller, ...] = Field(
        default=tuple(AgainstSeller), description="P15: what counts against the seller's feedback"
    )
    proposals: tuple[Proposal, ...] = Field(
        default=tuple(Proposal), description="P16: what the parties may propose in a dispute"
    )
    counter_offers: bool = Field(
        default=True, description="P16: whether an offer in a dispute may be answered by another one"
    )
    emails: tuple[PromisedEmail, ...] = Field(
        default=(
            PromisedEmail.CANCELLED,
            PromisedEmail.REFUSED,
            PromisedEmail.EXPIRED,
            PromisedEmail.SUPERSEDED,
            PromisedEmail.REFUND_ISSUED,
            PromisedEmail.NOT_THE_BUYER,
            PromisedEmail.DISPUTE_RULED,
        ),
        description="R6: the facts that promise the buyer an email",
    )

    @cached_property
    def hash(self) -> str:
        """Sixteen hex digits that name this policy by its contents."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return blake2b(canonical.encode(), digest_size=8).hexdigest()

    @cached_property
    def business_days(self) -> Calendar:
        """The calendar in which business days are counted."""
        return Calendar(self.calendar.timezone, frozenset(self.calendar.holidays))

    @cached_property
    def shortest_deadline_s(self) -> float:
        """The shortest deadline that this policy arms a timer for, in simulated seconds."""
        days = [
            self.unpaid_closes_after_days,
            self.seller_ships_within_business_days,
            self.dispute_answered_within_days,
            self.negotiation_ends_after_days,
            self.protection_ends_after_days,
            self.return_sent_within_days,
        ]
        transits = (
            self.refund_transit_business_days.wallet,
            self.refund_transit_business_days.card,
            self.refund_transit_business_days.bank,
        )
        days += [span.low or 1 for span in transits if span.high]
        return float(min(self.seller_answers_within_h * 3600, *(day * 86_400 for day in days)))
