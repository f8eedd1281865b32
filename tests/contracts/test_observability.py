"""Alert rules, dashboards, runbook and docs/metrics.md speak of the same things. Whether alerts fire: test_promtool.py."""

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.support.observability import (
    DASHBOARDS,
    OF_PROMETHEUS,
    PROMETHEUS,
    ROOT,
    Query,
    alerts,
    documented,
    panels,
    queries,
    recorded,
)

KNOWN = documented() | recorded() | OF_PROMETHEUS
COMPUTED = frozenset({"stream"})
"""`label_replace` makes it."""


def test_each_query_asks_for_metrics_and_labels_that_are_documented() -> None:
    for query in queries():
        for name, labels in query.selectors():
            assert name in KNOWN, f"{query.where}: {name} is not in docs/metrics.md"
            assert labels <= KNOWN[name], f"{query.where}: {name} has no label {labels - KNOWN[name]}"
        for kept, names in query.groupings():
            there = COMPUTED.union(*(KNOWN[name] for name in names))
            assert kept <= there, f"{query.where}: no label {kept - there}"


def test_each_alert_says_what_is_wrong_and_where_to_read_on() -> None:
    for alert in alerts():
        notes = alert["annotations"]
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert notes.keys() == {"summary", "description", "runbook_url"}
        assert notes["runbook_url"] == f"https://countermand.example/runbook#{alert['alert'].lower()}"


def test_the_runbook_has_one_section_for_each_alert_and_all_say_the_same_things() -> None:
    text = (ROOT / "docs/runbook.md").read_text()
    sections = dict(re.findall(r"^## (Countermand\w+)\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL))
    assert list(sections) == list(dict.fromkeys(alert["alert"] for alert in alerts()))
    for name, section in sections.items():
        parts = re.findall(r"^\*\*(.+?)\.?\*\*", section, flags=re.MULTILINE)
        assert parts == ["Buyers and sellers", "See it", "Likely causes", "Do", "Over"], name


def test_queries_of_the_runbook_ask_for_metrics_that_are_documented() -> None:
    code = re.findall(r"`([^`]+)`", (ROOT / "docs/runbook.md").read_text())
    asked = [Query("runbook", text) for text in code if re.search(r"countermand[_:]\w+|\bup\b\{", text)]
    assert asked
    for query in asked:
        for name, labels in query.selectors():
            assert name in KNOWN, query.text
            assert labels <= KNOWN[name], query.text


def test_each_alert_is_tested_to_fire_and_to_be_silent() -> None:
    """A test names an alert by `alertname`; all of them are silent where any ALERTS at all would be wrong."""
    tests = yaml.safe_load((PROMETHEUS / "rules.test.yml").read_text())["tests"]
    asked = [one for test in tests for one in test.get("promql_expr_test", [])]
    expected = [sample["labels"] for one in asked for sample in one["exp_samples"]]
    fired = set(re.findall(r'alertname="(\w+)", alertstate="firing"', "\n".join(expected)))
    fired |= {one["alertname"] for test in tests for one in test.get("alert_rule_test", []) if one["exp_alerts"]}
    assert fired == {alert["alert"] for alert in alerts()}
    assert any(one["expr"] == "ALERTS" and one["exp_samples"] == [] for one in asked)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_are_what_grafana_provisions(dashboard: Path) -> None:
    document = json.loads(dashboard.read_text())
    source = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text())
    (known,) = source["datasources"]
    assert document["uid"] == f"countermand-{dashboard.stem}"
    ids = [panel["id"] for panel in document["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels(dashboard):
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"] == {"type": known["type"], "uid": known["uid"]}
        refs = [target["refId"] for target in panel["targets"]]
        assert refs
        assert len(set(refs)) == len(refs)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)
def test_no_panel_lies_over_another(dashboard: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(dashboard.read_text())["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_every_metric_of_ours_is_shown_somewhere() -> None:
    """What nobody looks at need not be counted; the ends of histograms aside."""
    shown = {name for query in queries() for name, _ in query.selectors()}
    ours = {name for name in documented() if name.startswith("countermand_")}
    assert {name for name in ours - shown if not name.endswith(("_sum", "_count"))} == set()
