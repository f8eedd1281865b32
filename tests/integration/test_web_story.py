"""The article over HTTP alone: place, cancel, confirm, the seller agrees, the email comes."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from services.dispute.app import CARD as DISPUTE
from services.order.app import CARD as ORDER
from services.seller.app import CARD as SELLER
from tests.integration.conftest import Shop
from tests.support.web import PLACED, WAIT, Site, a_mailbox, following, notify_to, open_site


@pytest.fixture
async def site(shop: Shop, tmp_path: Path) -> AsyncGenerator[Site]:
    """Everything in one process."""
    async with AsyncExitStack() as ends:
        smtp_url, mailbox_url = await ends.enter_async_context(a_mailbox())
        await ends.enter_async_context(shop.serving(ORDER, SELLER, DISPUTE, notify_to(smtp_url)))
        database = tmp_path / "web.db"
        yield await ends.enter_async_context(open_site(shop.settings.nats_url, database, mailbox_url=mailbox_url))


async def test_an_unpaid_order_is_cancelled_over_http_and_the_email_is_there(site: Site) -> None:
    """R3 to R6: dialog, confirmation, the seller's yes, the outcome, the email."""
    order_id = await site.place()
    placed = await site.order(order_id)
    assert (placed["phase"], placed["waits"], placed["no_button"]) == ("active", "payment", None)
    assert "open_cancel_dialog" in placed["buyer_may"]
    async with following(site, f"/api/orders/{order_id}/events") as stream:
        dialog = await site.ask(f"/api/orders/{order_id}/cancel", {"reason": "better_offer"})
        assert dialog["body"]["advice"]
        assert "confirm_cancel" in (await site.order(order_id))["buyer_may"]
        request = await site.ask(f"/api/orders/{order_id}/cancel/confirm", {"dialog_id": dialog["id"]})
        assert request["name"] == "CancelRequested"
        ended = await site.ended(order_id)
        assert (ended["phase"], ended["outcome"], ended["buyer_may"]) == (
            "closed",
            "cancelled_unpaid",
            ["acknowledge_payment", "message_seller"],
        )
        names = [event["name"] for event in await stream.until("EmailSent")]
    assert {"CancelDialogOpened", "CancelRequested", "SellerAccepted", "OrderCancelled", "EmailSent"} <= set(names)
    letters = (await site.http.get("/api/mail", params={"order": order_id})).json()
    assert [(letter["kind"], letter["to"]) for letter in letters] == [("cancelled", "ann@buyers.example")]
    whole = (await site.http.get(f"/api/mail/{letters[0]['id']}")).json()
    assert "Desk lamp" in whole["text"]


async def test_a_paid_order_has_no_button_and_says_why(site: Site) -> None:
    """R9: after payment only the seller can cancel; the refusal's reason is in the 409 and in the order."""
    order_id = await site.place(paid=True, seller={"id": "hands", "profile": "manual"})
    assert (await site.order(order_id))["no_button"] == "contact_the_seller"
    answer = await site.http.post(f"/api/orders/{order_id}/cancel", json={"reason": "better_offer"}, headers=WAIT)
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert answer.json()["reason"] == "contact_the_seller"
    assert "Contact the seller" in answer.json()["detail"]
    told = await site.http.get(answer.headers["location"])
    assert (told.json()["status"], told.json()["reason"]) == ("refused", "contact_the_seller")


async def test_a_seller_who_works_by_hand_agrees_over_http(site: Site) -> None:
    """R10: the request is in the seller's inbox until it is answered; the wallet is refunded."""
    order_id = await site.place(paid=True, seller={"id": "hands", "profile": "manual"})
    body = {"reason": "seller_too_slow", "text": "Where is it?"}
    request = await site.ask(f"/api/orders/{order_id}/ask-seller", body)
    async with following(site, f"/api/orders/{order_id}/events", "0-0-0-0") as stream:
        await stream.until("RequestHeard")
    inbox = (await site.http.get("/api/seller/hands/inbox")).json()["orders"]
    assert [(card["order_id"], card["todo"]) for card in inbox] == [(order_id, "answer")]
    await site.ask(f"/api/seller/orders/{order_id}/accept", {"request_id": request["id"]})
    ended = await site.ended(order_id)
    assert ended["outcome"] == "cancelled_refunded"
    assert [refund["amount"]["amount_minor"] for refund in ended["order"]["refunds"]] == [1999]
    assert (await site.http.get("/api/seller/hands/inbox")).json()["orders"] == []


async def test_a_stranger_is_turned_away_on_record(site: Site) -> None:
    """R2: whoever names another actor may try; the attempt is an event, and nothing else happens."""
    order_id = await site.place()
    body = {"reason": "better_offer", "actor": {"role": "buyer", "id": "mallory"}}
    event = await site.ask(f"/api/orders/{order_id}/cancel", body)
    assert (event["name"], event["body"]["claimed_by"]["id"]) == ("CancelRejectedNotBuyer", "mallory")
    assert (await site.order(order_id))["phase"] == "active"


async def test_the_timeline_names_causes_and_deadlines(site: Site) -> None:
    """Every event's cause is a step, or a deadline that a step set."""
    order_id = await site.place()
    dialog = await site.ask(f"/api/orders/{order_id}/cancel", {"reason": "better_offer"})
    await site.ask(f"/api/orders/{order_id}/cancel/confirm", {"dialog_id": dialog["id"]})
    await site.ended(order_id)
    story = (await site.http.get(f"/api/orders/{order_id}/timeline")).json()
    ids = {step["id"] for step in story["steps"]} | {timer["id"] for timer in story["timers"]}
    assert {step["because"] for step in story["steps"] if step["because"]} <= ids
    assert [step["name"] for step in story["steps"] if step["kind"] == "command"] == [
        "PlaceOrder",
        "OpenCancelDialog",
        "ConfirmCancel",
    ]
    assert {timer["name"] for timer in story["timers"]} == {"PaymentDue", "AnswerDue"}


async def test_a_run_has_a_verdict(site: Site) -> None:
    """Orders marked by `X-Run-Id`: pending while one is open, then pass."""
    headers = {"X-Run-Id": "run-1", **WAIT}
    placed = (await site.http.post("/api/orders", json=PLACED, headers=headers)).json()["order_id"]
    verdict = (await site.http.get("/api/runs/run-1/verdict")).json()
    assert (verdict["verdict"], verdict["open"]) == ("pending", 1)
    dialog = await site.ask(f"/api/orders/{placed}/cancel", {"reason": "better_offer"})
    await site.ask(f"/api/orders/{placed}/cancel/confirm", {"dialog_id": dialog["id"]})
    async with following(site, f"/api/orders/{placed}/events", "0-0-0-0") as stream:
        await stream.until("EmailSent")
        await stream.until("OrderClosed") if not (await site.order(placed))["outcome"] else None
    verdict = (await site.http.get("/api/runs/run-1/verdict")).json()
    assert (verdict["verdict"], verdict["outcomes"], verdict["failed"]) == ("pass", {"cancelled_unpaid": 1}, 0)
    assert (await site.http.get("/api/runs/none/verdict")).status_code == 404
