"""What a run's figures are made of, with every moment given."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram

from lab import exits
from lab.load.figures.result import Verdict
from lab.load.figures.sparse import COARSE_BITS, DIGITS, HIGHEST_US, LOWEST_US, QUANTILES, Spans
from lab.load.figures.tally import moment_of_completion
from tests.support.raw_logs import AUDIT, BROKEN_AUDIT, fault, measured, order, plain, request, sample, tick

CLEAN: dict[str, Any] = {"stopped": None, "drained": True, "audit": AUDIT}


def about(milliseconds: float) -> Any:
    """As exact as a histogram of three digits is."""
    return pytest.approx(milliseconds, rel=1e-3)


def test_latency_counts_from_the_scheduled_send(tmp_path: Path) -> None:
    """A request sent 400 ms late and answered 100 ms later took 500 ms: waiting in the generator is waiting too."""
    late = request(10.0, answer_ms=500, email_ms=600, sent=10.4, recorded=10.41)
    data = measured(tmp_path, [order(10.0, late, sent=10.4)]).data
    assert data["latency_ms"]["request_to_answer"]["p50"] == about(500)
    assert data["latency_ms"]["request_to_email"]["max"] == about(600)
    assert data["latency_ms"]["buyer_to_order"]["p50"] == about(410)
    assert data["generator"]["lag_ms"]["max"] == about(400)
    assert data["flows"]["late"] == 1
    assert "start_lag" not in data["latency_ms"]


def test_hops_add_up_to_the_way_from_request_to_email(tmp_path: Path) -> None:
    hops = request(10.0, recorded=10.002, seller=10.012, answered=10.015, mailed=10.040, emailed=10.041)
    latency = measured(tmp_path, [order(10.0, hops)]).data["latency_ms"]
    expected = {
        "request_to_answer": 15,
        "request_to_email": 41,
        "buyer_to_order": 2,
        "order_to_seller": 10,
        "seller_to_order": 3,
        "order_to_email": 26,
        "order_to_smtp": 25,
        "smtp_to_record": 1,
        "place_to_completed": 41,
        "place_to_settled": 500,
    }
    assert {name: figures["p50"] for name, figures in latency.items()} == {
        name: about(ms) for name, ms in expected.items()
    }


def test_a_hop_that_did_not_happen_is_left_out(tmp_path: Path) -> None:
    """An answer by deadline has no word of the seller; nobody's scheduled request has no latency at all."""
    silent = request(10.0, seller=None, email_ms=None)
    foreign = request(11.0) | {"due": None}
    latency = measured(tmp_path, [order(10.0, silent, foreign)]).data["latency_ms"]
    assert latency["request_to_answer"]["count"] == 1
    assert latency.keys() == {"request_to_answer", "buyer_to_order", "place_to_completed", "place_to_settled"}


def test_the_word_of_a_seller_that_came_after_the_answer_was_not_what_was_answered(tmp_path: Path) -> None:
    late = request(10.0, answer_ms=50, email_ms=60, seller=10.9)
    data = measured(tmp_path, [order(10.0, late)]).data
    assert data["latency_ms"]["order_to_seller"]["p50"] == about(898)
    assert "seller_to_order" not in data["latency_ms"]
    assert data["generator"]["negative_spans"] == 0


@pytest.mark.parametrize(
    ("line", "completed_at"),
    [
        (order(6.0, request(6.0), last_fact=9.2, closed=15.0), 9.2),
        (order(6.0, request(6.0, answer_ms=3_000), last_fact=6.5), 9.0),
        (order(6.0, request(6.0, email_ms=800), closed=15.0), 6.8),
        (order(6.0, request(6.0, email_ms=None), closed=15.0), 6.02),
        (order(6.0, closed=15.0), 15.0),
        (order(6.0, closed=15.0, promised=1, emails=1, last_fact=9.2), 9.2),
        (order(6.0, request(6.0), completed=False), None),
    ],
)
def test_an_order_is_complete_with_the_last_fact_it_owed(line: dict[str, Any], completed_at: float | None) -> None:
    """An answer or a promised email; its end only if it owed neither. Logs without `last_fact` know the answer's email."""
    assert moment_of_completion(line) == (None if completed_at is None else pytest.approx(completed_at))


def test_the_warm_up_is_counted_and_not_measured(tmp_path: Path) -> None:
    data = measured(tmp_path, [plain(1.0, answer_ms=900), plain(6.0, answer_ms=10)]).data
    assert data["flows"]["started"] == 2
    assert data["latency_ms"]["request_to_answer"]["count"] == 1
    assert data["latency_ms"]["request_to_answer"]["max"] == about(10)
    assert data["series"][1]["request_to_answer_p50_ms"] == pytest.approx(900, rel=1e-2)


