"""Traces: each handled message is a span that continues the trace in the message's `traceparent`.

Off unless `OTEL_EXPORTER_OTLP_ENDPOINT` is set; then nothing of OpenTelemetry is even imported. What a caller's
`traceparent` says is passed on either way.
"""

from typing import Protocol

from countermand.runtime.settings import ConfigurationError, Settings


class Span(Protocol):
    """Work on one message.

    Attributes:
        traceparent: what follows from it carries this.
    """

    traceparent: str

    def end(self, outcome: str, detail: str) -> None:
        """It is done."""
        ...


class Tracer(Protocol):
    """Begins spans, and sends those that have ended to the collector."""

    def handles(self, subject: str, message_id: str, parent: str | None) -> Span:
        """A service begins with a message."""
        ...

    def sends(self, subject: str, message_id: str, parent: str | None) -> Span:
        """Somebody sends a command."""
        ...

    def close(self) -> None:
        """Send what is left; bounded, for the collector may be away."""
        ...


def tracing(service: str, settings: Settings) -> Tracer | None:
    """A tracer, if traces are wanted.

    Raises:
        ConfigurationError: they are, and the libraries for it are not installed.
    """
    if not settings.otel_exporter_otlp_endpoint:
        return None
    try:
        from countermand.runtime.otel import OtelTracer  # noqa: PLC0415  # An extra, imported only where it is used.
    except ImportError as error:
        msg = f"OTEL_EXPORTER_OTLP_ENDPOINT is set, which needs the extra `otel` (countermand[otel]): {error}"
        raise ConfigurationError(msg) from error
    return OtelTracer(service)
