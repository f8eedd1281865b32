"""`countermand dead …`: what an operator does about dead letters."""

import asyncio
import getpass
import socket
import time
from typing import Annotated

import typer

from countermand.runtime.settings import ConfigurationError
from lab.arguments import JsonPath, Nats
from lab.console import console_of
from lab.spans import seconds

dead_app = typer.Typer(
    name="dead",
    help="List, show, replay and discard dead letters: messages that nobody could handle.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Service = Annotated[str | None, typer.Option("--service", help="only of this service")]
Since = Annotated[str | None, typer.Option("--since", help="only what died since, as 2h or 2026-01-31T12:00Z")]
Sequences = Annotated[list[int] | None, typer.Argument(metavar="[LETTER]...", help="as `dead list` numbers them")]
All = Annotated[bool, typer.Option("--all", help="all that are open, of a --service if one is named")]
Why = Annotated[str, typer.Option("--reason", help="why; it is kept with the letter")]
Actor = Annotated[str, typer.Option("--actor", help="who does it; you, if nobody is named")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="only say what would be done")]


@dead_app.command(name="list")
def list_(
    *,
    service: Service = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="only for reasons with it")] = None,
    since: Since = None,
    all_: Annotated[bool, typer.Option("--all", help="also those that were replayed or discarded")] = False,
    json: JsonPath = None,
    nats: Nats,
) -> int:
    """List the dead letters that nothing has been done about."""
    from lab.dead.desk import Choice, list_letters  # noqa: PLC0415  # As in lab.cli: a command loads what it needs.

    choice = Choice(service=service, reason=reason, since=_moment(since))
    return asyncio.run(list_letters(nats, choice, json, console_of(), handled=all_))


@dead_app.command()
def show(letter: Annotated[int, typer.Argument(metavar="LETTER")], json: JsonPath = None, *, nats: Nats) -> int:
    """Show one dead letter, why it died, and what to do about it."""
    from lab.dead.desk import show_one  # noqa: PLC0415

    return asyncio.run(show_one(nats, letter, json, console_of()))


@dead_app.command()
def replay(
    letters: Sequences = None,
    *,
    all_: All = False,
    service: Service = None,
    reason: Why = "",
    actor: Actor = "",
    dry_run: DryRun = False,
    nats: Nats,
) -> int:
    """Send dead letters back to their services, which handle them as if they had just come. Doing it again does nothing."""
    return _carry_out("replay", letters or [], service, reason, actor, nats, all_=all_, dry_run=dry_run)


@dead_app.command()
def discard(
    letters: Sequences = None,
    *,
    all_: All = False,
    service: Service = None,
    reason: Why = "",
    actor: Actor = "",
    dry_run: DryRun = False,
    nats: Nats,
) -> int:
    """Put dead letters aside for good. They stay, with who did it and why."""
    return _carry_out("discard", letters or [], service, reason, actor, nats, all_=all_, dry_run=dry_run)


def _carry_out(
    kind: str, letters: list[int], service: str | None, reason: str, actor: str, nats: str, *, all_: bool, dry_run: bool
) -> int:
    from countermand.runtime.letters import Wish, words  # noqa: PLC0415
    from lab.dead.desk import Choice, carry_out  # noqa: PLC0415

    if bool(letters) == all_:
        msg = f"which letters? `countermand dead {kind} LETTER…`, or --all"
        raise ConfigurationError(msg)
    if letters and service:
        msg = "--service belongs to --all: letters have numbers of their own"
        raise ConfigurationError(msg)
    if not words(reason) and not dry_run:
        msg = f"why? --reason is kept with what is {kind}ed; --dry-run only tells what would be done"
        raise ConfigurationError(msg)
    wish = Wish(kind, words(actor) or _me(), reason, dry_run)
    return asyncio.run(carry_out(nats, Choice(sequences=tuple(letters), service=service), wish, console_of()))


def _me() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # A container's user may have no name.
        user = "somebody"
    return f"{user}@{socket.gethostname()}"


def _moment(text: str | None) -> float | None:
    """A span of time before now, or a moment; in seconds since 1970."""
    from lab.audit.command import moment  # noqa: PLC0415

    if text is None:
        return None
    try:
        return time.time() - seconds(text)
    except ConfigurationError:
        return moment(text).timestamp()
