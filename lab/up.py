"""`countermand up`: everything embedded, until somebody stops it."""

import asyncio
import secrets
import signal
from pathlib import Path
from typing import Final

from rich.console import Console

from countermand.runtime.settings import ConfigurationError
from lab.breaking import breaking
from lab.system import embedded, start_web

_TOKEN_BYTES: Final = 18


async def run_until_stopped(data_dir: Path | None, clock_rate: float) -> int:
    """Start everything, print the addresses, and stop gracefully on Ctrl-C or SIGTERM.

    Raises:
        ConfigurationError: something did not start, or died later.
    """
    stopped = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, stopped.set)
    console = Console()
    async with embedded(data_dir=data_dir) as system, breaking(system) as (hand, socket):
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        ours = {
            "WEB_TOKEN": token,
            "WEB_LOADS": "true",
            "WEB_FAULTS": str(socket),
            "WEB_CLOCK_RATE": f"{clock_rate:.17g}",
        }
        web_url = await start_web(system, ours)
        console.print(f"page     {web_url}")
        console.print(f"token    {token}  (for an operator's actions on the page)")
        console.print(f"NATS     {system.nats_url}")
        console.print(f"mailbox  {system.mailbox_url}  (SMTP {system.smtp_url})")
        console.print(f"logs     {system.data_dir / 'logs'}")
        console.print("Press Ctrl-C to stop.")
        until_stopped = asyncio.create_task(stopped.wait())
        until_death = asyncio.create_task(system.supervisor.wait_for_death())
        until_failure = asyncio.create_task(hand.failed())
        await asyncio.wait({until_stopped, until_death, until_failure}, return_when=asyncio.FIRST_COMPLETED)
        died = until_death.result() if until_death.done() else None
        failure = until_failure.result() if until_failure.done() else None
        for task in (until_stopped, until_death, until_failure):
            task.cancel()
        console.print("stopping")
        if died is not None:
            raise ConfigurationError(died.epitaph())
        if failure is not None:
            raise failure
    return 0
