"""What a run is told beside its plan."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from countermand.runtime.names import Names
from lab.load.figures.thresholds import Threshold
from lab.load.plan import LoadPlan
from lab.load.play.faults import Fault
from lab.system import System

DRAIN_S: Final = 300.0
"""The slowest flows of the built-in mixes take 90 simulated days, which are 90 s at a day a second."""


@dataclass(frozen=True, slots=True)
class Options:
    """One run.

    Attributes:
        folder: gets the raw log and the reports.
        workers: processes on this machine; `remote_workers` join from others.
        drain_s: how long, after the last arrival, the orders may take to end.
        thresholds: what the result must be.
        abort_on: what ends the arrivals at once when it comes true.
    """

    plan: LoadPlan
    folder: Path
    workers: int = 1
    remote_workers: int = 0
    drain_s: float = DRAIN_S
    thresholds: tuple[Threshold, ...] = ()
    abort_on: tuple[Threshold, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def crew(self) -> int:
        """Workers in all."""
        return self.workers + self.remote_workers


@dataclass(frozen=True, slots=True)
class Target:
    """The system under load; `system` is there if it is an embedded one."""

    nats_url: str
    names: Names
    mailbox_url: str | None = None
    system: System | None = None
