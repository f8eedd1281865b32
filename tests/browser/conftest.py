"""A real Chromium, the pages of a real system, and a watch on what the browser complains about."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, Request, ViewportSize, async_playwright

from tests.browser.stage import ARTEFACTS, WITHIN_MS, Stage, chromium, staged

PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
DESK: Final[ViewportSize] = {"width": 1280, "height": 900}

Opener = Callable[..., Awaitable["Look"]]


class Look:
    """One visitor's window. What the browser complains about, and what it asks of strangers, is written down."""

    def __init__(self, page: Page, home: str) -> None:
        self.page = page
        self.home = home
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._request)

    async def goto(self, path: str) -> None:
        """Open a page."""
        await self.page.goto(self.home + path)

    async def shot(self, name: str, *, whole: bool = True) -> None:
        """Keep a picture of the page, or of the window with its dialog."""
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=whole)

    async def is_too_wide(self) -> bool:
        """Whether the page scrolls sideways."""
        root = "document.documentElement"
        return bool(await self.page.evaluate(f"{root}.scrollWidth > {root}.clientWidth"))

    def forgive(self) -> None:
        """Forget the complaints so far: the test has broken something on purpose."""
        self.complaints.clear()

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def _request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in {"data", "blob", "about"} and not request.url.startswith(self.home):
            self.strangers.append(request.url)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """One system for the tests of a file."""
    if chromium() is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    async with staged(tmp_path_factory.mktemp("stage")) as stage:
        yield stage


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(stage: Stage) -> AsyncGenerator[Browser]:  # noqa: ARG001  # Skipped with it.
    """One browser for the tests of a file."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def look(stage: Stage, browser: Browser) -> AsyncGenerator[Opener]:
    """Opens windows, each a visitor of its own; at the end none may have complained, or asked a stranger."""
    looks: list[Look] = []

    async def open_(**options: Any) -> Look:
        context = await browser.new_context(viewport=options.pop("viewport", DESK), **options)
        context.set_default_timeout(WITHIN_MS)
        found = Look(await context.new_page(), stage.url)
        looks.append(found)
        return found

    yield open_
    for one in looks:
        await one.page.context.close()
    assert [complaint for one in looks for complaint in one.complaints] == []
    assert [url for one in looks for url in one.strangers] == []
