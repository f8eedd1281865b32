"""I5: every request for cancellation gets exactly one answer that names it."""

from lab.audit.fact import Fact
from lab.audit.invariants import Invariant
from lab.audit.record import Record, Request, on


@on("CancelDialogOpened")
def show(record: Record, fact: Fact) -> None:
    """The dialog that may be confirmed."""
    record.requests.dialog = (fact.id, fact.body["lapses_at"])


@on("CancelRequested")
def ask(record: Record, fact: Fact) -> None:
    """A request is open; if it came by the button, it confirms the dialog that is shown (R4)."""
    requests, confirmed = record.requests, fact.body["dialog_id"]
    if confirmed is not None and confirmed != requests.dialog[0]:
        record.blame(Invariant.I6, f"the request confirms a dialog that is not shown: {confirmed}")
    requests.asked[fact.id] = Request(fact.at, fact.body["answer_by"], fact.body["consent_required"])
    requests.pending = fact.id
    requests.dialog = ("", "")


@on("CancelRefused", "CancelExpired", "CancelSuperseded", "CancelWithdrawn", "OrderCancelled")
def answer(record: Record, fact: Fact) -> None:
    """An answer names its request; an order may also be cancelled without one."""
    requests, named = record.requests, fact.body["request_id"]
    request = requests.asked.get(named) if named else None
    if request is not None:
        request.answers.append(fact.name)
        if len(request.answers) > 1:
            record.blame(Invariant.I5, f"request {named} is answered again: {', '.join(request.answers)}")
    elif named or fact.name != "OrderCancelled":
        record.blame(Invariant.I5, f"{fact.name} answers request {named}, which was never made")
    if requests.pending == named:
        requests.pending = None
    if fact.name == "OrderCancelled":
        leave(record, fact)


@on("OrderClosed")
def leave(record: Record, fact: Fact) -> None:
    """The end leaves no request open."""
    if record.requests.pending:
        record.blame(Invariant.I5, f"{fact.name} leaves request {record.requests.pending} unanswered")
        record.requests.pending = None


@on("SellerAccepted", "SellerRefused")
def hear(record: Record, fact: Fact) -> None:
    """The seller says yes or no once."""
    named = fact.body["request_id"]
    if named in record.parcel.answered:
        record.blame(Invariant.I6, f"the seller answers request {named} again: {fact.name}")
    record.parcel.answered.add(named)
