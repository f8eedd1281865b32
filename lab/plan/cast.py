"""Everybody whom a plan may name, and everything they may buy: the same few objects, shared by all orders."""

from functools import lru_cache
from typing import Final

from countermand.contracts.base import Contact, SellerRef
from countermand.kernel.money import Money

BUYERS: Final = 4_096
"""Buyers of a plan; the cache holds them all."""

SELLERS_A_PROFILE: Final = 16
"""Sellers who behave alike, so that feedback (R24) gathers at more than one of each."""

_NAMES: Final = ("Robin", "Kim", "Sasha", "Alex", "Noor", "Jo", "Mika", "Ada", "Luca", "Yuki", "Sam", "Ines")

GOODS: Final = tuple(
    (item, Money(amount_minor=amount_minor, currency="USD"))
    for item, amount_minor in (
        ("Phone case, clear", 399),
        ("USB cable, 2 m", 649),
        ("Desk lamp, brass", 4_990),
        ("Running shoes, 42", 6_450),
        ("Wireless earbuds", 2_799),
        ("Wall clock, oak", 3_125),
        ("Rain jacket, M", 5_480),
        ("Drone with camera", 18_900),
        ("Kitchen scale", 1_575),
        ("Robot vacuum", 24_999),
        ("Board game", 2_250),
        ("Tent for two", 9_360),
    )
)
"""Items and their prices."""


@lru_cache(maxsize=BUYERS)
def buyer(number: int) -> Contact:
    """A buyer, by a number from 0."""
    name = _NAMES[number % len(_NAMES)]
    return Contact(id=f"buyer-{number}", name=f"{name} Buyer", email=f"{name.lower()}.{number}@buyers.example")


@lru_cache(maxsize=BUYERS)
def customer(number: int) -> Contact:
    """A reseller's customer, by a number from 0 (R26)."""
    name = _NAMES[number % len(_NAMES)]
    return Contact(id=f"customer-{number}", name=f"{name} Customer", email=f"{name.lower()}.{number}@customers.example")


@lru_cache(maxsize=1_024)
def seller(profile: str, number: int) -> SellerRef:
    """A seller of a profile, by a number from 0."""
    return SellerRef(id=f"{profile}-{number}", profile=profile)
