"""What any client of the HTTP API may rely on: once by key, pages, tags, live events without a gap, a restart, an outage."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from countermand.contracts.base import Actor, Role
from countermand.contracts.order import ConfirmCancel
from countermand.runtime.embedded import NatsServer
from services.order.app import CARD as ORDER
from services.seller.app import CARD as SELLER
from tests.integration.conftest import Shop
from tests.support.web import PLACED, TOKEN, WAIT, Site, eventually, following, open_site


@asynccontextmanager
async def serving(shop: Shop, database: Path) -> AsyncGenerator[Site]:
    """Order, seller and web in this process."""
    async with shop.serving(ORDER, SELLER), open_site(shop.settings.nats_url, database) as site:
        yield site


@pytest.fixture
async def site(shop: Shop, tmp_path: Path) -> AsyncGenerator[Site]:
    async with serving(shop, tmp_path / "web.db") as site:
        yield site


async def test_a_key_makes_one_command_of_many_requests(site: Site, shop: Shop) -> None:
    """The same key again is the same order and the same event; with another body it is a mistake, and says so."""
    headers = {**WAIT, "Idempotency-Key": "k-1"}
    answers = [await site.http.post("/api/orders", json=PLACED, headers=headers) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["event"]["id"] for answer in answers}) == 1
    order_id = answers[0].json()["order_id"]
    assert await shop.events(order_id) == ["OrderPlaced"]
    other = await site.http.post("/api/orders", json={**PLACED, "item": "Sofa"}, headers=headers)
    assert (other.status_code, other.json()["reason"]) == (422, "idempotency_key_reused")
    path, body = f"/api/orders/{order_id}/cancel", {"reason": "better_offer"}
    dialogs = [await site.http.post(path, json=body, headers=headers) for _ in range(2)]
    assert len({dialog.json()["event"]["id"] for dialog in dialogs}) == 1


async def test_a_command_is_answered_at_once_and_its_fate_can_be_asked_for(site: Site) -> None:
    order_id = await site.place()
    sent = await site.http.post(f"/api/orders/{order_id}/cancel", json={"reason": "better_offer"})
    assert (sent.status_code, sent.json()["status"]) == (202, "pending")
    told = await site.http.get(sent.headers["location"], headers=WAIT)
    assert (told.json()["status"], told.json()["event"]["name"]) == ("done", "CancelDialogOpened")
    unknown = await site.http.get(f"/api/commands/web-{order_id}-OpenCancelDialog-0000")
    assert (unknown.status_code, unknown.json()["reason"]) == (404, "no_such_command")


async def test_pages_hold_every_order_once_whatever_is_placed_meanwhile(site: Site) -> None:
    """The cursor is a place, not a number of rows: new orders shift nothing."""
    placed = [await site.place() for _ in range(5)]
    await site.place(buyer={**PLACED["buyer"], "id": "bob"})
    seen: list[str] = []
    query: dict[str, str | int] = {"buyer": "ann", "limit": 2}
    while True:
        page = (await site.http.get("/api/orders", params=query)).json()
        seen += [card["order_id"] for card in page["orders"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
        await site.place()
    assert seen == placed[::-1]
    dialog = await site.ask(f"/api/orders/{placed[0]}/cancel", {"reason": "better_offer"})
    found = (await site.http.get("/api/orders", params={"buyer": "ann", "state": "dialog_open"})).json()["orders"]
    assert [card["order_id"] for card in found] == [placed[0]], dialog
    both = {"waits": "payment", "state": "dialog_open"}
    narrowed = (await site.http.get("/api/orders", params=both)).json()["orders"]
    assert [card["order_id"] for card in narrowed] == [placed[0]]
    assert (await site.http.get("/api/orders", params={"waits": "refund"})).json()["orders"] == []
    wrong = await site.http.get("/api/orders", params={"after": "nonsense"})
    assert (wrong.status_code, wrong.json()["reason"]) == (422, "bad_cursor")


async def test_what_has_not_changed_is_not_sent_again(site: Site) -> None:
    order_id = await site.place()
    for path in (f"/api/orders/{order_id}", "/api/orders", f"/api/orders/{order_id}/timeline"):
        first = await site.http.get(path)
        again = await site.http.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b""), path
    tag = (await site.http.get(f"/api/orders/{order_id}")).headers["etag"]
    await site.ask(f"/api/orders/{order_id}/cancel", {"reason": "better_offer"})
    changed = await site.http.get(f"/api/orders/{order_id}", headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json()["phase"]) == (200, "dialog_open")


async def test_a_live_client_that_comes_back_has_missed_nothing(site: Site) -> None:
    """Each event once, across a lost connection, for one order and for all."""
    order_id = await site.place(seller={"id": "hands", "profile": "manual"})
    async with following(site, "/api/events") as stream:
        dialog = await site.ask(f"/api/orders/{order_id}/cancel", {"reason": "better_offer"})
        first = await stream.until("CancelDialogOpened")
        last = stream.last
    await site.ask(f"/api/orders/{order_id}/cancel/confirm", {"dialog_id": dialog["id"]})
    other = await site.place()
    async with following(site, "/api/events", last) as stream:
        missed = await stream.until("RequestHeard")
        missed += [] if any(one["order_id"] == other for one in missed) else await stream.until("OrderPlaced")
        await site.ask(f"/api/orders/{order_id}/payment")
        new = await stream.until("PaymentAcknowledged")
    names = [event["name"] for event in (*first, *missed, *new) if event["order_id"] == order_id]
    assert sorted(names) == ["CancelDialogOpened", "CancelRequested", "PaymentAcknowledged", "RequestHeard"]
    async with following(site, f"/api/orders/{order_id}/events", "0-0-0-0") as stream:
        whole = [event["name"] for event in await stream.until("PaymentAcknowledged")]
    assert whole == ["OrderPlaced", "CancelDialogOpened", "CancelRequested", "RequestHeard", "PaymentAcknowledged"]


async def test_a_restart_and_a_deleted_file_change_no_answer(shop: Shop, tmp_path: Path) -> None:
    """The read model goes on where it was, or is filled again from the streams: the same answers, byte by byte."""
    database = tmp_path / "web.db"
    async with shop.serving(ORDER, SELLER):
        async with open_site(shop.settings.nats_url, database) as site:
            order_id = await site.place(seller={"id": "hands", "profile": "manual"})
            dialog = await site.ask(f"/api/orders/{order_id}/cancel", {"reason": "better_offer"})
        ann = Actor(role=Role.BUYER, id="ann")
        await shop.do(order_id, ConfirmCancel(actor=ann, dialog_id=dialog["id"]))
        async with open_site(shop.settings.nats_url, database) as site:
            request = await _heard(site, order_id)
            await site.ask(f"/api/seller/orders/{order_id}/refuse", {"request_id": request, "ground": "keeps_the_sale"})
            await _until(site, order_id, "active")
            before = [(await site.http.get(path)).content for path in _asked(order_id)]
        database.unlink()
        async with open_site(shop.settings.nats_url, database) as site:
            await _until(site, order_id, "active")
            assert [(await site.http.get(path)).content for path in _asked(order_id)] == before


async def test_while_the_broker_is_away_old_answers_are_given_and_nothing_is_taken(
    server: NatsServer, shop: Shop, tmp_path: Path
) -> None:
    """503 with a reason, and back to work without a restart."""
    async with AsyncExitStack() as ends:
        site = await ends.enter_async_context(open_site(shop.settings.nats_url, tmp_path / "web.db"))
        async with shop.serving(ORDER):
            order_id = await site.place()
        await server.kill()
        await eventually(lambda: _is_not_ready(site))
        assert (await site.order(order_id))["phase"] == "active"
        refused = await site.http.post(f"/api/orders/{order_id}/cancel", json={"reason": "better_offer"})
        assert (refused.status_code, refused.json()["reason"]) == (503, "broker_away")
        assert (await site.http.get("/healthz")).status_code == 200
        assert (await site.http.get("/api/console")).json()["away"] is True
        await server.start()
        await site.is_ready()
        sent = await site.http.post(f"/api/orders/{order_id}/cancel", json={"reason": "better_offer"})
        assert sent.status_code == 202


async def test_only_our_own_pages_and_programs_may_ask(site: Site) -> None:
    """Host, origin, size, and the token of operators."""
    order_id = await site.place()
    path, body = f"/api/orders/{order_id}/cancel", {"reason": "better_offer"}

    async def status(**headers: str) -> tuple[int, str]:
        answer = await site.http.post(path, json=body, headers=headers)
        assert answer.headers["content-security-policy"].startswith("default-src 'self'")
        return answer.status_code, answer.json()["reason"] or ""

    assert await status(Host="evil.example") == (421, "unknown_host")
    assert await status(Origin="https://evil.example") == (403, "other_origin")
    assert await status(Origin="http://[") == (403, "other_origin")
    assert await status(**{"Sec-Fetch-Site": "cross-site"}) == (403, "other_origin")
    assert await status(**{"Origin": site.url, "Sec-Fetch-Site": "same-origin"}) == (202, "")
    large = await site.http.post(path, content=b" " * 70_000, headers={"Content-Type": "application/json"})
    assert (large.status_code, large.json()["reason"]) == (413, "too_large")

    async def unmeasured() -> AsyncGenerator[bytes]:
        for _ in range(70):
            yield b" " * 1_000

    chunked = await site.http.post(path, content=unmeasured(), headers={"Content-Type": "application/json"})
    assert chunked.status_code == 413
    assert (await site.http.get("/api/operator/dead")).status_code == 401
    wrong = await site.http.post("/api/operator/session", json={"token": "wrong"})
    assert (wrong.status_code, wrong.json()["reason"]) == (401, "wrong_token")
    assert (await site.http.get("/api/operator/dead", headers={"Authorization": f"Bearer {TOKEN}"})).json() == []
    opened = await site.http.post("/api/operator/session", json={"token": TOKEN})
    assert (opened.status_code, "httponly" in opened.headers["set-cookie"].lower()) == (204, True)
    assert (await site.http.get("/api/operator/dead")).status_code == 200


async def test_a_dead_letter_is_replayed_or_discarded_with_the_token(site: Site, shop: Shop) -> None:
    """Once, with who did it and why; without the token by nobody."""
    order_id = await site.place()
    await shop.put(f"cmd.order.{order_id}.NoSuchCommand", b"{}")
    await shop.put(f"cmd.order.{order_id}.CancelEverything", b"{}")
    token = {"Authorization": f"Bearer {TOKEN}"}

    async def letters() -> list[dict[str, Any]]:
        return (await site.http.get("/api/operator/dead", headers=token)).json()

    async def both_are_there() -> bool:
        return len(await letters()) == 2

    await eventually(both_are_there)
    first, second = await letters()
    assert {first["order_id"], second["order_id"]} == {order_id}
    act = {"actor": "anna", "reason": "nonsense"}
    path = f"/api/operator/dead/{first['sequence']}/discard"
    assert (await site.http.post(path, json=act)).status_code == 401
    assert (await site.http.post(path, json=act, headers=token)).json()["done"] is True
    again = await site.http.post(path, json=act, headers=token)
    assert (again.json()["done"], "discarded by anna" in again.json()["what"]) == (False, True)
    await site.http.post(f"/api/operator/dead/{second['sequence']}/replay", json=act, headers=token)

    async def only_its_successor_is_open() -> bool:
        return [one["follows"] for one in await letters()] == [second["sequence"]]

    await eventually(only_its_successor_is_open)  # Nobody knows the command now either.
    unknown = await site.http.post("/api/operator/dead/999/replay", json=act, headers=token)
    assert (unknown.status_code, unknown.json()["reason"]) == (409, "cannot_be_done")


async def test_an_address_that_asks_too_often_is_told_to_wait(shop: Shop, tmp_path: Path) -> None:
    async with open_site(shop.settings.nats_url, tmp_path / "web.db", web_requests_per_s=5) as site:
        answers = await asyncio.gather(*(site.http.get("/healthz") for _ in range(40)))
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert {(answer.json()["reason"], answer.headers["retry-after"]) for answer in refused} == {
            ("too_many_requests", "1")
        }


async def test_text_of_any_kind_comes_back_as_it_went_in(site: Site) -> None:
    """Markup, right to left, emoji, line breaks; what no JSON can hold is refused."""
    item = '<script>alert(1)</script> 😀 שלום\u202e " \n\t\\'
    order_id = await site.place(item=item)
    assert (await site.order(order_id))["order"]["brief"]["item"] == item
    bad = await site.http.post(
        "/api/orders", content=b'{"item": "\\ud800"}', headers={"Content-Type": "application/json"}
    )
    assert bad.status_code == 422


def _asked(order_id: str) -> list[str]:
    return [f"/api/orders/{order_id}", "/api/orders", f"/api/orders/{order_id}/timeline", "/api/people?role=seller"]


async def _is_not_ready(site: Site) -> bool:
    return (await site.http.get("/readyz")).status_code != 200


async def _heard(site: Site, order_id: str) -> str:
    """The pending request, once the seller has it."""

    async def is_heard() -> bool:
        return bool((await site.order(order_id))["seller"].get("heard"))

    await eventually(is_heard)
    return (await site.order(order_id))["seller"]["heard"]


async def _until(site: Site, order_id: str, phase: str) -> None:
    async def is_it() -> bool:
        answer = (await site.http.get(f"/api/orders/{order_id}")).json()
        return answer.get("phase") == phase and answer["order"]["requests"] == 1

    await eventually(is_it)
