"""Spans of time as people write them on a command line."""

import re
from typing import Final

from countermand.runtime.settings import ConfigurationError

_PARTS: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds(text: str) -> float:
    """A span such as `10s`, `250ms` or `2m`.

    Raises:
        ConfigurationError: it is none.
    """
    match = _PARTS.fullmatch(text.strip())
    if match is None:
        msg = f"{text!r} is no span of time such as 10s, 250ms or 2m"
        raise ConfigurationError(msg)
    return float(match[1]) * _SECONDS[match[2]]
