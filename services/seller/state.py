"""What a seller's desk and parcel can be for one order."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from countermand.contracts.base import SellerRef
from countermand.kernel.terms import Terms
from services.seller.profiles import Profile, profile_named


@dataclass(frozen=True, slots=True)
class Heard:
    """A request that waits for the seller's answer. `event_id` is that of `RequestHeard`; a person answers if no time is set."""

    request_id: str
    event_id: str
    answers_at: datetime | None


@dataclass(frozen=True, slots=True)
class Desk:
    """What the seller knows besides the parcel.

    `heard_before`, `answered`: the requests ever put aside for an answer, and those answered; `seller`: nothing until known.
    """

    order_id: str
    terms: Terms
    seller: SellerRef | None = None
    heard: Heard | None = None
    heard_before: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()
    tracking_shown: bool = False
    replied: tuple[str, ...] = ()
    rated: bool = False

    @property
    def profile(self) -> Profile:
        """How this seller behaves."""
        return profile_named(self.seller.profile if self.seller else "manual")

    def waits(self, request_id: str) -> bool:
        """Whether that request waits for an answer."""
        return self.heard is not None and self.heard.request_id == request_id


@dataclass(frozen=True, slots=True)
class AtRest:
    """No parcel is planned. `message_id`: the buyer's message, which will hold one (X4)."""

    desk: Desk
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """The parcel leaves at `ships_at`; `id` is the event that planned it."""

    desk: Desk
    ships_at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Held:
    """The parcel stays. `by`: the request that was accepted, or else the message that was read; `ships_at`: its plan, if any."""

    desk: Desk
    by: str
    accepted: bool
    ships_at: datetime | None


@dataclass(frozen=True, slots=True)
class Stopped:
    """The order is cancelled; the parcel never leaves."""

    desk: Desk


@dataclass(frozen=True, slots=True)
class Gone:
    """The parcel is with the carrier. `scan_id`: the event that the next scan follows; `scans_at`: nothing once scanned."""

    desk: Desk
    tracking_number: str
    scan_id: str
    scans_at: datetime | None
    arrives_at: datetime


@dataclass(frozen=True, slots=True)
class Arrived:
    """The parcel is at the buyer's door."""

    desk: Desk
    tracking_number: str


Seller: TypeAlias = AtRest | Planned | Held | Stopped | Gone | Arrived


def initial(order_id: str, terms: Terms) -> Seller:
    """An order of which the seller has heard nothing."""
    return AtRest(Desk(order_id, terms))
