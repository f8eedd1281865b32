"""Python's cycle collector, asked to look seldom."""

import gc
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

_SELDOM: Final = (100_000, 50, 1_000)


@contextmanager
def seldom() -> Generator[None]:
    """While the block runs. For work that makes no cycles: it would walk through all that is open again and again."""
    thresholds = gc.get_threshold()
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
