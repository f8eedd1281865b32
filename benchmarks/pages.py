"""What one web service bears: `uv run python -m benchmarks.pages [--clients 500] [--views 300] [--duration 30]`.

On an embedded system orders arrive and are cancelled, clients follow all events live, and pages are opened at a constant
rate, each due at its planned moment. Prints how long views took from that moment, how many were late or failed, and how
many events each live client missed or got twice, compared with the streams. With a Chromium on the machine, also the first
contentful paint of My orders while nothing else goes on.
"""

import argparse
import asyncio
import itertools
import os
import secrets
import shutil
import statistics
import time
from collections import Counter
from typing import Any, Final

import httpx
from rich.console import Console

from countermand.contracts.base import Owner
from countermand.runtime.names import Names
from lab.market import Market
from lab.system import embedded, start_web

PAINTS: Final = 20
SETTLED_S: Final = 10.0
"""What the last events get to reach the clients."""

ORDER: Final[dict[str, Any]] = {
    "buyer": {"id": "ann", "name": "Ann Buyer", "email": "ann@buyers.example"},
    "seller": {"id": "lamps", "profile": "prompt"},
    "item": "Desk lamp",
    "price": {"amount_minor": 1999, "currency": "USD"},
    "payment_method": "wallet",
}


def say(line: str) -> None:
    """A line as it is."""
    Console(width=200).print(line, highlight=False)


class Follower:
    """A live client that keeps the ids of the events that it got."""

    def __init__(self) -> None:
        self.got: Counter[str] = Counter()
        self.connected = asyncio.Event()

    async def follow(self, http: httpx.AsyncClient, since: str) -> None:
        """Until cancelled; comes back where it was if the connection ends, as a browser does."""
        last = since
        while True:
            try:
                async with http.stream("GET", "/api/events", headers={"Last-Event-ID": last}, timeout=None) as answer:
                    self.connected.set()
                    async for line in answer.aiter_lines():
                        if line.startswith("id: "):
                            last = line[4:]
                            self.got[last] += 1
            except httpx.HTTPError:
                await asyncio.sleep(1)


async def main() -> None:
    """Open, follow, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--views", type=float, default=300)
    parser.add_argument("--orders", type=float, default=5, help="a second")
    parser.add_argument("--duration", type=float, default=30)
    options = parser.parse_args()
    environment = {"WEB_TOKEN": secrets.token_hex(16), "WEB_REQUESTS_PER_S": "0", "WEB_CLOCK_RATE": "1440"}
    async with embedded() as system:
        url = await start_web(system, environment)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        # Apart: a pool looks through all its connections at each request.
        live = httpx.AsyncClient(base_url=url, limits=limits, timeout=30, trust_env=False)
        async with live, httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as http:
            placed = [await _placed(http) for _ in range(20)]
            await _paints(url)
            market = await Market.connect(system.nats_url, Names())
            try:
                await _bear(http, live, market, placed, options)
            finally:
                await market.close()


async def _bear(
    http: httpx.AsyncClient, live: httpx.AsyncClient, market: Market, placed: list[str], options: argparse.Namespace
) -> None:
    begun = await _ends(market)
    followers = [Follower() for _ in range(options.clients)]
    since = "-".join(str(begun[owner]) for owner in Owner)
    following = [asyncio.create_task(follower.follow(live, since)) for follower in followers]
    await asyncio.gather(*(follower.connected.wait() for follower in followers))
    shopping = asyncio.create_task(_shop(http, options.orders))
    took_ms, failed = await _view(http, placed, options.views, options.duration)
    shopping.cancel()
    await asyncio.gather(shopping, return_exceptions=True)
    await asyncio.sleep(SETTLED_S)
    ended = await _ends(market)
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    events = sum(ended[owner] - begun[owner] for owner in Owner)
    lost = sum(events - len(follower.got) for follower in followers)
    twice = sum(count - 1 for follower in followers for count in follower.got.values())
    cuts = [took_ms[round(share * (len(took_ms) - 1))] for share in (0.5, 0.9, 0.99, 1)]
    say(
        f"{len(took_ms):,} views at {options.views:g}/s: p50 {cuts[0]:.1f} ms, p90 {cuts[1]:.1f} ms, p99 {cuts[2]:.1f} ms, "
        f"max {cuts[3]:.1f} ms, {failed} failed"
    )
    say(
        f"{options.clients} live clients, {events:,} events: {lost:,} lost, {twice:,} twice, of {events * options.clients:,}"
    )


async def _ends(market: Market) -> dict[Owner, int]:
    return {owner: (await market.js.stream_info(owner.upper())).state.last_seq for owner in Owner}


async def _placed(http: httpx.AsyncClient) -> str:
    answer = await http.post("/api/orders", json=ORDER, headers={"Prefer": "wait=10"})
    answer.raise_for_status()
    return str(answer.json()["order_id"])


async def _shop(http: httpx.AsyncClient, per_s: float) -> None:
    """Buyers place orders and ask to cancel them."""
    while True:
        order_id = await _placed(http)
        await http.post(f"/api/orders/{order_id}/ask-seller", json={"reason": "no_longer_needed"})
        await asyncio.sleep(1 / per_s)


async def _view(http: httpx.AsyncClient, placed: list[str], per_s: float, duration_s: float) -> tuple[list[float], int]:
    """Milliseconds from the moment at which each view was due, sorted; and how many were not answered with 200."""
    pages = itertools.cycle(
        ["/?buyer=ann", *(f"/orders/{order_id}" for order_id in placed[:3]), "/api/orders?buyer=ann"]
    )
    took_ms: list[float] = []
    failed = 0

    async def view(page: str, due: float) -> None:
        nonlocal failed
        try:
            answer = await http.get(page, follow_redirects=True)
            failed += not answer.is_success
        except httpx.HTTPError:
            failed += 1
        took_ms.append((time.perf_counter() - due) * 1e3)

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as views:
        for number in range(round(per_s * duration_s)):
            due = begun + number / per_s
            if (wait_s := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait_s)
            views.create_task(view(next(pages), due))
    return sorted(took_ms), failed


async def _paints(url: str) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        say("no chromium: no first contentful paint")
        return
    from playwright.async_api import async_playwright  # noqa: PLC0415  # Only with a browser.

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        painted_ms: list[float] = []
        for _ in range(PAINTS):
            context = await browser.new_context()  # Nothing is cached.
            page = await context.new_page()
            await page.goto(f"{url}/?buyer=ann")
            painted_ms.append(
                await page.evaluate(
                    "() => new Promise(done => new PerformanceObserver(list => list.getEntries().forEach(entry =>"
                    " entry.name === 'first-contentful-paint' && done(entry.startTime)))"
                    ".observe({type: 'paint', buffered: true}))"
                )
            )
            await context.close()
        await browser.close()
    painted_ms.sort()
    say(
        f"first contentful paint of My orders, 20 orders, nothing cached: median {statistics.median(painted_ms):.0f} ms, "
        f"max of {PAINTS} {painted_ms[-1]:.0f} ms; {os.cpu_count()} cores"
    )


if __name__ == "__main__":
    asyncio.run(main())
