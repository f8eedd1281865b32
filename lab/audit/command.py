"""`countermand audit`: read the options, audit, print, and say by the exit code whether all invariants hold."""

from datetime import UTC, datetime
from pathlib import Path

from countermand.kernel.ids import is_order_id
from countermand.runtime.settings import ConfigurationError
from lab.audit.histories import history
from lab.audit.options import Options
from lab.audit.run import audit
from lab.audit.show import orders_to_tell, show_report
from lab.console import console_of, now_and_then
from lab.exits import BROKEN, PASS
from lab.market import reached


async def run(nats_url: str, options: Options, json: Path | None) -> int:
    """Audit a running system and print what was found. 0 if every invariant holds, else 3.

    Raises:
        ConfigurationError: nobody answers there, or something that was named does not exist.
    """
    console = console_of()
    async with reached(nats_url) as market:
        report = await audit(market, options, now_and_then(_how_far))
        if options.run and not report.orders:
            msg = f"no order of run {options.run} is known here"
            raise ConfigurationError(msg)
        histories = {order_id: await history(market, order_id) for order_id in orders_to_tell(report)}
    if json:
        report.write(json)
    show_report(report, console, histories)
    return PASS if report.ok else BROKEN


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


def _how_far(messages: int) -> str:
    return f"{messages:,} messages read …"
