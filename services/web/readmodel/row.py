"""An order's view as a row, and back."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from pydantic import TypeAdapter

from countermand.kernel.policy import Policy
from services.web.readmodel.amiss import amiss
from services.web.readmodel.view import View
from services.web.readmodel.waits import due, todo

_DOCUMENT: Final = TypeAdapter(View)
_READ_MAX: Final = 2_000
"""Views in memory, about 5 KiB each."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Row(NamedTuple):
    """The columns of `orders` from `order_id` on."""

    order_id: str
    placed_us: int | None
    changed_us: int
    buyer: str | None
    seller: str | None
    run: str | None
    phase: str | None
    waits: str | None
    due_us: int | None
    outcome: str | None
    todo: str
    dispute: str
    amiss: str
    document: bytes

    @property
    def counted_as(self) -> tuple[str, str, str] | None:
        """Its place in the tally; nothing until the order is placed."""
        return None if self.phase is None else (self.phase, self.waits or "", self.outcome or "")


def row_of(view: View, policy: Policy) -> Row:
    """What is written."""
    order, limit = view.order, due(view, policy)
    due_real = order.terms.clock.real(limit.at) if order and limit.at else None
    return Row(
        order_id=view.order_id,
        placed_us=microseconds(order.placed_real_at) if order else None,
        changed_us=microseconds(view.changed_real_at or _EPOCH),
        buyer=order.brief.buyer.id if order else None,
        seller=order.brief.seller.id if order else None,
        run=order.run_id if order else None,
        phase=order.phase if order else None,
        waits=limit.waits if order else None,
        due_us=microseconds(due_real) if due_real else None,
        outcome=order.outcome if order else None,
        todo=todo(view),
        dispute=view.dispute.phase if view.dispute else "",
        amiss="; ".join(amiss(view, policy)),
        document=_DOCUMENT.dump_json(view, exclude_defaults=True),
    )


@lru_cache(maxsize=_READ_MAX)
def view_of(document: bytes) -> View:
    """What was written. Who looks at an order looks again, mostly before it has changed."""
    return _DOCUMENT.validate_json(document)


def microseconds(moment: datetime) -> int:
    """Since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(microseconds_: int) -> datetime:
    """The other way round."""
    return _EPOCH + microseconds_ * _MICROSECOND
