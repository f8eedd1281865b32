"""What one web service bears: `uv run python -m benchmarks.pages [--clients 500] [--views 300] [--duration 30]`.

On an embedded system orders arrive and are cancelled, clients follow all events live, and pages are opened at a constant
rate, each due at its planned moment: in turn some buyer's orders and some order's story. Prints how long views took from
that moment, how many failed, and how many events each live client missed or got twice, compared with the streams. With a
Chromium on the machine, also the first contentful paint of My orders as a new browser's first page, while nothing else goes
on, and beside it that of an answer of fifteen bytes: what the browser itself takes.
"""

import argparse
import asyncio
import itertools
import os
import re
import secrets
import shutil
import statistics
import time
from collections import Counter
from typing import Any, Final

import httpx
import psutil
from rich.console import Console

from countermand.contracts.base import Owner
from countermand.runtime.names import Names
from lab.market import Market
from lab.system import System, embedded, start_web

PAINTS: Final = 20
SETTLED_S: Final = 10.0
"""What the last events get to reach the clients."""

VIEWERS: Final = 64
"""Connections over which pages are opened; a page that finds none free waits, and its wait counts."""

READ_BYTES: Final = 1 << 16
EVENT_ID: Final = re.compile(rb"^id: (\S+)\n", re.MULTILINE)
LENGTH: Final = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)

BUYERS: Final = 50
ORDERS: Final = 4
"""Buyers, and the orders that each has before it begins."""

ORDER: Final[dict[str, Any]] = {
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
        self.got: Counter[bytes] = Counter()
        self.connected = asyncio.Event()

    async def follow(self, host: str, since: str) -> None:
        """Until cancelled, or until the server ends it. HTTP/1.0 has no chunks: what comes is the events."""
        reader, writer = await asyncio.open_connection(*host.split(":"))
        writer.write(f"GET /api/events HTTP/1.0\r\nHost: {host}\r\nLast-Event-ID: {since}\r\n\r\n".encode())
        rest = b""
        while data := await reader.read(READ_BYTES):
            self.connected.set()
            whole, _, rest = (rest + data).rpartition(b"\n")
            self.got.update(EVENT_ID.findall(whole + b"\n"))


class Viewer:
    """A browser's connection, over which one page after another is opened."""

    def __init__(self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._host = host
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, host: str) -> "Viewer":
        """Ready for the first page."""
        return cls(host, *await asyncio.open_connection(*host.split(":")))

    async def view(self, page: str) -> bool:
        """Whether the page came, whole and with 200."""
        self._writer.write(f"GET {page} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = LENGTH.search(head)
            await self._reader.readexactly(int(length[1]) if length else 0)
        except (OSError, EOFError):
            return False
        return head.startswith(b"HTTP/1.1 200") and length is not None


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
        async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as http:
            placed = [await _placed(http, number % BUYERS) for number in range(BUYERS * ORDERS)]
            await _paints(url)
            market = await Market.connect(system.nats_url, Names())
            try:
                await _bear(http, url.removeprefix("http://"), market, placed, options, system)
            finally:
                await market.close()


async def _bear(
    http: httpx.AsyncClient, host: str, market: Market, placed: list[str], options: argparse.Namespace, system: System
) -> None:
    begun = await _ends(market)
    followers = [Follower() for _ in range(options.clients)]
    since = "-".join(str(begun[owner]) for owner in Owner)
    following = [asyncio.create_task(follower.follow(host, since)) for follower in followers]
    await asyncio.gather(*(follower.connected.wait() for follower in followers))
    shopping = asyncio.create_task(_shop(http, options.orders))
    used = _cpu_s(system)
    took_ms, failed = await _view(host, placed, options.views, options.duration)
    used = {name: (after - used[name]) / options.duration for name, after in _cpu_s(system).items()}
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
    say(f"cores used meanwhile: {', '.join(f'{name} {share:.2f}' for name, share in used.items())}")


def _cpu_s(system: System) -> dict[str, float]:
    """Seconds of CPU that each process has used so far."""
    pids = {name: child.pid for name, child in system.services.items()} | {"nats": system.nats.pid, "this": os.getpid()}
    return {name: sum(psutil.Process(pid).cpu_times()[:2]) for name, pid in pids.items()}


async def _ends(market: Market) -> dict[Owner, int]:
    return {owner: (await market.js.stream_info(owner.upper())).state.last_seq for owner in Owner}


async def _placed(http: httpx.AsyncClient, buyer: int) -> str:
    body = ORDER | {"buyer": {"id": f"b{buyer}", "name": "Ann Buyer", "email": f"b{buyer}@buyers.example"}}
    answer = await http.post("/api/orders", json=body, headers={"Prefer": "wait=10"})
    answer.raise_for_status()
    return str(answer.json()["order_id"])


async def _shop(http: httpx.AsyncClient, per_s: float) -> None:
    """Buyers place orders and ask to cancel them."""

    async def buy(buyer: int) -> None:
        order_id = await _placed(http, buyer)
        await http.post(f"/api/orders/{order_id}/ask-seller", json={"reason": "no_longer_needed"})

    async with asyncio.TaskGroup() as buyers:
        for number in itertools.count():
            buyers.create_task(buy(number % BUYERS))
            await asyncio.sleep(1 / per_s)


async def _view(host: str, placed: list[str], per_s: float, duration_s: float) -> tuple[list[float], int]:
    """Milliseconds from the moment at which each view was due, sorted; and how many were not answered with 200."""
    pages = itertools.cycle(
        page
        for number, order_id in enumerate(placed)
        for page in (f"/?buyer=b{number % BUYERS}", f"/orders/{order_id}")
    )
    free: asyncio.Queue[Viewer] = asyncio.Queue()
    for _ in range(VIEWERS):
        free.put_nowait(await Viewer.connect(host))
    took_ms: list[float] = []
    failed = 0

    async def view(page: str, due: float) -> None:
        nonlocal failed
        viewer = await free.get()
        failed += not await viewer.view(page)
        took_ms.append((time.perf_counter() - due) * 1e3)
        free.put_nowait(viewer)

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

    painted: dict[str, list[float]] = {"/healthz": [], "/?buyer=b0": []}
    async with async_playwright() as playwright:
        for _ in range(PAINTS):
            for page, painted_ms in painted.items():
                browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                tab = await browser.new_page()
                await tab.goto(url + page)
                painted_ms.append(
                    await tab.evaluate(
                        "() => new Promise(done => new PerformanceObserver(list => list.getEntries().forEach(entry =>"
                        " entry.name === 'first-contentful-paint' && done(entry.startTime)))"
                        ".observe({type: 'paint', buffered: true}))"
                    )
                )
                await browser.close()
    for page, painted_ms in painted.items():
        say(
            f"first contentful paint of {page} in a new browser: median {statistics.median(painted_ms):.0f} ms, "
            f"p90 {sorted(painted_ms)[round(0.9 * PAINTS) - 1]:.0f} ms, max of {PAINTS} {max(painted_ms):.0f} ms"
        )


if __name__ == "__main__":
    asyncio.run(main())
