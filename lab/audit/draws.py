"""I10: what was drawn from (seed, order, question) must be what these give, whenever and wherever it was drawn."""

from collections.abc import Iterator
from datetime import datetime

from countermand.kernel.draw import draw_between
from countermand.kernel.policy import Policy, Span
from lab.audit.record import Record


def undrawn(record: Record, policy: Policy) -> Iterator[str]:
    """Refunds that travel longer or shorter than P11 draws for their order."""
    terms = record.terms
    if terms is None or not record.ledger.refunds:
        return
    span: Span | None = getattr(policy.refund_transit_business_days, record.method, None)
    if span is None:
        return
    days = draw_between(span.low, span.high, terms.seed, record.order_id, "P11") if span.high else 0
    for refund in record.ledger.refunds.values():
        issued = datetime.fromisoformat(refund.issued_at)
        due = policy.business_days.add_business_days(issued, days) if days else issued
        if datetime.fromisoformat(refund.arrives_at) != due:
            yield f"a refund of {refund.issued_at} arrives at {refund.arrives_at}; the draw P11 says {due.isoformat()}"
