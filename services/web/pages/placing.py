"""The form that places an order: everything is filled in, so that a newcomer only presses its button. Pure."""

from typing import Final

from countermand.contracts.base import Actor, Brief, Contact, Role, SellerRef
from countermand.contracts.order import PaymentMethod, PlaceOrder
from countermand.kernel.policy import Policy
from countermand.kernel.terms import Clock, Terms, TermsRef
from services.web.pages.forms import Choice, Field, FormError, Hidden, Line, Option, Values, money_of, text_of
from services.web.pages.people import YOUR_SHOP
from services.web.pages.wording import CLOCKS, PROFILES

CURRENCY: Final = "USD"

_PAYMENTS: Final = {
    "card": Option("card", "By card, not paid yet", "You can cancel it yourself until it is paid."),
    "wallet-paid": Option("wallet-paid", "From the wallet, paid at once", "Only the seller can cancel it then."),
    "card-paid": Option("card-paid", "By card, paid at once", "A refund takes some days to reach a card."),
}


def place_fields(nonce: str) -> tuple[Field, ...]:
    """What an order needs; `nonce` makes pressing twice one order."""
    return (
        Hidden("nonce", nonce),
        Line("item", "Item", "Brass desk lamp"),
        Choice("profile", "Seller", tuple(Option(*one) for one in PROFILES.items()), "prompt", compact=True),
        Choice("payment", "Payment", tuple(_PAYMENTS.values()), "card"),
    )


def more_fields(clock_rate: float) -> tuple[Field, ...]:
    """What few want to change."""
    rate = repr(clock_rate).removesuffix(".0")
    clocks = CLOCKS if rate in CLOCKS else {rate: f"{rate} simulated seconds a second", **CLOCKS}
    return (
        Line("price", f"Price in {CURRENCY}", "49.90", length_max=20),
        Choice("clock", "How fast time passes", tuple(Option(*one) for one in clocks.items()), rate, compact=True),
        Line("name", "Your name", "", hint="As the seller and the emails say it.", required=False),
        Line("customer", "For a customer of yours", "", hint="If you are a reseller.", required=False),
    )


def clock_rate_of(values: Values) -> float:
    """Simulated seconds a real one.

    Raises:
        FormError: it is no number.
    """
    try:
        return float(values.get("clock", "") or "nan")
    except ValueError as error:
        msg = "Please choose how fast time passes."
        raise FormError(msg) from error


def placing_terms(clock: Clock) -> TermsRef:
    """The default policy on a clock.

    Raises:
        FormError: the clock is too fast for it.
    """
    terms = Terms(0, Policy(), clock)
    if too_fast := terms.too_fast():
        raise FormError(too_fast)
    return terms.ref


def place_command(values: Values, buyer: Contact, terms: TermsRef) -> PlaceOrder:
    """The order that was filled in.

    Raises:
        FormError: something is missing, or cannot be.
        ValueError: a value is none of those offered.
    """
    payment = values.get("payment", "card")
    if payment not in _PAYMENTS:
        msg = "Please choose how to pay."
        raise FormError(msg)
    method, _, paid = payment.partition("-")
    profile = values.get("profile", "prompt")
    seller = YOUR_SHOP if profile == "manual" else f"{profile}-shop"
    name, customer = text_of(values, "name"), text_of(values, "customer")
    brief = Brief(
        buyer=buyer.model_copy(update={"name": name}) if name else buyer,
        seller=SellerRef(id=seller, profile=profile),
        item=text_of(values, "item", required=True),
        price=money_of(values, "price", CURRENCY),
    )
    return PlaceOrder(
        actor=Actor(role=Role.BUYER, id=buyer.id),
        brief=brief,
        payment_method=PaymentMethod(method),
        paid=bool(paid),
        terms=terms,
        customer=Contact(id=customer, name=customer, email="customer@customers.example") if customer else None,
    )