def test_a_later_request_of_a_warm_up_order_is_measured(tmp_path: Path) -> None:
    data = measured(tmp_path, [order(1.0, request(1.1, answer_ms=900), request(7.0, answer_ms=10))]).data
    assert data["latency_ms"]["request_to_answer"]["max"] == about(10)


def test_quantiles_by_flow_and_by_outcome(tmp_path: Path) -> None:
    orders = [plain(6.0 + n / 100, answer_ms=10 + n) for n in range(100)]
    other = order(8.0, request(8.0, answer_ms=700), flow="hesitant/slow", outcome=None, closed=None)
    data = measured(tmp_path, [*orders, other]).data
    prompt = data["by_flow"]["decided/prompt"]["request_to_answer"]
    assert (prompt["count"], prompt["p50"], prompt["p99"]) == (100, about(59), about(108))
    assert data["by_flow"]["hesitant/slow"]["request_to_answer"]["p50"] == about(700)
    assert data["by_outcome"]["open"]["request_to_answer"]["count"] == 1
    assert data["outcomes"] == {"cancelled_refunded": 100, "open": 1}


def test_the_rate_counts_completions_within_the_measured_window(tmp_path: Path) -> None:
    """Fifteen seconds are measured; of 20 orders, those complete between 5 s and 20 s are 15."""
    data = measured(tmp_path, [plain(n + 0.5) for n in range(20)]).data
    assert data["rate"] == {"target": 1.0, "achieved": 1.0}
    unfinished = order(10.0, request(10.0), completed=False)
    assert measured(tmp_path / "b", [unfinished, plain(11)]).data["rate"]["achieved"] == pytest.approx(1 / 15, abs=1e-3)


def test_a_ramp_is_asked_for_its_mean_over_the_window(tmp_path: Path) -> None:
    data = measured(tmp_path, [plain(6.0)], plan={"arrivals": "ramp", "rate": 100.0}).data
    assert data["rate"]["target"] == 62.5


def test_the_series_has_a_row_for_every_second(tmp_path: Path) -> None:
    lines = [tick(1.001, open=3), tick(2.002, open=5), tick(1.001, 1, open=2), sample(1.0, 4), sample(3.4, 9)]
    rows = measured(tmp_path, [plain(0.2), plain(2.6)], lines=lines).data["series"]
    assert [row["second"] for row in rows] == [0, 1, 2, 3]
    assert [row["started"] for row in rows] == [1, 0, 1, 0]
    assert [row["completed"] for row in rows] == [1, 0, 1, 0]
    assert [row["in_flight"] for row in rows] == [5, 7, 7, 7]
    assert [row["backlog"] for row in rows] == [None, 5, None, 10]
    assert rows[1]["request_to_email_p99_ms"] is None


def test_a_run_of_days_has_rows_of_more_than_a_second(tmp_path: Path) -> None:
    data = measured(tmp_path, [plain(6.0), plain(86_000.0)], plan={"duration_s": 86_400.0}).data
    assert data["series_step_s"] == 12
    assert len(data["series"]) <= 7_200


def test_processor_time_goes_on_over_a_restart(tmp_path: Path) -> None:
    lines = [sample(float(n), 0, order=(cpu_s, rss)) for n, cpu_s, rss in ((1, 5.0, 9e6), (2, 6.0, 3e6), (3, 0.5, 2e6))]
    lines.append(sample(40.0, 0, order=(99.0, 50e6)))  # The audit's, after the drain.
    data = measured(tmp_path, [plain(6.0), plain(7.0)], lines=lines).data
    assert data["resources"] == {
        "order": {"cpu_s": 1.5, "cpu_ms_per_flow": 750.0, "rss_mb_max": 9.0, "rss_mb_end": 2.0}
    }


def test_backlog_at_most_and_after_the_last_arrival(tmp_path: Path) -> None:
    lines = [sample(3.0, 40), sample(19.9, 6), sample(21.0, 0)]
    backlog = measured(tmp_path, [plain(6.0)], lines=lines).data["backlog"]
    assert backlog == {"max": 41, "at_end": 7, "drain_s": 1.5}


def test_blocks_hold_every_measured_span_once(tmp_path: Path) -> None:
    data = measured(tmp_path, [plain(n / 4, answer_ms=5 + n) for n in range(80)]).data
    merged = Spans()
    for block in data["blocks"]:
        if "request_to_answer" in block["histograms"]:
            merged.merge(Spans.decoded(block["histograms"]["request_to_answer"]))
    assert len(data["blocks"]) == 25
    assert merged.encoded() == data["histograms"]["request_to_answer"]
    assert (data["blocks"][0]["from"], data["blocks"][-1]["to"]) == (5.0, 20.0)


