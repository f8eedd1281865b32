"""Everything that a request may need, put together once."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import httpx
from fastapi import Depends
from nats.aio.client import Client
from starlette.requests import HTTPConnection

from countermand.contracts.base import Brief, Owner
from countermand.kernel.terms import Clock
from countermand.runtime.direct import DirectReader
from countermand.runtime.names import Names
from countermand.runtime.policies import Policies
from services.web.broker import Broker
from services.web.commands import Commands
from services.web.faults import Faults
from services.web.hub import Hub
from services.web.loads import Loads
from services.web.readmodel.answers import OrderDetail
from services.web.readmodel.follow import Follower
from services.web.readmodel.queries import Queries
from services.web.settings import WebSettings


@dataclass(slots=True)
class Web:
    """The parts of a running web service; a request's is `web_of(request)`.

    Attributes:
        queries: the read model.
        commands: what people ask for, and what became of it.
        hub: news, for whoever waits.
        follower: fills the read model; tells whether the broker is away.
        reader: the streams themselves.
        mail: the mailbox's HTTP client; nothing if there is no mailbox.
        token: the operator's; nothing if operator actions are off.
        broker: the broker's own figures.
        loads: those that operators start here; nothing if they may not.
        faults: what operators may break.
    """

    settings: WebSettings
    names: Names
    nc: Client
    reader: DirectReader
    queries: Queries
    commands: Commands
    hub: Hub
    follower: Follower
    policies: Policies
    mail: httpx.AsyncClient | None
    token: str | None
    broker: Broker
    loads: Loads | None
    faults: Faults

    @property
    def away(self) -> bool:
        """Whether the broker does not answer: what is shown may be old, and nothing can be asked for."""
        return not self.nc.is_connected or self.follower.away

    async def brief_of(self, order_id: str) -> Brief | None:
        """Whose order it is; from the order's journal if the read model does not know it yet."""
        detail = await self.queries.order(order_id)
        if detail and detail.view.order:
            return detail.view.order.brief
        if self.away:
            return None
        return next((fact.body.brief for fact in await self.commands.history(Owner.ORDER, order_id)), None)

    def clock(self, rate: float | None = None, epoch: datetime | None = None) -> Clock:
        """A clock that starts now."""
        now = datetime.now(UTC)
        return Clock(epoch=epoch or now, started_at=now, rate=rate or self.settings.web_clock_rate)

    async def closed(self, order_id: str, within_s: float) -> OrderDetail | None:
        """The order once it has ended, or as it is when the time is over; nothing if there is none."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        with self.hub.bell(order_id) as bell:
            while True:
                bell.clear()
                detail = await self.queries.order(order_id)
                left_s = until - loop.time()
                if left_s <= 0 or (detail and detail.view.order and detail.view.order.outcome):
                    return detail
                try:
                    await asyncio.wait_for(bell.wait(), left_s)
                except TimeoutError:
                    continue


def web_of(connection: HTTPConnection) -> Web:
    """The parts behind a request."""
    return connection.app.state.web


async def _web(connection: HTTPConnection) -> Web:
    """On the event loop: FastAPI has a thread call what is not async."""
    return web_of(connection)


WebParts = Annotated[Web, Depends(_web)]
"""As a parameter of an endpoint."""
