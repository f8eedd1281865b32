"""What web reads from its environment, beside the settings that all services have."""

from pathlib import Path
from typing import Final

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from countermand.kernel.terms import DAY_A_MINUTE
from countermand.runtime.settings import ConfigurationError

_TOKEN_LENGTH_MIN: Final = 16
"""Characters of the operator's token: what can be guessed protects nothing."""


class WebSettings(BaseSettings):
    """`HTTP_PORT=8080 WEB_DATABASE=/var/lib/countermand/web.db countermand service web`."""

    model_config = SettingsConfigDict(env_file=None, extra="ignore")

    http_host: str = Field(default="127.0.0.1", min_length=1, max_length=253)
    http_port: int = Field(default=8080, ge=0, le=65_535, description="0 lets the system choose")
    web_database: Path | None = Field(default=None, description="the read model's file; nothing: a temporary one")
    web_token: SecretStr | None = Field(default=None, description="for operator actions, which are off without one")
    web_token_file: Path | None = Field(default=None, description="a file that holds the token")
    web_allowed_hosts: str = Field(
        default="127.0.0.1,localhost,[::1]", description="names by which browsers may call us, separated by commas"
    )
    web_requests_per_s: float = Field(default=200, ge=0, description="of one client address; 0 for no limit")
    web_live_clients: int = Field(default=2_000, ge=1, le=100_000, description="that may follow events at a time")
    web_clock_rate: float = Field(
        default=DAY_A_MINUTE, gt=0, description="simulated seconds a real one, of orders that name no clock"
    )
    web_loads: bool = Field(default=False, description="whether operators may start loads on the page")
    web_faults: Path | None = Field(
        default=None, description="where the owner of the processes listens who strikes them for operators; nobody does"
    )
    web_ready_file: Path | None = Field(default=None, description="gets the address as JSON once the server listens")
    mailbox_url: str | None = Field(default=None, description="the mailbox whose emails are shown")

    def token(self) -> str | None:
        """The operator's token.

        Raises:
            ConfigurationError: its file cannot be read, or it is too short to protect anything.
        """
        token = self.web_token.get_secret_value() if self.web_token else None
        if self.web_token_file is not None:
            try:
                token = self.web_token_file.read_text().strip()
            except (OSError, UnicodeDecodeError) as error:
                msg = f"WEB_TOKEN_FILE cannot be read: {error}"
                raise ConfigurationError(msg) from error
        if token is not None and len(token) < _TOKEN_LENGTH_MIN:
            msg = f"WEB_TOKEN is shorter than {_TOKEN_LENGTH_MIN} characters"
            raise ConfigurationError(msg)
        if token is not None and not (token.isascii() and token.isprintable()):
            msg = "WEB_TOKEN has characters that no cookie can hold: use letters, digits and signs of ASCII"
            raise ConfigurationError(msg)
        return token

    def allowed_hosts(self) -> frozenset[str]:
        """Names in small letters, without ports."""
        return frozenset(name.strip().lower() for name in self.web_allowed_hosts.split(",") if name.strip())
