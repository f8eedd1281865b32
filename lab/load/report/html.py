"""The run as one page: self-contained, without script, fit for the screen by day or night and for paper."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from lab.audit.invariants import Invariant
from lab.load import wording
from lab.load.figures.metrics import HEADLINES, HOPS, LATENCIES, METRICS
from lab.load.figures.result import Result, Verdict
from lab.load.report import summary
from lab.load.report.charts import charts_of


def write(result: Result, path: Path) -> None:
    """Write the page."""
    path.write_text(page(result), encoding="utf-8")


def page(result: Result) -> str:
    """The page; whatever the run's names hold is escaped."""
    return _template().render(
        data=result.data,
        verdict=result.verdict,
        passed=result.verdict is Verdict.PASS,
        why=result.data["reasons"] or [summary.praise(result.data)],
        tiles=_tiles(result.data),
        facts=_facts(result.data),
        charts=charts_of(result.data),
        hops=HOPS,
        meanings={name: METRICS[name].meaning for name in LATENCIES},
        sentences={str(invariant): invariant.sentence for invariant in Invariant},
    )


def _tiles(data: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The figures that most readers came for: name, figure, and what stands below it."""
    number, rate, emails = wording.number, data["rate"], data["emails"]
    tiles = [("flows a second", number(rate["achieved"]), f"of {number(rate['target'])} asked for")]
    for name, of in data["latency_ms"].items():
        if name in HEADLINES:
            tiles.append((f"{wording.words(name)}, p99", f"{number(of['p99'])} ms", f"median {number(of['p50'])} ms"))
    checked = sum(line["checked"] for line in data["invariants"].values())
    tiles.append(("violations", number(data["violations"]), f"in {checked:,} checks"))
    tiles.append(("emails lost", number(emails["lost"]), f"{number(emails['delivered'])} delivered"))
    return tiles


def _facts(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What stands in a line each, as on the terminal."""
    return [
        ("Run", summary.of_plan(data)),
        ("Again", summary.again(data)),
        ("Flows", summary.of_flows(data)),
        ("Rate", summary.of_rate(data)),
        ("Emails", summary.of_emails(data["emails"])),
        ("Generator", summary.of_generator(data["generator"])),
    ]


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("lab.load.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = wording.number
    environment.filters["words"] = wording.words
    environment.filters["fault"] = summary.of_fault
    return environment.get_template("report.html")
