"""Figures as drawings. Pure: points and labels, no markup."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 640
HEIGHT: Final = 170
_LEFT: Final = 40
_TOP: Final = 8
_BOTTOM: Final = 24
_STEPS: Final = (1, 2, 5)
_LINES_MAX: Final = 4
"""Horizontal lines, beside the one at zero."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line. `last`: its newest value; `kind` distinguishes it by more than colour."""

    name: str
    kind: str
    points: str
    last: int


@dataclass(frozen=True, slots=True)
class Chart:
    """Some lines over the last seconds, with the horizontal lines that say how high they are."""

    series: tuple[Series, ...]
    lines: tuple[tuple[int, int], ...]
    seconds: int

    width = WIDTH
    height = HEIGHT
    left = _LEFT


def chart(values: Mapping[str, Sequence[int]], kinds: Sequence[str]) -> Chart:
    """Draw series of one value a second, the oldest first.

    Args:
        values: by what each series is called.
        kinds: how each is drawn, in the same order.
    """
    highest = max((max(one, default=0) for one in values.values()), default=0)
    step = _step(highest)
    top = max(step, -(-highest // step) * step)
    floor = HEIGHT - _BOTTOM
    tall = floor - _TOP
    lines = tuple((round(floor - tall * value / top), value) for value in range(0, top + 1, step))
    series = tuple(
        Series(name, kind, _points(one, top, floor, tall), one[-1] if one else 0)
        for (name, one), kind in zip(values.items(), kinds, strict=True)
    )
    return Chart(series, lines, max((len(one) for one in values.values()), default=0))


def _points(values: Sequence[int], top: int, floor: int, tall: int) -> str:
    wide = (WIDTH - _LEFT) / max(1, len(values) - 1)
    return " ".join(f"{_LEFT + n * wide:.1f},{floor - tall * value / top:.1f}" for n, value in enumerate(values))


def _step(highest: int) -> int:
    """Between two horizontal lines: 1, 2 or 5 times a power of ten, so that there are few of them."""
    power = 1
    while True:
        for one in _STEPS:
            if highest <= one * power * _LINES_MAX:
                return one * power
        power *= 10
