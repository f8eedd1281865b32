"""What to audit, and how strictly."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

GRACE_S: Final = 10.0
"""How long a message may be on its way in a live system before it counts as lost."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to audit, and how strictly.

    Attributes:
        run: only the orders of that run.
        since: only orders placed since then.
        orders: only these; they are looked up, and the streams are not read.
        grace_s: obligations younger than this are pending.
        drained: nothing is on its way any more: nothing is pending, and no consumer may have work left.
        mailbox_url: where the emails arrived.
    """

    run: str | None = None
    since: datetime | None = None
    orders: tuple[str, ...] = ()
    grace_s: float = GRACE_S
    drained: bool = False
    mailbox_url: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether every email in sight belongs to an order that is audited."""
        return self.run is None and self.since is None
