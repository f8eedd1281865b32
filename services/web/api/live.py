"""Events as they are recorded, as server-sent events: of one order, or of all.

An event's id is its place in every owner's stream: a client that comes back with the last one (`Last-Event-ID`) gets
what it missed out of the streams, and then what is new. One that falls too far behind is disconnected.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Header, Path
from nats.errors import Error as NatsError
from starlette.responses import StreamingResponse

from countermand.contracts.base import Owner
from countermand.contracts.subjects import events_of
from countermand.runtime.direct import Stored, StoreReadError
from countermand.runtime.facts import Fact, fact_from
from services.web.api.bodies import OrderId
from services.web.api.problems import documented
from services.web.commands import Away
from services.web.hub import OWNERS, Cursor, News, TooManyListeners, news_of
from services.web.parts import Web, WebParts

live: Final = APIRouter(prefix="/api", tags=["live"])

HEARTBEAT_S: Final = 15.0
"""Comments in between keep proxies from closing a quiet connection, and find out who has gone."""

RETRY_MS: Final = 1_000
"""What a browser waits before it comes back."""

_PAGE: Final = 250
"""Missed events read from a stream at a time."""

_LOOK_S: Final = 0.1
_LOOKS: Final = 50
"""How often, and how many times, a stream is asked again that does not hold what it should."""

_ID: Final = re.compile(r"\d{1,18}(-\d{1,18}){3}")

LastEventId = Annotated[
    str | None,
    Header(max_length=100, description="the id of the last event that the client has; `0-0-0-0`: from the beginning"),
]

_ANSWERS: Final = {
    200: {
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
        "description": "events, until either side ends it",
    },
    **documented(),
}

_log = structlog.get_logger()


@live.get("/events", response_class=StreamingResponse, responses=_ANSWERS)
async def all_events(web: WebParts, last_event_id: LastEventId = None) -> StreamingResponse:
    """Every event of every order, from now on, or from after `Last-Event-ID`."""
    return _stream(web, None, last_event_id)


@live.get("/orders/{order_id}/events", response_class=StreamingResponse, responses=_ANSWERS)
async def order_events(
    web: WebParts, order_id: Annotated[OrderId, Path()], last_event_id: LastEventId = None
) -> StreamingResponse:
    """Every event of one order, from now on, or from after `Last-Event-ID`."""
    return _stream(web, order_id, last_event_id)


def _stream(web: Web, order_id: str | None, last_event_id: str | None) -> StreamingResponse:
    if web.away and last_event_id:
        raise Away
    if web.hub.is_full:
        raise TooManyListeners
    now = web.hub.cursor
    # Never ahead of the hub: while the read model is filled again, better an event twice than not at all.
    cursor = tuple(map(min, cursor_of(last_event_id) or now, now))
    return streamed(_events(web, order_id, cursor))


def streamed(events: AsyncGenerator[str]) -> StreamingResponse:
    """Server-sent events, which nobody on their way may keep."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


def cursor_of(last_event_id: str | None) -> Cursor | None:
    """The places that an event's id names; nothing if it is none of ours: then it begins now."""
    if last_event_id is None or not _ID.fullmatch(last_event_id):
        return None
    return tuple(map(int, last_event_id.split("-")))


async def _events(web: Web, order_id: str | None, cursor: Cursor) -> AsyncGenerator[str]:
    yield f"retry: {RETRY_MS}\n\n"
    places = dict(zip(OWNERS, cursor, strict=True))
    patience = _LOOKS
    try:
        while behind := [owner for owner in OWNERS if places[owner] < web.hub.positions[owner]]:
            missed, reached = await _missed(web, order_id, places, behind)
            if reached == places:
                await _be_patient(patience := patience - 1)
            places = reached
            yield _written(missed)
        # Nothing is awaited between the last look and here, so nothing can come in between.
        with web.hub.listening(*([order_id] if order_id else [])) as listener:
            while not listener.ended:
                yield _written(await listener.heard(HEARTBEAT_S)) or ": still here\n\n"
            yield ": come back with Last-Event-ID\n\n"
    except (TooManyListeners, TimeoutError, NatsError, StoreReadError) as error:
        # The answer has begun, so it can only end: whoever comes back is told why.
        _log.warning("live.broken_off", error=repr(error))


async def _be_patient(looks_left: int) -> None:
    """A replica that has not stored yet what another one has told of soon will have.

    Raises:
        TimeoutError: it has had its time.
    """
    if looks_left <= 0:
        msg = "the stream does not hold what it has told of"
        raise TimeoutError(msg)
    await asyncio.sleep(_LOOK_S)


def _written(news: list[News]) -> str:
    return "".join(one.frame for one in news)


async def _missed(
    web: Web, order_id: str | None, places: dict[Owner, int], behind: list[Owner]
) -> tuple[list[News], dict[Owner, int]]:
    """Some of what was passed on after these places, merged by the broker's time; and the places to go on from."""
    goal = dict(web.hub.positions)
    pages = await asyncio.gather(*(_page(web, owner, order_id, places, goal[owner]) for owner in behind))
    if order_id is not None:  # All of it is here; in between lies what is not the order's.
        found = [one for page in pages for one in page]
        reached = {owner: goal[owner] for owner in behind}
    else:
        # Beyond the end of a full page nobody knows yet what comes first.
        until = min((page[-1].stored_at for page in pages if len(page) == _PAGE), default=None)
        certain = [[one for one in page if until is None or one.stored_at <= until] for page in pages]
        found = [one for page in certain for one in page]
        reached = {owner: page[-1].sequence for owner, page in zip(behind, certain, strict=True) if page}
    found.sort(key=lambda stored: stored.stored_at)
    news: list[News] = []
    at = dict(places)
    for fact in (fact for stored in found if (fact := _fact(stored, web))):
        at[fact.owner] = fact.sequence
        news.append(news_of(fact, tuple(at[owner] for owner in OWNERS)))
    return news, places | reached


def _fact(stored: Stored, web: Web) -> Fact | None:
    """Nothing for an event that this version cannot read; the read model counts those."""
    try:
        return fact_from(stored, web.names)
    except (ValueError, KeyError):
        return None


async def _page(web: Web, owner: Owner, order_id: str | None, places: dict[Owner, int], goal: int) -> list[Stored]:
    stream = web.names.journal(owner)
    if order_id is None:
        stored = await web.reader.following(stream, web.names.subject(f"{owner}.>"), places[owner] + 1, _PAGE)
    else:
        stored = await web.reader.last_of_each(stream, [web.names.subject(events_of(owner, order_id))])
    return [one for one in stored if places[owner] < one.sequence <= goal]
