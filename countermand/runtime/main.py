"""The entry of a service's process: settings, event loop, exit code."""

import asyncio
import sys
from typing import Any

from countermand.runtime.card import Card
from countermand.runtime.service import Service
from countermand.runtime.settings import ConfigurationError, Settings, load_settings

try:
    from uvloop import new_event_loop
except ImportError:  # Not on every platform, and not needed.
    from asyncio import new_event_loop

CONFIGURATION_ERROR = 2
"""Exit code: bad arguments or configuration."""


def main(card: Card[Any, Any, Any], settings: Settings | None = None) -> None:
    """Run a service until it is told to stop; exits with 2 and one line if its configuration cannot be."""
    try:
        service = Service(card, settings or load_settings())
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(service.run())
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(CONFIGURATION_ERROR)
