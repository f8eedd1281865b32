"""Two runs side by side: what counts as a regression, and how sure that has to be."""

import json
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from rich.console import Console

from countermand.runtime.settings import ConfigurationError
from lab import exits
from lab.load.figures.bootstrap import Drawn, ratio_of_means, ratio_of_quantiles
from lab.load.figures.result import FILE
from lab.load.figures.sparse import Spans
from lab.load.report.compare import compare
from tests.support.raw_logs import AUDIT, BROKEN_AUDIT, measured, order, plain, sample


def _run(folder: Path, slower: float = 1.0, seed: int = 1, every_s: float = 0.02, **log: Any) -> Path:
    chance = Random(seed)
    moments = [n * every_s for n in range(round(20 / every_s))]
    orders = [
        plain(at, answer_ms=10 * slower + chance.expovariate(0.5), email_ms=60 * slower + chance.expovariate(0.1))
        for at in moments
    ]
    folder.mkdir()
    measured(folder, orders, **log).write(folder / FILE)
    return folder


def _compared(a: Path, b: Path, **how: Any) -> tuple[int, str, dict[str, Any]]:
    out, document = StringIO(), a.parent / "comparison.json"
    code = compare(a, b, console=Console(file=out, width=150), json=document, **({"margin": 0.1} | how))
    return code, out.getvalue(), json.loads(document.read_text())


def test_the_same_run_is_the_same(tmp_path: Path) -> None:
    run = _run(tmp_path / "a")
    code, said, document = _compared(run, run)
    assert code == exits.PASS
    assert said.startswith("✓ nothing regressed by more than 10%")
    assert document["differences"] == []
    for figure in document["figures"]:
        assert figure["ratio"] in (1.0, None)
        if figure["interval"]:
            assert figure["interval"][0] <= 1 <= figure["interval"][1]
            assert figure["change"] == "same"


def test_another_sample_of_the_same_system_is_no_regression(tmp_path: Path) -> None:
    code, _, _ = _compared(_run(tmp_path / "a"), _run(tmp_path / "b", seed=2))
    assert code == exits.PASS


def test_a_slower_run_is_a_regression_and_the_faster_one_is_not(tmp_path: Path) -> None:
    fast, slow = _run(tmp_path / "a"), _run(tmp_path / "b", slower=1.5, seed=2)
    code, said, document = _compared(fast, slow)
    figures = {figure["name"]: figure for figure in document["figures"]}
    assert code == exits.REGRESSION
    assert "regressed by more than 10%" in said
    low, high = figures["request_to_email.p50"]["interval"]
    assert 1.1 < low < figures["request_to_email.p50"]["ratio"] < high < 1.6
    assert figures["request_to_email.p50"]["regressed"]
    assert not figures["buyer_to_order.p50"]["regressed"]
    code, _, document = _compared(slow, fast)
    assert code == exits.PASS
    assert {figure["name"]: figure["change"] for figure in document["figures"]}["request_to_email.p50"] == "better"


def test_the_margin_says_how_much_is_too_much(tmp_path: Path) -> None:
    fast, slow = _run(tmp_path / "a"), _run(tmp_path / "b", slower=1.2, seed=2)
    assert _compared(fast, slow)[0] == exits.REGRESSION
    assert _compared(fast, slow, margin=0.5)[0] == exits.PASS


def test_a_lower_rate_is_a_regression(tmp_path: Path) -> None:
    full, half = _run(tmp_path / "a"), _run(tmp_path / "b", every_s=0.04)
    code, said, document = _compared(full, half)
    figures = {figure["name"]: figure for figure in document["figures"]}
    assert code == exits.REGRESSION
    assert figures["rate.achieved"]["ratio"] == pytest.approx(0.5, rel=0.05)
    assert figures["rate.achieved"]["change"] == "worse"
    assert "rate.achieved" in said.splitlines()[1]
    assert _compared(half, full)[0] == exits.PASS


def test_violations_that_were_not_there_are_a_regression(tmp_path: Path) -> None:
    sound = _run(tmp_path / "a")
    broken = _run(tmp_path / "b", end={"stopped": None, "drained": True, "audit": BROKEN_AUDIT})
    assert _compared(sound, broken)[0] == exits.REGRESSION
    assert _compared(broken, broken)[0] == exits.PASS


