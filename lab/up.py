"""`countermand up`: everything embedded, until somebody stops it."""

import asyncio
import secrets
import signal
from pathlib import Path
from typing import Final

from rich.console import Console

from lab.breaking import breaking
from lab.system import death, embedded, first, start_web

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
        try:
            await first(stopped.wait(), death(system.supervisor), hand.failed())
        finally:
            console.print("stopping")
    return 0
