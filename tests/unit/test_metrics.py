"""From the facts of handled messages to what `/metrics` says; `docs/metrics.md` is the promise."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest
from prometheus_client import generate_latest
from starlette.applications import Starlette

from countermand.contracts.base import Event, Message, Owner
from countermand.contracts.notify import EmailFailed, EmailSent
from countermand.contracts.subjects import Address
from countermand.kernel.decider import Refused
from countermand.kernel.policy import PromisedEmail
from countermand.kernel.terms import Clock
from countermand.runtime.envelope import Envelope
from countermand.runtime.handler import Handled
from countermand.runtime.health import Check
from countermand.runtime.http import operational_routes
from countermand.runtime.measured import MeasuredOutside, MeasuredStore
from countermand.runtime.metrics import Metrics
from countermand.runtime.outage import Unavailable
from countermand.runtime.ports import Conflict
from countermand.runtime.registry import process_registry
from countermand.runtime.waits import MAX_REQUESTS
from services.notify.app import CARD as NOTIFY
from services.order.app import CARD as ORDER
from tests.support.orders import ORDER_ID, START, TERMS, cancelled, refused, requested

DAY_A_SECOND: Final = replace(
    TERMS, clock=Clock(epoch=START, started_at=datetime.now(UTC) - timedelta(hours=1), rate=86_400)
)


def ago(seconds: float) -> datetime:
    """So long before now, in real time."""
    return datetime.now(UTC) - timedelta(seconds=seconds)


def envelope(
    body: Message | None,
    kind: str = "event",
    name: str = "",
    *,
    message_id: str = "m1",
    stored_at: datetime | None = None,
) -> Envelope:
    """A message about the order, under a clock on which a day takes a second."""
    service = body.owner if body else Owner.ORDER
    return Envelope(
        id=message_id,
        address=Address(kind, service, ORDER_ID, name or type(body).__name__, 1),
        stored_at=stored_at or datetime.now(UTC),
        sequence=1,
        body=body,
        terms=DAY_A_SECOND.header,
        correlation_id=message_id,
        causation_id=None,
        simulated_at=None,
        deadline_id=None,
        traceparent=None,
        delivered=None,
    )


def request(seconds_ago: float) -> Event:
    """A request that the buyer made so long ago, in real time."""
    return requested(at=DAY_A_SECOND.clock.simulated(ago(seconds_ago)))


def value(metrics: Metrics, name: str, /, **labels: str) -> float | None:
    """One sample of the service's."""
    return metrics.registry.get_sample_value(f"countermand_{name}", {"service": "order", **labels})


# Messages


def test_a_handled_message_is_counted_by_kind_name_and_outcome() -> None:
    metrics = Metrics(ORDER)
    heard = envelope(cancelled(), stored_at=ago(20))
    metrics.handled("", heard, Handled("appended"), 0.2)
    metrics.handled("", heard, Handled("appended"), 0.2)
    labels = {"kind": "event", "name": "OrderCancelled", "outcome": "appended"}
    assert value(metrics, "messages_handled_total", **labels) == 2
    assert value(metrics, "message_handling_seconds_sum", kind="event") == pytest.approx(0.4)
    assert value(metrics, "hop_seconds_count", source="ORDER") == 2
    assert value(metrics, "hop_seconds_bucket", source="ORDER", le="10.0") == 0
    assert value(metrics, "hop_seconds_bucket", source="ORDER", le="60.0") == 2


@pytest.mark.parametrize(
    ("subject", "kind", "name"),
    [
        (f"cmd.order.{ORDER_ID}.OpenCancelDialog", "command", "OpenCancelDialog"),
        (f"cmd.order.{ORDER_ID}.Nonsense", "command", "other"),
        (f"due.order.{ORDER_ID}.AnswerDue.3", "timer", "AnswerDue"),
        (f"due.order.{ORDER_ID}.Nonsense.3", "timer", "other"),
        (f"seller.{ORDER_ID}.SellerAccepted.3", "event", "SellerAccepted"),
        ("cmd.order.no-order.PlaceOrder", "other", "other"),
        ("anything at all", "other", "other"),
    ],
)
def test_what_nobody_could_read_is_counted_under_a_name_of_ours_or_as_other(subject: str, kind: str, name: str) -> None:
    metrics = Metrics(ORDER)
    metrics.handled(subject, None, Handled("dead", "why"), 0.1)
    assert value(metrics, "messages_handled_total", kind=kind, name=name, outcome="dead") == 1


def test_strangers_names_make_no_series() -> None:
    metrics = Metrics(ORDER)
    for number in range(1_000):
        metrics.handled(f"cmd.order.{ORDER_ID}.Made{number}Up", None, Handled("dead"), 0.1)
        metrics.buried(f"consumer-{number}")
    text = exposed(metrics)
    assert value(metrics, "messages_handled_total", kind="command", name="other", outcome="dead") == 1_000
    assert value(metrics, "dead_letters_total", consumer="other") == 1_000
    assert "Made" not in text
    assert "consumer-" not in text


