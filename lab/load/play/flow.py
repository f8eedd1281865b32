"""One order under measure: what was sent when, what was recorded when, and what is still owed."""

from asyncio import TimerHandle
from typing import Any, Final

from countermand.contracts.order import CancelRequested, OrderClosed
from countermand.contracts.seller import SellerAccepted, SellerRefused
from lab.facts import ANSWERS
from lab.plan.errand import Errand
from lab.plan.persona import Buyer
from services.notify.promises import PROMISES

PROMISED_BY: Final = {fact.__name__: kind for fact, kind in PROMISES.items()}
REQUESTED: Final = CancelRequested.__name__
CLOSED: Final = OrderClosed.__name__
SELLERS_WORD: Final = (SellerAccepted.__name__, SellerRefused.__name__)
SENT: Final = "EmailSent"
FAILED: Final = "EmailFailed"
MEASURED: Final = (REQUESTED, *ANSWERS, *SELLERS_WORD, CLOSED, SENT, FAILED)
"""What a run listens to, whatever its buyers answer to."""


class Request:
    """One cancellation request. Times are seconds since the run's start, by the broker's clock; nothing: not yet.

    Attributes:
        due: when the command that led to it was scheduled; sent: when it was sent.
        recorded: `CancelRequested` was stored.
        seller: the seller's word was stored, if it followed from the request itself and not from a timer.
        answer: the event that answered, stored at `answered`, with the id `fact`.
        emailed: the record of the email that tells so was stored.
    """

    __slots__ = ("answer", "answered", "due", "emailed", "fact", "id", "recorded", "seller", "sent")

    def __init__(self, request_id: str, due: float | None, sent: float | None, recorded: float) -> None:
        self.id = request_id
        self.due = due
        self.sent = sent
        self.recorded = recorded
        self.seller: float | None = None
        self.answer: str | None = None
        self.fact: str | None = None
        self.answered: float | None = None
        self.emailed: float | None = None

    def line(self) -> dict[str, Any]:
        """As the raw log keeps it."""
        names = ("due", "sent", "recorded", "seller", "answer", "fact", "answered", "emailed")
        return {name: _short(value) for name in names if (value := getattr(self, name)) is not None}


class Flow:
    """One order, from its scheduled arrival to its end. `hear` and `line` are what a run knows of it."""

    __slots__ = (
        "_by_answer",
        "acts",
        "buyer",
        "closed",
        "due",
        "emails",
        "errand",
        "last_fact",
        "outcome",
        "promised",
        "requests",
        "sent",
        "sent_by_id",
    )

    def __init__(self, errand: Errand, buyer: Buyer, due: float) -> None:
        self.errand = errand
        self.buyer = buyer
        self.due = due
        self.sent: float | None = None
        self.sent_by_id: dict[str, tuple[float, float]] = {}
        self.requests: list[Request] = []
        self.promised = 0
        self.emails = 0
        self.outcome: str | None = None
        self.closed: float | None = None
        self.last_fact: float | None = None
        self.acts: set[TimerHandle] = set()
        self._by_answer: dict[str, Request] = {}

    def hear(self, name: str, at: float, event_id: str, cause: str) -> Request | None:
        """Note an event; a request comes back when it was answered or its email sent just now."""
        found: Request | None = None
        if name == REQUESTED:
            due, sent = self.sent_by_id.get(cause, (None, None))
            self.requests.append(Request(event_id, due, sent, at))
        elif name in SELLERS_WORD:
            if self.requests and cause == self.requests[-1].id:
                self.requests[-1].seller = at
        elif name in ANSWERS:
            if self.requests and self.requests[-1].answered is None:
                found = self.requests[-1]
                found.answer, found.answered, found.fact = name, at, event_id
                self._by_answer[event_id] = found
        elif name in (SENT, FAILED):
            self.emails += 1
            self.last_fact = at
            if name == SENT and (found := self._by_answer.get(cause)) is not None:
                found.emailed = at
        if PROMISED_BY.get(name) in self.errand.policy.emails:
            self.promised += 1
        return found

    def close(self, at: float, outcome: str) -> None:
        """Note the end of the order."""
        self.closed, self.outcome = at, outcome

    @property
    def over(self) -> bool:
        """Whether nothing more is owed: it is closed, and every email it promised is recorded."""
        return self.closed is not None and self.emails >= self.promised

    @property
    def completed(self) -> bool:
        """Whether the last fact promised so far has come: the email, or the answer, or the end where nothing else is owed."""
        if self.closed is None and not self.requests:
            return False
        return self.emails >= self.promised and all(request.answered is not None for request in self.requests)

    def line(self) -> dict[str, Any]:
        """The order's line in the raw log."""
        errand = self.errand
        return {
            "n": errand.number,
            "order": errand.order_id,
            "flow": f"{errand.persona}/{errand.brief.seller.profile}",
            "due": _short(self.due),
            "sent": _short(self.sent),
            "outcome": self.outcome,
            "closed": _short(self.closed),
            "completed": self.completed,
            "promised": self.promised,
            "emails": self.emails,
            "requests": [request.line() for request in self.requests],
        }


def _short(value: Any) -> Any:
    """Microseconds are as fine as the broker's clock is read."""
    return round(value, 6) if isinstance(value, float) else value
