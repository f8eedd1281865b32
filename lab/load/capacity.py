"""`countermand load --find-max`: the highest rate at which every objective holds, by whole runs."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from lab.console import console_of
from lab.load.command import interruptible, named, one_run, target_of
from lab.load.figures.result import Result, Verdict
from lab.load.figures.thresholds import Threshold
from lab.load.options import Options
from lab.load.reporting import RUNS
from lab.load.search import highest

SCHEMA: Final = "https://countermand.example/schemas/load-search.v1.json"
FILE: Final = "search.json"

BACKLOG_S: Final = 2.0
"""Messages waiting at the end, for each order that arrives in a second. An order is 10 to 20 messages: a system that keeps
up has a tenth of a second of them in hand, and one that does not has more with every second."""


@dataclass(frozen=True, slots=True)
class Step:
    """One run of the search; `verdict` is its own, and `failed` is why the rate did not hold."""

    rate: float
    seed: int
    folder: Path
    achieved: float
    figures: Mapping[str, float | None]
    verdict: Verdict
    failed: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As `search.json` has it."""
        return {
            "rate": self.rate,
            "seed": self.seed,
            "run": str(self.folder),
            "achieved": self.achieved,
            "figures": dict(self.figures),
            "verdict": str(self.verdict),
            "ok": not self.failed,
            "failed": list(self.failed),
        }


@dataclass(slots=True)
class _Search:
    options: Options
    objectives: tuple[Threshold, ...]
    folder: Path
    nats_url: str | None
    mailbox_url: str | None
    stop: asyncio.Event
    progress: Console
    steps: list[Step] = field(default_factory=list[Step])

    async def holds(self, rate: float) -> bool:
        """Play a run at this rate, with a seed of its own, on a fresh system unless one was named."""
        if self.stop.is_set():
            raise _StopSearchError
        number = len(self.steps)
        plan = self.options.plan
        plan = named(plan.model_copy(update={"rate": rate, "seed": plan.seed + number}))
        folder = self.folder / f"step-{number + 1}"
        async with target_of(self.nats_url, self.mailbox_url, self.progress) as target:
            came = await one_run(replace(self.options, plan=plan, folder=folder), target, self.stop, self.progress)
        step = step_of(came.result, self.objectives, rate, folder)
        if self.stop.is_set() and step.verdict is not Verdict.BROKEN:
            raise _StopSearchError
        self.steps.append(step)
        verdict = "; ".join(step.failed) or "holds"
        self.progress.print(f"step {number + 1}: {rate:g} orders/s: {verdict}", highlight=False, markup=False)
        return not step.failed


class _StopSearchError(Exception):
    """A person has seen enough."""


async def find_max(
    options: Options,
    objectives: tuple[str, ...],
    nats_url: str | None,
    mailbox_url: str | None,
    to: Path | None,
) -> int:
    """Search, print the steps and the rate, and write `search.json`.

    Returns:
        3 if an invariant broke in any step, whatever rate held; else 130 if a person ended the search, 0 if a rate held and
        99 if none did.

    Raises:
        ConfigurationError: as a run.
    """
    parsed = tuple(map(Threshold.parse, objectives))
    console, progress = console_of(), console_of(stderr=True)
    folder = options.folder if options.folder.parent != RUNS else RUNS / options.plan.run.replace("load", "search", 1)
    interrupted, found = False, None
    with interruptible(progress) as stop:
        search = _Search(options, parsed, folder, nats_url, mailbox_url, stop, progress)
        try:
            found = await highest(search.holds, options.plan.rate)
        except _StopSearchError:
            interrupted = True
            found = max((step.rate for step in search.steps if not step.failed), default=None)
    verdict = verdict_of(search.steps, found, interrupted=interrupted)
    _write(search, found, verdict, [folder / FILE, *([to] if to else [])])
    _show(search, found, console)
    return verdict.exit_code


def verdict_of(steps: Sequence[Step], found: float | None, *, interrupted: bool) -> Verdict:
    """What a search comes to: that an invariant broke weighs more than whatever rate held."""
    if any(step.verdict is Verdict.BROKEN for step in steps):
        return Verdict.BROKEN
    if interrupted:
        return Verdict.INTERRUPTED
    return Verdict.THRESHOLD if found is None else Verdict.PASS


def step_of(result: Result, objectives: tuple[Threshold, ...], rate: float, folder: Path) -> Step:
    """A run as a step: it fails by an objective, for every reason of its own verdict, and by a backlog that grew."""
    document = result.document()
    failed = [objective.text for objective in objectives if not objective.holds(document)]
    failed += [reason.rstrip(".") for reason in document["reasons"]]
    waiting = _waiting(document)
    if waiting is None:
        failed.append("nobody knows how many messages waited")
    elif waiting > BACKLOG_S * rate:
        failed.append(f"a backlog of {waiting:,.0f} messages")
    return Step(
        rate=rate,
        seed=document["seed"],
        folder=folder,
        achieved=document["rate"]["achieved"],
        figures={objective.text: objective.value(document) for objective in objectives},
        verdict=result.verdict,
        failed=tuple(failed),
    )


def _waiting(document: Mapping[str, Any]) -> float | None:
    """How many messages waited for their services, by the median of the last quarter of the arrivals."""
    plan = document["plan"]
    last = plan["duration_s"] - (plan["duration_s"] - plan["warmup_s"]) / 4
    rows = [row["backlog"] for row in document["series"] if last <= row["second"] < plan["duration_s"]]
    known = [waiting for waiting in rows if waiting is not None]
    return median(known) if known else None


def _write(search: _Search, found: float | None, verdict: Verdict, paths: list[Path]) -> None:
    document = {
        "schema": SCHEMA,
        "seed": search.options.plan.seed,
        "verdict": str(verdict),
        "objective": [objective.text for objective in search.objectives],
        "max_rate": found,
        "steps": [step.document() for step in search.steps],
    }
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _show(search: _Search, found: float | None, console: Console) -> None:
    table = Table(title="Steps", title_justify="left", header_style="bold", box=SIMPLE_HEAD)
    for column in ("orders/s", "achieved", *(objective.text for objective in search.objectives), ""):
        table.add_column(column, justify="left" if not column else "right")
    for step in search.steps:
        figures = ["—" if figure is None else f"{figure:,.5g}" for figure in step.figures.values()]
        table.add_row(f"{step.rate:g}", f"{step.achieved:g}", *figures, "; ".join(step.failed) or "✓")
    console.print(table)
    said = "no rate was found that holds" if found is None else f"the highest rate that held is {found:g} orders/s"
    console.print(f"{said}; the runs are in {search.folder}", highlight=False)
