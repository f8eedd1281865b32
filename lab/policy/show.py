"""A policy as commented YAML that is itself a policy file."""

import json
import re
from itertools import takewhile
from textwrap import wrap
from typing import Any, Final, cast

from countermand.kernel.policy import Policy
from countermand.runtime.schema_words import Schema
from lab.policy.values import Value, values

CHANGED: Final = "# <- changed; the default is"
"""Marks a value that is not the default; ASCII, for grep and for every terminal."""

_WIDTH: Final = 110

_DEFAULT: Final = Policy()

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_/+-]*|[0-9]{4}-[0-9]{2}-[0-9]{2}")
"""Words and dates; anything else has quotes."""

_NOT_WORDS: Final = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
"""In one YAML or another."""


def show(policy: Policy) -> str:
    """Every value with its id, its unit and its meaning; marked where it is not the default."""
    told = values()
    changed = sum(value.of(policy) != value.of(_DEFAULT) for value in told)
    differs = f"{changed} of {len(told)} values changed" if changed else "the default"
    lines = [
        f"# Policy {policy.hash}: {differs}.",
        "# An order keeps the policy that it was placed under; a change concerns orders placed afterwards.",
        "# `countermand policy check FILE` tells the hash of an edited file.",
    ]
    around: tuple[str, ...] = ()
    for value in told:
        lines += ["", *_headings(value, around), *_lines(value, policy)]
        around = value.place[:-1]
    return "\n".join(lines) + "\n"


def flow(value: Any) -> str:
    """A JSON value as YAML on one line."""
    match value:
        case str() if _PLAIN.fullmatch(value) and value.lower() not in _NOT_WORDS:
            return value
        case float() if value.is_integer():
            return str(int(value))
        case list():
            return f"[{', '.join(flow(item) for item in cast('list[Any]', value))}]"
        case dict():
            return f"{{{', '.join(f'{key}: {flow(inner)}' for key, inner in cast('Schema', value).items())}}}"
        case _:
            return json.dumps(value)


def _headings(value: Value, around: tuple[str, ...]) -> list[str]:
    """The keys around a value that do not stand already."""
    outer = value.place[:-1]
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(outer, around, strict=False)))
    return [f"{'  ' * depth}{key}:" for depth, key in enumerate(outer) if depth >= shared]


def _lines(value: Value, policy: Policy) -> list[str]:
    indent = "  " * (len(value.place) - 1)
    unit = f", {value.unit}" if value.unit else ""
    told = f"{value.rule}{unit}: {value.meaning}", f"Allowed: {value.allowed}"
    comment = [line for sentence in told for line in wrap(sentence, _WIDTH - len(indent) - 2)]
    is_, default = value.of(policy), value.of(_DEFAULT)
    mark = f"  {CHANGED} {flow(default)}" if is_ != default else ""
    return [*(f"{indent}# {line}" for line in comment), f"{indent}{value.place[-1]}: {flow(is_)}{mark}"]
