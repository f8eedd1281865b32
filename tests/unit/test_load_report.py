"""The reports of a run: what they hold, that others can read them, and that a page is only a page."""

import csv
import json
import re
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from rich.console import Console

from countermand.runtime.settings import ConfigurationError
from lab.load.figures.result import FILE, Result
from lab.load.figures.sparse import DIGITS, HIGHEST_US, LOWEST_US
from lab.load.report import HLOG, PAGE, SERIES, write_all
from lab.load.report.html import page
from lab.load.report.scale import Scale, linear, logarithmic, nines, seconds
from lab.load.report.summary import show
from tests.support.raw_logs import AUDIT, BROKEN_AUDIT, fault, measured, plain, sample, tick

SCHEMA_FILE = Path(__file__).parents[2] / "docs/load-result.v1.schema.json"
EVIL = "<script>alert('1')</script>&\"[red]"

_VOID = {"meta", "br", "link", "img", "input", "hr"}


def _run(folder: Path, **log: Any) -> Result:
    """A run with something of everything."""
    orders = [plain(n / 4, answer_ms=10 + n, email_ms=20 + n, mailed=n / 4 + 0.015 + n / 1e3) for n in range(80)]
    lines = [
        fault("kill:order@10s", 10.0, 10.0),
        fault("smtp:451@12s+2s", 12.0, 14.0),
        *(tick(n + 0.001, open=n, started=4 * n) for n in range(1, 21)),
        *(sample(float(n), n, order=(n / 10, n * 1_000_000), nats=(n / 20, 9_000_000)) for n in range(1, 21)),
    ]
    return measured(folder, orders, lines=log.pop("lines", lines), **log)


def _said(result: Result, files: list[Path] | None = None) -> str:
    out = StringIO()
    show(result, Console(file=out, width=140), files or [])
    return out.getvalue()


class _Tags(HTMLParser):
    """The elements of a page and their attributes; whatever is opened must be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_document_is_as_its_schema_says(tmp_path: Path) -> None:
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    runs = [
        _run(tmp_path / "a", thresholds=["violations==0", "request_to_email.p99<1ms", "order_to_smtp.p50<1s"]),
        _run(tmp_path / "b", lines=[], end={"stopped": "cut short", "drained": False, "audit": None}),
        _run(tmp_path / "c", lines=[], end={"stopped": None, "drained": True, "audit": BROKEN_AUDIT}),
        measured(tmp_path / "d", []),
    ]
    for result in runs:
        jsonschema.validate(result.document(), schema)


def test_every_report_is_written_and_the_document_reads_back(tmp_path: Path) -> None:
    result = _run(tmp_path)
    files = write_all(result, tmp_path)
    assert {path.name for path in files} == {FILE, SERIES, HLOG, PAGE}
    assert all(path.stat().st_size for path in files)
    assert Result.read(tmp_path) == Result.read(tmp_path / FILE) == result


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "cannot be read"), ("{", "no JSON"), ("[]", "no result"), ('{"schema": "x"}', "no result")],
)
def test_what_is_no_result_is_refused(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / FILE
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        Result.read(path)


def test_the_series_is_a_table(tmp_path: Path) -> None:
    result = _run(tmp_path)
    write_all(result, tmp_path)
    with (tmp_path / SERIES).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(result.data["series"])
    assert rows[6]["started"] == "4"
    assert rows[0]["backlog"] == ""
    assert float(rows[6]["request_to_answer_p50_ms"]) == result.data["series"][6]["request_to_answer_p50_ms"]


def test_the_log_is_read_by_the_tools_of_hdrhistogram(tmp_path: Path) -> None:
    result = _run(tmp_path)
    write_all(result, tmp_path)
    reader: Any = HistogramLogReader(str(tmp_path / HLOG), HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS))
    read: dict[str, Any] = {}
    intervals = 0
    while (histogram := reader.get_next_interval_histogram()) is not None:
        intervals += 1
        whole = read.setdefault(histogram.get_tag(), HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS))
        whole.add(histogram)
    reader.close()
    assert intervals > 25
    assert read.keys() == result.data["latency_ms"].keys()
    for name, figures in result.data["latency_ms"].items():
        assert read[name].get_total_count() == figures["count"]
        assert read[name].get_value_at_percentile(99.0) / 1e3 == figures["p99"]
    assert reader.get_start_time_sec() == 1_772_438_400


def test_the_page_is_whole_and_asks_nobody_for_anything(tmp_path: Path) -> None:
    text = page(_run(tmp_path, thresholds=["violations==0"]))
    tags = _Tags(text)
    assert not tags.open
    names = {name for name, _ in tags.found}
    assert not names & {"script", "link", "img", "iframe", "object"}
    attributes = {name: value for _, found in tags.found for name, value in found.items()}
    assert not {name for name in attributes if name.startswith("on")} | attributes.keys() & {"src", "href"}
    assert "url(" not in text
    assert "@import" not in text
    addresses = set(re.findall(r"https?://[^\s\"'<]+", text))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_every_drawing_is_well_formed_and_says_what_it_shows(tmp_path: Path) -> None:
    text = page(_run(tmp_path))
    drawings = [ET.fromstring(drawing) for drawing in re.findall(r"<svg xmlns.*?</svg>", text, re.DOTALL)]  # noqa: S314
    svg = "{http://www.w3.org/2000/svg}"
    titles = [drawing.findtext(f"{svg}title") for drawing in drawings]
    assert titles == [
        "Latency over time",
        "Percentiles",
        "Throughput and target",
        "In flight and backlog",
        "Hop by hop",
        "Outcomes",
        "Processors",
        "Memory",
    ]
    names: list[str] = []
    for drawing in drawings:
        assert drawing.findtext(f"{svg}desc")
        names += [name for element in drawing.iter() if (name := element.get("id"))]
        assert drawing.get("aria-labelledby") == " ".join(names[-2:])
    assert len(set(names)) == len(names)
    assert "kill:order@10s" in text


def test_nothing_that_is_shown_can_be_markup(tmp_path: Path) -> None:
    """Names of a foreign system's processes, of flows, and words of an audit come from elsewhere."""
    evil = plain(8.0) | {"flow": EVIL, "outcome": EVIL}
    lines = [fault(EVIL, 9.0, 9.5), *(sample(float(n), 1, **{EVIL: (n / 10, 5_000_000)}) for n in range(1, 9))]
    said = {"checked": 1, "pending": 0, "violated": 1, "violations": [{"order_id": EVIL, "what": EVIL}]}
    end = {"stopped": EVIL, "drained": True, "audit": AUDIT | {"invariants": {"I1": said}}}
    result = measured(tmp_path, [plain(6.0), evil], lines=lines, end=end, environment={"note": EVIL}, run=EVIL)
    text = page(result)
    assert "<script" not in text
    assert not _Tags(text).open
    assert "[red]" in _said(result)


