"""The seller's proofs, its word in disputes, its offers and its feedback, as sentences. Ids are those of the domain."""

from hashlib import sha256
from typing import Final, TypeAlias

import pytest

from countermand.contracts.base import Actor
from countermand.contracts.dispute import Evidence, Stance
from countermand.contracts.order import Outcome
from countermand.contracts.seller import (
    DisputeReplied,
    OfferPartialRefund,
    ParcelStopped,
    PartialRefundOffered,
    ProvideTracking,
    SellerRated,
    ShipOrder,
    TrackingProvided,
    TrackingUnavailable,
)
from countermand.kernel.decider import Premature
from services.seller.commands import ByHand, Rate, ReplyToDispute, SellerCommand, ShowTracking
from services.seller.decider import SELLER as DECIDER
from services.seller.events import SellerEvent
from services.seller.profiles import PROFILES
from services.seller.reactions import inform
from services.seller.state import Seller
from tests.support.disputes import usd
from tests.support.orders import (
    BUYER,
    OTHER_SELLER,
    SELLER,
    TRACKING,
    accepted,
    after,
    messaged,
    placed,
    planned,
    scanned,
    shipped,
    shop,
)
from tests.support.spec import Spec

SellerSpec: TypeAlias = Spec[SellerCommand, Seller, SellerEvent]

DRAWN: Final = "LX534202979CN"
"""The tracking number of this order."""

PACKED: Final = Evidence(
    text="Photographs of the item and of its packing, taken before it was sent.",
    sha256=sha256(b"packing photographs").hexdigest(),
)
NEW: Final[SellerSpec] = Spec(DECIDER)
PLANNED: Final = NEW.given(planned())
GONE: Final = PLANNED.given(shipped())
ARRIVED: Final = GONE.given(
    scanned(after(hours=12), after(days=4)), scanned(after(days=4), after(days=4), delivered=True)
)
STILL_HERE: Final = {
    "at rest": NEW,
    "planned": PLANNED,
    "held by a yes": PLANNED.given(accepted()),
    "held by a message": PLANNED.given(messaged()),
    "stopped": PLANNED.given(ParcelStopped()),
}
STATES: Final = {**STILL_HERE, "gone": GONE, "arrived": ARRIVED}


def in_states(*names: str) -> pytest.MarkDecorator:
    """Runs a test in these states, or in all of them."""
    return pytest.mark.parametrize("spec", [STATES[name] for name in names or STATES], ids=list(names or STATES))


def reply(profile: str, claim_minor: int = 1999) -> ReplyToDispute:
    return ReplyToDispute("d1", shop(profile), usd(claim_minor))


def replied(stance: Stance, amount_minor: int | None = None, evidence: tuple[Evidence, ...] = ()) -> DisputeReplied:
    amount = None if amount_minor is None else usd(amount_minor)
    return DisputeReplied(dispute_id="d1", stance=stance, amount=amount, evidence=evidence)


# The proof


@in_states("gone", "arrived")
def test_r17_a_seller_whose_parcel_left_shows_its_number(spec: SellerSpec) -> None:
    """Every seller, also one who answers nothing else."""
    for profile in PROFILES:
        spec.when(ShowTracking(shop(profile))).then(TrackingProvided(tracking_number=TRACKING))


@in_states(*STILL_HERE)
def test_r18_an_honest_seller_whose_parcel_is_still_here_has_no_number(spec: SellerSpec) -> None:
    spec.when(ShowTracking(shop("keeps-the-sale"))).then(TrackingUnavailable())


@in_states(*STILL_HERE)
def test_r17_a_liar_shows_a_number_that_no_carrier_has_seen(spec: SellerSpec) -> None:
    spec.when(ShowTracking(shop("fake-tracking"))).then(TrackingProvided(tracking_number=DRAWN))


@in_states(*STILL_HERE)
def test_r25_sellers_who_answer_nothing_and_people_show_nothing_by_themselves(spec: SellerSpec) -> None:
    for profile in ("silent", "never-ships", "careless", "manual"):
        spec.when(ShowTracking(shop(profile))).then(None)


