"""Failpoints: places at which a test kills the process, as a power cut would.

`COUNTERMAND_CRASH_AT=order:after_append:OrderCancelled` ends the order service with exit code 137 at the first passing.
"""

import os
from typing import Final

EXIT_CODE: Final = 137
"""What a shell reports of a process ended by SIGKILL."""


class Failpoint:
    """One place of one service, or none."""

    def __init__(self, spec: str) -> None:
        self._spec = spec

    def passing(self, service: str, place: str, name: str) -> None:
        """End this process if the environment says so. Nothing is flushed, closed or said."""
        if self._spec and self._spec == f"{service}:{place}:{name}":
            os._exit(EXIT_CODE)
