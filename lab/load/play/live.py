"""A run while it lasts: a view that changes in place on a terminal, elsewhere a line every two seconds."""

import time
from collections.abc import Callable
from typing import Any, Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lab.console import LINE_EVERY_S, now_and_then
from lab.load.figures.metrics import HEADLINES
from lab.load.figures.sparse import Spans
from lab.load.play.gauges import Gauges
from lab.load.wording import words

_FRESH_EVERY_S: Final = 1.0
"""The workers tell once a second."""

_BAR: Final = 50


class View:
    """What people see of a run."""

    def __init__(self, gauges: Gauges, duration_s: float, drain_s: float, console: Console) -> None:
        self._gauges = gauges
        self._duration_s = duration_s
        self._drain_s = drain_s
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._next_at = 0.0
        self._draining_since: float | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        """Print a line that stays, as it is: a log's last lines may be in it."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def drain(self, second: float) -> None:
        """The last order has arrived."""
        self._draining_since = second

    def show(self, second: float) -> None:
        """Show the present, if what was shown is old.

        Args:
            second: of the run.
        """
        if time.monotonic() < self._next_at:
            return
        on_terminal = self._console.is_terminal
        self._next_at = time.monotonic() + (_FRESH_EVERY_S if on_terminal else LINE_EVERY_S)
        if on_terminal:
            self._live.update(self._picture(second), refresh=True)
        else:
            self.say(self._line(second))

    def _line(self, second: float) -> str:
        gauges = self._gauges
        parts = [
            f"{second:.0f} s of {self._duration_s:g} s"
            if self._draining_since is None
            else f"{second:.0f} s, draining",
            f"{gauges.rate_of('started'):,.1f} orders/s",
            f"{gauges.total('started'):,} started",
            f"{gauges.total('open'):,} in flight",
            f"backlog {_number(gauges.backlog)}",
            *(f"{words(metric)} {_quantiles(gauges.latency(metric))}" for metric in HEADLINES),
            f"{gauges.total('settled'):,} settled",
            *_ills(gauges),
        ]
        return ", ".join(parts)

    def _picture(self, second: float) -> Group:
        gauges = self._gauges
        table = Table.grid(padding=(0, 2))
        table.add_row("rate", f"{gauges.rate_of('started'):,.1f} orders/s", f"{gauges.total('started'):,} started")
        table.add_row("in flight", f"{gauges.total('open'):,}", f"backlog {_number(gauges.backlog)} messages")
        for metric in HEADLINES:
            table.add_row(words(metric), _quantiles(gauges.latency(metric)))
        table.add_row("settled", f"{gauges.total('settled'):,}", ", ".join(_outcomes(gauges)))
        table.add_row("violations", f"{gauges.violations:,}", f"in {gauges.looked_at:,} orders looked at so far")
        for ill in _ills(gauges):
            table.add_row("[red]![/red]", Text(ill))
        return Group(self._bar(second), table)

    def _bar(self, second: float) -> Table:
        """How far, and the time that is left: of the arrivals, or at most of the drain."""
        gauges, grid = self._gauges, Table.grid(padding=(0, 1))
        if self._draining_since is None:
            left_s = max(0.0, self._duration_s - second)
            bar = ProgressBar(total=self._duration_s, completed=min(second, self._duration_s), width=_BAR)
            grid.add_row("arrivals", bar, f"{left_s:.0f} s left")
        else:
            left_s = max(0.0, self._drain_s - (second - self._draining_since))
            bar = ProgressBar(total=max(1, gauges.total("started")), completed=gauges.total("settled"), width=_BAR)
            grid.add_row("drain", bar, f"{left_s:.0f} s left at most")
        return grid


def progress_of(view: View) -> Callable[[int], None]:
    """A function to be told of how many messages an audit has read."""
    return now_and_then("auditing: {:,} messages read …".format, view.say)


def _ills(gauges: Gauges) -> list[str]:
    """What should not be, if there is any."""
    counts: dict[str, Any] = {name: gauges.total(name) for name in ("late", "shed", "resent", "lost")}
    why = ", ".join(gauges.reasons_of_resends)
    named = {"late": "started late", "resent": f"commands sent again ({why})", "lost": "commands lost"}
    found = [f"{number:,} {named.get(name, name)}" for name, number in counts.items() if number]
    return found + ([f"{gauges.violations:,} violations"] if gauges.violations else [])


def _outcomes(gauges: Gauges) -> list[str]:
    return [f"{name} {number:,}" for name, number in gauges.outcomes.most_common()]


def _quantiles(spans: Spans) -> str:
    half, most = spans.quantiles_ms((50, 99))
    return "—" if half is None or most is None else f"p50 {half:,.1f} ms p99 {most:,.1f} ms"


def _number(messages: int | None) -> str:
    return "unknown" if messages is None else f"{messages:,}"
