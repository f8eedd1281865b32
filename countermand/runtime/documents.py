"""Files that an operator writes, in YAML, read into models; every mistake is one line that says where and what."""

import json
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from countermand.runtime.schema_words import Schema, choices_at, expected, part_at
from countermand.runtime.settings import ConfigurationError
from countermand.runtime.yaml_nodes import Found, NotOurYaml, Place, Written, named, parse, shown

Model = TypeVar("Model", bound=BaseModel)

MAX_BYTES: Final = 1024**2
"""No file of ours needs a hundredth of it; whoever names a larger one meant another file."""

_COMPLAINT_CHARACTERS: Final = 200
"""A validator's own words may repeat all that it found."""


def read_document(path: Path, model: type[Model]) -> Model:
    """Read a file. Values are taken as written: no text becomes a number, and no number a boolean.

    Raises:
        ConfigurationError: file, line, what was expected and what was found.
    """
    text = _text(path)
    try:
        written = parse(text)
    except NotOurYaml as error:
        msg = f"{path}:{error.line}: {error}"
        raise ConfigurationError(msg) from error
    try:
        return model.model_validate_json(json.dumps(written.value), strict=True)
    except ValidationError as error:
        msg = f"{path}:{_first_complaint(error, model.model_json_schema(), written)}"
        raise ConfigurationError(msg) from error


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        msg = f"{path}: there is no such file"
        raise ConfigurationError(msg) from error
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise ConfigurationError(msg) from error
    if len(content) > MAX_BYTES:
        msg = f"{path}: is larger than {MAX_BYTES} bytes"
        raise ConfigurationError(msg)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        msg = f"{path}:{line}: is not UTF-8 text"
        raise ConfigurationError(msg) from error


def _first_complaint(error: ValidationError, schema: Schema, written: Written) -> str:
    """The complaint that stands first in the file: `<line>: <complaint>`. What is missing is often only misspelt: last."""
    details = error.errors(include_url=False, include_context=False)
    first = min(details, key=lambda detail: (detail["type"] == "missing", _nearest(detail["loc"], written).line))
    found = _nearest(first["loc"], written)
    return f"{found.line}: {_complaint(first, schema, found)}"


def _nearest(place: Place, written: Written) -> Found:
    """What stands at a place, or at the innermost one around it."""
    while place not in written.found:
        place = place[:-1]
    return written.found[place]


def _complaint(detail: ErrorDetails, schema: Schema, found: Found) -> str:
    place = detail["loc"]
    match detail["type"]:
        case "extra_forbidden":
            return _unknown_key(place, schema)
        case "missing":
            return f"{named(place)} is missing"
        case "value_error":
            return f"{named(place)}: {detail['msg'].removeprefix('Value error, ')[:_COMPLAINT_CHARACTERS]}"
        case kind:
            wanted = expected(schema, part_at(schema, place)) if place else "a mapping of keys to values"
            if not wanted or kind.endswith(("_short", "_long")):
                return f"{named(place)}: {detail['msg']}; found {found.text}"
            hint = _did_you_mean(detail["input"], choices_at(schema, place))
            return f"{named(place)} should be {wanted}; found {found.text}{hint}"


def _unknown_key(place: Place, schema: Schema) -> str:
    *around, key = place
    known = list(part_at(schema, around).get("properties", ()))
    where = f" in {named(tuple(around))}" if around else ""
    hint = _did_you_mean(key, known) or f"; the keys there are {', '.join(known)}"
    return f"there is no key {shown(str(key))}{where}{hint}"


def _did_you_mean(found: Any, known: list[str]) -> str:
    near = get_close_matches(str(found).lower().replace("-", "_"), known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
