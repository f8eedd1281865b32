"""Every page: nothing for axe-core to find, on desks and phones, in the light and in the dark, whatever people are called."""

import json
from importlib import resources
from typing import Any, Final

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import PHONE, Opener
from tests.browser.stage import WITHIN_MS, Stage
from tests.support.web import TOKEN

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

expect.set_options(timeout=WITHIN_MS)

STRANGE: Final = '<b onclick="alert(1)">مصباح</b> 🪔 Ünïcode \u202e txt & “quotes” '
LONG: Final = "x" * 180


def strange_order(seller: str) -> dict[str, Any]:
    """An order whose words are anything but friendly."""
    return {
        "buyer": {"id": "strange", "name": STRANGE + LONG[:80], "email": "strange@buyers.example"},
        "seller": {"id": f"<i>{seller}</i>", "profile": seller},
        "item": STRANGE + LONG[:120],
        "paid": True,
    }


async def violations(page: Page) -> list[str]:
    """What axe-core finds wrong with a page."""
    source = (resources.files("axe_playwright_python") / "axe.min.js").read_text()
    await page.evaluate(source)
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html'][:160]} {json.dumps(node['any'][:1])[:300]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


@pytest.fixture(scope="module")
def orders() -> dict[str, str]:
    """The ids of the orders that all tests look at."""
    return {}


async def furnished(stage: Stage, orders: dict[str, str]) -> dict[str, str]:
    """One order in each state worth looking at; made once."""
    site = stage.site
    if not orders:
        orders["open"] = await site.place(buyer={"id": "bea", "name": "Bea Buyer", "email": "bea@buyers.example"})
        orders["done"] = done = await site.place(
            buyer={"id": "bea", "name": "Bea Buyer", "email": "bea@buyers.example"}, item="Wool blanket", paid=True
        )
        await site.ask(f"/api/orders/{done}/ask-seller", {"reason": "better_offer", "text": "Please"})
        await site.ended(done)
        orders["strange"] = strange = await site.place(**strange_order("manual"))
        text = (STRANGE + LONG) * 8
        await site.ask(f"/api/orders/{strange}/ask-seller", {"reason": "seller_too_slow", "text": text[:2000]})
        orders["dispute"] = dispute = await site.place(
            buyer={"id": "bea", "name": "Bea Buyer", "email": "bea@buyers.example"},
            seller={"id": "your-shop", "profile": "manual"},
            item="Reading chair",
            paid=True,
        )
        await site.ask(f"/api/seller/orders/{dispute}/ship", {"tracking_number": "LX1"})
        claim = {
            "ground": "not_received",
            "text": "Where is it?",
            "evidence": [{"text": "Tracking", "sha256": "a" * 64}],
        }
        await site.ask(f"/api/orders/{dispute}/dispute", claim)
    return orders


PAGES: Final = {
    "orders": "/?buyer=bea",
    "orders-strange": "/?buyer=strange",
    "sheet": "/orders/{open}/buyer/open_cancel_dialog",
    "sheet-dispute": "/orders/{dispute}/seller/answer_dispute",
    "story": "/orders/{done}",
    "story-strange": "/orders/{strange}",
    "desk": "/seller",
    "desk-strange": "/seller?seller=%3Ci%3Emanual%3C%2Fi%3E",
    "disputes": "/disputes",
    "dispute": "/disputes/{dispute}",
    "mail": "/mail",
    "letter": "/mail/1",
    "console": "/console",
}


@pytest.mark.parametrize("name", PAGES)
async def test_every_page_is_clean_on_desks_and_phones_in_light_and_dark(
    name: str, stage: Stage, orders: dict[str, str], look: Opener
) -> None:
    """axe-core finds nothing, nothing is wider than the window, nobody complains."""
    path = PAGES[name].format(**await furnished(stage, orders))
    desk = await look()
    phone = await look(viewport=PHONE, color_scheme="dark", reduced_motion="reduce")
    for visitor, kind in ((desk, ""), (phone, "-phone-dark")):
        await visitor.goto(path)
        await expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()
        assert not await visitor.is_too_wide(), f"{name}{kind} scrolls sideways"
        assert await violations(visitor.page) == []
        await visitor.shot(f"{name}{kind}")