@in_states()
def test_x12_a_number_is_shown_once(spec: SellerSpec) -> None:
    for said in (TrackingProvided(tracking_number=TRACKING), TrackingUnavailable()):
        shown = spec.given(said)
        shown.when(ShowTracking(shop())).then(None)
        assert type(shown.state) is type(spec.state)


@in_states()
def test_r17_r21_a_person_shows_a_number_and_offers_a_part(spec: SellerSpec) -> None:
    number = ProvideTracking(actor=SELLER, tracking_number="LX1")
    part = OfferPartialRefund(actor=SELLER, amount=usd(500), text="Keep it.")
    spec.when(number).then(TrackingProvided(tracking_number="LX1")).when(part).then(
        PartialRefundOffered(amount=usd(500), text="Keep it.")
    )


@pytest.mark.parametrize("actor", [OTHER_SELLER, BUYER])
def test_only_the_orders_seller_shows_and_offers(actor: Actor) -> None:
    PLANNED.when(ProvideTracking(actor=actor, tracking_number="LX1")).then_refused("not_the_seller")
    PLANNED.when(OfferPartialRefund(actor=actor, amount=usd(500))).then_refused("not_the_seller")


# At the desk, by hand


def test_what_is_asked_at_the_desk_waits_until_the_order_is_known() -> None:
    ask = ShipOrder(actor=SELLER, tracking_number=TRACKING)
    NEW.when(inform(ask, ())).then(Premature("OrderPlaced"))
    NEW.when(inform(ask, (placed(),))).then(shipped(scanned_after=after() - after()))


def test_nobody_else_sits_at_the_desk_even_before_the_seller_has_heard_of_the_order() -> None:
    """A first command by another seller was believed."""
    ask = ShipOrder(actor=OTHER_SELLER, tracking_number=TRACKING)
    NEW.when(inform(ask, (placed(),))).then_refused("not_the_seller")
    NEW.when(ByHand(ask, shop())).then_refused("not_the_seller")


def test_what_the_desk_asks_of_itself_needs_no_order() -> None:
    assert inform(ShowTracking(shop()), (placed(),)) == ShowTracking(shop())


# Disputes


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ("generous", replied(Stance.CONCEDES)),
        ("conciliatory", replied(Stance.OFFERS, 599)),
        ("stubborn", replied(Stance.CONTESTS, evidence=(PACKED,))),
        ("bluffing", replied(Stance.CONTESTS)),
        ("silent", None),
        ("never-ships", None),
        ("manual", None),
    ],
)
def test_r20_r21_r22_a_seller_has_its_own_word_in_a_dispute(profile: str, says: DisputeReplied | None) -> None:
    """It concedes, offers 30 %, contests with or without something to show, or is silent; wherever the parcel is."""
    for spec in STATES.values():
        spec.when(reply(profile)).then(says)


def test_r21_a_part_is_rounded_down() -> None:
    GONE.when(reply("conciliatory", 1)).then(replied(Stance.OFFERS, 0))


@in_states()
def test_x12_a_seller_answers_each_dispute_once(spec: SellerSpec) -> None:
    once = spec.given(replied(Stance.CONTESTS))
    once.when(reply("generous")).then(None)
    other = ReplyToDispute("d2", shop("generous"), usd(1999))
    once.when(other).then(replied(Stance.CONCEDES).model_copy(update={"dispute_id": "d2"}))


# Feedback


@in_states()
@pytest.mark.parametrize("positive", [True, False])
def test_r24_an_order_counts_once_in_the_sellers_feedback(spec: SellerSpec, *, positive: bool) -> None:
    rated = SellerRated(seller=shop(), positive=positive, outcome=Outcome.COMPLETED)
    once = spec.when(Rate(shop(), Outcome.COMPLETED, positive)).then(rated)
    once.when(Rate(shop(), Outcome.DISPUTE_DENIED, not positive)).then(None)
