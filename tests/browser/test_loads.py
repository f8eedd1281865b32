"""A load, started, watched and read on the console."""

import re
from typing import Final

import pytest
from playwright.async_api import expect

from tests.browser.conftest import PHONE, Look, Opener
from tests.browser.stage import WITHIN_MS
from tests.browser.test_pages import violations
from tests.support.web import TOKEN

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

expect.set_options(timeout=WITHIN_MS)

RUN_MS: Final = 4 * WITHIN_MS
"""A load of five seconds with its start, its last orders, its audit and its reports, beside a browser."""


async def signed_in(visitor: Look) -> None:
    """Give the operator's token."""
    await visitor.goto("/console")
    await visitor.page.get_by_label("Token").fill(TOKEN)
    await visitor.page.get_by_role("button", name="Unlock").click()


async def test_an_operator_starts_a_load_watches_it_and_reads_its_report(look: Opener) -> None:
    """What cannot be is refused in the dialog; the row follows by itself; the report is a page that browsers show."""
    visitor = await look()
    page = visitor.page
    await signed_in(visitor)
    await page.get_by_role("button", name="Start a load").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Orders a second").fill("900")
    await dialog.get_by_role("button", name="Start").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Please choose 1 to 500 orders a second")
    await visitor.shot("load-dialog", whole=False)
    visitor.forgive()  # The browser reports the 422.
    await dialog.get_by_label("Orders a second").fill("5")
    await dialog.get_by_label("Seconds").fill("5")
    await dialog.get_by_label("Mix").select_option("peer")
    await dialog.get_by_role("button", name="Start").click()
    await expect(dialog).to_be_hidden()

    loads = page.locator("#loads")
    await expect(loads.get_by_text("running")).to_be_visible()
    await expect(loads.get_by_text("orders/s")).to_be_visible(timeout=RUN_MS)
    await visitor.shot("load-running")
    await expect(loads.locator(".badge")).to_have_text(re.compile("pass|invalid"), timeout=RUN_MS)
    assert await violations(page) == []
    await visitor.shot("load-ended")
    await loads.get_by_role("link", name="Report").click()
    await expect(page.get_by_text("Load run load-")).to_be_visible()
    await visitor.shot("load-report")


async def test_without_scripts_a_load_is_started_and_stopped_one_page_at_a_time(look: Opener) -> None:
    """On a phone in the dark, too, nothing is wider than the window."""
    visitor = await look(java_script_enabled=False, viewport=PHONE, color_scheme="dark")
    page = visitor.page
    await signed_in(visitor)
    await page.get_by_role("button", name="Start a load").click()
    await page.get_by_label("Seconds").fill("600")
    await page.get_by_label("Mix").select_option("peer")
    await page.get_by_role("button", name="Start").click()
    await expect(page).to_have_url(f"{visitor.home}/console#loads")
    await visitor.shot("load-phone")
    await page.get_by_role("button", name="Stop the load").click()
    await expect(page.get_by_role("button", name="Stop the load")).to_have_count(0)