def test_both_verdicts_are_shown(tmp_path: Path) -> None:
    one, other = _run(tmp_path / "a"), _run(tmp_path / "b", thresholds=["violations>3"])
    code, said, document = _compared(one, other)
    assert code == exits.PASS
    assert f"  A {one} (pass)\n  B {other} (threshold)\n" in said
    assert document["verdicts"] == {"a": "pass", "b": "threshold"}


@pytest.mark.parametrize(
    ("end", "doubt"),
    [
        ({"stopped": None, "drained": True, "audit": None}, "B was not audited: nobody knows whether"),
        ({"stopped": "cut short", "drained": False, "audit": None}, "B was not audited: nobody knows whether"),
        ({"stopped": None, "drained": False, "audit": AUDIT}, "B is invalid: The services not done"),
    ],
)
def test_a_run_of_which_nothing_is_known_is_a_regression(tmp_path: Path, end: dict[str, Any], doubt: str) -> None:
    sound, doubtful = _run(tmp_path / "a"), _run(tmp_path / "b", end=end)
    code, said, document = _compared(sound, doubtful)
    assert (code, document["verdict"]) == (exits.REGRESSION, "regression")
    assert said.startswith(f"✗ {doubt}")
    assert document["doubts"][0].startswith(doubt)
    assert _compared(doubtful, sound)[0] == exits.PASS


def test_a_headline_that_is_gone_is_a_regression(tmp_path: Path) -> None:
    """Nobody was answered any more: there is no figure that could have become worse."""
    sound = _run(tmp_path / "a")
    silent = tmp_path / "b"
    silent.mkdir()
    measured(silent, [order(n / 50) for n in range(1_000)]).write(silent / FILE)
    code, said, _ = _compared(sound, silent)
    assert code == exits.REGRESSION
    assert said.startswith("✗ B has no request_to_answer at all, and A has.\n✗ B has no request_to_email at all")
    assert _compared(silent, sound)[0] == exits.PASS


def test_what_was_set_up_differently_is_named(tmp_path: Path) -> None:
    one = _run(tmp_path / "a", lines=[sample(1.0, 0, order=(1.0, 5)), sample(2.0, 0, order=(2.0, 5))])
    two = _run(
        tmp_path / "b",
        plan_hash="f" * 16,
        workers=2,
        environment={"python": "3.12"},
        lines=[sample(1.0, 0, order=(1.0, 5))],
    )
    _, said, document = _compared(one, two)
    assert "the plans differ" in said
    assert {of["name"]: (of["a"], of["b"]) for of in document["differences"]} == {
        "plan_hash": ("0123456789abcdef", "f" * 16),
        "plan.workers": ("1", "2"),
        "environment.python": ("3.11", "3.12"),
    }
    figures = {figure["name"]: figure for figure in document["figures"]}
    assert figures["resources.order.cpu_ms_per_flow"]["before"] == 1.0


@pytest.mark.parametrize("text", ["", "{}", '{"schema": "https://countermand.example/schemas/load.v1.json"}'])
def test_what_cannot_be_compared_is_refused(tmp_path: Path, text: str) -> None:
    run = _run(tmp_path / "a")
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"b\.json"):
        compare(run, tmp_path / "b.json", margin=0.1, console=Console(quiet=True))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        compare(run, tmp_path / "c.json", margin=0.1, console=Console(quiet=True))


def test_quantiles_of_drawn_blocks_are_those_of_their_sum() -> None:
    chance = Random(5)
    blocks = [Spans(chance.lognormvariate(-4, 1) for _ in range(200)) for _ in range(10)]
    chosen = [0, 3, 3, 7, 9, 9, 9, 1, 1, 2]
    whole = Spans()
    for place in chosen:
        whole.merge(blocks[place])
    for percent in (50.0, 90.0, 99.0, 100.0):
        assert Drawn(blocks).quantile_ms(percent, chosen) == whole.quantiles_ms([percent])[0]


def test_an_interval_needs_something_to_draw() -> None:
    empty = Drawn([Spans(), Spans()])
    assert ratio_of_quantiles(empty, Drawn([Spans([0.1])]), (2, 1), [50.0]) == [None]
    assert ratio_of_quantiles(Drawn([]), Drawn([]), (0, 0), [50.0]) == [None]
    assert ratio_of_means([0.0], [1.0]) is None
    assert ratio_of_means([2.0, 2.0], [1.0, 1.0]) == (0.5, 0.5)