def test_a_timer_is_late_by_the_real_clock() -> None:
    """It was due 30 simulated days ago, which is 30 seconds."""
    metrics = Metrics(ORDER)
    due = envelope(None, "due", "AnswerDue")
    due.simulated_at = DAY_A_SECOND.clock.simulated(ago(30))
    metrics.handled("", due, Handled("appended"), 0.1)
    metrics.handled("", due, Handled("early"), 0.1)
    assert value(metrics, "timers_late_seconds_count") == 1
    assert 30 <= (value(metrics, "timers_late_seconds_sum") or 0) < 90


@pytest.mark.parametrize("terms", [None, "nonsense", "7;0000000000000000;x;y;z"])
@pytest.mark.parametrize("moment", [None, datetime(2026, 1, 1), datetime.max.replace(tzinfo=UTC)])  # noqa: DTZ001
def test_impossible_times_are_counted_and_not_measured(terms: str | None, moment: datetime | None) -> None:
    metrics = Metrics(ORDER)
    due = envelope(None, "due", "AnswerDue")
    due.simulated_at, due.terms = moment, terms
    metrics.handled("", due, Handled("nothing"), 0.1)
    assert value(metrics, "timers_late_seconds_count") == 0
    assert value(metrics, "messages_handled_total", kind="timer", name="AnswerDue", outcome="nothing") == 1


# The ports


class _Ports:
    """A store and an outside that do what a test says."""

    def __init__(self, *answers: BaseException | None) -> None:
        self.answers = list(answers)
        self.history_of: list[Envelope] = []
        self.told: list[str] = []

    async def newer(self, order_id: str, revision: int) -> list[Envelope]:  # noqa: ARG002
        return self.history_of

    async def last_sequence(self, order_id: str) -> int:  # noqa: ARG002
        return 7

    async def append(self, entry: Envelope, expected: int) -> int:  # noqa: ARG002
        if (answer := self.answers.pop(0)) is not None:
            raise answer
        return expected + 1

    def failed(self, subject: str, tries: int, error: Exception) -> None:  # noqa: ARG002
        self.told.append(subject)

    async def refuse(self, service: Owner, refused: Any, envelope: Envelope) -> None:  # noqa: ARG002
        if (answer := self.answers.pop(0)) is not None:
            raise answer

    async def terms(self, ref: Any) -> Any: ...
    async def history(self, owner: Owner, order_id: str) -> Any: ...
    async def placed_under(self, order_id: str) -> Any: ...
    async def bury(self, service: Owner, delivered: Any, reason: str) -> None: ...
    async def sleep(self, seconds: float) -> None: ...


async def test_writes_count_when_they_stand_and_conflicts_when_they_do_not() -> None:
    metrics = Metrics(ORDER)
    store = MeasuredStore(
        _Ports(None, Conflict("e", duplicate=False), Conflict("e", duplicate=True), TimeoutError()), metrics
    )
    entry = envelope(cancelled())
    assert await store.append(entry, 3) == 4
    for _ in range(2):
        with pytest.raises(Conflict):
            await store.append(entry, 3)
    with pytest.raises(TimeoutError):
        await store.append(entry, 3)
    assert await store.last_sequence(ORDER_ID) == 7
    assert value(metrics, "events_appended_total", event="OrderCancelled") == 1
    assert value(metrics, "append_conflicts_total") == 2


async def test_retries_count_by_their_reason_and_refusals_when_they_were_told() -> None:
    metrics, ports = Metrics(ORDER), _Ports(TimeoutError(), None)
    outside = MeasuredOutside(ports, metrics)
    outside.failed("s1", 1, Unavailable("the mail server"))
    outside.failed("s2", 2, RuntimeError("a bug"))
    outside.failed("s3", 3, TimeoutError())
    message, no = envelope(cancelled()), Refused("not_the_buyer", "That is somebody else's order.")
    with pytest.raises(TimeoutError):
        await outside.refuse(Owner.ORDER, no, message)
    await outside.refuse(Owner.ORDER, no, message)
    assert ports.told == ["s1", "s2", "s3"]
    assert value(metrics, "message_retries_total", reason="outage") == 2
    assert value(metrics, "message_retries_total", reason="failure") == 1
    assert value(metrics, "refusals_total", reason="not_the_buyer") == 1


# What buyers wait for


@pytest.mark.parametrize("answer", [cancelled(request_id="r1"), refused("r1")])
def test_an_answer_ends_the_wait_that_began_with_the_request(answer: Event) -> None:
    """In real seconds, though a simulated month has passed."""
    metrics = Metrics(ORDER)
    metrics.appended(envelope(request(30), message_id="r1"))
    metrics.appended(envelope(answer))
    assert value(metrics, "request_to_answer_seconds_count") == 1
    assert 30 <= (value(metrics, "request_to_answer_seconds_sum") or 0) < 90


