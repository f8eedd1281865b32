"""Dead letters as a table, as a page and as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from countermand.runtime.direct import Stored
from countermand.runtime.letters import Letter
from lab.dead.advice import advice

SCHEMA: Final = "https://countermand.example/schemas/dead.v1.json"

SHOWN: Final = 100
"""Rows of the table; nobody reads more. `--json` has all."""

_BODY_SHOWN: Final = 4_000
_REASON_SHOWN: Final = 100


def show_list(letters: Sequence[Letter], console: Console, *, handled: bool) -> None:
    """Print the newest of them."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("letter", justify="right")
    table.add_column("died", style="dim")
    table.add_column("service", style="cyan")
    table.add_column("message")
    table.add_column("order")
    table.add_column("reason", overflow="fold")
    if handled:
        table.add_column("handled", overflow="fold", style="green")
    for letter in letters[-SHOWN:]:
        row = [
            str(letter.sequence),
            f"{letter.at:%Y-%m-%d %H:%M:%S}",
            letter.service,
            _name(letter),
            letter.order_id or "",
            _short(letter),
        ]
        table.add_row(*map(Text, row), *([Text(str(letter.act or ""))] if handled else []))
    if letters:
        console.print(table)
    if len(letters) > SHOWN:
        console.print(f"the newest {SHOWN} of {len(letters):,}; --json has all")


def show_letter(letter: Letter, stored: Stored, order: str, console: Console) -> None:
    """Print all about one letter, and what to do about it."""
    console.print(f"Dead letter {letter.sequence}", style="bold", highlight=False)
    facts = {
        "service": f"{letter.service}, by its consumer {letter.consumer}",
        "message": f"{letter.subject}, number {letter.original} of {letter.stream}, stored at {letter.stored_at or 'an unknown time'}",
        "died": f"{letter.at:%Y-%m-%d %H:%M:%S} UTC, at delivery {stored.headers.get('dead-deliveries', '?')}",
        "reason": letter.reason,
        "order": f"{letter.order_id}: {order}" if letter.order_id else "none",
        "replay of": f"letter {letter.follows}, which failed again" if letter.follows else "",
        "to do": advice(letter),
    }
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if value:
            table.add_row(name, Text(value))
    console.print(table)
    console.print("its headers", style="dim")
    for name, value in sorted(own_headers(stored).items()):
        console.print(Text(f"  {name}: {_printable(value)}"))
    cut = f", of which {len(stored.data):,} are here" if letter.cut_from else ""
    console.print(f"its body, {letter.cut_from or len(stored.data):,} bytes{cut}", style="dim", highlight=False)
    console.print(Text(decoded(stored.data)))


def document(letters: Sequence[Letter]) -> dict[str, Any]:
    """The JSON of `countermand dead list --json`."""
    return {
        "schema": SCHEMA,
        "open": sum(letter.act is None for letter in letters),
        "letters": [letter_document(letter) for letter in letters],
    }


def letter_document(letter: Letter, stored: Stored | None = None) -> dict[str, Any]:
    """One letter; with its headers and its body if they are given."""
    act = letter.act
    found: dict[str, Any] = {
        "letter": letter.sequence,
        "service": letter.service,
        "consumer": letter.consumer,
        "subject": letter.subject,
        "stream": letter.stream,
        "sequence": letter.original,
        "order_id": letter.order_id,
        "reason": letter.reason,
        "died_at": letter.at.isoformat(),
        "stored_at": letter.stored_at,
        "cut_from_bytes": letter.cut_from,
        "replay_of": letter.follows,
        "to_do": advice(letter),
        "handled": act and {"by": act.actor, "how": act.kind, "why": act.reason, "at": act.at.isoformat()},
    }
    if stored is not None:
        found |= {"headers": own_headers(stored), "body": stored.data.decode(errors="replace")}
    return found


def write(path: Path, what: Mapping[str, Any]) -> None:
    """Write a JSON document."""
    path.write_text(json.dumps(what, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def own_headers(stored: Stored) -> dict[str, str]:
    """The headers of the message that failed."""
    return {name: value for name, value in stored.headers.items() if not name.lower().startswith(("dead-", "nats-"))}


def decoded(data: bytes) -> str:
    """A body for people: JSON indented, else as text, shortened."""
    try:
        text = json.dumps(json.loads(data), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = data.decode(errors="replace")
    text = _printable(text)
    return text if len(text) <= _BODY_SHOWN else f"{text[:_BODY_SHOWN]} … ({len(text):,} characters)"


def _name(letter: Letter) -> str:
    return letter.subject.split(".")[-2 if letter.subject.split(".")[-1].isdecimal() else -1]


def _short(letter: Letter) -> str:
    reason = letter.reason if len(letter.reason) <= _REASON_SHOWN else f"{letter.reason[:_REASON_SHOWN]}…"
    return f"{reason} (replay of {letter.follows})" if letter.follows else reason


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
