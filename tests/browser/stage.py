"""A whole small system for browsers to look at: broker, services, mailbox and web; web can be restarted, the broker stopped."""

import shutil
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from countermand.runtime.embedded import NatsServer, start_nats
from services.dispute.app import CARD as DISPUTE
from services.order.app import CARD as ORDER
from services.seller.app import CARD as SELLER
from tests.integration.conftest import Shop, opened
from tests.support.web import Site, a_mailbox, notify_to, open_site

ARTEFACTS: Final = Path(".countermand/browser")
"""Where the screenshots go, to be looked at."""

WITHIN_MS: Final = 60_000
"""How long a browser waits for what should take a moment: the machine may be busy with other tests."""

_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """The path of a Chromium of this machine; nothing if there is none."""
    return next((path for name in _BROWSERS if (path := shutil.which(name))), None)


class Stage:
    """The system, with web at one address for as long as it lasts."""

    def __init__(self, shop: Shop, server: NatsServer, folder: Path, mailbox_url: str) -> None:
        self.shop = shop
        self.server = server
        self._folder = folder
        self._mailbox_url = mailbox_url
        self._port = 0
        self._web = AsyncExitStack()
        self.site: Site

    @property
    def url(self) -> str:
        """Where the pages are."""
        return self.site.url

    async def open_web(self) -> None:
        """Start web; again on the same port, with the same file."""
        self.site = await self._web.enter_async_context(
            open_site(
                self.shop.settings.nats_url,
                self._folder / "web.db",
                mailbox_url=self._mailbox_url,
                web_loads=True,
                http_port=self._port,
            )
        )
        self._port = urlsplit(self.site.url).port or 0

    async def close_web(self) -> None:
        """Stop web."""
        await self._web.aclose()


@asynccontextmanager
async def staged(folder: Path) -> AsyncGenerator[Stage]:
    """Everything in this process but the broker."""
    async with AsyncExitStack() as ends:
        server = await start_nats(folder / "nats")
        ends.push_async_callback(server.kill)
        shop = await ends.enter_async_context(opened(server))
        smtp_url, mailbox_url = await ends.enter_async_context(a_mailbox())
        await ends.enter_async_context(shop.serving(ORDER, SELLER, DISPUTE, notify_to(smtp_url)))
        stage = Stage(shop, server, folder, mailbox_url)
        await stage.open_web()
        ends.push_async_callback(stage.close_web)
        yield stage
