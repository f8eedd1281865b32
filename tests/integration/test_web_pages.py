"""What browsers get beside the pages' text: news of what is shown, and files that are kept until they change."""

import html
import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from services.order.app import CARD as ORDER
from services.web.app import open_web
from services.web.pages.static import StaticFiles
from services.web.settings import WebSettings
from tests.integration.conftest import Shop
from tests.support.web import PLACED, Site, following, open_site


@pytest.fixture
async def site(shop: Shop, tmp_path: Path) -> AsyncGenerator[Site]:
    """Orders and web."""
    async with AsyncExitStack() as ends:
        await ends.enter_async_context(shop.serving(ORDER))
        yield await ends.enter_async_context(open_site(shop.settings.nats_url, tmp_path / "web.db"))


async def test_a_page_hears_what_happened_since_it_was_made_and_of_nothing_else(site: Site) -> None:
    """Two orders are shown, the older one changes before the page listens, the other one after: a hint for each, in that order."""
    cancelled = await site.place()
    newest = await site.place()
    page = (await site.http.get("/", params={"buyer": "ann"})).text
    found = re.search(r'data-events="([^"]+)"', page)
    assert found
    await site.ask(f"/api/orders/{cancelled}/cancel", {"reason": "better_offer"})
    async with following(site, html.unescape(found[1])) as hints:
        assert await hints.next() == {"order_id": cancelled}
        await site.ask(f"/api/orders/{newest}/cancel", {"reason": "better_offer"})
        assert await hints.next() == {"order_id": newest}


async def test_a_refused_order_keeps_what_was_typed(site: Site) -> None:
    """The form comes back unfolded, down to the choices among which the wrong one is, and as it was filled in."""
    await site.place(buyer={**PLACED["buyer"], "id": "bea"})
    typed = {"item": "Kettle & <lid>", "profile": "slow", "payment": "wallet-paid", "price": "a lot", "clock": "14400"}
    answer = await site.http.post("/orders", data=typed)
    assert (answer.status_code, "“a lot” is no amount" in answer.text) == (409, True)
    for filled in (
        "Kettle &amp; &lt;lid&gt;",
        "a lot",
        'slow" selected',
        '14400" selected',
        'wallet-paid" required checked',
    ):
        assert f'value="{filled}' in answer.text
    assert answer.text.count('<details class="card" open>') == 1
    assert re.search(r"<details open>\s*<summary>More choices", answer.text)


async def test_what_a_page_refers_to_is_kept_until_it_changes(site: Site) -> None:
    """Every address on the page and in the modules is there, and kept for good; of another version it is not kept."""
    page = (await site.http.get("/")).text
    addresses = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert {address.rpartition(".")[2] for address in addresses} == {"css", "js", "svg"}
    for address in addresses:
        answer = await site.http.get(address)
        assert (answer.status_code, answer.headers["x-content-type-options"]) == (200, "nosniff")
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        for known in (answer.headers["etag"], f'"other", W/{answer.headers["etag"]}', "*"):
            again = await site.http.get(address, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b"")
        _, _, version, name = address.split("/")
        older = await site.http.get(f"/static/{version[::-1]}/{name}")
        assert (older.content, older.headers["cache-control"]) == (answer.content, "no-cache")
        for module in re.findall(r'from "\./([^"]+)"', answer.text):
            assert (await site.http.get(f"/static/{version}/{module}")).status_code == 200
    assert (await site.http.get("/static/x/nothing.js")).status_code == 404
    assert (await site.http.get("/static/x/..%2f..%2fapp.py")).status_code == 404


async def test_what_web_asks_itself_is_at_nobodys_expense(shop: Shop, tmp_path: Path) -> None:
    """An address that may ask once is answered once, from this machine too."""
    settings = WebSettings(http_port=0, web_database=tmp_path / "web.db", web_requests_per_s=0.01)
    async with open_web(shop.settings, settings) as url, httpx.AsyncClient(base_url=url, trust_env=False) as http:
        assert [(await http.get("/")).status_code for _ in range(2)] == [200, 429]


def test_another_file_is_another_version(tmp_path: Path) -> None:
    """A changed byte, a changed name: the address changes."""
    (tmp_path / "one.css").write_text("a {}")
    first = StaticFiles.read(tmp_path)
    assert StaticFiles.read(tmp_path) == first
    (tmp_path / "one.css").write_text("b {}")
    second = StaticFiles.read(tmp_path)
    (tmp_path / "one.css").rename(tmp_path / "two.css")
    assert len({first.path, second.path, StaticFiles.read(tmp_path).path}) == 3
