"""What a JSON Schema wants, in words: `a whole number from 1 to 2160`."""

from collections.abc import Sequence
from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "a text",
}


def part_at(schema: Schema, place: Sequence[str | int]) -> Schema:
    """The part for the value at a place, references followed; empty where the schema leaves it open."""
    part = _followed(schema, schema)
    for step in place:
        inner = part.get("items") if isinstance(step, int) else part.get("properties", {}).get(step)
        part = _followed(schema, inner or {})
    return part


def expected(schema: Schema, part: Schema) -> str:
    """What the part wants; empty if that takes more than a few words."""
    match _followed(schema, part):
        case {"enum": [*choices]}:
            return f"one of {', '.join(str(choice) for choice in choices)}"
        case {"const": only}:
            return str(only)
        case {"type": "array", "items": items}:
            each = expected(schema, items)
            return f"a list, each {each}" if each else "a list"
        case {"type": "object", "properties": properties}:
            return f"a mapping with the keys {', '.join(properties)}"
        case {"type": "string", "format": "date"}:
            return "a date such as 2026-12-25"
        case {"type": "string", "pattern": pattern}:
            return f"a text like {pattern}"
        case {"type": str(kind), **limits} if kind in _TYPES:
            return _TYPES[kind] + _bounds(limits)
        case _:
            return ""


def choices_at(schema: Schema, place: Sequence[str | int]) -> list[str]:
    """The words of which one may stand at a place."""
    return [str(choice) for choice in part_at(schema, place).get("enum", ())]


def _followed(schema: Schema, part: Schema) -> Schema:
    """The part with its reference replaced by what it names; what stands beside the reference wins."""
    reference: str | None = part.get("$ref")
    if reference is None:
        return part
    return schema["$defs"][reference.rsplit("/", 1)[-1]] | {key: part[key] for key in part if key != "$ref"}


def _bounds(limits: Schema) -> str:
    match limits:
        case {"minimum": low, "maximum": high}:
            return f" from {low} to {high}"
        case {"minimum": low}:
            return f" of at least {low}"
        case {"exclusiveMinimum": low}:
            return f" more than {low}"
        case {"maximum": high}:
            return f" of at most {high}"
        case _:
            return ""
