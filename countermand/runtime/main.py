"""The entry of a service's process: settings, event loop, exit code."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any, Final

from countermand.runtime import collector
from countermand.runtime.card import Card
from countermand.runtime.connection import ConnectionLost
from countermand.runtime.service import Service
from countermand.runtime.settings import ConfigurationError, load_settings

try:
    from uvloop import new_event_loop
except ImportError:  # Not on every platform, and not needed.
    from asyncio import new_event_loop

CONFIGURATION_ERROR: Final = 2
"""Exit code: bad arguments or configuration."""

CONNECTION_LOST: Final = 1
"""Exit code: the broker has ended the connection for good. Whoever runs us starts us again."""


def run(compose: Callable[[], Card[Any, Any, Any]]) -> None:
    """Run a service until it is told to stop. Exits with one line: 2 if its configuration cannot be, 1 if its connection was ended."""
    try:
        service = Service(compose(), load_settings())
        with asyncio.Runner(loop_factory=new_event_loop) as runner, collector.seldom():
            runner.run(service.run())
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(CONFIGURATION_ERROR)
    except ConnectionLost as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(CONNECTION_LOST)
