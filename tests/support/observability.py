"""What operators are given, read from its files: documented metrics, alert rules, dashboards, and the queries in all of them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from promql_parser import AggregateExpr, Expr, VectorSelector, parse, walk

ROOT: Final = Path(__file__).parents[2]
PROMETHEUS: Final = ROOT / "deploy/prometheus"
DASHBOARDS: Final = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))

OF_THE_TARGET: Final = frozenset({"job", "instance", "service"})
"""Labels that Prometheus adds to every series."""

OF_PROMETHEUS: Final = {"up": OF_THE_TARGET, "ALERTS": OF_THE_TARGET | {"alertname", "alertstate", "severity"}}
"""Series that Prometheus itself makes."""

_PARTS: Final = {"histogram": {"_bucket": {"le"}, "_sum": set[str](), "_count": set[str]()}}
_VARIABLES: Final = {"$__rate_interval": "1m", "$service": "order"}


@dataclass(frozen=True, slots=True)
class Query:
    """An expression of PromQL and where it stands."""

    where: str
    text: str

    @property
    def tree(self) -> Expr:
        """Parsed; raises ValueError with the reason if it cannot be."""
        return parse(self.text)

    def selectors(self) -> list[tuple[str, set[str]]]:
        """Each metric that it asks for, with the labels that it chooses by."""
        found: list[tuple[str, set[str]]] = []

        def visit(node: Expr) -> None:
            if isinstance(node, VectorSelector):
                found.append((node.name or "", {matcher.name for matcher in node.matchers.matchers}))

        walk(self.tree, visit)
        return found

    def groupings(self) -> list[tuple[set[str], set[str]]]:
        """Each aggregation: the labels that it keeps, and the metrics below it."""
        found: list[tuple[set[str], set[str]]] = []

        def visit(node: Expr) -> None:
            if isinstance(node, AggregateExpr) and node.modifier is not None:
                inner = Query(self.where, node.expr.prettify())
                found.append((set(node.modifier.labels), {name for name, _ in inner.selectors()}))

        walk(self.tree, visit)
        return found


def documented(without: str = "") -> dict[str, frozenset[str]]:
    """Every series of docs/metrics.md by its name, with its labels; without those of the section with that heading."""
    series: dict[str, frozenset[str]] = {}
    section = ""
    for line in (ROOT / "docs/metrics.md").read_text().splitlines():
        section = line.removeprefix("## ") if line.startswith("## ") else section
        if without and section == without:
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        names = re.findall(r"`((?:countermand|process)_\w+)`", cells[0])
        if not names or len(cells) < 3:
            continue
        labels = frozenset(cells[2].replace(" ", "").split(",")) - {""}
        for name in names:
            parts: dict[str, set[str]] = _PARTS.get(cells[1], {"": set()})
            series |= {name + part: labels | more | OF_THE_TARGET for part, more in parts.items()}
    return series


def rules() -> list[dict[str, Any]]:
    """All rules of deploy/prometheus/rules.yml."""
    document = yaml.safe_load((PROMETHEUS / "rules.yml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """The rules that alert."""
    return [rule for rule in rules() if "alert" in rule]


def recorded() -> dict[str, frozenset[str]]:
    """Every series that a rule records, with its labels: those before the first colon, as the convention has it."""
    names = [rule["record"] for rule in rules() if "record" in rule]
    return {name: frozenset(name.split(":")[0].split("_")) - {"countermand"} for name in names}


def panels(dashboard: Path) -> Iterator[dict[str, Any]]:
    """All panels that ask something."""
    return (panel for panel in json.loads(dashboard.read_text())["panels"] if panel["type"] != "row")


def queries() -> list[Query]:
    """Every expression of the rules and the dashboards, Grafana's variables replaced by values."""
    found = [Query(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules()]
    for dashboard in DASHBOARDS:
        for panel in panels(dashboard):
            for target in panel["targets"]:
                text: str = target["expr"]
                for variable, value in _VARIABLES.items():
                    text = text.replace(variable, value)
                found.append(Query(f"{dashboard.stem}: {panel['title']}", text))
    return found
