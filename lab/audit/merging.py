"""Merging streams that are each in order: everything up to the moment that all of them have reached, again and again."""

from bisect import bisect_right
from collections.abc import AsyncGenerator, Sequence
from operator import attrgetter
from typing import Protocol

from lab.audit.fact import Fact

_at = attrgetter("at")


class Batches(Protocol):
    """A stream's facts in order, a batch at a time; an empty one is the end."""

    async def batch(self) -> list[Fact]:
        """The next facts."""
        ...


async def merged(feeds: Sequence[Batches]) -> AsyncGenerator[list[Fact]]:
    """Facts of all feeds in the order of the broker's time.

    Where two streams say the same moment, the earlier feed comes first: put causes before their effects. Within a
    stream its own order is kept.
    """
    waiting = [await feed.batch() for feed in feeds]
    while any(waiting):
        horizon = min(facts[-1].at for facts in waiting if facts)
        ready: list[Fact] = []
        for index, facts in enumerate(waiting):
            if not facts:
                continue
            end = len(facts) if facts[-1].at <= horizon else bisect_right(facts, horizon, key=_at)
            ready += facts[:end]
            waiting[index] = facts[end:] or await feeds[index].batch()
        ready.sort(key=_at)
        yield ready