def _struck(text: str, slow: dict[int, dict[str, Any]], ended: float = 11.0) -> tuple[Any, list[Any]]:
    orders = [plain(second + 0.5, **slow.get(second, {})) for second in range(20)]
    return fault(text, 10.0, ended), orders


def test_recovery_lasts_until_the_last_late_answer_before_a_second_without(tmp_path: Path) -> None:
    """Usual are milliseconds, so 250 ms are late: those of 10 and 11 are, 12 is well, and what comes later is another matter."""
    strike, orders = _struck("kill:order@10s", {10: {"answer_ms": 900}, 11: {"answer_ms": 300}, 15: {"answer_ms": 800}})
    (found,) = measured(tmp_path, orders, lines=[strike]).data["faults"]
    assert found["recovery_s"] == pytest.approx(11.5 + 0.3 - 10.0)
    assert (found["late_answers"], found["late_ms"], found["metric"]) == (
        2,
        250.0,
        "buyer_to_order+order_to_seller+seller_to_order",
    )


def test_what_was_in_the_killed_process_at_the_fault_is_counted(tmp_path: Path) -> None:
    """It was due before, and waits until the broker delivers it again; in the fault's own second, it begins with the fault."""
    strike, orders = _struck("kill:order@10s", {9: {"recorded": 14.6, "seller": 14.61, "answer_ms": 5_120}}, ended=10.2)
    (found,) = measured(tmp_path, orders, lines=[strike]).data["faults"]
    assert (found["recovery_s"], found["late_answers"]) == (pytest.approx(4.6), 1)


def test_an_answer_in_the_killed_process_at_the_fault_is_counted(tmp_path: Path) -> None:
    """The seller's word was said before; who had it to hear was killed."""
    strike, orders = _struck("kill:order@10s", {9: {"seller": 9.51, "answer_ms": 5_500}})
    (found,) = measured(tmp_path, orders, lines=[strike]).data["faults"]
    assert (found["recovery_s"], found["late_answers"]) == (pytest.approx(5.0), 1)


def test_nobody_who_thinks_hides_a_fault(tmp_path: Path) -> None:
    """Sellers think for ten seconds, and no word of theirs follows from a request; that the order took one late shows."""
    thinking: dict[int, dict[str, Any]] = {
        second: {"answer_ms": 10_000, "email_ms": 10_010, "seller": None} for second in range(20)
    }
    thinking[10] |= {"recorded": 12.0}
    strike, orders = _struck("kill:order@10s", thinking)
    (found,) = measured(tmp_path, orders, lines=[strike]).data["faults"]
    assert (found["late_ms"], found["late_answers"], found["recovery_s"]) == (250.0, 1, pytest.approx(2.0))


def test_a_request_that_nobody_recorded_is_not_recovered_from(tmp_path: Path) -> None:
    strike, orders = _struck("kill:order@10s", {})
    orders[9] |= {"unrecorded": [{"due": 9.9, "sent": 9.9}]}
    (found,) = measured(tmp_path / "a", orders, lines=[strike]).data["faults"]
    assert found["recovery_s"] is None
    orders[9] |= {"unrecorded": [{"due": 15.0, "sent": 15.0}]}
    (found,) = measured(tmp_path / "b", orders, lines=[strike]).data["faults"]
    assert found["recovery_s"] == 0.0


@pytest.mark.parametrize(("flow", "recovery_s"), [("decided/prompt", None), ("decided/slow", 0.0)])
def test_a_word_is_missed_of_those_who_answer_at_once(tmp_path: Path, flow: str, recovery_s: float | None) -> None:
    """Of those who think nobody can say whether theirs is lost."""
    strike, orders = _struck("kill:seller@10s", {})
    orders[10] = order(10.5, request(10.5, seller=None, answered=None, email_ms=None), flow=flow)
    (found,) = measured(tmp_path, orders, lines=[strike]).data["faults"]
    assert found["recovery_s"] == recovery_s


def test_a_fault_that_nobody_felt_is_recovered_at_once(tmp_path: Path) -> None:
    strike, orders = _struck("pause:nats@10s+1s", {})
    (found,) = measured(tmp_path, orders, lines=[strike]).data["faults"]
    assert (found["recovery_s"], found["late_answers"]) == (0.0, 0)


def test_an_answer_that_never_came_is_not_recovered_from(tmp_path: Path) -> None:
    strike, orders = _struck("kill:order@10s", {10: {"answered": None, "email_ms": None}})
    (found,) = measured(tmp_path, orders, lines=[strike]).data["faults"]
    assert found["recovery_s"] is None


