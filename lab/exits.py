"""The exit codes of the command line."""

from typing import Final

PASS: Final = 0
CONFIGURATION: Final = 2
"""Bad arguments or configuration."""

BROKEN: Final = 3
"""A story or an invariant is broken."""

INTERRUPTED: Final = 130
TERMINATED: Final = 143
