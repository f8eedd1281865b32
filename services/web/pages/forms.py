"""Forms as data: what a page asks somebody for, and how what comes back is read. One template draws them all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, TypeAlias

from countermand.kernel.money import Money

_AMOUNT_CHARACTERS_MAX: Final = 20
"""More digits are no amount: `Money` holds 10^12 minor units."""


class FormError(Exception):
    """What somebody typed cannot be; the message is shown to them."""


@dataclass(frozen=True, slots=True)
class Option:
    """One of several to choose from."""

    value: str
    label: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """Exactly one of several, as radio buttons or, if `compact`, as a list that drops down."""

    name: str
    label: str
    options: tuple[Option, ...]
    value: str = ""
    hint: str = ""
    compact: bool = False
    kind: str = "choice"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text."""

    name: str
    label: str
    value: str = ""
    hint: str = ""
    required: bool = True
    length_max: int = 200
    kind: str = "line"


@dataclass(frozen=True, slots=True)
class Area:
    """A few sentences."""

    name: str
    label: str
    value: str = ""
    hint: str = ""
    required: bool = False
    length_max: int = 2_000
    kind: str = "area"


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of money. `value` is shown as people write it."""

    name: str
    label: str
    currency: str
    value: str = ""
    hint: str = ""
    kind: str = "amount"


@dataclass(frozen=True, slots=True)
class Check:
    """Yes or no."""

    name: str
    label: str
    hint: str = ""
    kind: str = "check"


@dataclass(frozen=True, slots=True)
class Hidden:
    """What the form answers: the id of a dialog, a request or an offer."""

    name: str
    value: str
    kind: str = "hidden"


Field: TypeAlias = Choice | Line | Area | Amount | Check | Hidden


@dataclass(frozen=True, slots=True)
class Form:
    """What is asked, why, and what its button says. `advice` stands out (R27); `stop` marks what cannot be undone."""

    title: str
    submit: str
    intro: str = ""
    advice: str = ""
    fields: tuple[Field, ...] = ()
    note: str = ""
    keep: str = "Not now"
    stop: bool = False
    lapses_at: str = ""


Values: TypeAlias = Mapping[str, str]


def refilled(form: Form, values: Values) -> Form:
    """The form as somebody had filled it in, after it was refused."""
    return replace(form, fields=filled(form.fields, values))


def filled(fields: Iterable[Field], values: Values) -> tuple[Field, ...]:
    """The fields with what somebody had typed or chosen."""
    return tuple(
        one if isinstance(one, Check | Hidden) else replace(one, value=values.get(one.name, one.value))
        for one in fields
    )


def text_of(values: Values, name: str, *, required: bool = False) -> str:
    """A text as it was typed, without spaces around it.

    Raises:
        FormError: it is required, and empty.
    """
    text = values.get(name, "").strip()
    if required and not text:
        msg = f"Please fill in the {name.replace('_', ' ')}."
        raise FormError(msg)
    return text


def money_of(values: Values, name: str, currency: str) -> Money:
    """An amount such as `19.99` in a currency.

    Raises:
        FormError: it is no amount of that currency.
    """
    typed = values.get(name, "").strip().replace(",", ".")
    msg = f"“{typed[:_AMOUNT_CHARACTERS_MAX]}” is no amount of money: write it as 19.99."
    if not typed or len(typed) > _AMOUNT_CHARACTERS_MAX:
        raise FormError(msg)
    try:
        minor = Decimal(typed) * 10 ** _digits(currency)
        if minor != minor.to_integral_value() or minor < 0:
            raise FormError(msg)
        return Money(amount_minor=int(minor), currency=currency)
    except (ArithmeticError, ValueError) as error:
        raise FormError(msg) from error


def typed_amount(money: Money) -> str:
    """An amount as somebody would type it."""
    return str(money).removesuffix(f" {money.currency}")


def _digits(currency: str) -> int:
    """Digits behind the point."""
    return len(typed_amount(Money(amount_minor=0, currency=currency)).partition(".")[2])
