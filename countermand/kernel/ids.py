"""Identifiers: whose they are and what they look like."""

import re
from hashlib import blake2b
from typing import Final

ORDER_ID: Final = re.compile(r"[0-9a-z]{20,32}")
"""An order's id, made by whoever places it."""

_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_ORDER_ID_LENGTH: Final = 24
_DIGEST_BYTES: Final = 32


def is_order_id(text: str) -> bool:
    """Whether `text` may be an order's id."""
    return ORDER_ID.fullmatch(text) is not None


def order_id_from(*parts: object) -> str:
    """An order id that follows from `parts`: the same parts give the same id. 24 base-36 digits, about 124 bits."""
    number = int.from_bytes(blake2b("/".join(map(str, parts)).encode(), digest_size=_DIGEST_BYTES).digest())
    digits: list[str] = []
    for _ in range(_ORDER_ID_LENGTH):
        number, digit = divmod(number, 36)
        digits.append(_ALPHABET[digit])
    return "".join(digits)


def event_id(cause_id: str, command_name: str) -> str:
    """The id of the event that `command_name` made of the message `cause_id`.

    A redelivered cause gives the same id, so that an aggregate recognises what it has already decided.
    """
    return f"{cause_id}:{command_name}"
