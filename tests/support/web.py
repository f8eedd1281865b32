"""A whole small system in one process: broker, services, mailbox and web, spoken to over HTTP as anybody would."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import httpx

from countermand.runtime.card import Card
from countermand.runtime.failpoints import Failpoint
from countermand.runtime.settings import Settings
from services.mailbox.app import MailboxSettings, open_mailbox
from services.notify.app import CARD as NOTIFY
from services.notify.app import Postman
from services.notify.smtp import SmtpSender
from services.web.app import open_web
from services.web.settings import WebSettings

TOKEN: Final = "a-token-for-tests-only"  # noqa: S105
WAIT: Final = {"Prefer": "wait=30"}
WITHIN_S: Final = 60.0
_POLL_S: Final = 0.05

PLACED: Final[dict[str, Any]] = {
    "buyer": {"id": "ann", "name": "Ann Buyer", "email": "ann@buyers.example"},
    "seller": {"id": "lamps", "profile": "prompt"},
    "item": "Desk lamp",
    "price": {"amount_minor": 1999, "currency": "USD"},
    "payment_method": "wallet",
}
"""What a buyer sends to place an order."""


@dataclass(frozen=True, slots=True)
class Site:
    """A running web service and a client of it."""

    url: str
    http: httpx.AsyncClient

    async def is_ready(self) -> None:
        """Wait until the broker answers and the read model follows."""

        async def ready() -> bool:
            return (await self.http.get("/readyz")).status_code == 200

        await eventually(ready)

    async def place(self, **changes: Any) -> str:
        """Place an order and wait until it is; its id."""
        answer = await self.http.post("/api/orders", json={**PLACED, **changes}, headers=WAIT)
        assert answer.status_code == 200, answer.text
        return answer.json()["order_id"]

    async def ask(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        """Send a command and wait for its event."""
        answer = await self.http.post(path, json=body or {}, headers={**WAIT, **headers})
        assert answer.status_code == 200, answer.text
        return answer.json()["event"]

    async def order(self, order_id: str) -> dict[str, Any]:
        """The order as it stands."""
        answer = await self.http.get(f"/api/orders/{order_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def ended(self, order_id: str) -> dict[str, Any]:
        """The order once it has ended."""
        query = {"wait_for": "outcome", "timeout_s": 60}
        answer = await self.http.get(f"/api/orders/{order_id}", params=query, timeout=90)
        assert answer.json()["outcome"], answer.text
        return answer.json()


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it holds; for what nobody tells over HTTP."""
    async with asyncio.timeout(WITHIN_S):
        while not await holds():  # noqa: ASYNC110  # There is no event to wait for.
            await asyncio.sleep(_POLL_S)


@asynccontextmanager
async def open_site(nats_url: str, database: Path | None = None, **settings: Any) -> AsyncGenerator[Site]:
    """Web in this process, with a client that waits long enough for a busy machine."""
    web = {"http_port": 0, "web_token": TOKEN, "web_requests_per_s": 0, "web_database": database, **settings}
    async with (
        open_web(Settings(nats_url=nats_url), WebSettings.model_validate(web)) as url,
        httpx.AsyncClient(base_url=url, timeout=WITHIN_S, trust_env=False) as http,
    ):
        site = Site(url, http)
        await site.is_ready()
        yield site


@asynccontextmanager
async def a_mailbox() -> AsyncGenerator[tuple[str, str]]:
    """A mailbox in this process; where it takes mail, and where it shows it."""
    async with open_mailbox(MailboxSettings(smtp_port=0, http_port=0)) as addresses:
        yield addresses.smtp_url, addresses.http_url


def notify_to(smtp_url: str) -> Card[Any, Any, Any]:
    """Notify, as it sends emails to that server."""
    sender = SmtpSender(smtp_url, 2)
    postman = Postman(sender, "Countermand <orders@countermand.example>", Failpoint(""))
    return replace(NOTIFY, effect=postman.deliver, close=sender.close)


@asynccontextmanager
async def following(site: Site, path: str, last: str | None = None) -> AsyncGenerator["Stream"]:
    """A live client; `last`: the id of the last event that it has."""
    headers = {"Last-Event-ID": last} if last else {}
    async with AsyncExitStack() as ends:
        http = await ends.enter_async_context(httpx.AsyncClient(base_url=site.url, timeout=WITHIN_S, trust_env=False))
        answer = await ends.enter_async_context(http.stream("GET", path, headers=headers))
        assert answer.status_code == 200, await answer.aread()
        stream = Stream(answer)
        await stream.begun()
        yield stream


class Stream:
    """Server-sent events as they come."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()
        self.last: str | None = None

    async def begun(self) -> None:
        """The first line is there, so what is recorded from now on will come."""
        assert (await anext(self._lines)).startswith("retry:")

    async def next(self) -> dict[str, Any]:
        """The next event."""
        async for line in self._lines:
            if line.startswith("id: "):
                self.last = line.removeprefix("id: ")
            if line.startswith("data: {"):  # And not the sentence of a page's trouble.
                return json.loads(line.removeprefix("data: "))
        msg = "the stream ended"
        raise AssertionError(msg)

    async def until(self, name: str) -> list[dict[str, Any]]:
        """All events up to the first of that name."""
        seen: list[dict[str, Any]] = []
        while not seen or seen[-1]["name"] != name:
            seen.append(await self.next())
        return seen
