"""An order's story as a picture: a lane a service, time downwards, arrows from cause to effect. Pure: figures, no markup."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.web.pages.rendering import short_moment

LANES: Final = ("people", "order", "seller", "dispute", "notify")
"""From left to right; what people ask stands in the first."""

_FIRST_X: Final = 138
_LANE: Final = 92
_ROW: Final = 44
_TOP: Final = 58
_RADIUS: Final = 11
_LATER: Final = timedelta(hours=1)
"""A longer pause in simulated time gets a row of its own, which says how long it was."""

_LEFT_LABELS_FROM: Final = 3
"""Lanes from this one on have their labels on the left, where there is room."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened.

    Attributes:
        number: its place in the story, from 1.
        lane: one of `LANES`.
        kind: command, event, email or refused.
        name: what it is called in the contracts.
        at: when, in simulated time; nothing for commands.
        because: the number of the step that caused it, if it is shown.
        timer: whether a time limit of that step caused it by passing.
        limits: the time limits that it starts, in words.
    """

    number: int
    lane: str
    kind: str
    name: str
    at: datetime | None
    because: int | None
    timer: bool
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A step in its place."""

    step: Step
    x: int
    y: int
    label_x: int
    left: bool
    when: str
    gap: str
    gap_y: int


@dataclass(frozen=True, slots=True)
class Arrow:
    """From a cause to its effect."""

    path: str
    timer: bool
    cause: int
    effect: int


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is drawn, in pixels at its natural size."""

    width: int
    height: int
    lanes: tuple[tuple[str, int], ...]
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]


def picture(steps: Sequence[Step]) -> Picture:
    """Lay the steps out."""
    nodes = _nodes(steps)
    by_number = {node.step.number: node for node in nodes}
    arrows = tuple(
        Arrow(_path(by_number[node.step.because], node), node.step.timer, node.step.because, node.step.number)
        for node in nodes
        if node.step.because is not None and node.step.because in by_number
    )
    bottom = nodes[-1].y if nodes else _TOP
    lanes = tuple((name, _x(name)) for name in LANES)
    return Picture(_x(LANES[-1]) + 40, bottom + _ROW, lanes, tuple(nodes), arrows)


def _nodes(steps: Sequence[Step]) -> list[Node]:
    nodes: list[Node] = []
    y = _TOP
    last: datetime | None = None
    said = ""
    for step in steps:
        gap = _gap(last, step.at)
        gap_y = y - _ROW // 2 + 4
        if gap:
            y += _ROW // 2
        moment = short_moment(step.at) if step.at else said
        when = "" if moment == said else moment
        said = moment
        last = step.at or last
        left = LANES.index(step.lane) >= _LEFT_LABELS_FROM
        x = _x(step.lane)
        offset = _RADIUS + 6
        nodes.append(Node(step, x, y, x - offset if left else x + offset, left, when, gap, gap_y))
        y += _ROW
    return nodes


def _x(lane: str) -> int:
    return _FIRST_X + LANES.index(lane) * _LANE


def _gap(before: datetime | None, at: datetime | None) -> str:
    if before is None or at is None or at - before < _LATER:
        return ""
    hours = round((at - before).total_seconds() / 3600)
    if hours < 48:  # noqa: PLR2004  # Two days are "2 days".
        return f"{hours} h later" if hours > 1 else "1 h later"
    return f"{round(hours / 24)} days later"


def _path(cause: Node, effect: Node) -> str:
    """Straight down to the next in the lane, around what lies between, or down and over to another lane."""
    if cause.x == effect.x:
        if effect.y - cause.y <= _ROW + _ROW // 2:
            return f"M{cause.x} {cause.y + _RADIUS}V{effect.y - _RADIUS - 5}"
        bend = cause.x - 30
        return f"M{cause.x - _RADIUS} {cause.y}C{bend} {cause.y} {bend} {effect.y} {effect.x - _RADIUS - 5} {effect.y}"
    side = 1 if effect.x > cause.x else -1
    start, end = cause.y + _RADIUS, effect.x - side * (_RADIUS + 5)
    if effect.left == (side > 0):  # The label is where the arrow would come in.
        top, middle = effect.y - _RADIUS - 5, (cause.y + effect.y) // 2
        return f"M{cause.x} {start}C{cause.x} {middle} {effect.x} {middle} {effect.x} {top}"
    return f"M{cause.x} {start}C{cause.x} {effect.y} {cause.x + side * 10} {effect.y} {end} {effect.y}"
