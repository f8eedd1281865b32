"""The charts of a run's page, each made from its result's document."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from lab.load.figures.metrics import ANSWER, EMAIL, HEADLINES, HOPS
from lab.load.figures.sparse import Spans, longest_of
from lab.load.plan import Arrivals
from lab.load.report.plot import Plot, bars
from lab.load.report.scale import Scale, linear, logarithmic, nines, seconds
from lab.load.wording import NONE, number, words

_POINTS_MAX: Final = 720
"""More than a line has pixels; a longer series is drawn by the highest of neighbouring rows."""

_COLOURS: Final = 8
"""How many lines the page's style can tell apart."""

_NINES_STEP: Final = 1.12
"""From one point of a percentile curve to the next: twenty for each nine."""

Data = Mapping[str, Any]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing with its heading, what it shows in a sentence, and its legend: styles and names."""

    heading: str
    caption: str
    drawing: Markup
    legend: tuple[tuple[str, str], ...] = ()


def charts_of(data: Data) -> list[Chart]:
    """Every chart for which the run has figures, in the order of the page."""
    rows = _thinned(data["series"])
    made = [_latency, _throughput, _waiting] if rows else []
    charts = [chart(data, rows) for chart in made]
    if data["histograms"].keys() & set(HEADLINES):
        charts.insert(1, _spectrum(data))
    if any(name in data["latency_ms"] for name in HOPS):
        charts.append(_hops(data))
    if data["outcomes"]:
        charts.append(_outcomes(data))
    if data["usage"]:
        charts += [_used(data, "cores", "Processors", "processors"), _used(data, "rss_mb", "Memory", "MB")]
    return charts


def _latency(data: Data, rows: Sequence[Row]) -> Chart:
    legend = tuple(
        (f"{style} {weight}", f"{words(metric)} {quantile}")
        for metric, style in ((ANSWER, "answer"), (EMAIL, "email"))
        for quantile, weight in (("p50", "thin"), ("p99", "thick"))
    )
    keys = [f"{metric}_{quantile}_ms" for metric in HEADLINES for quantile in ("p50", "p99")]
    values = [row[key] for row in rows for key in keys if row[key] is not None]
    caption = (
        "What the requests of each second, by their scheduled send, had to wait: the median and the slowest hundredth."
    )
    plot = Plot(
        "Latency over time", caption, _time(data), logarithmic(values, "ms, logarithmic"), "time since the start"
    )
    _shade(plot, data)
    for key, (style, _) in zip(keys, legend, strict=True):
        plot.line(((_middle(row, data), row[key]) for row in rows), style)
    plot.tell(_told(rows, data, [(key, name, " ms") for key, (_, name) in zip(keys, legend, strict=True)]))
    return Chart("Latency over time", caption, plot.svg(), legend)


def _spectrum(data: Data) -> Chart:
    spans = {name: Spans.decoded(data["histograms"][name]) for name in HEADLINES if name in data["histograms"]}
    curves = {name: list(_curve(of)) for name, of in spans.items()}
    x = nines(max(len(of) for of in spans.values()))
    y = logarithmic([at for curve in curves.values() for _, at in curve], "ms, logarithmic")
    caption = (
        "How long the fastest so many percent waited at most; every step to the right is a tenth as many requests."
    )
    plot = Plot("Percentiles", caption, x, y, "")
    styles = {ANSWER: "answer thick", EMAIL: "email thick"}
    for name, curve in curves.items():
        plot.line(curve, styles[name])
    return Chart("Percentiles", caption, plot.svg(), tuple((styles[name], words(name)) for name in curves))


def _curve(spans: Spans) -> Iterator[tuple[float, float]]:
    """Points `(1 / (1 - share), ms)`, evenly apart on the axis, as far as there are spans for."""
    total = len(spans)
    shares, nine = list[float](), 1.0
    while nine < total:
        shares.append(nine)
        nine *= _NINES_STEP
    shares.append(float(total))
    at = spans.quantiles_ms([100.0 * (1 - 1 / share) for share in shares[:-1]])
    for share, value in zip(shares[:-1], at, strict=True):
        yield share, value or 0.0
    yield shares[-1], longest_of(max(spans.cells)) / 1e3


def _throughput(data: Data, rows: Sequence[Row]) -> Chart:
    plan, step_s = data["plan"], data["series_step_s"]
    rates = [(_middle(row, data), row["started"] / step_s, row["completed"] / step_s) for row in rows]
    ramps = plan["arrivals"] == Arrivals.RAMP
    target = [(0.0, 0.0 if ramps else plan["rate"]), (plan["duration_s"], plan["rate"])]
    caption = "Orders started and completed each second, and the rate that was asked for."
    top = [value for rate in rates for value in rate[1:]] + [plan["rate"]]
    plot = Plot("Throughput and target", caption, _time(data), linear(top, "orders/s"), "time since the start")
    _shade(plot, data)
    plot.line(target, "target")
    plot.line(((second, started) for second, started, _ in rates), "started thin")
    plot.line(((second, completed) for second, _, completed in rates), "completed thick")
    plot.tell(_told(rows, data, [("started", "started", ""), ("completed", "completed", "")]))
    legend = (("completed thick", "completed"), ("started thin", "started"), ("target", "target"))
    return Chart("Throughput and target", caption, plot.svg(), legend)


def _waiting(data: Data, rows: Sequence[Row]) -> Chart:
    caption = "Orders open at the end of each second, and messages that the services had still to handle."
    values = [row[key] for row in rows for key in ("in_flight", "backlog") if row[key] is not None]
    plot = Plot("In flight and backlog", caption, _time(data), linear(values, "count"), "time since the start")
    _shade(plot, data)
    legend = (("flight thick", "orders in flight"), ("backlog thick", "messages waiting"))
    for key, (style, _) in zip(("in_flight", "backlog"), legend, strict=True):
        plot.line(((_middle(row, data), row[key]) for row in rows), style)
    plot.tell(_told(rows, data, [("in_flight", "in flight", ""), ("backlog", "waiting", "")]))
    return Chart("In flight and backlog", caption, plot.svg(), legend)


def _hops(data: Data) -> Chart:
    found = {name: data["latency_ms"][name] for name in HOPS if name in data["latency_ms"]}
    scale = logarithmic([of[quantile] for of in found.values() for quantile in ("p50", "p99")], "ms, logarithmic")
    rows = [
        (words(name), of["p50"], of["p99"], f"{number(of['p50'])} … {number(of['p99'])} ms")
        for name, of in found.items()
    ]
    caption = "Each leg of the way from a request to its email: from its median to its p99."
    return Chart("Hop by hop", caption, bars("Hop by hop", caption, rows, scale, "hop"))


def _outcomes(data: Data) -> Chart:
    ranked = sorted(data["outcomes"].items(), key=lambda item: -item[1])
    total = sum(data["outcomes"].values())
    rows = [(words(name), 0.0, float(of), f"{of:,} ({of / total:.1%})") for name, of in ranked]
    caption = "How the orders ended, warm-up included."
    scale = linear([of for _, of in ranked], "orders")
    return Chart("Outcomes", caption, bars("Outcomes", caption, rows, scale, "outcome"))


def _used(data: Data, key: str, heading: str, unit: str) -> Chart:
    lines = {name: _thinned_pairs(used[key]) for name, used in data["usage"].items()}
    values = [value for points in lines.values() for _, value in points]
    caption = {"cores": "Processor time by process, in processors kept busy.", "rss_mb": "Resident memory by process."}[
        key
    ]
    last = max((second for points in lines.values() for second, _ in points), default=0.0)
    plot = Plot(heading, caption, seconds(last), linear(values, unit), "time since the start")
    _shade(plot, data)
    legend = tuple((_colour(place), name) for place, name in enumerate(lines))
    for points, (style, _) in zip(lines.values(), legend, strict=True):
        plot.line(points, style)
    return Chart(heading, caption, plot.svg(), legend)


def _colour(place: int) -> str:
    """A colour of its own for each of the first lines; then the same again, dashed."""
    return f"c{place % _COLOURS} thin" + (" dashed" if place >= _COLOURS else "")


def _time(data: Data) -> Scale:
    return seconds(data["series"][-1]["second"] + data["series_step_s"])


def _middle(row: Row, data: Data) -> float:
    """Where on the axis of time a row stands for the seconds that it covers."""
    return row["second"] + data["series_step_s"] / 2


def _shade(plot: Plot, data: Data) -> None:
    """The warm-up, which is not measured, and each fault: while it lasted, and until it was over for the requests."""
    if data["plan"]["warmup_s"]:
        plot.span(0.0, data["plan"]["warmup_s"], "warmup")
    for fault in data["faults"]:
        began, ended = fault["began"], fault["ended"] if fault["ended"] is not None else fault["began"]
        plot.span(began, max(ended, began + (fault["recovery_s"] or 0.0)), "felt")
        plot.span(began, ended, "fault", fault["text"])


def _told(rows: Sequence[Row], data: Data, keys: Sequence[tuple[str, str, str]]) -> Iterator[tuple[float, float, str]]:
    ends = [row["second"] for row in rows[1:]] + [data["series"][-1]["second"] + data["series_step_s"]]
    for row, end in zip(rows, ends, strict=True):
        figures = (f"{name} {NONE if row[key] is None else number(row[key]) + unit}" for key, name, unit in keys)
        yield row["second"], end, f"{row['second']:g} s\n" + "\n".join(figures)


def _thinned(rows: Sequence[Row]) -> list[Row]:
    """Few enough rows to draw: of neighbours, the highest of each figure."""
    size = -(-len(rows) // _POINTS_MAX)
    return [_highest(rows[at : at + size]) for at in range(0, len(rows), max(size, 1))]


def _highest(rows: Sequence[Row]) -> Row:
    highest = {key: max((row[key] for row in rows if row[key] is not None), default=None) for key in rows[0]}
    return highest | {"second": rows[0]["second"]}


def _thinned_pairs(points: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    size = max(1, -(-len(points) // _POINTS_MAX))
    groups = (points[at : at + size] for at in range(0, len(points), size))
    return [(group[0][0], max(value for _, value in group)) for group in groups]
