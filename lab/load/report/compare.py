"""Two runs side by side, on the terminal and as a document."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from countermand.runtime.settings import ConfigurationError
from lab import exits
from lab.load.figures.comparison import BETTER, SAME, UNSURE, WORSE, Comparison, Delta
from lab.load.figures.result import Result
from lab.load.wording import NONE, counted, number, words

SCHEMA: Final = "https://countermand.example/schemas/load-comparison.v1.json"
_STYLES: Final = {BETTER: "green", WORSE: "red", SAME: "dim", UNSURE: ""}

Sides = tuple[Path, Path]


def compare(a: Path, b: Path, *, margin: float, console: Console, json: Path | None = None) -> int:
    """Print how run `b` differs from run `a`, each a `result.json` or a folder with one.

    Args:
        margin: how much worse, as a share, `b` may be.
        json: where to write the comparison as a document too.

    Returns:
        1 if `b` regressed: a percentile's whole interval, or the achieved rate, beyond the margin, or if there are violations or lost
        emails where there were none; and 1 if it cannot be said not to have: it is invalid, was not audited, or lacks a headline
        that `a` has.

    Raises:
        ConfigurationError: a file cannot be read, or the document cannot be written.
    """
    before, after = Result.read(a).data, Result.read(b).data
    try:
        found = Comparison.of(before, after, margin)
    except (KeyError, TypeError, ValueError) as error:
        msg = f"{a}, {b}: one of them is no whole result of `countermand load`: {error!r}"
        raise ConfigurationError(msg) from error
    _show((a, b), found, margin, console)
    if json is not None:
        _write(json, (a, b), found, margin)
    return exits.REGRESSION if found.is_regression else exits.PASS


def _show(sides: Sides, found: Comparison, margin: float, console: Console) -> None:
    for line in _headlines(found, margin):
        console.print(line, soft_wrap=True)
    for side, path, verdict in zip("AB", sides, (found.a, found.b), strict=True):
        console.print(f"  {side} {path} ({verdict})", highlight=False, markup=False, soft_wrap=True)
    if any(name == "plan_hash" for name, _, _ in found.differences):
        console.print(
            "  the plans differ: the two runs did not have the same orders at the same moments", style="yellow"
        )
    if found.differences:
        console.print(_table(("set up differently", "A", "B"), [tuple(map(Text, row)) for row in found.differences]))
    console.print(_table(("figure", "A", "B", "B / A", "95 % interval", ""), [_row(delta) for delta in found.deltas]))


def _headlines(found: Comparison, margin: float) -> list[Text]:
    """What it comes to, each finding on a line of its own."""
    if not found.is_regression:
        return [Text(f"✓ nothing regressed by more than {margin:.0%}", style="green")]
    lines = [Text(f"✗ {doubt}", style="bold red") for doubt in found.doubts]
    if found.regressed:
        many = counted(len(found.regressed), "figure")
        lines.append(Text(f"✗ {many} regressed by more than {margin:.0%}", style="bold red"))
        lines.append(Text("  " + ", ".join(found.regressed)))
    return lines


def _table(columns: Sequence[str], rows: Sequence[tuple[Text, ...]]) -> Table:
    table = Table(box=SIMPLE_HEAD, header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if not place else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _row(delta: Delta) -> tuple[Text, ...]:
    interval = NONE if delta.interval is None else f"{delta.interval[0]:.2f} … {delta.interval[1]:.2f}"
    figures = [
        f"{number(figure)} {delta.unit}".rstrip() if figure is not None else NONE
        for figure in (delta.before, delta.after)
    ]
    ratio = NONE if delta.ratio is None else f"{delta.ratio:.2f}"
    change = Text(
        "regressed" if delta.regressed else delta.change, style="bold red" if delta.regressed else _STYLES[delta.change]
    )
    return Text(words(delta.name)), *map(Text, figures), Text(ratio), Text(interval), change


def _write(path: Path, sides: Sides, found: Comparison, margin: float) -> None:
    document = {
        "schema": SCHEMA,
        "verdict": "regression" if found.is_regression else "pass",
        "a": str(sides[0]),
        "b": str(sides[1]),
        "verdicts": {"a": found.a, "b": found.b},
        "margin": margin,
        "doubts": list(found.doubts),
        "differences": [{"name": name, "a": old, "b": new} for name, old, new in found.differences],
        "figures": [asdict(delta) for delta in found.deltas],
    }
    try:
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror}"
        raise ConfigurationError(msg) from error
