"""What a run measures: spans of time between two moments of one cancellation request, or of one order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Metric:
    """The time from one moment of a line of the raw log to another; without both there is nothing to measure.

    Attributes:
        follows: whether the second moment always follows from the first; if not, and it came first, there is nothing to
            measure either.
    """

    name: str
    begins: str
    ends: str
    meaning: str
    follows: bool = True


ANSWER: Final = "request_to_answer"
EMAIL: Final = "request_to_email"
HEADLINES: Final = (ANSWER, EMAIL)
"""What a buyer waits for: these two are also given by flow, by outcome and by second."""

BUYER_TO_ORDER: Final = "buyer_to_order"
ORDER_TO_SELLER: Final = "order_to_seller"
SELLER_TO_ORDER: Final = "seller_to_order"
ORDER_TO_EMAIL: Final = "order_to_email"

START_LAG: Final = "start_lag"
"""The generator's own lateness: reported beside the system's latencies, never among them."""

OF_REQUESTS: Final = (
    Metric(ANSWER, "due", "answered", "from the scheduled send of a request to the fact that answers it"),
    Metric(EMAIL, "due", "emailed", "from the scheduled send of a request to the record that its email was sent"),
    Metric(BUYER_TO_ORDER, "due", "recorded", "from the scheduled send to the order's record of the request"),
    Metric(
        ORDER_TO_SELLER, "recorded", "seller", "from that record to the seller's word, of sellers who answer at once"
    ),
    Metric(SELLER_TO_ORDER, "seller", "answered", "from that word to the order's answer", follows=False),
    Metric(ORDER_TO_EMAIL, "answered", "emailed", "from the answer to the record that its email was sent"),
    Metric("order_to_smtp", "answered", "mailed", "from the answer to the mail server's receipt of the email"),
    Metric("smtp_to_record", "mailed", "emailed", "from that receipt to the record that the email was sent"),
)
OF_ORDERS: Final = (
    Metric("place_to_completed", "due", "complete", "from the scheduled arrival of an order to the last fact it owed"),
    Metric("place_to_settled", "due", "closed", "from the scheduled arrival of an order to its end"),
    Metric(START_LAG, "due", "sent", "from the scheduled arrival of an order to its send: the generator's own lag"),
)
METRICS: Final = {metric.name: metric for metric in (*OF_REQUESTS, *OF_ORDERS)}
HOPS: Final = tuple(metric.name for metric in OF_REQUESTS if metric.name not in HEADLINES)
"""The legs of the way from a request to its email."""

LATENCIES: Final = tuple(name for name in METRICS if name != START_LAG)
"""The keys that `latency_ms` of a result can have."""

NO_OUTCOME: Final = "open"
"""Where an outcome would stand, of an order that has none yet."""


def spans_of(line: Mapping[str, Any], metrics: Iterable[Metric]) -> list[tuple[str, float]]:
    """The spans that a line of the raw log has, by metric, in seconds."""
    found: list[tuple[str, float]] = []
    for metric in metrics:
        begins, ends = line.get(metric.begins), line.get(metric.ends)
        if begins is not None and ends is not None and (metric.follows or begins <= ends):
            found.append((metric.name, ends - begins))
    return found
