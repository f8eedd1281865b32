"""What may go wrong in a simulation, and how often it did. A plan of faults is a small YAML file or one of two names."""

from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from countermand.runtime.documents import read_document

Share = Annotated[float, Field(ge=0, le=0.9)]
"""How often, of all chances that there are."""


class Faults(BaseModel):
    """How often each fault happens. Everything is 0 unless it is named.

    A message that is delivered has the chance of one of the first four; a handler that passes a place, an append, a read
    or an email has the others'.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    duplicate: Share = Field(default=0, description="a message is delivered twice, the second time much later")
    delay: Share = Field(default=0, description="a message takes minutes to two days; its followers wait behind it")
    reorder: Share = Field(default=0, description="a message comes up to two days after its followers")
    drop: Share = Field(default=0, description="a delivery is lost; the message comes again after ack_wait")
    lost_ack: Share = Field(default=0, description="a message is handled and comes again: its ack was lost")
    crash: Share = Field(default=0, description="a replica dies at a place that a handler passes")
    race: Share = Field(default=0, description="a replica stands still just before it appends")
    stale_read: Share = Field(default=0, description="a history is read without the last event")
    lost_append_ack: Share = Field(default=0, description="an event is written, and its writer does not learn it")
    failed_append: Share = Field(default=0, description="the store does not answer, and nothing is written")
    clock_step: Share = Field(default=0, description="the broker's clock is set forward or back by up to 30 s")
    smtp_busy: Share = Field(default=0, description="the mail server says 451: try again")
    smtp_away: Share = Field(default=0, description="the mail server is away for a minute to an hour")
    smtp_refuses: Share = Field(default=0, description="the mail server says 550: never")

    @model_validator(mode="after")
    def _share_out(self) -> Self:
        if self.duplicate + self.delay + self.reorder + self.drop > 1:
            msg = "duplicate, delay, reorder and drop share the deliveries: together they may be 1 at most"
            raise ValueError(msg)
        return self

    def of_a_delivery(self, luck: float) -> str:
        """Which of the first four it is; `luck` is below the sum of their shares."""
        for fault in ("duplicate", "delay", "reorder"):
            luck -= getattr(self, fault)
            if luck < 0:
                return fault
        return "drop"

    @property
    def on(self) -> list[str]:
        """The names of the faults that may happen."""
        return [name for name in type(self).model_fields if getattr(self, name)]


NONE: Final = Faults()

ALL: Final = Faults(
    duplicate=0.02,
    delay=0.01,
    reorder=0.01,
    drop=0.01,
    lost_ack=0.01,
    crash=0.005,
    race=0.02,
    stale_read=0.02,
    lost_append_ack=0.005,
    failed_append=0.005,
    clock_step=0.002,
    smtp_busy=0.02,
    smtp_away=0.005,
    smtp_refuses=0.005,
)

NAMED: Final = {"none": NONE, "all": ALL}


def faults_of(text: str) -> Faults:
    """The faults of that name, or of that YAML file.

    Raises:
        ConfigurationError: file, line, what was expected and what was found.
    """
    return NAMED[text] if text in NAMED else read_document(Path(text), Faults)
