"""The article, played in a browser: order, Cancel, dialog, confirm, the seller agrees, the email is opened on the page."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import PHONE, Opener
from tests.browser.stage import WITHIN_MS

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

expect.set_options(timeout=WITHIN_MS)


async def place(page: Page, **choices: str) -> None:
    """Fill in what differs from what is filled in already, and press the button."""
    if item := choices.get("item"):
        await page.get_by_label("Item").fill(item)
    if seller := choices.get("seller"):
        await page.get_by_label("Seller", exact=True).select_option(seller)
    if payment := choices.get("payment"):
        await page.get_by_label(payment).check()
    await page.get_by_role("button", name="Place the order").click()


async def test_a_newcomer_cancels_an_order_and_opens_the_email(look: Opener) -> None:
    """R3 to R6 and R27, with nothing filled in: one click orders, four more cancel."""
    visitor = await look()
    page = visitor.page
    await visitor.goto("/")
    await expect(page).to_have_title("My orders · Countermand")
    await visitor.shot("orders-empty")

    await place(page)
    card = page.get_by_role("article")
    await expect(card.get_by_text("Waiting for payment")).to_be_visible()
    await visitor.shot("orders-placed")

    await card.get_by_role("button", name="Cancel the order").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("heading", name="Cancel this order?")).to_be_visible()
    await visitor.shot("dialog-reason", whole=False)
    await dialog.get_by_label("I found a better offer").check()
    await dialog.get_by_role("button", name="Continue").click()

    await expect(dialog.get_by_role("heading", name="What to expect")).to_be_visible()
    await expect(dialog.locator(".advice")).to_contain_text(
        "ell"
    )  # Which advice it is depends on how fast the test is.
    await expect(card.get_by_text("Waiting for payment")).to_be_attached()
    await visitor.shot("dialog-advice", whole=False)
    await dialog.get_by_role("button", name="Confirm").click()

    await expect(dialog).to_be_hidden()
    await expect(card.get_by_text("Cancelled", exact=True).first).to_be_visible()
    await card.get_by_text("Your order is cancelled: Brass desk lamp").click()
    letter = page.frame_locator("iframe").get_by_text("The seller agreed to it")
    await expect(letter).to_be_visible()
    await visitor.shot("orders-cancelled")


async def test_the_dialog_can_be_left_and_nothing_has_happened(look: Opener) -> None:
    """R4: an unconfirmed dialog changes nothing; the keyboard alone is enough, and focus comes back."""
    visitor = await look()
    page = visitor.page
    await visitor.goto("/?buyer=keyboard")
    await place(page)
    button = page.get_by_role("article").get_by_role("button", name="Cancel the order")
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await expect(button).to_be_focused()
    await page.keyboard.press("Space")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.get_by_role("dialog").get_by_text("Keep the order").click()
    await expect(page.get_by_role("article").get_by_text("Waiting for payment")).to_be_visible()


async def test_without_scripts_it_is_the_same_one_page_at_a_time(look: Opener) -> None:
    """Forms are forms: the article works with JavaScript off."""
    visitor = await look(java_script_enabled=False)
    page = visitor.page
    await visitor.goto("/?buyer=plain")
    await place(page, item="Paper lantern")
    await page.get_by_role("button", name="Cancel the order").click()
    await page.get_by_label("I no longer need it").check()
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("heading", name="What to expect")).to_be_visible()
    await page.get_by_role("button", name="Confirm").click()
    await expect(page).to_have_url(f"{visitor.home}/?buyer=plain#o-{await _order_id(page)}")


async def test_a_paid_order_is_cancelled_at_the_sellers_desk(look: Opener) -> None:
    """R9, R10: no button; the buyer asks, a person at the desk agrees, and both windows follow."""
    buyer, seller = await look(), await look()
    page = buyer.page
    await buyer.goto("/?buyer=desk-buyer")
    await place(page, item="Celadon teapot", seller="manual", payment="From the wallet, paid at once")
    card = page.get_by_role("article")
    await expect(card.get_by_text("only the seller can cancel now")).to_be_visible()
    await expect(card.get_by_role("button", name="Cancel the order")).to_have_count(0)

    await seller.goto("/seller")
    await expect(seller.page.get_by_text("Send it")).to_be_visible()
    await card.get_by_role("button", name="Ask the seller to cancel").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("I no longer need it").check()
    await dialog.get_by_label("Your words").fill("My sister bought the same one.")
    await dialog.get_by_role("button", name="Ask the seller").click()
    await expect(card.get_by_text("Cancellation requested")).to_be_visible()

    desk = seller.page.get_by_role("article")
    await expect(desk.get_by_text("My sister bought the same one.")).to_be_visible()
    await seller.shot("desk-request")
    await desk.get_by_role("button", name="Agree to cancel").click()
    await seller.page.get_by_role("dialog").get_by_role("button", name="Agree to cancel").click()

    await expect(card.get_by_text("Cancelled and refunded")).to_be_visible()
    await expect(card.get_by_text("32.50").or_(card.get_by_text("49.90 USD back"))).to_be_visible()


async def test_a_refusal_is_tested_and_disputed(look: Opener) -> None:
    """R16 to R18, R20: the seller refuses, cannot show a number, the buyer disputes, and an offer is accepted."""
    buyer, seller = await look(), await look(viewport=PHONE)
    page = buyer.page
    await buyer.goto("/?buyer=dispute-buyer")
    await place(page, item="Reading chair", seller="manual", payment="From the wallet, paid at once")
    card = page.get_by_role("article")
    await card.get_by_role("button", name="Ask the seller to cancel").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("The seller is too slow to send it").check()
    await dialog.get_by_role("button", name="Ask the seller").click()

    await seller.goto("/seller")
    desk = seller.page.get_by_role("article").filter(has_text="Reading chair")
    await desk.get_by_role("button", name="Refuse").click()
    sheet = seller.page.get_by_role("dialog")
    await sheet.get_by_label("The parcel has already been sent").check()
    await seller.shot("desk-refuse-phone", whole=False)
    await sheet.get_by_role("button", name="Refuse").click()

    await expect(card.get_by_text("Request refused")).to_be_visible()
    await card.get_by_role("button", name="Ask for the tracking number").click()
    await expect(card.get_by_text("Tracking number asked for")).to_be_visible()
    await desk.get_by_role("button", name="Give the tracking number").click()
    await sheet.get_by_label("Tracking number").fill("LX000000000CN")
    await sheet.get_by_role("button", name="Give the number").click()

    await card.get_by_role("button", name="Open a dispute").click()
    await dialog.get_by_label("What happened").fill("No carrier knows this number.")
    await dialog.get_by_role("button", name="Open the dispute").click()
    await expect(card.get_by_text("In dispute").first).to_be_visible()

    await desk.get_by_role("button", name="Offer a settlement").click()
    await sheet.get_by_label("The buyer gets").fill("20.00")
    await sheet.get_by_role("button", name="Make the offer").click()
    await card.get_by_role("link", name="claimed: negotiating").click()
    await buyer.shot("dispute-negotiating")
    await page.get_by_role("button", name="Accept the offer").click()
    await dialog.get_by_role("button", name="Accept 20.00 USD").click()
    await expect(page.get_by_text("The two sides agreed that the buyer gets 20.00 USD.")).to_be_visible()
    await buyer.shot("dispute-decided")


async def test_a_stranger_is_refused_and_the_buyer_is_told(look: Opener) -> None:
    """R2: who asks for the cancellation of somebody else's order changes nothing but a line on the buyer's card."""
    buyer, stranger = await look(), await look()
    await buyer.goto("/?buyer=rightful")
    await place(buyer.page, item="Violin")
    card = buyer.page.get_by_role("article")
    order_id = await _order_id(buyer.page)
    await stranger.goto("/?buyer=stranger")
    await stranger.goto(f"/orders/{order_id}/buyer/open_cancel_dialog")
    await stranger.page.get_by_label("I no longer need it").check()
    await stranger.page.get_by_role("button", name="Continue").click()
    await expect(stranger.page.get_by_text("This is not your order")).to_be_visible()
    stranger.forgive()  # The browser reports the 409.
    await expect(card.get_by_text("Somebody who is not you tried to cancel this order")).to_be_visible()
    await expect(card.get_by_text("Waiting for payment")).to_be_visible()


async def _order_id(page: Page) -> str:
    """The order of the only card."""
    return (await page.get_by_role("article").get_attribute("data-order")) or ""
