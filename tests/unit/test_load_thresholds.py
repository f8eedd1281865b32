"""Thresholds: what can be written, what it means, and what is said of what cannot."""

import pytest

from countermand.runtime.settings import ConfigurationError
from lab.load.figures.thresholds import Threshold

DOCUMENT = {
    "latency_ms": {"request_to_email": {"p99": 249.9, "count": 12}},
    "by_flow": {"decided/prompt": {"request_to_answer": {"p50": 12.0}}},
    "violations": 0,
    "flows": {"shed": 3},
    "generator": {"late_share": 0.004, "lag_ms": {"p99": 1.5}},
    "emails": {"lost": None},
    "outcomes": {"completed": 5},
    "resources": {"load 0": {"rss_mb_max": 80.0}},
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("request_to_email.p99<250ms", True),
        ("request_to_email.p99 < 0.25s", True),
        ("request_to_email.p99<=249900us", True),
        ("request_to_email.p99>250ms", False),
        ("request_to_email.count>=12", True),
        ("violations==0", True),
        ("violations!=0", False),
        ("flows.shed<1", False),
        ("generator.late_share<0.5%", True),
        ("start_lag.p99<2ms", True),
        ("generator.lag_ms.p99<1ms", False),
        ("by_flow.decided/prompt.request_to_answer.p50<13ms", True),
        ("outcomes.completed>4", True),
        ("resources.load 0.rss_mb_max<100", True),
        ("order_to_smtp.p99<1ms", None),
        ("emails.lost==0", None),
        ("outcomes.unpaid_expired==0", True),
        ("outcomes.open==0", True),
        ("outcomes.cancelled_refunded>0", False),
        ("resources.order.rss_mb_max<100", None),
    ],
)
def test_a_threshold_compares_a_figure_with_a_bound(text: str, *, holds: bool | None) -> None:
    threshold = Threshold.parse(text)
    assert threshold.text == text
    assert threshold.holds(DOCUMENT) is holds


def test_a_time_is_compared_in_milliseconds() -> None:
    threshold = Threshold.parse("request_to_email.p99<1.5s")
    assert (threshold.bound, threshold.unit, threshold.value(DOCUMENT)) == (1500.0, "ms", 249.9)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("request_to_mail.p99<250ms", "did you mean request_to_email.p99?"),
        ("request_to_email.p95<250ms", "did you mean request_to_email.p9"),
        ("violation==0", "did you mean violations?"),
        ("flows.sheds==0", "did you mean flows.shed?"),
        ("outcomes.complete>4", "did you mean outcomes.completed?"),
        ("outcomes.completed.x>4", "did you mean outcomes.completed?"),
        ("zzzzzz<3", "such as request_to_email.p99"),
        ("request_to_email.p99<250", "needs a unit"),
        ("request_to_email.p99<250h", "needs a unit"),
        ("violations<3ms", "plain number"),
        ("violations", "expected a figure"),
        ("<3", "there is no figure ''"),
        ("", "expected a figure"),
        ("violations<<3", "expected a figure"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Threshold.parse(text)
    assert said in str(caught.value)
    assert repr(text) in str(caught.value)
