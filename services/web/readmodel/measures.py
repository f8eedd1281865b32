"""How long things took, in real time, as far as an order's view tells. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.web.readmodel.view import View


class Metric(StrEnum):
    """What is measured: from the record of a request to the record of its answer, and to that of the email about it."""

    REQUEST_TO_ANSWER = "request_to_answer"
    REQUEST_TO_EMAIL = "request_to_email"


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement. `of`: the request's id."""

    metric: Metric
    of: str
    ended_at: datetime
    seconds: float


def samples(view: View) -> list[Sample]:
    """What the last request's answer and email took, once they are there."""
    request = view.order.request if view.order else None
    if request is None or request.answered_real_at is None:
        return []
    ends = [(Metric.REQUEST_TO_ANSWER, request.answered_real_at)]
    ends += [
        (Metric.REQUEST_TO_EMAIL, email.real_at)
        for email in view.emails
        if email.fact_id == request.answer_id and email.failed is None
    ]
    started = request.requested_real_at
    return [Sample(metric, request.id, at, max(0.0, (at - started).total_seconds())) for metric, at in ends]
