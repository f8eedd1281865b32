"""Traces by OpenTelemetry's SDK, over OTLP/HTTP. The SDK reads its own `OTEL_…` variables.

Parents come and go as `traceparent` texts, never by context variables: many messages are at work at a time.
"""

import threading
from importlib.metadata import version
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as OpenSpan
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from countermand.contracts.subjects import read

_CLOSE_WITHIN_S: Final = 3.0
"""For the last spans, when the process ends: less than what an operator's stop allows."""

_PROPAGATOR: Final = TraceContextTextMapPropagator()


class OtelTracer:
    """One process's tracer; its spans are sent by a thread of the SDK, and dropped beyond 2048 that wait."""

    def __init__(self, service: str) -> None:
        resource = Resource.create(
            {"service.namespace": "countermand", "service.version": version("countermand")}
        ).merge(Resource({"service.name": service}))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("countermand")

    def handles(self, subject: str, message_id: str, parent: str | None) -> "OtelSpan":
        """A consumer's span."""
        return self._begin("process", SpanKind.CONSUMER, subject, message_id, parent)

    def sends(self, subject: str, message_id: str, parent: str | None) -> "OtelSpan":
        """A producer's span."""
        return self._begin("send", SpanKind.PRODUCER, subject, message_id, parent)

    def close(self) -> None:
        """Send what is left."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(_CLOSE_WITHIN_S)

    def _begin(self, operation: str, kind: SpanKind, subject: str, message_id: str, parent: str | None) -> "OtelSpan":
        """Attributes by the semantic conventions for messaging."""
        template, order_id = _read(subject)
        context = _PROPAGATOR.extract({"traceparent": parent} if parent else {})
        attributes = {
            "messaging.system": "nats",
            "messaging.operation.name": operation,
            "messaging.operation.type": operation,
            "messaging.destination.name": subject,
            "messaging.destination.template": template,
            "messaging.message.id": message_id,
            "countermand.order_id": order_id,
        }
        span = self._tracer.start_span(f"{operation} {template}", context, kind, attributes=attributes)
        return OtelSpan(span)


class OtelSpan:
    """A span, and the `traceparent` of what follows from it."""

    def __init__(self, span: OpenSpan) -> None:
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
        self._span = span

    def end(self, outcome: str, detail: str) -> None:
        """It is done; a dead letter is an error."""
        self._span.set_attributes({"countermand.outcome": outcome, "countermand.detail": detail})
        if outcome == "dead":
            self._span.set_status(Status(StatusCode.ERROR, detail))
        self._span.end()


def _read(subject: str) -> tuple[str, str]:
    """The subject without what is different in each, and the order's id."""
    try:
        address = read(subject)
    except ValueError:
        return "other", ""
    lead = "" if address.kind == "event" else f"{address.kind}."
    return f"{lead}{address.service}.{address.name}", address.order_id
