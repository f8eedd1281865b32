"""The machine for one test at a time: what plays on a clock goes wrong beside another that takes every core."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import pytest

WAITS_S: Final = 600
"""The timeout of a test that may wait for its turn."""


@contextmanager
def to_itself(factory: pytest.TempPathFactory) -> Generator[None]:
    """While the block runs, no other test that asks for the machine runs in another process of this session."""
    with (factory.getbasetemp().parent / "machine.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
