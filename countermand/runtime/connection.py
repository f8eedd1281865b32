"""How a process reaches the broker: who it says it is, whom it trusts, and where it is answered. Services and lab use it."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
from faststream.nats.security import NatsSecurity, NatsUserPassword

from countermand.runtime.settings import ConfigurationError, Settings

_REFUSALS: Final = ("permissions violation", "authorization violation", "authentication", "certificate")

_log = structlog.get_logger()


class ConnectionLost(Exception):
    """The broker has ended the connection for good; the message says why. Only a new process comes in again."""


@dataclass(frozen=True, slots=True)
class Access:
    """What opens the broker to this process; nothing of it where the broker is open to all.

    Attributes:
        user: also the owner of an inbox, in which nobody else may read.
        tls: trusts the CA that was named; without one, what the URL's scheme asks for.
    """

    user: str = ""
    password: str = ""
    tls: ssl.SSLContext | None = None

    @property
    def inbox_prefix(self) -> str:
        """Where answers to this process come, as `_INBOX_order`."""
        return inbox_of(self.user)

    def options(self) -> dict[str, Any]:
        """What nats-py's `connect` takes."""
        known = {"user": self.user, "password": self.password, "tls": self.tls}
        return {"inbox_prefix": self.inbox_prefix, **{name: value for name, value in known.items() if value}}

    def security(self) -> NatsSecurity | None:
        """What FastStream's broker takes, beside the `inbox_prefix`."""
        if self.user:
            return NatsUserPassword(self.user, self.password, ssl_context=self.tls)
        return NatsSecurity(ssl_context=self.tls) if self.tls else None


def access(settings: Settings) -> Access:
    """What the settings name.

    Raises:
        ConfigurationError: a file cannot be read, or a user has no password.
    """
    if bool(settings.nats_user) != (settings.nats_password_file is not None):
        msg = "NATS_USER and NATS_PASSWORD_FILE go together"
        raise ConfigurationError(msg)
    password = _secret(settings.nats_password_file) if settings.nats_password_file else ""
    return Access(settings.nats_user, password, _trusting(settings.nats_ca_file) if settings.nats_ca_file else None)


async def tell_refusals(error: Exception) -> None:
    """What this process may not do, or whom it does not trust: else it only seems that the broker does not answer."""
    if any(words in str(error).lower() for words in _REFUSALS):
        _log.error("broker.refused", error=str(error))


def inbox_of(user: str) -> str:
    """The prefix of a user's inboxes; without a user, that of everybody."""
    return f"_INBOX_{user}" if user else "_INBOX"


def _secret(path: Path) -> str:
    try:
        secret = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"NATS_PASSWORD_FILE: {path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}"
        raise ConfigurationError(msg) from error
    if not secret:
        msg = f"NATS_PASSWORD_FILE: {path} is empty"
        raise ConfigurationError(msg)
    return secret


def _trusting(path: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=path)
    except OSError as error:  # Also what is no certificate: ssl.SSLError is one.
        msg = f"NATS_CA_FILE: {path} is no readable file of certificates: {error.strerror or error}"
        raise ConfigurationError(msg) from error