async def test_nothing_that_people_write_is_markup(stage: Stage, orders: dict[str, str], look: Opener) -> None:
    """A name with markup is shown as it was written; what overrides the direction of text is not."""
    await furnished(stage, orders)
    visitor = await look()
    await visitor.goto("/?buyer=strange")
    title = visitor.page.get_by_role("article").get_by_role("heading").first
    await expect(title).to_contain_text('<b onclick="alert(1)">')
    assert await visitor.page.locator("main b").count() == 0
    assert "\u202e" not in await visitor.page.content()


async def test_an_order_that_nobody_placed_has_a_page_of_its_own(look: Opener) -> None:
    """404 for people: a sentence and a way on; also for addresses of nothing."""
    visitor = await look()
    for path in ("/orders/aaaaaaaaaaaaaaaaaaaaaaaa", "/orders/x", "/nothing"):
        await visitor.goto(path)
        await expect(visitor.page.get_by_role("heading", name="There is nothing here")).to_be_visible()
        assert await violations(visitor.page) == []
    await visitor.shot("not-found")
    visitor.forgive()  # The browser reports each 404.


async def test_the_picture_and_the_words_tell_the_same(stage: Stage, orders: dict[str, str], look: Opener) -> None:
    """As many circles as rows; each cause that the words name is an arrow; a row lights its neighbours up."""
    done = (await furnished(stage, orders))["done"]
    visitor = await look()
    page = visitor.page
    await visitor.goto(f"/orders/{done}")
    rows = page.locator("table.words tbody tr")
    assert await page.locator(".picture [data-step]").count() == await rows.count() > 8
    assert await page.locator(".picture .arrow").count() == await page.locator("table.words td:last-child a").count()
    await rows.filter(has_text="the order is cancelled").hover()
    await expect(page.locator(".picture .faint").first).to_be_attached()


async def test_the_operators_token_opens_the_rest_of_the_console(stage: Stage, look: Opener) -> None:
    """Without it nothing can be done; with it dead letters are dealt with, and the mail server can be made to fail."""
    visitor = await look()
    page = visitor.page
    await visitor.goto("/console")
    await page.get_by_label("Token").fill("not-the-token-at-all")
    await page.get_by_role("button", name="Unlock").click()
    await expect(page.get_by_text("That is not the operator's token.")).to_be_visible()
    visitor.forgive()  # The browser reports the 403.
    await page.get_by_label("Token").fill(TOKEN)
    await page.get_by_role("button", name="Unlock").click()
    await stage.shop.put("cmd.order.aaaaaaaaaaaaaaaaaaaaaaaa.CancelOrder", b"{}")
    await page.get_by_role("button", name="Discard letter").click()
    await page.get_by_label("Why").fill("nobody asked for it")
    await page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    await expect(page.get_by_role("button", name="Discard letter")).to_have_count(0)
    await page.get_by_role("button", name="Break something").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Seconds").fill("900")
    await dialog.get_by_role("button", name="Break it").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("for 1 to 120 seconds")
    visitor.forgive()  # The browser reports the 422.
    await dialog.get_by_label("What").select_option("The mail server is slow")
    await dialog.get_by_label("Seconds").fill("5")
    await visitor.shot("console-break", whole=False)
    await dialog.get_by_role("button", name="Break it").click()
    faults = page.locator("#faults")
    await expect(faults.get_by_text("The mail server is slow")).to_be_visible()
    assert await violations(page) == []
    await visitor.shot("console-operator")
    await expect(faults.get_by_text("Nothing is broken on purpose.")).to_be_visible()
