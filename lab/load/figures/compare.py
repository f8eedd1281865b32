"""Two runs side by side: what was set up differently, what became better or worse, and how sure that is."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from countermand.runtime.settings import ConfigurationError
from lab import exits
from lab.load.figures.bootstrap import Interval, blocks_of, ratio_of_means, ratio_of_quantiles
from lab.load.figures.histogram import QUANTILES
from lab.load.figures.metrics import LATENCIES
from lab.load.figures.result import Result
from lab.load.report.figures import NONE, number, words

SCHEMA: Final = "https://countermand.example/schemas/load-comparison.v1.json"
_COMPARED: Final = ("p50", "p90", "p99")
_BETTER, _WORSE, _SAME, _UNSURE = "better", "worse", "same", ""
_STYLES: Final = {_BETTER: "green", _WORSE: "red", _SAME: "dim", _UNSURE: ""}


@dataclass(frozen=True, slots=True)
class Delta:
    """One figure of both runs.

    Attributes:
        ratio: after / before; nothing where that says nothing.
        interval: where the ratio lies with 95 % confidence, if blocks could be drawn.
        change: `better`, `worse`, or `same` if the interval holds 1; empty where there is no interval.
        regressed: whether it is worse beyond the margin.
    """

    name: str
    unit: str
    before: float | None
    after: float | None
    ratio: float | None = None
    interval: Interval | None = None
    change: str = _UNSURE
    regressed: bool = False


def compare(a: Path, b: Path, *, margin: float, console: Console, json: Path | None = None) -> int:
    """Print how run `b` differs from run `a`, each a `result.json` or a folder with one.

    Args:
        margin: how much worse, as a share, `b` may be.
        json: where to write the comparison as a document too.

    Returns:
        1 if `b` regressed: a percentile's whole interval, or the achieved rate, beyond the margin, or if there are violations or lost
        emails where there were none.

    Raises:
        ConfigurationError: a file cannot be read, or the document cannot be written.
    """
    before, after = Result.read(a).data, Result.read(b).data
    try:
        differences = list(_differences(before, after))
        deltas = [*_latencies(before, after, margin), *_figures(before, after, margin)]
    except (KeyError, TypeError, ValueError) as error:
        msg = f"{a}, {b}: one of them is no whole result of `countermand load`: {error!r}"
        raise ConfigurationError(msg) from error
    _show(a, b, differences, deltas, margin, console)
    regressed = [delta.name for delta in deltas if delta.regressed]
    if json is not None:
        _write(json, (a, b), margin, differences, deltas)
    return exits.REGRESSION if regressed else exits.PASS


def _latencies(before: Mapping[str, Any], after: Mapping[str, Any], margin: float) -> Iterator[Delta]:
    blocks = (len(before["blocks"]), len(after["blocks"]))
    for name in LATENCIES:
        old, new = before["latency_ms"].get(name), after["latency_ms"].get(name)
        if old is None or new is None:
            continue
        sides = blocks_of(before, name), blocks_of(after, name)
        intervals = ratio_of_quantiles(*sides, blocks, [QUANTILES[quantile] for quantile in _COMPARED])
        for quantile, interval in zip(_COMPARED, intervals, strict=True):
            ratio = _ratio(old[quantile], new[quantile])
            worse = interval is not None and interval[0] > 1 + margin
            yield Delta(
                f"{name}.{quantile}", "ms", old[quantile], new[quantile], ratio, interval, _change(interval), worse
            )


def _figures(before: Mapping[str, Any], after: Mapping[str, Any], margin: float) -> Iterator[Delta]:
    old, new = before["rate"]["achieved"], after["rate"]["achieved"]
    rates = ([float(block["completed"]) for block in document["blocks"]] for document in (before, after))
    ratio, interval = _ratio(old, new), _scaled(ratio_of_means(*rates), before, after)
    change = _change(interval, more_is_better=True)
    yield Delta("rate.achieved", "flows/s", old, new, ratio, interval, change, ratio is not None and ratio < 1 - margin)
    for name, old, new in (
        ("violations", before["violations"], after["violations"]),
        ("emails.lost", before["emails"]["lost"], after["emails"]["lost"]),
    ):
        yield Delta(
            name, "", old, new, change=_WORSE if (new or 0) > (old or 0) else _UNSURE, regressed=bool(new and not old)
        )
    yield Delta("emails.duplicates", "", before["emails"]["duplicates"], after["emails"]["duplicates"])
    for name in sorted(before["resources"].keys() & after["resources"].keys()):
        old, new = (document["resources"][name]["cpu_ms_per_flow"] for document in (before, after))
        yield Delta(f"resources.{name}.cpu_ms_per_flow", "ms", old, new, _ratio(old, new))


def _scaled(interval: Interval | None, before: Mapping[str, Any], after: Mapping[str, Any]) -> Interval | None:
    """An interval of counts as one of rates: the blocks of the two runs may have different lengths."""
    lengths = [document["blocks"][0]["to"] - document["blocks"][0]["from"] for document in (before, after)]
    if interval is None or not all(lengths):
        return None
    return interval[0] * lengths[0] / lengths[1], interval[1] * lengths[0] / lengths[1]


def _ratio(before: float | None, after: float | None) -> float | None:
    return after / before if before and after is not None else None


def _change(interval: Interval | None, *, more_is_better: bool = False) -> str:
    if interval is None:
        return _UNSURE
    low, high = interval
    if low <= 1 <= high:
        return _SAME
    return _BETTER if (low > 1) == more_is_better else _WORSE


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What was set up differently: name, before, after."""
    for name in ("plan_hash", "seed"):
        if before[name] != after[name]:
            yield name, str(before[name]), str(after[name])
    for group in ("plan", "environment"):
        old, new = before[group], after[group]
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                yield f"{group}.{name}", _said(old.get(name)), _said(new.get(name))


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _show(
    a: Path,
    b: Path,
    differences: Sequence[tuple[str, str, str]],
    deltas: Sequence[Delta],
    margin: float,
    console: Console,
) -> None:
    regressed = [delta for delta in deltas if delta.regressed]
    first = Text(f"✗ {len(regressed)} regressed by more than {margin:.0%}", style="bold red") if regressed else None
    console.print(first or Text(f"✓ nothing regressed by more than {margin:.0%}", style="green"))
    if regressed:
        console.print(
            "  " + ", ".join(delta.name for delta in regressed), highlight=False, markup=False, soft_wrap=True
        )
    console.print(f"  A {a}\n  B {b}", highlight=False, markup=False, soft_wrap=True)
    if any(name == "plan_hash" for name, _, _ in differences):
        console.print(
            "  the plans differ: the two runs did not have the same orders at the same moments", style="yellow"
        )
    if differences:
        console.print(_table(("set up differently", "A", "B"), [tuple(map(Text, row)) for row in differences]))
    console.print(_table(("figure", "A", "B", "B / A", "95 % interval", ""), [_row(delta) for delta in deltas]))


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


def _write(
    path: Path,
    sides: tuple[Path, Path],
    margin: float,
    differences: Sequence[tuple[str, str, str]],
    deltas: Sequence[Delta],
) -> None:
    document = {
        "schema": SCHEMA,
        "verdict": "regression" if any(delta.regressed for delta in deltas) else "pass",
        "a": str(sides[0]),
        "b": str(sides[1]),
        "margin": margin,
        "differences": [{"name": name, "a": old, "b": new} for name, old, new in differences],
        "figures": [asdict(delta) for delta in deltas],
    }
    try:
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror}"
        raise ConfigurationError(msg) from error
