"""When something is away the pages say so, and go on by themselves when it is back."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Opener
from tests.browser.stage import WITHIN_MS, Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

expect.set_options(timeout=WITHIN_MS)


async def test_web_is_restarted_in_the_middle_of_a_story(stage: Stage, look: Opener) -> None:
    """The page says that the server is away, and shows by itself what happened meanwhile."""
    visitor = await look()
    page = visitor.page
    order_id = await stage.site.place(
        buyer={"id": "patient", "name": "Pat", "email": "pat@buyers.example"},
        seller={"id": "your-shop", "profile": "manual"},
    )
    await visitor.goto("/?buyer=patient")
    card = page.get_by_role("article")
    await expect(card.get_by_text("Waiting for payment")).to_be_visible()
    await card.get_by_role("button", name="Cancel the order").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("I ordered by mistake").check()
    await dialog.get_by_role("button", name="Continue").click()
    await expect(dialog.get_by_role("heading", name="What to expect")).to_be_visible()

    await stage.close_web()
    await expect(page.get_by_text("The server does not answer")).to_be_visible()
    await visitor.shot("trouble-web-away", whole=False)
    await dialog.get_by_role("button", name="Confirm").click()
    await expect(dialog.get_by_text("This did not reach the server")).to_be_visible()

    await stage.open_web()
    await expect(page.get_by_text("The server does not answer")).to_be_hidden()
    visitor.forgive()  # The browser reports every try.
    await dialog.get_by_role("button", name="Confirm").click()
    await expect(card.get_by_text("Cancellation requested")).to_be_visible()
    request = (await stage.site.order(order_id))["order"]["request"]
    await stage.site.ask(f"/api/seller/orders/{order_id}/accept", {"request_id": request["id"]})
    await expect(card.get_by_text("Cancelled", exact=True).first).to_be_visible()


async def test_the_broker_is_away_for_a_while(stage: Stage, look: Opener) -> None:
    """What is known is still shown; nothing can be asked for, which is said; it is back as soon as the broker is."""
    visitor = await look()
    page = visitor.page
    await stage.site.place(buyer={"id": "waiting", "name": "Wim", "email": "wim@buyers.example"})
    await visitor.goto("/?buyer=waiting")
    card = page.get_by_role("article")
    await stage.server.kill()
    await expect(page.get_by_text("The message broker does not answer")).to_be_visible()
    await page.reload()
    await expect(card.get_by_text("Waiting for payment")).to_be_visible()
    await visitor.shot("trouble-broker-away")
    await card.get_by_role("button", name="Cancel the order").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("I no longer need it").check()
    await dialog.get_by_role("button", name="Continue").click()
    await expect(dialog.get_by_text("Nothing can be asked for until it is back")).to_be_visible()
    visitor.forgive()  # The browser reports the 503s.

    await stage.server.start()
    await expect(page.get_by_text("What you see may be old")).to_be_hidden()
    await dialog.get_by_label("I no longer need it").check()
    await dialog.get_by_role("button", name="Continue").click()
    await dialog.get_by_role("button", name="Confirm").click()
    await expect(card.get_by_text("Cancelled", exact=True).first).to_be_visible()


async def test_what_follows_is_refused_for_a_while(stage: Stage, look: Opener) -> None:
    """As by a proxy while web is away: a browser gives such a connection up for good, and the page comes back all the same."""
    visitor = await look()
    page = visitor.page
    buyer = {"id": "behind", "name": "Bo", "email": "bo@buyers.example"}
    order_id = await stage.site.place(buyer=buyer, seller={"id": "hands", "profile": "manual"})  # Nothing else happens.
    away = "**/live?*"
    await page.route(away, lambda route: route.fulfill(status=503))
    await visitor.goto("/?buyer=behind")
    await expect(page.get_by_text("The server does not answer")).to_be_visible()
    await stage.site.ask(f"/api/orders/{order_id}/payment")
    await page.route("**/card", lambda route: route.fulfill(status=503), times=1)
    await page.unroute(away)
    await expect(page.get_by_text("The server does not answer")).to_be_hidden()
    await expect(page.get_by_role("article").get_by_text("Waiting for payment")).to_be_hidden()
    visitor.forgive()  # The browser reports every 503.