def test_the_page_of_a_run_that_saw_nothing(tmp_path: Path) -> None:
    text = page(measured(tmp_path, [], end={"stopped": "interrupted", "drained": False, "audit": None}))
    assert "The run was interrupted." in text
    assert not _Tags(text).open


def test_the_summary_begins_with_the_verdict_and_why(tmp_path: Path) -> None:
    passed, missed = _run(tmp_path / "a"), _run(tmp_path / "b", thresholds=["request_to_email.p99<1ms"])
    assert _said(passed).startswith("✓ pass  80 orders settled, every invariant holds.\n")
    assert _said(missed).startswith("✗ threshold  request_to_email.p99<1ms does not hold: it is ")


def test_the_summary_says_when_the_rate_says_nothing(tmp_path: Path) -> None:
    slow = [plain(n / 4) | {"last_fact": n / 4 + 12.0} for n in range(80)]
    assert "(orders took 12.0 s to complete, too long for 15 s to tell the rate)" in _said(
        measured(tmp_path / "a", slow)
    )
    late_ends = [plain(n / 4) | {"closed": n / 4 + 12.0} for n in range(80)]
    assert "to tell the rate" not in _said(measured(tmp_path / "b", late_ends))


def test_the_summary_says_how_to_play_it_again(tmp_path: Path) -> None:
    """With every digit that the orders follow from."""
    plan = {"rate": 1234.5678, "arrivals": "poisson", "clock_rate": 86_400.0}
    said = _said(measured(tmp_path / "a", [plain(6.0)], plan=plan, faults=["kill:order@10s", "smtp:451@12s+2s"]))
    command = (
        "countermand load --rate 1234.5678 --duration 20s --warmup 5s --mix everyday --seed 7 --arrivals poisson "
        "--clock-rate 86400 --fault kill:order@10s --fault smtp:451@12s+2s"
    )
    assert f"  again      {command}\n" in said
    assert "clock rate 86,400, 1 worker, seed 7" in said
    own = _said(measured(tmp_path / "b", [plain(6.0)], plan={"mix": {"name": "mine"}}))
    assert "--mix FILE " in own
    assert "(FILE: the mix mine)" in own


def test_the_summary_names_what_is_wrong(tmp_path: Path) -> None:
    said = _said(_run(tmp_path, end={"stopped": None, "drained": True, "audit": BROKEN_AUDIT}), [tmp_path / PAGE])
    assert "I4 violated 1 time, first o7: <b>no email</b>" in said
    assert "kill:order@10s: recovered 0 s after its beginning, 0 waits over 250 ms (buyer to order, " in said
    assert str(tmp_path / PAGE) in said.replace("\n", "")


@pytest.mark.parametrize(
    ("scale", "labels"),
    [
        (linear([0.0, 431.0], "x"), ["0", "100", "200", "300", "400", "500"]),
        (linear([0.35], "x"), ["0", "0.1", "0.2", "0.3", "0.4"]),
        (linear([], "x"), ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (linear([48_000.0], "x"), ["0", "10 k", "20 k", "30 k", "40 k", "50 k"]),
        (logarithmic([3.0, 4_700.0], "x"), ["10", "100", "1 k"]),
        (logarithmic([3.0, 47.0], "x"), ["2", "5", "10", "20", "50"]),
        (logarithmic([], "x"), ["1", "2", "5", "10"]),
        (logarithmic([7.0], "x"), ["5", "10"]),
        (seconds(60.0), ["0", "10", "20", "30", "40", "50", "60"]),
        (seconds(600.0), ["0", "2", "4", "6", "8", "10"]),
        (seconds(86_400.0), ["0", "4", "8", "12", "16", "20", "24"]),
        (seconds(0.4), ["0", "1"]),
        (nines(500), ["0", "50", "90", "99"]),
        (nines(10_000_000), ["0", "50", "90", "99", "99.9", "99.99", "99.999"]),
    ],
)  # fmt: skip
def test_axes_have_round_figures(scale: Scale, labels: list[str]) -> None:
    assert [label for _, label in scale.ticks] == labels
    places = [scale.at(figure) for figure, _ in scale.ticks]
    assert places == sorted(places)
    assert all(0 <= place <= 1 for place in places)
    assert (scale.at(-1.0), scale.at(1e12)) == (0.0, 1.0)
