"""What commands print on: wide where nobody says how wide, and a line of progress now and then."""

import time
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from rich.console import Console

WIDTH: Final = 160
"""Columns where there is no terminal to ask."""

LINE_EVERY_S: Final = 2.0
"""Often enough that nobody wonders, seldom enough that a log stays readable."""

T = TypeVar("T")


def console_of(*, stderr: bool = False) -> Console:
    """A console on one of the standard streams."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=WIDTH)


def now_and_then(line: Callable[[T], str], say: Callable[[str], None] | None = None) -> Callable[[T], None]:
    """A function to be told how far something is, as often as it likes; every two seconds it says a line: on stderr, or by `say`."""
    speak = say or partial(console_of(stderr=True).print, highlight=False)
    next_at = time.monotonic() + LINE_EVERY_S

    def note(news: T) -> None:
        nonlocal next_at
        if time.monotonic() >= next_at:
            next_at += LINE_EVERY_S
            speak(line(news))

    return note
