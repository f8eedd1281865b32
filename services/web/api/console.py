"""What is going on: the figures of the console, and how old they are."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from services.web.api.problems import documented
from services.web.api.shapes import tagged
from services.web.broker import Consumer
from services.web.parts import Web, WebParts
from services.web.readmodel.answers import Counts, Percentiles, Person, Rates

console: Final = APIRouter(prefix="/api", tags=["console"])

SHOWN: Final = ("OrderPlaced", "CancelRequested", "OrderCancelled", "OrderClosed", "EmailSent")
"""The events whose rates tell how a system does."""


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
    consumers: tuple[Consumer, ...] | None
    dead_letters: int | None
    read_model: ReadModelOut
    live_clients: int
    live_overruns: int


@console.get("/console", responses=documented())
async def get_console(
    web: WebParts, recent_s: Annotated[int, Query(ge=10, le=900, description="of the latencies")] = 300
) -> ConsoleOut:
    """Throughput, latencies, backlog of each consumer, outcomes, open orders by what they wait for, dead letters."""
    return await console_of(web, recent_s)


async def console_of(web: Web, recent_s: int = 300) -> ConsoleOut:
    """The console's figures."""
    latencies = await web.queries.latencies(recent_s)
    figures = None if web.away else await web.broker.figures()
    positions = web.follower.positions
    ends = figures.ends if figures else {}
    return ConsoleOut(
        away=web.away,
        counts=await web.queries.counts(),
        rates=await web.queries.rates(SHOWN),
        latency_ms={str(metric): found for metric, found in latencies.items()},
        consumers=figures.consumers if figures else None,
        dead_letters=figures.dead_letters if figures else None,
        read_model=ReadModelOut(
            lag=sum(max(0, end - positions[owner]) for owner, end in ends.items()),
            unread=await web.queries.unread(),
            positions={str(owner): at for owner, at in positions.items()},
        ),
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
