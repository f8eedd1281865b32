"""Every value of a policy with its id, its unit and its meaning, as the fields themselves describe them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from countermand.kernel.policy import Policy
from countermand.runtime.schema_words import Schema, expected, part_at

_UNITS: Final = {"_min": "real minutes", "_h": "hours", "_business_days": "business days", "_days": "days"}
"""By the end of the key; the first that fits."""

_DESCRIPTION: Final = re.compile(r"(?P<rule>[A-Z][0-9]+): (?P<meaning>.+)")


@dataclass(frozen=True, slots=True)
class Value:
    """One value.

    Attributes:
        place: its keys, from the outermost.
        rule: its id in domain.md.
        unit: empty if it has none.
        allowed: what may be written, in words.
    """

    place: tuple[str, ...]
    rule: str
    unit: str
    meaning: str
    allowed: str

    @property
    def key(self) -> str:
        """As in `calendar.timezone`."""
        return ".".join(self.place)

    def of(self, policy: Policy) -> Any:
        """What it is in a policy, as JSON would have it."""
        value: Any = policy.model_dump(mode="json")
        for key in self.place:
            value = value[key]
        return value


def values() -> list[Value]:
    """All of them, in the order of the fields."""
    schema = Policy.model_json_schema()
    return [value for key in schema["properties"] for value in _described(schema, (key,), None)]


def _described(schema: Schema, place: tuple[str, ...], around: Value | None) -> Iterator[Value]:
    """The values at a place: those inside, if each of them is described by itself."""
    part = part_at(schema, place)
    value = _value(place, part, around)
    inner: Schema = part.get("properties", {})
    if inner and all("description" in part_at(schema, (*place, key)) for key in inner):
        for key in inner:
            yield from _described(schema, (*place, key), value)
    else:
        yield replace(value, allowed=expected(schema, part))


def _value(place: tuple[str, ...], part: Schema, around: Value | None) -> Value:
    description: str = part["description"]
    if around:
        return replace(around, place=place, meaning=f"{around.meaning} {description}")
    match = _DESCRIPTION.fullmatch(description)
    if match is None:
        msg = f"the description of {place[0]} does not begin with the id of its rule"
        raise ValueError(msg)
    unit = next((unit for end, unit in _UNITS.items() if place[0].endswith(end)), "")
    return Value(place, match["rule"], unit, match["meaning"], allowed="")
