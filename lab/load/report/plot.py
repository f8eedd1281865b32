"""Drawing: lines over an axis, and rows of bars, as SVG without script that takes its colours from the page's style."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from markupsafe import Markup

from lab.load.report.scale import Scale

WIDTH: Final = 760
_HEIGHT: Final = 284
_LEFT: Final = 58
_RIGHT: Final = 14
_TOP: Final = 40
_BOTTOM: Final = 40
_NAMES_HIGH: Final = 2
"""Names of faults stand above the lines, on so many heights in turn, since neighbours may overlap."""

_BARS_TOP: Final = 10
_ROW: Final = 26
_LABELS: Final = 190
_FIGURES: Final = 150

_BARE_LINE: Final = {"fill": "none", "stroke": "currentColor"}
_BARE_SHADE: Final = {"fill-opacity": "0.1"}
"""How they look where the page's style is not applied, as in a drawing that was copied out of it."""

_numbers = count(1)
"""Titles need names of their own in a page of many drawings."""


def _svg(height: float, title: str, description: str) -> Element:
    """An empty drawing that says in words what it shows."""
    number = next(_numbers)
    svg = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {WIDTH} {height:g}",
            "role": "img",
            "aria-labelledby": f"t{number} d{number}",
        },
    )
    SubElement(svg, "title", id=f"t{number}").text = title
    SubElement(svg, "desc", id=f"d{number}").text = description
    return svg


def _text(parent: Element, words: str, x: float, y: float, style: str) -> None:
    SubElement(parent, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "class": style}).text = words


def _line(parent: Element, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
    ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    SubElement(parent, "line", {name: f"{value:.1f}" for name, value in ends.items()} | {"class": style} | _BARE_LINE)


def _rect(parent: Element, x: float, y: float, width: float, height: float, style: str) -> Element:
    sides = {"x": x, "y": y, "width": max(width, 0.0), "height": height}
    return SubElement(parent, "rect", {name: f"{value:.1f}" for name, value in sides.items()} | {"class": style})


@dataclass(slots=True)
class Plot:
    """Lines over two axes. What is drawn first lies below."""

    title: str
    description: str
    x: Scale
    y: Scale
    x_name: str
    _svg: Element = field(init=False)
    _spans: int = 0

    def __post_init__(self) -> None:
        self._svg = _svg(_HEIGHT, self.title, self.description)
        base = _HEIGHT - _BOTTOM
        for value, label in self.y.ticks:
            _line(self._svg, _LEFT, self._y(value), WIDTH - _RIGHT, self._y(value), "grid")
            _text(self._svg, label, _LEFT - 7, self._y(value) + 4, "tick end")
        for value, label in self.x.ticks:
            _line(self._svg, self._x(value), base, self._x(value), base + 4, "axis")
            _text(self._svg, label, self._x(value), base + 17, "tick middle")
        _line(self._svg, _LEFT, base, WIDTH - _RIGHT, base, "axis")
        _text(self._svg, self.y.unit, 0, _TOP - 18, "unit")
        _text(
            self._svg,
            f"{self.x_name}, {self.x.unit}" if self.x_name else self.x.unit,
            WIDTH - _RIGHT,
            _HEIGHT - 6,
            "unit end",
        )

    def span(self, begins: float, ends: float, style: str, name: str = "") -> None:
        """Shade a stretch of the horizontal axis, at least a hair wide."""
        left, right = self._x(begins), self._x(ends)
        shade = _rect(self._svg, left, _TOP, max(right - left, 2.0), _HEIGHT - _BOTTOM - _TOP, style)
        shade.attrib.update(_BARE_SHADE)
        if name:
            SubElement(shade, "title").text = name
            near_the_end = left > WIDTH * 0.8
            height = _TOP - 6 - 13 * (self._spans % _NAMES_HIGH)
            _text(
                self._svg,
                name,
                left,
                height,
                "fault-name" + (" end" if near_the_end else ""),
            )
            self._spans += 1

    def line(self, points: Iterable[tuple[float, float | None]], style: str) -> None:
        """Join points; where there is no figure, the line is broken."""
        steps: list[str] = []
        pen_up = True
        for x, y in points:
            if y is None:
                pen_up = True
                continue
            steps.append(f"{'M' if pen_up else 'L'}{self._x(x):.1f} {self._y(y):.1f}")
            if pen_up:  # A point between two gaps is seen as a dot.
                steps.append("h0.01")
            pen_up = False
        SubElement(self._svg, "path", {"d": "".join(steps) or "M0 0", "class": f"line {style}", **_BARE_LINE})

    def tell(self, stretches: Iterable[tuple[float, float, str]]) -> None:
        """What a pointer over a stretch of the horizontal axis is told."""
        group = SubElement(self._svg, "g", {"class": "hover", "aria-hidden": "true"})
        for begins, ends, words in stretches:
            left = self._x(begins)
            strip = _rect(group, left, _TOP, self._x(ends) - left, _HEIGHT - _BOTTOM - _TOP, "strip")
            strip.set("fill", "none")
            SubElement(strip, "title").text = words

    def svg(self) -> Markup:
        """The drawing; everything in it is escaped."""
        return _markup(self._svg)

    def _x(self, value: float) -> float:
        return _LEFT + self.x.at(value) * (WIDTH - _LEFT - _RIGHT)

    def _y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - self.y.at(value) * (_HEIGHT - _BOTTOM - _TOP)


def bars(
    title: str, description: str, rows: Sequence[tuple[str, float, float, str]], scale: Scale, style: str
) -> Markup:
    """A row for each `(label, from, to, figures in words)`, over one axis."""
    height = _BARS_TOP + _ROW * len(rows) + _BOTTOM
    svg = _svg(height, title, description)
    right = WIDTH - _FIGURES

    def x(value: float) -> float:
        return _LABELS + scale.at(value) * (right - _LABELS)

    base = _BARS_TOP + _ROW * len(rows)
    for value, label in scale.ticks:
        _line(svg, x(value), _BARS_TOP - 4, x(value), base, "grid")
        _text(svg, label, x(value), base + 16, "tick middle")
    _text(svg, scale.unit, right, base + 34, "unit end")
    for place, (label, begins, ends, figures) in enumerate(rows):
        top = _BARS_TOP + place * _ROW
        _text(svg, label, _LABELS - 10, top + 15, "label end")
        bar = _rect(svg, x(begins), top + 4, max(x(ends) - x(begins), 2.0), _ROW - 10, f"bar {style}")
        bar.set("rx", "3")
        _text(svg, figures, right + 10, top + 15, "figure")
    return _markup(svg)


def _markup(svg: Element) -> Markup:
    return Markup(tostring(svg, encoding="unicode"))  # noqa: S704  ElementTree escapes whatever it writes.
