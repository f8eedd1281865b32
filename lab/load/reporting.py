"""From a raw log to its reports: after a run, and again whenever `countermand report` is asked to."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from countermand.runtime.settings import ConfigurationError
from lab.load.figures.measure import measure
from lab.load.figures.result import Result
from lab.load.rawlog import RawLog
from lab.load.report import PAGE, write_all
from lab.load.report.summary import show

RUNS: Final = Path("countermand-runs")
"""Runs are kept here, unless they are told where."""


@dataclass(frozen=True, slots=True)
class Copies:
    """Where else the result and its page are wanted."""

    json: Path | None = None
    html: Path | None = None


NONE: Final = Copies()


@dataclass(frozen=True, slots=True)
class Reported:
    """A result, and the files that tell it."""

    result: Result
    files: list[Path]

    def show(self, console: Console) -> int:
        """Print the summary; the verdict's exit code."""
        show(self.result, console, self.files)
        return self.result.exit_code


def reported(log: RawLog, copies: Copies = NONE) -> Reported:
    """Make every report of a run, beside its log.

    Raises:
        ConfigurationError: the log was changed meanwhile, or a file cannot be written.
    """
    result = measure(log)
    folder = log.path.parent
    try:
        files = write_all(result, folder)
        if copies.json:
            result.write(copies.json)
        if copies.html and not (copies.html.exists() and copies.html.samefile(folder / PAGE)):
            shutil.copyfile(folder / PAGE, copies.html)
    except OSError as error:
        msg = f"{error.filename or folder}: cannot be written: {error.strerror}"
        raise ConfigurationError(msg) from error
    return Reported(result, files)


def again(run: str, copies: Copies, console: Console) -> int:
    """Make the reports of an earlier run again, and print its summary.

    Args:
        run: its folder, its log, or its name if it is kept in `countermand-runs`.

    Raises:
        ConfigurationError: there is no such run.
    """
    place = Path(run)
    if not place.exists() and (RUNS / run).is_dir():
        place = RUNS / run
    return reported(RawLog.read(place), copies).show(console)
