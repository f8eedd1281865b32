"""Within a version a message may only gain optional fields: what readers and writers of yesterday rely on stays.

`fields.json` records every field of every message, nested ones by their path. To record a new message or a new optional
field run `uv run python -m tests.contracts.test_compatibility`; it refuses to forget. A change that breaks readers needs
a new version of the message (`version` on its class).
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest

from countermand.contracts import MESSAGES
from countermand.contracts.schemas import json_schema

RECORD: Final = Path(__file__).parent / "fields.json"
RECORD_ANEW: Final = "uv run python -m tests.contracts.test_compatibility"

Fields: TypeAlias = dict[str, dict[str, Any]]
"""By path: whether the field is required, its type, and for enumerations the values."""


def fields() -> dict[str, Fields]:
    """Every message's fields, by `<Name>.v<version>`."""
    return {
        f"{name}.v{message.version}": dict(_fields(json_schema(message))) for name, message in sorted(MESSAGES.items())
    }


def breaks(recorded: dict[str, Fields], current: dict[str, Fields]) -> list[str]:
    """What a reader or a writer who relies on the recorded fields would stumble over."""
    current_names = {key.rsplit(".", 1)[0] for key in current}
    found: list[str] = []
    for message, was in recorded.items():
        if message not in current:
            if message.rsplit(".", 1)[0] not in current_names:
                found.append(f"{message} is gone")
            continue  # Else a later version has taken its place.
        now = current[message]
        found += [f"{message}: {path} was removed" for path in was.keys() - now.keys()]
        new = now.keys() - was.keys()
        found += [  # What is required inside a new field is as optional as that.
            f"{message}: {path} was added as required"
            for path in new
            if now[path]["required"] and path.rpartition(".")[0] not in new
        ]
        for path in was.keys() & now.keys():
            found += [f"{message}: {path} {what}" for what in _changes(was[path], now[path])]
    return sorted(found)


def test_nothing_breaks_who_relies_on_the_record() -> None:
    assert breaks(_recorded(), fields()) == [], "make a new version of the message instead"


def test_the_record_is_complete() -> None:
    assert _recorded() == fields(), f"new fields or messages: run `{RECORD_ANEW}`"


_WAS: Final[dict[str, Fields]] = {
    "Sent.v1": {
        "to": {"required": True, "type": "string"},
        "copies": {"required": False, "type": "integer"},
        "kind": {"required": True, "type": "string", "enum": ["card", "letter"]},
        "to.name": {"required": True, "type": "string"},
    }
}


@pytest.mark.parametrize(
    ("path", "field", "found"),
    [
        ("copies", None, ["Sent.v1: copies was removed"]),
        ("to.name", None, ["Sent.v1: to.name was removed"]),
        ("from", {"required": True, "type": "string"}, ["Sent.v1: from was added as required"]),
        ("from", {"required": False, "type": "string"}, []),
        ("to.age", {"required": True, "type": "integer"}, ["Sent.v1: to.age was added as required"]),
        ("copies", {"required": True, "type": "integer"}, ["Sent.v1: copies became required"]),
        ("to", {"required": False, "type": "string"}, ["Sent.v1: to is no longer required"]),
        ("copies", {"required": False, "type": "string"}, ["Sent.v1: copies was integer and is string"]),
        ("kind", {"required": True, "type": "string", "enum": ["card"]}, ["Sent.v1: kind lost letter"]),
        ("kind", {"required": True, "type": "string", "enum": ["card", "letter", "parcel"]}, []),
        ("kind", {"required": True, "type": "string"}, []),
    ],
)
def test_what_counts_as_a_break(path: str, field: dict[str, Any] | None, found: list[str]) -> None:
    """Fields removed, required ones added, types changed, values lost; not what readers may ignore."""
    now = {name: value for name, value in _WAS["Sent.v1"].items() if name != path} | ({path: field} if field else {})
    assert breaks(_WAS, {"Sent.v1": now}) == found


def test_what_is_required_inside_a_new_optional_field_breaks_nobody() -> None:
    new = {"from": {"required": False, "type": "null or object"}, "from.name": {"required": True, "type": "string"}}
    assert breaks(_WAS, {"Sent.v1": _WAS["Sent.v1"] | new}) == []


def test_a_message_may_go_only_when_a_later_version_takes_its_place() -> None:
    assert breaks(_WAS, {}) == ["Sent.v1 is gone"]
    assert breaks(_WAS, {"Sent.v2": {}}) == []


def test_nested_fields_are_recorded_by_their_path() -> None:
    recorded = fields()["OrderPlaced.v1"]
    assert recorded["brief.buyer.email"] == {"required": True, "type": "string"}
    assert recorded["terms.clock.rate"] == {"required": True, "type": "number"}
    assert recorded["placed_at"] == {"required": True, "type": "string date-time"}
    assert recorded["pay_by"] == {"required": True, "type": "null or string date-time"}
    assert recorded["run_id"] == {"required": False, "type": "null or string"}
    assert recorded["payment_method"] == {"required": True, "type": "string", "enum": ["bank", "card", "wallet"]}


def _fields(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The fields of an object's schema and of the objects in it."""

    def walk(part: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, field in part.get("properties", {}).items():
            inner = _resolved(field, schema)
            described: dict[str, Any] = {"required": name in part.get("required", ()), "type": _type(inner, schema)}
            if "enum" in inner:
                described["enum"] = sorted(inner["enum"])
            yield f"{path}{name}", described
            for choice in (inner, *inner.get("anyOf", ()), inner.get("items", {})):
                yield from walk(_resolved(choice, schema), f"{path}{name}.")

    yield from walk(schema, "")


def _resolved(field: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    found = re.fullmatch(r"#/\$defs/(\w+)", field.get("$ref", ""))
    return schema["$defs"][found[1]] if found else field


def _type(field: dict[str, Any], schema: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(sorted(_type(_resolved(choice, schema), schema) for choice in field["anyOf"]))
    return " ".join(filter(None, (field["type"], field.get("format"))))


def _changes(was: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    if now["required"] and not was["required"]:
        yield "became required"
    if was["required"] and not now["required"]:
        yield "is no longer required"
    if was["type"] != now["type"]:
        yield f"was {was['type']} and is {now['type']}"
    for value in was.get("enum", ()):
        if "enum" in now and value not in now["enum"]:
            yield f"lost {value}"


def _recorded() -> dict[str, Fields]:
    return json.loads(RECORD.read_text(encoding="utf-8"))


def _record() -> None:
    found = breaks(_recorded(), fields()) if RECORD.exists() else []
    if found:
        sys.stderr.write("\n".join(["not recorded, since these break readers:", *found, ""]))
        raise SystemExit(1)
    RECORD.write_text(json.dumps(fields(), indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _record()
