"""`countermand audit`: read the options, audit, print, and say by the exit code whether all invariants hold."""

import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from countermand.kernel.ids import is_order_id
from countermand.runtime.names import Names
from countermand.runtime.settings import ConfigurationError, load_settings
from lab.audit.histories import history
from lab.audit.options import Options
from lab.audit.run import audit
from lab.audit.show import orders_to_tell, show_report
from lab.exits import BROKEN, PASS
from lab.market import Market

_WIDTH: Final = 160
"""Columns where there is no terminal to ask."""

_EVERY_S: Final = 2.0
"""A line of progress."""

_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


async def run(nats_url: str, options: Options, json: Path | None) -> int:
    """Audit a running system and print what was found. 0 if every invariant holds, else 3.

    Raises:
        ConfigurationError: nobody answers there, or something that was named does not exist.
    """
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH)
    market = await Market.connect(nats_url, Names(load_settings().subject_prefix))
    try:
        report = await audit(market, options, _progress(Console(stderr=True)))
        if options.run and not report.orders:
            msg = f"no order of run {options.run} is known here"
            raise ConfigurationError(msg)
        histories = {order_id: await history(market, order_id) for order_id in orders_to_tell(report)}
    finally:
        await market.close()
    if json:
        report.write(json)
    show_report(report, console, histories)
    return PASS if report.ok else BROKEN


def seconds(text: str) -> float:
    """A span such as `10s`, `250ms` or `2m`.

    Raises:
        ConfigurationError: it is none.
    """
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        msg = f"{text!r} is no span of time such as 10s, 250ms or 2m"
        raise ConfigurationError(msg)
    return float(match[1]) * _SECONDS[match[2]]


def moment(text: str) -> datetime:
    """A time such as `2026-01-31T12:00Z`; without a zone it is UTC.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        msg = f"{text!r} is no time such as 2026-01-31T12:00Z"
        raise ConfigurationError(msg) from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def order_ids(text: str) -> tuple[str, ...]:
    """Order ids separated by commas.

    Raises:
        ConfigurationError: one of them cannot be an order's id.
    """
    ids = tuple(filter(None, (part.strip() for part in text.split(","))))
    for order_id in ids:
        if not is_order_id(order_id):
            msg = f"{order_id!r} is no order id: 20 to 32 digits and lower-case letters"
            raise ConfigurationError(msg)
    return ids


def _progress(console: Console) -> Callable[[int], None]:
    """One line every few seconds, so that nobody wonders."""
    next_at = time.monotonic() + _EVERY_S

    def note(messages: int) -> None:
        nonlocal next_at
        if time.monotonic() >= next_at:
            next_at += _EVERY_S
            console.print(f"{messages:,} messages read …", highlight=False)

    return note
