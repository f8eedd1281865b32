"""Playing stories for people: progress while it lasts, then a table, the emails, and the verdict."""

import secrets
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from countermand.kernel.ids import order_id_from
from countermand.runtime.settings import ConfigurationError
from lab.audit.mailbox import received
from lab.console import console_of
from lab.exits import BROKEN, PASS
from lab.market import marketplace
from lab.stories import STORIES
from lab.stories.play import Performance, Verdict, perform, write
from lab.stories.story import Story
from lab.system import CARDS, death, embedded, first


async def play_embedded(names: Sequence[str], seed: int, json: Path | None) -> int:
    """Start a system of our own, play, stop it."""
    stories = chosen(names)
    console = console_of()
    console.print("starting NATS, the mailbox and the services …")
    async with embedded() as system:
        # The store is new, so the ids may follow from the seed alone: the same seed gives the same orders.
        playing = _play(system.nats_url, system.emails_at, stories, seed, "embedded", json, console)
        return await first(playing, death(system.supervisor))


async def play_on(nats_url: str, mailbox_url: str | None, names: Sequence[str], seed: int, json: Path | None) -> int:
    """Play on a system that runs already."""
    return await _play(nats_url, mailbox_url, chosen(names), seed, secrets.token_hex(4), json, console_of())


def chosen(names: Sequence[str]) -> list[Story]:
    """The stories of those names; all of them if there are none.

    Raises:
        ConfigurationError: there is no such story.
    """
    for name in names:
        if name not in STORIES:
            near = get_close_matches(name, STORIES, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; `countermand story --list` lists them"
            msg = f"there is no story {name!r}{hint}"
            raise ConfigurationError(msg)
    return [STORIES[name] for name in names] or list(STORIES.values())


def list_stories(console: Console) -> None:
    """Every story with the rules that it plays."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("story", "rules", "what happens"):
        table.add_column(column, no_wrap=column == "story")
    for story in STORIES.values():
        table.add_row(story.name, " ".join(story.rules), story.title)
    console.print(table)


async def _play(
    nats_url: str,
    mailbox_url: str | None,
    stories: list[Story],
    seed: int,
    run: str,
    json: Path | None,
    console: Console,
) -> int:
    async with marketplace(nats_url) as market:
        if mailbox_url:
            await received(mailbox_url, order_id_from("nobody"))  # Whether it answers, before a minute of playing.
        with _Progress(stories, console) as progress:
            performance = await perform(
                stories, market, cards=CARDS, mailbox_url=mailbox_url, seed=seed, run=run, progress=progress.note
            )
    if json:
        write(performance, json)
    _report(performance, console)
    return PASS if performance.ok else BROKEN


class _Progress:
    """One line a story on a terminal; elsewhere a line now and then."""

    def __init__(self, stories: Sequence[Story], console: Console) -> None:
        self._state = {story.name: "waiting" for story in stories}
        self._console = console
        self._live = Live(console=console, refresh_per_second=8, transient=True, get_renderable=self._render)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def note(self, story: Story, state: str) -> None:
        """A story has moved on."""
        self._state[story.name] = state
        if not self._console.is_terminal:
            done = sum(state == "settling" for state in self._state.values())
            self._console.print(f"{story.name}: {state} ({done} of {len(self._state)} done)")

    def _render(self) -> Text:
        marks = {"waiting": "·", "playing": "▸", "settling": "✓"}
        done = sum(state == "settling" for state in self._state.values())
        text = Text(f"{done} of {len(self._state)} stories\n", style="bold")
        for name, state in self._state.items():
            text.append(f" {marks[state]} {name}\n", style="green" if state == "settling" else "")
        return text


def _report(performance: Performance, console: Console) -> None:
    table = Table(title="What became of every order", title_justify="left", header_style="bold", box=SIMPLE_HEAD)
    for column, style in (("", ""), ("story", ""), ("path", ""), ("outcome", ""), ("emails", ""), ("rules", "dim")):
        table.add_column(column, style=style, no_wrap=column in {"story", "outcome"}, overflow="fold")
    for verdict in performance.verdicts:
        emails = ", ".join(email.kind for email in verdict.emails) or "none"
        mark = Text("✓", style="green") if verdict.ok else Text("✗", style="bold red")
        table.add_row(mark, verdict.story, verdict.path, verdict.outcome or "—", emails, " ".join(verdict.rules))
    console.print(table)
    for verdict in performance.verdicts:
        _complain(verdict, console)
    for violation in performance.report.violations:
        whose = f"order {violation.order_id}: " if violation.order_id else ""
        console.print(f"[red]{violation.invariant}[/red] {whose}{violation.what}", highlight=False)
    right = sum(verdict.ok for verdict in performance.verdicts)
    emails = sum(len(verdict.emails) for verdict in performance.verdicts)
    broken = f"broken {len(performance.report.violations)} times" if performance.report.violations else "hold"
    console.print(
        f"{right} of {len(performance.verdicts)} stories right, {emails} emails, all invariants {broken}, "
        f"seed {performance.seed}, {performance.seconds:.1f} s"
    )


def _complain(verdict: Verdict, console: Console) -> None:
    for complaint in verdict.wrong:
        console.print(f"[red]✗ {verdict.story}[/red] (order {verdict.order_id}): {complaint}", highlight=False)