def test_a_fault_of_the_mail_is_felt_by_the_email(tmp_path: Path) -> None:
    """Answers are fast meanwhile; an answer that promises no email is not waited for."""
    strike, orders = _struck("smtp:451@10s+1s", {10: {"email_ms": 2_000}, 11: {"email_ms": None}})
    (found,) = measured(tmp_path, orders, lines=[strike]).data["faults"]
    assert found["metric"] == "order_to_email"
    assert found["recovery_s"] == pytest.approx(2.5)
    assert found["late_answers"] == 1


def test_an_email_that_waits_at_the_fault_is_counted(tmp_path: Path) -> None:
    strike, orders = _struck("kill:notify@10s", {9: {"email_ms": 5_600}})
    (found,) = measured(tmp_path, orders, lines=[strike]).data["faults"]
    assert (found["recovery_s"], found["late_answers"]) == (pytest.approx(5.1), 1)


def test_what_is_late_follows_from_what_was_usual(tmp_path: Path) -> None:
    slow = {second: {"answer_ms": 200} for second in range(20)} | {10: {"answer_ms": 550}, 12: {"answer_ms": 700}}
    strike, orders = _struck("kill:order@10s", slow, ended=12.0)
    (found,) = measured(tmp_path, orders, lines=[strike]).data["faults"]
    assert found["late_ms"] == about(3 * 196)
    assert found["recovery_s"] == pytest.approx(12.5 + 0.7 - 10.0)


@pytest.mark.parametrize(
    ("log", "verdict", "code", "why"),
    [
        (dict[str, Any](), Verdict.PASS, exits.PASS, ""),
        ({"thresholds": ["request_to_email.p99<1ms"]}, Verdict.THRESHOLD, exits.THRESHOLD, "does not hold: it is 30.0"),
        ({"thresholds": ["order_to_smtp.p99<1ms"]}, Verdict.THRESHOLD, exits.THRESHOLD, "there is no such figure"),
        ({"end": CLEAN | {"stopped": "violations>0"}}, Verdict.ABORTED, exits.THRESHOLD, "aborted: violations>0"),
        ({"end": CLEAN | {"audit": None}}, Verdict.INVALID, exits.INVALID, "no audit"),
        ({"end": CLEAN | {"drained": False}}, Verdict.INVALID, exits.INVALID, "The services not done when the wait"),
        ({"planned": 9}, Verdict.INVALID, exits.INVALID, "7 planned orders neither started nor shed"),
        ({"lines": [tick(3.0, lost=1)]}, Verdict.INVALID, exits.INVALID, "1 command of the generator"),
        ({"lines": [tick(3.0, started=5)]}, Verdict.INVALID, exits.INVALID, "3 orders started but missing"),
        ({"end": CLEAN | {"audit": BROKEN_AUDIT}, "planned": 9}, Verdict.BROKEN, exits.BROKEN, "I4 was violated once"),
        ({"end": CLEAN | {"audit": AUDIT | {"emails": AUDIT["emails"] | {"lost": 2}}}}, Verdict.BROKEN, exits.BROKEN, "2 promised emails"),
        ({"end": CLEAN | {"audit": AUDIT | {"orders": 1}}}, Verdict.INVALID, exits.INVALID, "The audit saw 1 order of 2"),
        ({"end": CLEAN | {"stopped": "violations>0", "audit": AUDIT | {"orders": 1}}}, Verdict.INVALID, exits.INVALID, "saw 1 order of 2"),
        ({"end": CLEAN | {"audit": AUDIT | {"orders": 3}}}, Verdict.PASS, exits.PASS, ""),
        ({"lines": [tick(3.0, drift_s=0.002), tick(4.0, drift_s=-0.012), tick(5.0)]}, Verdict.INVALID, exits.INVALID, "drifted 12.0 ms apart"),
        ({"lines": [tick(3.0, drift_s=0.009)]}, Verdict.PASS, exits.PASS, ""),
        ({"end": CLEAN | {"stopped": "interrupted", "drained": False, "audit": AUDIT | {"orders": 1}}}, Verdict.INTERRUPTED, exits.INTERRUPTED, "The run was interrupted."),
        ({"end": CLEAN | {"stopped": "interrupted", "audit": BROKEN_AUDIT}}, Verdict.BROKEN, exits.BROKEN, "I4 was violated once. The run was interrupted."),
        ({"end": CLEAN | {"stopped": "violations>0", "audit": BROKEN_AUDIT}}, Verdict.BROKEN, exits.BROKEN, "I4 was violated once."),
    ],
)  # fmt: skip
def test_the_gravest_finding_is_the_verdict(
    tmp_path: Path, log: dict[str, Any], verdict: Verdict, code: int, why: str
) -> None:
    result = measured(tmp_path, [plain(6.0), plain(7.0)], **log)
    assert (result.verdict, result.exit_code) == (verdict, code)
    assert why in " ".join(result.data["reasons"])
    assert bool(result.data["reasons"]) == (verdict is not Verdict.PASS)


