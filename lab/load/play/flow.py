"""One order under measure: what was sent when, what was recorded when, and what is still owed."""

from typing import Any, Final, TypeAlias

from countermand.contracts.base import Command
from countermand.contracts.order import AskSellerToCancel, CancelRequested, ConfirmCancel, OrderClosed
from countermand.contracts.seller import SellerAccepted, SellerRefused
from lab.facts import ANSWERS
from lab.load.figures.metrics import ANSWER, EMAIL
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

_ASKING: Final = (ConfirmCancel, AskSellerToCancel)
"""The commands that a `CancelRequested` is to follow from, unless a service refuses them."""

Span: TypeAlias = tuple[str, float, float]
"""A metric, when the request was due, and when what it measures was recorded."""


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
    """One order, from its scheduled arrival to its end. `hear` and `line` are what a run knows of it.

    Every stream is heard by itself, so that an effect may be heard before its cause: what the seller says and what is
    mailed is kept by what caused it, and joined when that is heard. What is heard twice counts once.

    Attributes:
        pending: acts that are planned and not yet sent.
    """

    __slots__ = (
        "_asked",
        "_letters",
        "_promised",
        "_words",
        "buyer",
        "closed",
        "due",
        "errand",
        "outcome",
        "pending",
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
        self.outcome: str | None = None
        self.closed: float | None = None
        self.pending = 0
        self._asked: list[str] = []
        self._promised: list[str] = []
        self._words: dict[str, float] = {}
        self._letters: dict[str, tuple[str, float]] = {}

    def send(self, command: Command, command_id: str, due: float, now: float) -> None:
        """Note that a command is sent now; one that is sent again was sent when it was sent first."""
        if command_id in self.sent_by_id:
            return
        self.sent_by_id[command_id] = (due, now)
        if isinstance(command, _ASKING):
            self._asked.append(command_id)

    def refuse(self, command_id: str) -> None:
        """Note that a service refused a command: nothing is recorded of it, and nothing is missing."""
        if command_id in self._asked:
            self._asked.remove(command_id)

    def hear(self, name: str, at: float, event_id: str, cause: str) -> list[Span]:
        """Note an event; what it completes comes back: the answer to a request, and the record of the answer's email."""
        self.refuse(cause)
        spans: list[Span] = []
        if name == REQUESTED:
            self._request(event_id, at, cause)
        elif name in SELLERS_WORD:
            self._words.setdefault(cause, at)
            for request in self.requests:
                self._join_word(request)
        elif name in ANSWERS:
            spans = self._answer(name, at, event_id)
        elif name in (SENT, FAILED) and cause not in self._letters:
            self._letters[cause] = (name, at)
            spans = [span for request in self.requests if request.fact == cause for span in self._join_letter(request)]
        if PROMISED_BY.get(name) in self.errand.policy.emails and event_id not in self._promised:
            self._promised.append(event_id)
        return spans

    def close(self, at: float, outcome: str) -> None:
        """Note the end of the order."""
        self.closed, self.outcome = at, outcome

    @property
    def over(self) -> bool:
        """Whether nothing more is owed: it is closed, nobody has anything to do, and every email it promised is recorded."""
        return self.closed is not None and not self.pending and self.emails == self.promised

    @property
    def completed(self) -> bool:
        """Whether the last fact promised so far has come: the email, or the answer, or the end where nothing else is owed."""
        if self.closed is None and not self.requests:
            return False
        return self.emails == self.promised and all(request.answered is not None for request in self.requests)

    @property
    def promised(self) -> int:
        """Emails that the order's facts have promised."""
        return len(self._promised)

    @property
    def emails(self) -> int:
        """Of the promised emails, those of which is recorded what became of them."""
        return sum(fact in self._letters for fact in self._promised)

    @property
    def last_fact(self) -> float | None:
        """When the last promised email was recorded; nothing if none was."""
        return max((self._letters[fact][1] for fact in self._promised if fact in self._letters), default=None)

    def line(self) -> dict[str, Any]:
        """The order's line in the raw log."""
        errand = self.errand
        unrecorded = [dict(zip(("due", "sent"), self.sent_by_id[asked], strict=True)) for asked in self._asked]
        line: dict[str, Any] = {
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
        if (last_fact := self.last_fact) is not None:
            line["last_fact"] = _short(last_fact)
        if unrecorded:
            line["unrecorded"] = [{name: _short(value) for name, value in asked.items()} for asked in unrecorded]
        return line

    def _request(self, request_id: str, at: float, cause: str) -> None:
        if any(request.id == request_id for request in self.requests):
            return
        due, sent = self.sent_by_id.get(cause, (None, None))
        request = Request(request_id, due, sent, at)
        self.requests.append(request)
        self._join_word(request)

    def _answer(self, name: str, at: float, event_id: str) -> list[Span]:
        """The order has one request at a time, and answers it before the next one."""
        heard = any(request.fact == event_id for request in self.requests)
        if heard or not self.requests or self.requests[-1].answered is not None:
            return []
        request = self.requests[-1]
        request.answer, request.answered, request.fact = name, at, event_id
        return [*_since_due(ANSWER, request, at), *self._join_letter(request)]

    def _join_word(self, request: Request) -> None:
        if request.seller is None:
            request.seller = self._words.get(request.id)

    def _join_letter(self, request: Request) -> list[Span]:
        name, at = self._letters.get(request.fact or "", (FAILED, 0.0))
        if name != SENT or request.emailed is not None:
            return []
        request.emailed = at
        return _since_due(EMAIL, request, at)


def _since_due(metric: str, request: Request, at: float) -> list[Span]:
    return [] if request.due is None else [(metric, request.due, at)]


def _short(value: Any) -> Any:
    """Microseconds are as fine as the broker's clock is read."""
    return round(value, 6) if isinstance(value, float) else value
