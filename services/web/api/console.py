"""What is going on: the figures of the console, and how old they are."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from nats.js.errors import NotFoundError
from pydantic import BaseModel
from starlette.responses import Response

from countermand.runtime.streams import DEAD
from services.web.api.problems import documented
from services.web.api.shapes import tagged
from services.web.parts import Web, WebParts
from services.web.readmodel.answers import Counts, Percentiles, Person, Rates

console: Final = APIRouter(prefix="/api", tags=["console"])

SHOWN: Final = ("OrderPlaced", "CancelRequested", "OrderCancelled", "OrderClosed", "EmailSent")
"""The events whose rates tell how a system does."""

_STREAMS: Final = ("COMMANDS", "ORDER", "SELLER", "DISPUTE", "NOTIFY", "TIMERS")


class ConsumerOut(BaseModel):
    """A service's consumer: `pending` messages wait, `in_flight` are at work, `redelivered` had to come again."""

    service: str
    stream: str
    pending: int
    in_flight: int
    redelivered: int
    bound: bool


class ReadModelOut(BaseModel):
    """How old the figures are. `lag`: events not read yet; `unread`: those that cannot be read."""

    lag: int
    unread: int
    positions: dict[str, int]


class ConsoleOut(BaseModel):
    """The figures. What the broker alone knows is nothing while it is away."""

    away: bool
    counts: Counts
    rates: Rates
    latency_ms: dict[str, Percentiles]
    consumers: list[ConsumerOut] | None
    dead_letters: int | None
    read_model: ReadModelOut
    live_clients: int
    live_overruns: int


@console.get("/console", responses=documented())
async def get_console(
    web: WebParts, recent_s: Annotated[int, Query(ge=10, le=900, description="of the latencies")] = 300
) -> ConsoleOut:
    """Throughput, latencies, backlog of each consumer, outcomes, open orders by what they wait for, dead letters."""
    latencies = await web.queries.latencies(recent_s)
    away = web.away
    consumers = None if away else await backlog(web)
    dead = None if away else (await web.nc.jetstream().stream_info(web.names.stream(DEAD))).state.messages
    return ConsoleOut(
        away=away,
        counts=await web.queries.counts(),
        rates=await web.queries.rates(SHOWN),
        latency_ms={str(metric): found for metric, found in latencies.items()},
        consumers=consumers,
        dead_letters=dead,
        read_model=await age(web),
        live_clients=web.hub.listeners,
        live_overruns=web.hub.overruns,
    )


@console.get("/people", response_model=list[Person], responses=documented())
async def get_people(
    request: Request,
    web: WebParts,
    role: Annotated[str, Query(pattern="^(buyer|seller)$")] = "buyer",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    """Buyers or sellers who have orders, the last active first."""
    return tagged(request, await web.queries.people(role, limit))


async def age(web: Web) -> ReadModelOut:
    """How far the read model is behind the streams."""
    ends = {} if web.away else await web.follower.ends()
    positions = web.follower.positions
    lag = sum(max(0, end - positions[owner]) for owner, end in ends.items())
    return ReadModelOut(
        lag=lag, unread=await web.queries.unread(), positions={str(owner): at for owner, at in positions.items()}
    )


async def backlog(web: Web) -> list[ConsumerOut]:
    """Every durable consumer of every service."""
    js = web.nc.jetstream()
    found: list[ConsumerOut] = []
    for stream in _STREAMS:
        try:
            infos: list[Any] = await js.consumers_info(web.names.stream(stream))
        except NotFoundError:
            continue
        found += [
            ConsumerOut(
                service=info.name.partition("-")[0],
                stream=stream,
                pending=info.num_pending or 0,
                in_flight=info.num_ack_pending or 0,
                redelivered=info.num_redelivered or 0,
                bound=bool(info.push_bound),
            )
            for info in infos
            if info.config.durable_name
        ]
    return sorted(found, key=lambda one: (one.service, one.stream))
