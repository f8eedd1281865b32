"""The part of YAML that a file of ours needs: mappings, lists and plain values, each with its line.

Nothing in it can surprise: no anchors, aliases or tags, no key twice, and plain values as in YAML 1.2, so that only
`true` and `false` are booleans, `12:30` is no number, and a date stays what was written.
"""

import re
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

import yaml

Place: TypeAlias = tuple[str | int, ...]
"""Where a value stands: keys, and positions in lists from 0."""

_MAX_DEPTH: Final = 20
"""Mappings and lists within each other; ours have three, and the composer recurses."""

_MAX_VALUES: Final = 10_000
"""Ours have a hundred; a megabyte of commas would take half a minute."""

_SHOWN_CHARACTERS: Final = 60
"""How much of a found value a complaint repeats."""

_COMPLAINT_CHARACTERS: Final = 200
"""The parser's own words may repeat all that it found."""

_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER: Final = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_WORDS: Final = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(frozen=True, slots=True)
class Found:
    """What stands at a place.

    Attributes:
        line: from 1; of the key, if it has one.
        text: as a complaint shows it.
    """

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Written:
    """A document as JSON would have it, and what stands where."""

    value: Any
    found: dict[Place, Found]


class NotOurYaml(Exception):
    """The text is not YAML, or has something that ours may not have. The message does not name the line."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message[:_COMPLAINT_CHARACTERS])
        self.line = line


def parse(text: str) -> Written:
    """Read a text; an empty one is an empty mapping.

    Raises:
        NotOurYaml: it is not.
    """
    try:
        root = _Composer(text).get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise NotOurYaml(line, f"is not YAML: there is the control character {chr(error.character)!r}") from error
    except yaml.MarkedYAMLError as error:
        raise NotOurYaml(*_complaint(error)) from error
    found: dict[Place, Found] = {}
    if root is None or (isinstance(root, yaml.ScalarNode) and _plain(root) is None):
        return Written({}, {(): Found(1, "nothing")})
    return Written(_value(root, (), _line(root), found), found)


def named(place: Place) -> str:
    """A place in words, as in `item 3 of emails`."""
    if place and isinstance(place[-1], int):
        return f"item {place[-1] + 1} of {named(place[:-1])}"
    return ".".join(str(step + 1) if isinstance(step, int) else step for step in place) or "the file"


def shown(value: str) -> str:
    """A text in quotes, on one line and not too long."""
    return repr(short(value))


def short(value: str) -> str:
    """The beginning of a text."""
    return value if len(value) <= _SHOWN_CHARACTERS else f"{value[:_SHOWN_CHARACTERS]}…"


class _Composer(yaml.BaseLoader):
    """Refuses what could make a small file large or a value something else, before it is composed."""

    _depth = 0
    _values = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = cast("Any", self.peek_event())
        line: int = event.start_mark.line + 1
        if event.anchor is not None:
            raise NotOurYaml(line, f"{shown(event.anchor)} is an anchor or an alias: write the value out")
        if getattr(event, "tag", None) is not None:
            raise NotOurYaml(line, f"{shown(event.tag)} is a tag: write the plain value")
        if self._depth == _MAX_DEPTH:
            raise NotOurYaml(line, f"is nested more than {_MAX_DEPTH} levels deep")
        if self._values == _MAX_VALUES:
            raise NotOurYaml(line, f"has more than {_MAX_VALUES} keys and values")
        self._values += 1
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _value(node: yaml.Node, place: Place, line: int, found: dict[Place, Found]) -> Any:
    match node:
        case yaml.MappingNode():
            found[place] = Found(line, "a mapping")
            return _mapping(node, place, found)
        case yaml.SequenceNode():
            found[place] = Found(line, "a list")
            items: list[yaml.Node] = node.value
            return [_value(item, (*place, at), _line(item), found) for at, item in enumerate(items)]
        case _:
            value = _plain(node)
            text = shown(value) if isinstance(value, str) else short(node.value)
            found[place] = Found(line, "nothing" if value is None else text)
            return value


def _mapping(node: yaml.MappingNode, place: Place, found: dict[Place, Found]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    pairs: list[tuple[yaml.Node, yaml.Node]] = node.value
    for key_node, value_node in pairs:
        line = _line(key_node)
        if not isinstance(key_node, yaml.ScalarNode):
            raise NotOurYaml(line, "a key should be a word, not a list or a mapping")
        key = _text(key_node)
        at = (*place, key)
        if key in document:
            where = f" in {named(place)}" if place else ""
            raise NotOurYaml(line, f"the key {shown(key)} stands twice{where}, first in line {found[at].line}")
        document[key] = _value(value_node, at, line, found)
    return document


def _plain(node: yaml.Node) -> bool | float | str | None:
    text = _text(node)
    if getattr(node, "style", None) is not None:
        return text  # It has quotes.
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def _text(node: yaml.Node) -> str:
    text: str = node.value
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise NotOurYaml(_line(node), f"{shown(text)} has half a character")
    return text


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _complaint(error: yaml.MarkedYAMLError) -> tuple[int, str]:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    began = error.context_mark.line + 1 if error.context_mark else line
    context = f" {error.context}" if error.context else ""
    since = f" that began in line {began}" if context and began != line else ""
    return line, f"is not YAML:{context}{since}, {error.problem}" if context else f"is not YAML: {error.problem}"