async def test_a_request_that_another_replica_wrote_is_known_from_the_history() -> None:
    metrics, ports = Metrics(ORDER), _Ports(None)
    ports.history_of = [envelope(request(30), message_id="r1")]
    store = MeasuredStore(ports, metrics)
    assert await store.newer(ORDER_ID, 0) == ports.history_of
    await store.append(envelope(cancelled(request_id="r1")), 1)
    assert value(metrics, "request_to_answer_seconds_count") == 1


def test_an_answer_to_an_unknown_or_to_no_request_is_not_measured() -> None:
    metrics = Metrics(ORDER)
    metrics.appended(envelope(cancelled(request_id="r9")))
    metrics.appended(envelope(cancelled()))
    assert value(metrics, "request_to_answer_seconds_count") == 0
    assert value(metrics, "events_appended_total", event="OrderCancelled") == 2


def test_only_the_latest_requests_are_remembered() -> None:
    metrics = Metrics(ORDER)
    asked = request(30)
    for number in range(MAX_REQUESTS + 1):
        metrics.appended(envelope(asked, message_id=f"r{number}"))
    metrics.appended(envelope(cancelled(request_id="r0")))
    assert value(metrics, "request_to_answer_seconds_count") == 0
    metrics.appended(envelope(cancelled(request_id="r1")))
    assert value(metrics, "request_to_answer_seconds_count") == 1


def test_an_email_ends_two_waits() -> None:
    """That of the fact, which was stored two seconds ago, and that of the buyer, who had asked half a minute ago."""
    metrics = Metrics(NOTIFY)
    metrics.handled("", envelope(request(30), message_id="r1"), Handled("heard"), 0.1)
    fact = envelope(cancelled(request_id="r1"), stored_at=ago(2))
    metrics.appended(envelope(email_sent(), stored_at=fact.stored_at))
    metrics.handled("", fact, Handled("appended", "EmailSent"), 0.1)
    of_notify = {"service": "notify"}
    assert value(metrics, "emails_total", kind="cancelled", result="sent", **of_notify) == 1
    assert value(metrics, "fact_to_email_seconds_bucket", kind="cancelled", le="1.0", **of_notify) == 0
    assert value(metrics, "fact_to_email_seconds_bucket", kind="cancelled", le="30.0", **of_notify) == 1
    assert 30 <= (value(metrics, "request_to_email_seconds_sum", **of_notify) or 0) < 90


def test_an_email_that_failed_or_was_sent_before_ends_no_wait() -> None:
    metrics = Metrics(NOTIFY)
    metrics.handled("", envelope(request(30), message_id="r1"), Handled("heard"), 0.1)
    sent = email_sent()
    failed = EmailFailed(kind=sent.kind, fact_id="f", to=sent.to, message_id=sent.message_id, reason="550")
    metrics.appended(envelope(failed))
    metrics.handled("", envelope(cancelled(request_id="r1")), Handled("appended", "EmailFailed"), 0.1)
    metrics.handled("", envelope(cancelled(request_id="r1")), Handled("known", "EmailSent"), 0.1)
    of_notify = {"service": "notify"}
    assert value(metrics, "emails_total", kind="cancelled", result="failed", **of_notify) == 1
    assert value(metrics, "request_to_email_seconds_count", **of_notify) == 0


def email_sent() -> EmailSent:
    return EmailSent(
        kind=PromisedEmail.CANCELLED, fact_id="f", to="bea@shop.example", subject="Cancelled", message_id="<f@c>"
    )


# What is served


async def test_a_process_is_ready_while_every_vital_check_holds() -> None:
    checks = [Check("broker", True, "connected"), Check("smtp", False, "away", vital=False)]  # noqa: FBT003

    async def readiness() -> Sequence[Check]:
        return checks

    app = Starlette(routes=operational_routes("web", process_registry("web"), readiness))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://web") as http:
        ready = await http.get("/readyz")
        checks.append(Check("streams", False, "missing: ORDER"))  # noqa: FBT003
        unready, alive, scraped = [await http.get(path) for path in ("/readyz", "/healthz", "/metrics")]
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert ready.json()["checks"]["smtp"] == {"ok": False, "vital": False, "detail": "away"}
    assert (unready.status_code, unready.json()["status"]) == (503, "unready")
    assert unready.json()["checks"]["streams"]["detail"] == "missing: ORDER"
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    lines = scraped.text.splitlines()
    assert 'countermand_check_ok{check="smtp",service="web"} 0.0' in lines
    assert 'countermand_ready{service="web"} 0.0' in lines
    assert any(line.startswith('countermand_build_info{service="web"') for line in lines)
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)


def exposed(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()
