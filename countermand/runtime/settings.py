"""What a process reads from its environment. Names carry their units."""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Common to every service; `NATS_URL=nats://… LOG_LEVEL=debug countermand service order`."""

    model_config = SettingsConfigDict(env_file=None, extra="ignore")

    nats_url: str = Field(
        default="nats://127.0.0.1:4222", description="the NATS server, or several separated by commas"
    )
    nats_user: str = Field(default="", pattern=r"^[A-Za-z0-9_-]{0,64}$", description="who this process is to NATS")
    nats_password_file: Path | None = Field(default=None, description="a file with that user's password")
    nats_ca_file: Path | None = Field(default=None, description="the CA that signed the server's certificate, for TLS")
    subject_prefix: str = Field(
        default="", pattern=r"^([A-Za-z0-9_-]+\.)?$", description="`shop1.` to share an account"
    )
    stream_replicas: int = Field(default=1, ge=1, le=5, description="3 on a cluster of three")
    stream_max_bytes: int = Field(
        default=2 * 1024**3, ge=1024**2, description="a stream's bound; when full, publishing fails"
    )
    dedupe_window_s: float = Field(
        default=120.0, gt=0, le=3600, description="how long JetStream remembers a Nats-Msg-Id"
    )
    ack_wait_s: float = Field(default=5.0, gt=0.5, le=5, description="after this long a dead process's work moves on")
    max_ack_pending: int = Field(
        default=2_000, ge=1, le=100_000, description="messages in a consumer's hands at a time"
    )
    reconcile_every_s: float = Field(default=300.0, gt=0, description="how often lost timers are looked for")
    stop_grace_s: float = Field(
        default=5.0, gt=0, le=60, description="what a message at work gets to finish when stopping"
    )
    http_host: str = Field(
        default="127.0.0.1", min_length=1, max_length=253, description="where /healthz, /readyz and /metrics are served"
    )
    http_port: int = Field(default=0, ge=0, le=65_535, description="0 lets the system choose")
    otel_exporter_otlp_endpoint: str = Field(
        default="", description="traces go there by OTLP/HTTP; needs the extra `otel`"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "human"] = Field(default="auto", description="auto: human on a terminal")
    countermand_crash_at: str = Field(default="", description="a failpoint: `order:after_append:OrderCancelled`")


class ConfigurationError(Exception):
    """The environment or a file says something that cannot be; the message is one clear line."""


def load_settings() -> Settings:
    """Read the environment.

    Raises:
        ConfigurationError: a variable has an impossible value.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigurationError(explain(error)) from error


def explain(error: ValidationError) -> str:
    """The first complaint of a validation error as one line: where, what was expected, what was found."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "the document"
    return f"{where}: {first['msg']} (got {first['input']!r})"
