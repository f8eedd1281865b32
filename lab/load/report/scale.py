"""Axes: where a figure stands between the ends of an axis, and which round figures are written beside it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_ROUND: Final = (1, 2, 5, 10)
_TICKS: Final = 5
_DECADES_ALONE: Final = 2.2
"""On an axis of more decades than this, ticks at the powers of ten are enough."""

_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400)
_TIME_TICKS: Final = 9
_UNITS: Final = ((3 * 3_600, 3_600, "h"), (180, 60, "min"), (0, 1, "s"))
_LARGE: Final = ((1e6, "M"), (1e3, "k"))
_NINES: Final = ((1, "0"), (2, "50"), (10, "90"), (100, "99"), (1e3, "99.9"), (1e4, "99.99"), (1e5, "99.999"))


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from `low` to `high`. `ticks` are figures and their labels; `unit` is written beside the axis."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    unit: str
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Where a figure stands, from 0 to 1; what is off the axis stands at its end."""
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def linear(values: Iterable[float], unit: str) -> Scale:
    """From zero to a round figure that no value exceeds."""
    highest = max(values, default=0.0) or 1.0
    power = 10.0 ** math.floor(math.log10(highest / _TICKS))
    step = next(power * factor for factor in _ROUND if power * factor * _TICKS >= highest * (1 - 1e-9))
    steps = math.ceil(highest / step - 1e-9)
    return Scale(0.0, step * steps, tuple((step * place, _short(step * place)) for place in range(steps + 1)), unit)


def logarithmic(values: Iterable[float], unit: str) -> Scale:
    """Between two round figures with every value between them; what is not above zero has no place."""
    found = [value for value in values if value > 0]
    low, high = _below(min(found, default=1.0)), _above(max(found, default=10.0))
    if high <= low:
        high = _above(low * 2)
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    factors = (1,) if math.log10(high / low) > _DECADES_ALONE else (1, 2, 5)
    figures = [10.0**power * factor for power in range(first, last + 1) for factor in factors]
    inside = [figure for figure in figures if low * (1 - 1e-9) <= figure <= high * (1 + 1e-9)]
    return Scale(low, high, tuple((figure, _short(figure)) for figure in inside), unit, logarithmic=True)


def seconds(length_s: float) -> Scale:
    """The time of a run, in seconds, minutes or hours."""
    length_s = max(length_s, 1.0)
    floor, size, unit = next(found for found in _UNITS if length_s > found[0])
    step = next(
        (step for step in _STEPS_S if step >= size * bool(floor) and length_s / step <= _TIME_TICKS), _STEPS_S[-1]
    )
    places = range(int(length_s / step) + 1)
    return Scale(0.0, length_s, tuple((place * step, f"{place * step / size:g}") for place in places), unit)


def nines(count: int) -> Scale:
    """Percentiles, each further nine as wide as the one before: figures are 1 / (1 - share), as far as `count` reaches."""
    reach = min(max(10.0, float(count)), _NINES[-1][0])
    return Scale(1.0, reach, tuple(nine for nine in _NINES if nine[0] <= reach), "percentile", logarithmic=True)


def _below(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return max(power * factor for factor in _ROUND if power * factor <= value * (1 + 1e-9))


def _above(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return min(power * factor for factor in _ROUND if power * factor >= value * (1 - 1e-9))


def _short(value: float) -> str:
    """As few digits as tell it from its neighbours."""
    for size, suffix in _LARGE:
        if value >= size:
            return f"{value / size:g} {suffix}"
    return f"{value:.6g}"