def test_too_many_late_starts_make_a_run_invalid(tmp_path: Path) -> None:
    orders = [order(6.0 + n / 100, sent=6.0 + n / 100 + (0.02 if n < 2 else 0.0)) for n in range(100)]
    assert measured(tmp_path, orders).verdict is Verdict.INVALID
    assert measured(tmp_path / "b", orders[1:]).verdict is Verdict.INVALID
    assert measured(tmp_path / "c", [*orders[1:], *(plain(8.0 + n / 1e3) for n in range(50))]).verdict is Verdict.PASS


def test_a_clock_that_was_set_makes_a_run_invalid(tmp_path: Path) -> None:
    """One span in a thousand may end before it begins; a few milliseconds are as exact as two clocks are."""
    early = [plain(6.0 + n, recorded=6.0 + n - 0.05) for n in range(3)]
    result = measured(tmp_path / "a", [*early, plain(10.0)])
    assert (result.verdict, result.data["generator"]["negative_spans"]) == (Verdict.INVALID, 3)
    assert "3 of 36 spans ended more than 5 ms before they began" in result.data["reasons"][0]
    assert result.data["latency_ms"]["buyer_to_order"]["p50"] == 0.001
    exact = measured(tmp_path / "b", [plain(6.0, recorded=5.996, seller=6.0)])
    assert (exact.verdict, exact.data["generator"]["negative_spans"]) == (Verdict.PASS, 0)
    assert measured(tmp_path / "c", [*early[:1], *(plain(8.0 + n / 100) for n in range(200))]).verdict is Verdict.PASS


def test_a_wait_of_hours_is_as_long_as_it_is() -> None:
    (hours,) = Spans([30 * 3_600.0]).quantiles_ms([100.0])
    assert hours == about(30 * 3.6e6)
    full: Any = HdrHistogram.decode(Spans([30 * 3_600.0]).encoded().encode())
    assert full.get_max_value() / 1e6 == about(30 * 3_600.0)
    assert Spans.decoded(Spans([30 * 3_600.0]).encoded()).quantiles_ms([100.0]) == [hours]


def test_a_log_without_an_end_was_cut_short(tmp_path: Path) -> None:
    result = measured(tmp_path, [plain(6.0)], end={"stopped": "cut short", "drained": False, "audit": None})
    assert result.verdict is Verdict.INTERRUPTED


def test_a_run_without_orders_has_a_result(tmp_path: Path) -> None:
    result = measured(tmp_path, [])
    assert result.verdict is Verdict.INVALID
    assert result.data["latency_ms"] == {}


def full_of(spans_s: list[float]) -> Any:
    """The library's own histogram of these spans."""
    full = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
    for span_s in spans_s:
        full.record_value(min(max(round(span_s * 1e6), LOWEST_US), HIGHEST_US))
    return full


def test_sparse_histograms_agree_with_full_ones() -> None:
    chance = Random(3)
    spans = [chance.lognormvariate(-4, 2) for _ in range(5_000)] + [0.0, 9e9, 0.002047, 0.002048]
    sparse, full = Spans(spans), full_of(spans)
    in_ms = {name: round(full.get_value_at_percentile(percent) / 1e3, 3) for name, percent in QUANTILES.items()}
    assert sparse.document() == {
        "count": full.get_total_count(),
        **in_ms,
        "max": round(full.get_max_value() / 1e3, 3),
        "mean": round(full.get_mean_value() / 1e3, 3),
    }
    assert sparse.encoded() == full.encode().decode()
    assert Spans.decoded(full.encode().decode()).cells == sparse.cells


def test_coarse_histograms_are_less_than_a_percent_too_high() -> None:
    chance = Random(4)
    spans = sorted(chance.lognormvariate(-4, 2) for _ in range(999))
    (median,) = Spans(spans, COARSE_BITS).quantiles_ms([50.0])
    assert median is not None
    assert 1.0 <= median / (spans[499] * 1e3) < 1.01


@pytest.mark.parametrize("text", ["", "no base64", "AAAA", "HISTFAAAAAV4"])
def test_what_is_no_histogram_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  Whichever layer refuses it.
        Spans.decoded(text)
