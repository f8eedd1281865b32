"""What an operator breaks on the console of `countermand up` breaks, comes back, and loses nothing."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest_asyncio

from lab.breaking import Breaking, breaking
from lab.system import System, embedded, start_web
from tests.support import system as at
from tests.support.web import PLACED, TOKEN, WAIT, Site, eventually

FAULTS: Final = "/api/operator/faults"
LONG_S: Final = 120


@dataclass(frozen=True, slots=True)
class Up:
    """What `countermand up` starts, and a client with the operator's token."""

    system: System
    hand: Breaking
    socket: Path
    http: httpx.AsyncClient

    async def break_(self, what: str, for_s: int) -> httpx.Response:
        """Ask for a fault."""
        return await self.http.post(FAULTS, json={"what": what, "for_s": for_s})

    async def going(self) -> list[str]:
        """What is broken."""
        return [one["what"] for one in (await self.http.get(FAULTS)).json()]

    async def whole(self) -> None:
        """Wait until nothing is broken any more."""

        async def over() -> bool:
            return await self.going() == []

        await eventually(over)


@pytest_asyncio.fixture
async def up() -> AsyncGenerator[Up]:
    async with AsyncExitStack() as ends:
        system = await ends.enter_async_context(embedded())
        hand, socket = await ends.enter_async_context(breaking(system))
        web = {"WEB_TOKEN": TOKEN, "WEB_FAULTS": str(socket), "WEB_CLOCK_RATE": "1440"}
        url = await start_web(system, web)
        http = httpx.AsyncClient(base_url=url, timeout=at.WITHIN_S, trust_env=False)
        http.headers["Authorization"] = f"Bearer {TOKEN}"
        yield Up(system, hand, socket, await ends.enter_async_context(http))


async def test_a_killed_service_comes_back_and_nothing_is_lost(up: Up) -> None:
    """What is asked of it meanwhile waits in the stream. Its process is free for the next fault only then."""
    before = up.system.services["order"].pid
    began = await up.break_("kill:order", 3)
    assert (began.status_code, began.json()["what"], await up.going()) == (202, "kill:order", ["kill:order"])
    assert not at.lives(before)
    again = await up.break_("pause:order", 1)
    assert (again.status_code, again.json()["reason"]) == (409, "fault_refused")
    asked = await up.http.post("/api/orders", json=PLACED)
    assert asked.status_code == 202
    assert (await up.http.get(f"/api/orders/{asked.json()['order_id']}")).status_code == 404

    await up.whole()

    done = await up.http.get(asked.headers["Location"], headers=WAIT)
    assert (done.json()["status"], up.system.services["order"].pid != before) == ("done", True)


async def test_a_killed_broker_is_away_on_every_page_until_it_is_back(up: Up) -> None:
    assert (await up.break_("kill:nats", 4)).status_code == 202

    async def says_so() -> bool:
        return "The message broker does not answer" in (await up.http.get("/")).text

    await eventually(says_so)
    await up.whole()
    await Site(str(up.http.base_url), up.http).is_ready()
    placed = await up.http.post("/api/orders", json=PLACED, headers=WAIT)
    assert placed.status_code == 200, placed.text


async def test_the_mail_server_fails_and_the_email_comes_late(up: Up) -> None:
    assert (await up.break_("smtp:451", 2)).status_code == 202
    assert await up.going() == ["smtp:451"]
    order_id: str = (await up.http.post("/api/orders", json=PLACED, headers=WAIT)).json()["order_id"]
    request: dict[str, Any] = {"reason": "no_longer_needed"}
    assert (await up.http.post(f"/api/orders/{order_id}/ask-seller", json=request, headers=WAIT)).status_code == 200

    async def told() -> bool:
        return bool((await up.http.get(f"/api/orders/{order_id}")).json()["emails"])

    await eventually(told)
    assert await up.going() == []


async def test_what_is_broken_is_mended_at_the_end(up: Up) -> None:
    """As when `countermand up` is told to stop in the midst of it; and then nobody answers any more."""
    assert (await up.break_("kill:seller", LONG_S)).status_code == 202
    assert (await up.break_("pause:notify", LONG_S)).status_code == 202
    async with asyncio.timeout(at.WITHIN_S):
        await up.hand.let_go()
    assert up.system.services["seller"].returncode is None
    assert await up.going() == []
    up.socket.unlink()
    gone = await up.break_("kill:seller", 1)
    assert (gone.status_code, gone.json()["reason"]) == (503, "nobody_strikes")
