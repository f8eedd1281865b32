"""How figures and names are written for people: as many digits as mean something, and words for keys."""

from typing import Final

NONE: Final = "-"
"""Stands where there is no figure."""

_WHOLE_FROM: Final = 100.0
_TENTHS_FROM: Final = 10.0


def number(value: float | None) -> str:
    """Three digits or so, with thousands apart."""
    if value is None:
        return NONE
    size = abs(value)
    if size >= _WHOLE_FROM or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= _TENTHS_FROM else f"{value:.2f}"


def words(name: str) -> str:
    """A key of the document as it is read: `request_to_email` as `request to email`."""
    return name.replace("_", " ")


def counted(value: int, what: str) -> str:
    """`1 order`, `2 orders`."""
    return f"{value:,} {what}" + ("" if value == 1 else "s")
