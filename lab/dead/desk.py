"""What the commands about dead letters do, on a running system."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from countermand.runtime.letters import REPLAY, Letter, Letters, Outcome, Wish
from countermand.runtime.settings import ConfigurationError
from lab.console import now_and_then
from lab.dead.advice import chosen
from lab.dead.show import document, letter_document, show_letter, show_list, write
from lab.exits import CONFIGURATION, PASS
from lab.market import Market, marketplace
from lab.why import timeline

_HEARD_WITHIN_S: Final = 10.0
"""What a service that runs takes for its replays, and more; for one that does not, nobody should wait longer."""

_POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters: those that are named, or all that are open; of a service, for a reason, since a time (s since 1970)."""

    sequences: tuple[int, ...] = ()
    service: str | None = None
    reason: str | None = None
    since: float | None = None


async def list_letters(nats: str, choice: Choice, json: Path | None, console: Console, *, handled: bool) -> int:
    """Print the letters that nothing has been done about; with `handled`, the others too."""
    async with marketplace(nats) as market:
        letters = await _read(market)
        found = chosen(
            letters.known.values() if handled else letters.open(),
            service=choice.service,
            reason=choice.reason,
            since=choice.since,
        )
    if json:
        write(json, document(found))
    show_list(found, console, handled=handled)
    number = sum(letter.act is None for letter in found)
    console.print(f"{number or 'no'} open dead letter{'s' * (number != 1)}", highlight=False)
    return PASS


async def show_one(nats: str, sequence: int, json: Path | None, console: Console) -> int:
    """Print everything about one letter.

    Raises:
        ConfigurationError: there is none.
    """
    async with marketplace(nats) as market:
        letters = await _read(market)
        letter = letters.known.get(sequence)
        if letter is None:
            msg = f"there is no dead letter {sequence}; `countermand dead list --all` lists them"
            raise ConfigurationError(msg)
        stored = await letters.content(letter)
        order = await in_a_line(market, letter.order_id) if letter.order_id else ""
    if json:
        write(json, letter_document(letter, stored))
    show_letter(letter, stored, order, console)
    return PASS


async def carry_out(nats: str, choice: Choice, wish: Wish, console: Console) -> int:
    """Replay or discard letters, say what became of each, and wait a moment for what the replays lead to."""
    async with marketplace(nats) as market:
        letters = await _read(market)
        sequences = choice.sequences or [
            letter.sequence
            for letter in chosen(letters.open(), service=choice.service, reason=choice.reason, since=choice.since)
        ]
        outcomes: list[Outcome] = []

        def how_far(number: int) -> str:
            return f"{number:,} of {len(sequences):,} letters …"

        note = now_and_then(how_far)
        for number, sequence in enumerate(sequences, 1):
            outcome = await letters.carry_out(sequence, wish)
            console.print(f"{sequence}: {outcome.what}", highlight=False, markup=False)
            outcomes.append(outcome)
            note(number)
        if not sequences:
            console.print("there is no such open dead letter: nothing to do")
        if wish.kind == REPLAY:
            await _follow(letters, outcomes, console)
    return CONFIGURATION if any(outcome.refused for outcome in outcomes) else PASS


async def in_a_line(market: Market, order_id: str) -> str:
    """The last thing that happened to an order, as `why` would say it."""
    try:
        last = (await timeline(market, order_id))[-1]
    except ConfigurationError:
        return "never placed"
    return f"{last.number} steps, the last one by {last.who}: {last.what}"


async def _read(market: Market) -> Letters:
    letters = Letters(market.nc, market.reader, market.names)
    await letters.read_on()
    return letters


async def _follow(letters: Letters, outcomes: Sequence[Outcome], console: Console) -> None:
    """Say which replays were heard, which came back, and which nobody has heard."""
    sent = {outcome.sequence: letters.known[outcome.sequence] for outcome in outcomes if outcome.done}
    silent: set[str] = set()
    for letter in _last_of_each_service(list(sent.values())):
        if not await _is_heard(letters, letter):
            silent.add(letter.service)
    await letters.read_on()
    back = {letter.follows: letter for letter in letters.open() if letter.follows in sent}
    for sequence, letter in sent.items():
        if again := back.get(sequence):
            console.print(f"{sequence}: failed again, as letter {again.sequence}: {again.reason}", markup=False)
        elif letter.service not in silent:
            console.print(f"{sequence}: {letter.service} has handled it", highlight=False)
    for service in sorted(silent):
        console.print(
            f"{service} has not heard its replays within {_HEARD_WITHIN_S:g} s: does it run? They wait for it."
        )


async def _is_heard(letters: Letters, letter: Letter) -> bool:
    if letter.act is None:
        return False
    try:
        async with asyncio.timeout(_HEARD_WITHIN_S):
            while not await letters.heard(letter.act, letter):  # noqa: ASYNC110  # JetStream tells nobody.
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        return False
    return True


def _last_of_each_service(letters: Sequence[Letter]) -> list[Letter]:
    acted = sorted(
        (letter for letter in letters if letter.act), key=lambda letter: letter.act.sequence if letter.act else 0
    )
    return list({letter.service: letter for letter in acted}.values())
