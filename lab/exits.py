"""The exit codes of the command line."""

from typing import Final

PASS: Final = 0
REGRESSION: Final = 1
"""`compare` found one."""

CONFIGURATION: Final = 2
"""Bad arguments or configuration."""

BROKEN: Final = 3
"""A story or an invariant is broken."""

INVALID: Final = 4
"""A load run says nothing: its generator was too late."""

THRESHOLD: Final = 99
"""A load run was correct, and missed what was asked of it."""

INTERRUPTED: Final = 130
TERMINATED: Final = 143
