"""How a message travels on a real broker: decided once, in order, from the truth, whatever is delivered and by whom."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from countermand.contracts.base import Event, Owner
from countermand.contracts.order import (
    AcknowledgePayment,
    AskSellerToCancel,
    CancelReason,
    ConfirmCancel,
    OpenCancelDialog,
    RefusalGround,
    WithdrawCancel,
)
from countermand.contracts.seller import (
    AcceptCancel,
    MessageSeller,
    RefuseCancel,
    SellerAccepted,
    SellerRefused,
    ShipOrder,
    Shipped,
)
from countermand.kernel.policy import Policy
from countermand.runtime.card import nothing_to_do
from countermand.runtime.embedded import MAX_PAYLOAD_BYTES, NatsServer, spawn
from countermand.runtime.envelope import Delivery, Envelope
from countermand.runtime.outage import Unavailable
from countermand.runtime.requests import Requests
from countermand.runtime.streams import COMMANDS, DEAD
from lab.facts import Fact
from lab.market import Refusal
from services.notify.app import CARD as NOTIFY
from services.order.app import CARD as ORDER
from services.seller.app import CARD as SELLER
from tests.integration.conftest import FASTEST, WITHIN_S, Shop, deciding, eventually, opened, some_order_id, terms_now
from tests.support.orders import BUYER, PLATFORM, place, scanned, shipped
from tests.support.orders import SELLER as SHOPKEEPER

NOTIFY_WITHOUT_MAIL: Final = replace(NOTIFY, effect=nothing_to_do)
PAY: Final = AcknowledgePayment(actor=PLATFORM)
PRESS_CANCEL: Final = OpenCancelDialog(actor=BUYER, reason=CancelReason.BETTER_OFFER)
ASK: Final = AskSellerToCancel(actor=BUYER, reason=CancelReason.BETTER_OFFER)
SHIP: Final = ShipOrder(actor=SHOPKEEPER)
BUTTON_AFTER_PAYMENT: Final = Policy(self_service_after_payment=True)


def confirm(dialog_id: str) -> ConfirmCancel:
    return ConfirmCancel(actor=BUYER, dialog_id=dialog_id)


def withdraw(request_id: str) -> WithdrawCancel:
    return WithdrawCancel(actor=BUYER, request_id=request_id)


def accept(request_id: str) -> AcceptCancel:
    return AcceptCancel(actor=SHOPKEEPER, request_id=request_id)


def write(request_id: str | None = None) -> MessageSeller:
    return MessageSeller(actor=BUYER, reason=CancelReason.BETTER_OFFER, text="Please stop.", request_id=request_id)


# Once, however often


async def test_every_command_sent_again_after_the_dedupe_window_changes_nothing(server: NatsServer) -> None:
    letters: list[str] = []

    async def post(event: Any, _command: object, _caused_by: Envelope) -> Any:
        letters.append(event.kind)
        return event

    async with opened(server, dedupe_window_s=1) as shop, shop.serving(ORDER, SELLER, replace(NOTIFY, effect=post)):
        await cancelled_by_the_button_after_payment(shop)
        await refused_then_withdrawn_then_shipped(shop)
        await shop.settled()
        journals, commands = await shop.journals(), await shop.stored(COMMANDS)
        assert Counter(message.subject.split(".")[3] for message in commands).keys() >= {
            "PlaceOrder", "AcknowledgePayment", "OpenCancelDialog", "ConfirmCancel", "AskSellerToCancel",
            "WithdrawCancel", "AcceptCancel", "RefuseCancel", "MessageSeller", "ShipOrder",
        }  # fmt: skip

        await asyncio.sleep(2)
        for message in commands:
            await shop.put(message.subject, message.data, {"ce-id": message.headers["ce-id"]} | msg_id(message.headers))
        await shop.settled()

        assert len(await shop.stored(COMMANDS)) == 2 * len(commands)
        assert await shop.journals() == journals
        assert await shop.refusals() == {}
        assert await shop.dead() == {}
    assert Counter(letters) == {"cancelled": 1, "refund_issued": 1, "refused": 1}


async def cancelled_by_the_button_after_payment(shop: Shop) -> None:
    order_id = await shop.place(under=terms_now(BUTTON_AFTER_PAYMENT))
    await shop.do(order_id, PAY)
    dialog = await shop.do(order_id, PRESS_CANCEL)
    request = await shop.do(order_id, confirm(dialog.id))
    await shop.until(order_id, "RequestHeard")
    await shop.do(order_id, accept(request.id))
    closed = await shop.until(order_id, "OrderClosed")
    assert closed.body.outcome == "cancelled_refunded"


async def refused_then_withdrawn_then_shipped(shop: Shop) -> None:
    order_id = await shop.place(paid=True)
    request = await shop.do(order_id, ASK)
    await shop.until(order_id, "RequestHeard")
    await shop.do(order_id, RefuseCancel(actor=SHOPKEEPER, request_id=request.id, ground=RefusalGround.KEEPS_THE_SALE))
    await shop.until(order_id, "CancelRefused")
    message = await shop.do(order_id, write())
    second = await shop.market.until(order_id, caused_by(message), "second request", WITHIN_S)
    await shop.do(order_id, withdraw(second.id))
    await shop.until(order_id, "ParcelReleased")
    await shop.do(order_id, SHIP)
    await shop.until(order_id, "ShipmentNoted")
    await shop.until(order_id, "ParcelScanned")


async def test_an_append_whose_ack_was_lost_leads_to_exactly_one_event(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was done in the world before it is not done again."""
    publish, lost, letters = Requests.publish, set[str](), list[str]()

    async def publish_and_lose_the_first_ack(self: Requests, subject: str, *args: Any, **kwargs: Any) -> Any:
        ack = await publish(self, subject, *args, **kwargs)
        if subject.split(".", maxsplit=1)[0] in set(Owner) and subject not in lost:
            lost.add(subject)
            raise TimeoutError
        return ack

    async def post(event: Any, _command: object, _caused_by: Envelope) -> Any:
        letters.append(event.kind)
        return event

    monkeypatch.setattr(Requests, "publish", publish_and_lose_the_first_ack)
    async with shop.serving(ORDER, SELLER, replace(NOTIFY, effect=post)):
        order_id = await shop.place(profile="prompt")
        dialog = await shop.do(order_id, PRESS_CANCEL)
        await shop.do(order_id, confirm(dialog.id))
        await shop.until(order_id, "OrderClosed")
        await shop.settled()

    assert await shop.events(order_id) == [
        "OrderPlaced", "CancelDialogOpened", "CancelRequested", "OrderCancelled", "OrderClosed"
    ]  # fmt: skip
    assert await shop.events(order_id, Owner.SELLER) == ["SellerAccepted", "SellerRated"]
    assert await shop.events(order_id, Owner.NOTIFY) == ["EmailSent"]
    assert len(lost) == 8
    assert letters == ["cancelled"]


async def test_a_service_killed_after_its_append_goes_on_where_it_was(server: NatsServer) -> None:
    async with opened(server, ack_wait_s=1) as shop:
        environment = {"NATS_URL": server.url, "COUNTERMAND_CRASH_AT": "order:after_append:OrderPlaced"}
        log_path = shop.logs / "order.log"
        arguments = [sys.executable, "-m", "services.order"]
        doomed = await spawn(arguments, env=environment, log_path=log_path, name="order")
        try:
            order_id = some_order_id()
            await shop.send(order_id, place(under=terms_now()), id="place")
            await shop.send(order_id, PRESS_CANCEL, id="press")
            await asyncio.wait_for(doomed.died(), WITHIN_S)
            assert doomed.returncode == 137
        finally:
            await doomed.kill()
        assert await shop.events(order_id) == ["OrderPlaced"]

        async with shop.serving(ORDER):
            await shop.settled()
            assert await shop.events(order_id) == ["OrderPlaced", "CancelDialogOpened"]
            assert await shop.armed() == [f"timer.order.{order_id}.PaymentDue.1"]


async def test_a_service_told_to_stop_under_load_gives_back_in_order_what_it_has_not_done(shop: Shop) -> None:
    """At once and once: else it would lie in dead hands for the ack_wait of 5 s, or come back behind its followers."""
    arguments = [sys.executable, "-m", "services.order"]
    environment = {"NATS_URL": shop.settings.nats_url, "LOG_LEVEL": "warning"}
    orders, sent = [some_order_id() for _ in range(3)], list[int]()
    for order_id in orders:
        sent.append(await shop.send(order_id, place(under=terms_now())))
    for reason in [*CancelReason] * 40:
        for order_id in orders:
            sent.append(await shop.send(order_id, OpenCancelDialog(actor=BUYER, reason=reason)))

    async def has_begun() -> bool:
        return (await shop.journals())[Owner.ORDER][0] > 0

    child = await spawn(arguments, env=environment, log_path=shop.logs / "order.log", name="order")
    try:
        await eventually(has_begun)
        async with asyncio.timeout(4):
            await child.stop()
            done = {event.headers["ce-causationid"] for event in await shop.stored("ORDER")}
            undone = [sequence for sequence in sent if f"COMMANDS-{sequence}" not in done]
            subscription = await shop.market.nc.subscribe("deliver.order.commands", queue="order-commands")
            given_back = [Delivery.of(await subscription.next_msg(timeout=WITHIN_S)).sequence for _ in undone]
    finally:
        await child.kill()
    assert child.returncode == 0
    assert given_back == undone != []
    assert await shop.deliveries() == len(sent) + len(undone)


# In order, and never lost


async def test_a_message_that_fails_twice_is_still_decided_before_its_followers(shop: Shop) -> None:
    reasons = [CancelReason.BETTER_OFFER, CancelReason.DUPLICATE_ORDER, CancelReason.ORDERED_BY_MISTAKE]
    tries: list[CancelReason] = []

    def stumble_twice(command: Any, state: Any, now: datetime) -> Any:
        if isinstance(command, OpenCancelDialog):
            tries.append(command.reason)
            if len(tries) <= 2:
                msg = "stumbled"
                raise RuntimeError(msg)
        return ORDER.decider.decide(command, state, now)

    async with shop.serving(deciding(ORDER, stumble_twice)):
        order_id = await shop.place()
        for reason in reasons:
            await shop.send(order_id, OpenCancelDialog(actor=BUYER, reason=reason))
        await shop.settled()
        history = await shop.facts(order_id)

    assert tries == [reasons[0], reasons[0], *reasons]
    assert [fact.body.reason for fact in history if fact.name == "CancelDialogOpened"] == reasons
    assert await shop.dead() == {}


async def test_an_order_that_fails_does_not_hold_up_another(shop: Shop) -> None:
    failing = some_order_id()
    others = asyncio.Event()

    def fail_until_the_other_is_done(command: Any, state: Any, now: datetime) -> Any:
        if isinstance(command, OpenCancelDialog):
            if state.facts.order_id != failing:
                others.set()
            elif not others.is_set():
                msg = "not yet"
                raise RuntimeError(msg)
        return ORDER.decider.decide(command, state, now)

    async with shop.serving(deciding(ORDER, fail_until_the_other_is_done)):
        await shop.place(order_id=failing)
        other = await shop.place()
        await shop.send(failing, PRESS_CANCEL)
        await asyncio.sleep(0.1)
        await shop.send(other, PRESS_CANCEL)
        await shop.settled()
        assert [await shop.events(one) for one in (failing, other)] == [["OrderPlaced", "CancelDialogOpened"]] * 2


async def test_after_twenty_failures_a_message_is_dead_and_the_next_is_handled(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("countermand.runtime.handler._RETRY_S", (0.001,))
    tries = 0

    def fail(command: Any, state: Any, now: datetime) -> Any:
        nonlocal tries
        if command == PRESS_CANCEL:
            tries += 1
            msg = "a\nbug \x00 of öurs"
            raise RuntimeError(msg)
        return ORDER.decider.decide(command, state, now)

    async with shop.serving(deciding(ORDER, fail)):
        order_id = await shop.place()
        sequence = await shop.send(order_id, PRESS_CANCEL, headers={"extra": "kept"}, id="doomed")
        await shop.send(order_id, PAY)
        await shop.settled()

    assert tries == 20
    assert await shop.events(order_id) == ["OrderPlaced", "PaymentAcknowledged"]
    [letter] = await shop.stored(DEAD)
    assert letter.subject == "dead.order.order-commands"
    assert letter.data == PRESS_CANCEL.model_dump_json().encode()
    [doomed] = [stored for stored in await shop.stored(COMMANDS) if stored.sequence == sequence]
    assert abs(datetime.fromisoformat(letter.headers.pop("dead-time")) - doomed.stored_at) < timedelta(microseconds=2)
    assert {key: value for key, value in letter.headers.items() if not key.startswith("Nats-")} == {
        "ce-id": "doomed",
        "extra": "kept",
        "dead-subject": f"cmd.order.{order_id}.OpenCancelDialog",
        "dead-stream": COMMANDS,
        "dead-sequence": str(sequence),
        "dead-deliveries": "1",
        "dead-reason": r"failed 20 times: RuntimeError('a\nbug \x00 of \xf6urs')",
    }


async def test_an_outage_is_waited_for_and_never_counted(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("countermand.runtime.handler._RETRY_S", (0.001,))
    tries = 0

    async def post(event: Any, _command: object, _caused_by: Envelope) -> Any:
        nonlocal tries
        tries += 1
        if tries <= 30:
            msg = "the mail server"
            raise Unavailable(msg)
        return event

    async with shop.serving(ORDER, SELLER, replace(NOTIFY, effect=post)):
        order_id = await shop.place(profile="prompt", paid=True)
        await shop.do(order_id, ASK)
        await shop.until(order_id, "EmailSent")
        await shop.settled()
    assert tries >= 32
    assert await shop.dead() == {}


async def test_a_message_retried_for_longer_than_the_ack_wait_stays_in_hand(server: NatsServer) -> None:
    """Else another replica would handle the order's next messages before it."""
    tries = 0

    def fail_for_a_while(command: Any, state: Any, now: datetime) -> Any:
        nonlocal tries
        if command == PRESS_CANCEL and (tries := tries + 1) <= 7:
            msg = "not yet"
            raise RuntimeError(msg)
        return ORDER.decider.decide(command, state, now)

    async with opened(server, ack_wait_s=1) as shop, shop.serving(deciding(ORDER, fail_for_a_while)):
        order_id = await shop.place()
        await shop.settled()
        delivered = await shop.deliveries()
        await shop.send(order_id, PRESS_CANCEL)
        await shop.until(order_id, "CancelDialogOpened")
        await shop.settled()
        assert await shop.deliveries() == delivered + 1
    assert tries == 8


# From the truth, and not from what a replica remembers


async def test_a_replica_that_is_behind_asks_before_it_refuses(shop: Shop) -> None:
    async with shop.replica() as one, shop.replica() as two:
        order_id = some_order_id()
        await two.does(order_id, place(under=terms_now()))
        await one.does(order_id, PRESS_CANCEL, "press")
        await two.does(order_id, confirm("press:OpenCancelDialog"))
    assert await shop.events(order_id) == ["OrderPlaced", "CancelDialogOpened", "CancelRequested"]
    assert await shop.refusals() == {}


async def test_a_replica_that_is_behind_asks_before_it_does_nothing(shop: Shop) -> None:
    async with shop.replica() as one, shop.replica() as two:
        order_id, under = some_order_id(), terms_now()
        await two.does(order_id, place(under=under))
        await one.does(order_id, ASK, "ask")
        agreed = SellerAccepted(request_id="ask:AskSellerToCancel")
        await two.hears("SELLER", await shop.tell(order_id, agreed, 1, "agreed", under))
    assert await shop.events(order_id) == ["OrderPlaced", "CancelRequested", "OrderCancelled", "OrderClosed"]


async def test_a_replica_that_is_behind_decides_anew_when_another_wrote_first(shop: Shop) -> None:
    async with shop.replica() as one, shop.replica() as two:
        order_id = some_order_id()
        await two.does(order_id, place(under=terms_now()))
        await one.does(order_id, ASK)
        await two.does(order_id, PRESS_CANCEL, "press")
    assert await shop.events(order_id) == ["OrderPlaced", "CancelRequested"]
    assert list((await shop.refusals()).items()) == [(f"reply.order.{order_id}.press", "request_pending")]


async def test_an_event_decided_before_a_lost_race_is_not_written_after_it(shop: Shop) -> None:
    """A request decided on an unpaid order was written after another replica had recorded the payment."""
    async with shop.replica() as one, shop.replica() as two:
        order_id = some_order_id()
        await two.does(order_id, place(under=terms_now()))
        await one.does(order_id, PAY)
        await two.does(order_id, ASK)
    requested = (await shop.facts(order_id))[-1]
    assert (requested.name, requested.body.paid) == ("CancelRequested", True)


async def test_a_replica_without_any_history_decides_like_the_others(shop: Shop) -> None:
    async with shop.replica() as one, shop.replica() as two:
        order_id = some_order_id()
        await one.does(order_id, PRESS_CANCEL, "early")
        await two.does(order_id, place(under=terms_now()))
        await one.does(order_id, PRESS_CANCEL, "press")
    assert await shop.events(order_id) == ["OrderPlaced", "CancelDialogOpened"]
    assert list((await shop.refusals()).values()) == ["unknown_order"]


# What answers names what it answers


async def test_an_old_confirmation_confirms_no_later_dialog(shop: Shop) -> None:
    async with shop.replica() as order:
        order_id = some_order_id()
        await order.does(order_id, place(under=terms_now()))
        await order.does(order_id, PRESS_CANCEL, "d1")
        confirmation = await order.does(order_id, confirm("d1:OpenCancelDialog"), "c1")
        await order.does(order_id, withdraw("c1:ConfirmCancel"))
        await order.does(order_id, PRESS_CANCEL, "d2")
        before = await shop.events(order_id)

        await order.hears(COMMANDS, confirmation)
        await order.does(order_id, confirm("d1:OpenCancelDialog"), "c1-again")
        assert await shop.events(order_id) == before
        assert await shop.refusals() == {f"reply.order.{order_id}.c1-again": "dialog_unknown"}

        await order.does(order_id, confirm("d2:OpenCancelDialog"), "c2")
        assert await shop.events(order_id) == [*before, "CancelRequested"]


async def test_an_old_answer_of_the_seller_answers_no_later_request(shop: Shop) -> None:
    async with shop.replica() as order:
        order_id, under = some_order_id(), terms_now()
        await order.does(order_id, place(under=under))
        await order.does(order_id, ASK, "r1")
        first, second = "r1:AskSellerToCancel", "r2:AskSellerToCancel"
        refused = SellerRefused(request_id=first, ground=RefusalGround.KEEPS_THE_SALE, ships_at=None)
        refusal = await shop.tell(order_id, refused, 1, "refusal", under)
        await order.hears("SELLER", refusal)
        await order.does(order_id, ASK, "r2")
        before = await shop.events(order_id)
        assert before[-2:] == ["CancelRefused", "CancelRequested"]

        await order.hears("SELLER", refusal)
        await order.hears("SELLER", await shop.tell(order_id, refused, 2, "the same refusal", under))
        assert await shop.events(order_id) == before

        late = await shop.tell(order_id, SellerAccepted(request_id=first), 3, "late", under)
        for _ in range(2):
            await order.hears("SELLER", late)
        assert await shop.events(order_id) == [*before, "AcceptanceSuperseded"]

        agreed = SellerAccepted(request_id=second)
        await order.hears("SELLER", await shop.tell(order_id, agreed, 4, "agreed", under))
        *_, cancelled, closed = await shop.facts(order_id)
        assert (cancelled.name, cancelled.body.request_id) == ("OrderCancelled", second)
        assert (closed.name, closed.caused_by) == ("OrderClosed", cancelled.id)


# Facts that come before their predecessors


async def test_a_delivery_heard_before_the_shipment_ends_right(shop: Shop) -> None:
    """The predecessor is read in the owner's history, and heard again later to no effect."""
    async with shop.replica() as order:
        order_id, under = some_order_id(), terms_now()
        await order.does(order_id, place(paid=True, under=under))
        left, arrived = await tell_of_a_parcel(shop, order_id, under)
        await order.hears("SELLER", arrived)
        assert await shop.events(order_id) == ["OrderPlaced", "ShipmentNoted", "OrderDelivered"]
        await order.hears("SELLER", left)
        assert await shop.events(order_id) == ["OrderPlaced", "ShipmentNoted", "OrderDelivered"]
    assert await shop.dead() == {}


async def test_a_premature_fact_waits_for_the_replica_that_has_its_predecessor_in_hand(shop: Shop) -> None:
    async with shop.replica() as one, shop.replica() as two:
        order_id, under = some_order_id(), terms_now()
        await one.does(order_id, place(paid=True, under=under))
        arrived = await shop.tell(order_id, delivery(under), 1, "arrived", under)
        left = await shop.tell(order_id, shipment(under), 2, "left", under)  # Not in the history before `arrived`.
        waiting = asyncio.create_task(one.hears("SELLER", arrived))
        await asyncio.sleep(0.2)
        await two.hears("SELLER", left)
        await waiting
    assert await shop.events(order_id) == ["OrderPlaced", "ShipmentNoted", "OrderDelivered"]
    assert await shop.dead() == {}


async def test_facts_of_an_order_that_is_about_to_be_placed_wait_for_it(shop: Shop) -> None:
    async with shop.replica() as one, shop.replica() as two:
        order_id, under = some_order_id(), terms_now()
        left, _ = await tell_of_a_parcel(shop, order_id, under)
        waiting = asyncio.create_task(one.hears("SELLER", left))
        await asyncio.sleep(0.2)
        await two.does(order_id, place(under=under))
        await waiting
    assert await shop.events(order_id) == ["OrderPlaced", "ShipmentNoted"]


@pytest.mark.parametrize("fact", [SellerAccepted(request_id="none"), "left", "arrived"])
async def test_a_fact_whose_predecessor_never_comes_is_kept_for_an_operator(
    shop: Shop, fact: SellerAccepted | str
) -> None:
    order_id, under = some_order_id(), terms_now()
    if isinstance(fact, SellerAccepted):
        sequence = await shop.tell(order_id, fact, 1, "agreed", under)
    else:
        left, arrived = await tell_of_a_parcel(shop, order_id, under)
        sequence = left if fact == "left" else arrived
    async with shop.replica() as order:
        await asyncio.wait_for(order.hears("SELLER", sequence), 4)
    [reason] = (await shop.dead()).values()
    assert reason.startswith("OrderPlaced never came before")
    assert await shop.events(order_id) == []


async def test_a_delivery_without_a_shipment_is_kept_for_an_operator(shop: Shop) -> None:
    order_id, under = some_order_id(), terms_now()
    async with shop.replica() as order:
        await order.does(order_id, place(under=under))
        sequence = await shop.tell(order_id, delivery(under), 1, "arrived", under)
        await asyncio.wait_for(order.hears("SELLER", sequence), 4)
    assert await shop.dead() == {sequence: "Shipped never came before ParcelScanned"}
    assert await shop.events(order_id) == ["OrderPlaced"]


@pytest.mark.parametrize(("card", "command"), [(ORDER, PRESS_CANCEL), (SELLER, SHIP)])
async def test_a_command_for_an_unknown_order_is_refused(shop: Shop, card: Any, command: Any) -> None:
    order_id = some_order_id()
    async with shop.serving(card):
        answer = await shop.ask(order_id, command)
    assert isinstance(answer, Refusal)
    assert answer.reason == "unknown_order"
    assert await shop.dead() == {}
    assert {messages for messages, _ in (await shop.journals()).values()} == {0}


# What strangers send


async def test_a_plain_client_needs_no_headers(shop: Shop) -> None:
    """The command's place in its stream is its id."""
    order_id = some_order_id()
    async with shop.serving(ORDER):
        for _ in range(2):
            await shop.put(f"cmd.order.{order_id}.PlaceOrder", place(under=terms_now()).model_dump_json().encode())
        await shop.settled()
    [placed] = await shop.facts(order_id)
    assert (placed.name, placed.caused_by, placed.id) == ("OrderPlaced", "COMMANDS-1", "COMMANDS-1:PlaceOrder")
    assert await shop.refusals() == {f"reply.order.{order_id}.COMMANDS-2": "already_placed"}


async def test_whatever_strangers_send_is_kept_with_the_reason_and_never_comes_again(shop: Shop) -> None:
    order_id = some_order_id()
    good = place(under=terms_now()).model_dump(mode="json")
    to_place = f"cmd.order.{order_id}.PlaceOrder"

    def placing(**changes: Any) -> bytes:
        return json.dumps(good | changes).encode()

    def clock(**changes: Any) -> bytes:
        return placing(terms=good["terms"] | {"clock": good["terms"]["clock"] | changes})

    def price(amount: Any) -> bytes:
        return placing(brief=good["brief"] | {"price": {"amount_minor": amount, "currency": "USD"}})

    anything = {"any": "header"}
    hostile: list[tuple[str, bytes, dict[str, str], str]] = [
        ("cmd.order.p2", b"{}", {}, "is no subject of a command"),
        (f"cmd.order.{order_id}.PlaceOrder.more", placing(), {}, "is no subject of a command"),
        ("cmd.order.UPPER.PlaceOrder", placing(), {}, "'UPPER' is no order id"),
        (f"cmd.order.;{order_id}/$(~).PlaceOrder", placing(), {}, "is no order id"),
        (f"cmd.order.örder{order_id}.PlaceOrder", placing(), {}, "is no order id"),
        (f"cmd.order.{order_id}.Nope", b"{}", {}, "order has no command 'Nope'"),
        (f"cmd.order.{order_id}.OrderCancelled", b"{}", {}, "order has no command 'OrderCancelled'"),
        (f"cmd.order.{order_id}.ShipOrder", SHIP.model_dump_json().encode(), {}, "order has no command 'ShipOrder'"),
        (to_place, b"", {}, "the document: Invalid JSON"),
        (to_place, b"place it, please", {}, "the document: Invalid JSON"),
        (to_place, b'{"actor": "\xff\xfe"}', {}, "the document: Invalid JSON"),
        (to_place, b'{"actor": "\\ud800"}', {}, "the document: Invalid JSON"),
        (to_place, b"[" * 60_000, {}, "the document: Invalid JSON"),
        (to_place, b"[]", {}, "the document: Input should be an object"),
        (to_place, b"x" * 60 * 1024, {}, "the document: Invalid JSON"),
        (to_place, b"x" * (MAX_PAYLOAD_BYTES - 100), anything, "the document: Invalid JSON"),
        (to_place, b"x", {"big": "x" * (MAX_PAYLOAD_BYTES - 100)}, "the document: Invalid JSON"),
        (to_place, b"x" * 30 * 1024, {"not-utf-8": "\udcff" * 30 * 1024}, "the document: Invalid JSON"),
        (to_place, placing(actor=17), {}, "actor: Input should be"),
        (to_place, price(-1), {}, "brief.price.amount_minor: Input should be greater"),
        (to_place, price(1e400), {}, "brief.price.amount_minor: Input should be"),
        (to_place, placing(terms=good["terms"] | {"policy": "0" * 16}), {}, "no policy 0000000000000000 is stored"),
        (to_place, clock(rate=1e-9), {}, "terms.clock.rate: Input should be greater"),
        (to_place, clock(rate="NaN"), {}, "terms.clock.rate: Input should be"),
        (to_place, clock(epoch="2026-06-01T17:00:00"), {}, "terms.clock.epoch: Input should have timezone"),
        (to_place, clock(started_at="2026-06-01T17:00:00"), {}, "terms.clock.started_at: Input should have timezone"),
        (to_place, clock(epoch="9999-12-31T23:59:59Z"), {}, "terms.clock.epoch: Input should be less"),
        (to_place, clock(started_at="9999-12-31T23:59:59Z"), {}, "terms.clock.started_at: Input should be less"),
        (to_place, clock(started_at="0001-01-01T00:00:00Z"), {}, "terms.clock.started_at: Input should be greater"),
        (to_place, placing(), {"ce-id": "x" * 300}, "the id is longer than"),
        (to_place, placing(), {"ce-id": "a\u00a0\u2028b\u00a0"}, "the id has characters that cannot be printed"),
        (to_place, placing(), {"ce-simtime": "soon"}, "ce-simtime 'soon' is no time"),
        (to_place, b"x", {"a(b)c": "1", "d@e": "2"}, "the document: Invalid JSON"),
        (to_place, b"", {"Status": "100", "Description": "not flow control"}, "the document: Invalid JSON"),
        (to_place, b"", {"Status": "100", "Description": "FlowControl Request"}, "the document: Invalid JSON"),
        (to_place, b"x", {"Status": "404", "Description": "No Messages"}, "the document: Invalid JSON"),
        (to_place, b"", {"Status": "503"}, "the document: Invalid JSON"),
    ]
    async with shop.serving(ORDER, SELLER):
        sent = [await put_raw(shop, subject, data, headers) for subject, data, headers, _ in hostile]
        await shop.settled()
        letters = {int(letter.headers["dead-sequence"]): letter for letter in await shop.stored(DEAD)}
        reasons = {seq: letter.headers["dead-reason"] for seq, letter in letters.items()}
        wrong = [
            (subject, data[:100], headers, f"expected {reason!r}", reasons.get(seq))
            for seq, (subject, data, headers, reason) in zip(sent, hostile, strict=True)
            if reason not in reasons.get(seq, "")
        ]
        assert wrong == []
        for seq, (subject, data, *_) in zip(sent, hostile, strict=True):
            letter = letters[seq]
            assert letter.subject == "dead.order.order-commands"
            assert (letter.headers["dead-subject"], letter.headers["dead-stream"]) == (subject, COMMANDS)
            assert data.startswith(letter.data)
            assert len(letter.data) == len(data) or letter.headers["dead-size"] == str(len(data))
        assert await shop.deliveries() == len(hostile)

        await shop.place(order_id=order_id)
        assert await shop.events(order_id) == ["OrderPlaced"]


async def test_a_confused_deputy_publishes_nothing(shop: Shop) -> None:
    """The client library answers what looks like an idle heartbeat on whatever subject the heartbeat names."""
    order_id = some_order_id()
    forged = f"order.{order_id}.OrderCancelled.1"
    async with shop.serving(ORDER):
        headers = {"Status": "100", "Description": "Idle Heartbeat", "Nats-Consumer-Stalled": forged}
        await put_raw(shop, f"cmd.order.{order_id}.PlaceOrder", b"", headers)
        await shop.settled()
    assert await shop.events(order_id) == []
    assert len(await shop.dead()) == 1


async def test_terms_forged_in_a_commands_header_are_not_believed(shop: Shop) -> None:
    forged = {"ce-terms": terms_now(rate=100_000).ref.header()}
    order_id, under, unknown = some_order_id(), terms_now(rate=10), some_order_id()
    async with shop.serving(ORDER, SELLER):
        await shop.send(order_id, place(paid=True, under=under, profile="manual"), headers=forged)
        await shop.send(order_id, PRESS_CANCEL, headers=forged)
        await shop.send(unknown, PRESS_CANCEL, headers=forged)
        await shop.send(unknown, SHIP, headers=forged)
        await shop.settled()
        await shop.send(order_id, SHIP, headers=forged)
        await shop.settled()
    events = [message for owner in (Owner.ORDER, Owner.SELLER) for message in await shop.stored(owner.upper())]
    assert [message.subject.split(".")[2] for message in events] == ["OrderPlaced", "ShipmentNoted", "Shipped"]
    assert {message.headers["ce-terms"] for message in events} == {under.ref.header()}
    assert sorted((await shop.refusals()).values()) == ["contact_the_seller", "unknown_order", "unknown_order"]


async def test_an_id_used_for_two_orders_decides_only_the_first(shop: Shop) -> None:
    one, two = some_order_id(), some_order_id()
    async with shop.serving(ORDER):
        await shop.send(one, place(under=terms_now()), id="mine")
        await shop.settled()
        second = await shop.send(two, place(under=terms_now()), id="mine")
        await shop.settled()
    assert [await shop.events(order_id) for order_id in (one, two)] == [["OrderPlaced"], []]
    assert await shop.dead() == {second: "the id 'mine' was used for another order before"}


async def test_a_refusal_reaches_each_of_two_orders_that_used_one_id(shop: Shop) -> None:
    one, two = some_order_id(), some_order_id()
    async with shop.serving(ORDER):
        for order_id in (one, two):
            await shop.send(order_id, PRESS_CANCEL, id="mine")
        await shop.settled()
    assert (await shop.refusals()).keys() == {f"reply.order.{order_id}.mine" for order_id in (one, two)}


async def test_the_longest_id_carries_through_a_whole_order(shop: Shop) -> None:
    """Ids grow along the chain of causes; none of it may become too long on the way."""
    order_id = some_order_id()
    async with shop.serving(ORDER, SELLER, NOTIFY_WITHOUT_MAIL):
        await shop.send(order_id, place(paid=True, profile="eager", under=terms_now(rate=1_000)), id="i" * 200)
        await shop.send(order_id, ASK, id="x y:ö" + "a" * 195)
        await shop.settled()
        history = await shop.facts(order_id)
    assert [fact.name for fact in history if fact.owner is not Owner.NOTIFY][-1] == "RequestHeard"
    assert await shop.dead() == {}


async def test_what_a_stranger_adds_for_tracing_is_kept_only_if_it_can_be_carried(shop: Shop) -> None:
    order_id = some_order_id()
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with shop.serving(ORDER):
        await shop.send(order_id, place(under=terms_now()), headers={"traceparent": traceparent}, correlationid="run-1")
        await shop.send(order_id, PRESS_CANCEL, headers={"traceparent": "x" * 60_000})
        big = await shop.send(order_id, PRESS_CANCEL, correlationid="x" * 60_000)
        await shop.settled()
    placed, opened_dialog = await shop.stored("ORDER")
    assert (placed.headers["traceparent"], placed.headers["ce-correlationid"]) == (traceparent, "run-1")
    assert "traceparent" not in opened_dialog.headers
    assert list(await shop.dead()) == [big]


# Bounds


async def test_a_full_history_takes_facts_and_timers_but_no_more_requests(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("countermand.runtime.handler.MAX_EVENTS", 4)
    async with shop.serving(ORDER, SELLER):
        order_id = await shop.place(under=terms_now(rate=FASTEST))
        await shop.do(order_id, PRESS_CANCEL)
        await shop.do(order_id, PRESS_CANCEL)
        request = await shop.do(order_id, ASK)
        refused = [await shop.ask(order_id, command) for command in (PAY, withdraw(request.id))]
        assert [answer.reason for answer in refused if isinstance(answer, Refusal)] == ["history_full"] * 2
        await shop.do(order_id, write(request.id))
        events = await shop.until_over(order_id)
    assert events[4:] == ["CancelRequestRepeated", "OrderCancelled", "OrderClosed"]


# Each order under its own terms


async def test_orders_under_different_terms_live_side_by_side(shop: Shop) -> None:
    hasty = terms_now(Policy(seller_answers_within_h=24), rate=2)
    patient = terms_now(Policy(seller_answers_within_h=720, emails=()), rate=1000)
    async with shop.serving(ORDER):
        orders = [await shop.place(under=under) for under in (hasty, patient)]
        requests = [await shop.do(order_id, ASK) for order_id in orders]
        await shop.settled()
        armed = {message.subject: message.headers for message in await shop.stored("TIMERS")}

    for order_id, under, request in zip(orders, (hasty, patient), requests, strict=True):
        within = timedelta(hours=under.policy.seller_answers_within_h)
        assert request.body.answer_by == request.body.requested_at + within
        timer = armed[f"timer.order.{order_id}.AnswerDue.{request.revision}"]
        at = datetime.fromisoformat(timer["Nats-Schedule"].removeprefix("@at "))
        assert abs(at - request.at - within / under.clock.rate) < timedelta(seconds=1)
        assert timer["ce-terms"] == under.ref.header()


async def test_a_clock_too_fast_is_refused_and_binds_no_later_placing(shop: Shop) -> None:
    order_id, under = some_order_id(), terms_now(rate=10)
    async with shop.serving(ORDER):
        answer = await shop.ask(order_id, place(under=terms_now(rate=FASTEST * 1.01)))
        assert isinstance(answer, Refusal)
        assert (answer.reason, "129600 at most" in answer.detail) == ("clock_too_fast", True)
        await shop.place(order_id=order_id, under=under)
    [placed] = await shop.stored("ORDER")
    assert placed.headers["ce-terms"] == under.ref.header()


@pytest.mark.parametrize(
    ("started_at", "rate"), [("1970-01-01", FASTEST), ("1970-01-01", 0.001), ("2999-12-31", 0.001)]
)
async def test_the_strangest_clock_that_is_taken_breaks_nothing(shop: Shop, started_at: str, rate: float) -> None:
    """At a high rate simulated time would leave the calendar within weeks; there it stands still."""
    under = terms_now(rate=rate)
    clock = under.clock.model_copy(update={"started_at": datetime.fromisoformat(started_at).replace(tzinfo=UTC)})
    async with shop.serving(ORDER):
        order_id = await shop.place(under=replace(under, clock=clock))
        await shop.do(order_id, ASK)
        await shop.settled()
        assert await shop.events(order_id) == ["OrderPlaced", "CancelRequested"]
        assert len(await shop.armed()) == 2
    assert await shop.dead() == {}


async def tell_of_a_parcel(shop: Shop, order_id: str, under: Any) -> tuple[int, int]:
    """The seller's journal says that a parcel left and arrived; the places of both."""
    left = await shop.tell(order_id, shipment(under), 1, "left", under)
    return left, await shop.tell(order_id, delivery(under), 2, "arrived", under)


def shipment(under: Any) -> Shipped:
    return shipped(at=under.clock.epoch)


def delivery(under: Any) -> Event:
    return scanned(under.clock.epoch, under.clock.epoch, delivered=True)


def caused_by(cause: Fact) -> Callable[[Fact], bool]:
    return lambda fact: fact.name == "CancelRequested" and fact.caused_by == cause.id


def msg_id(headers: dict[str, str]) -> dict[str, str]:
    return {"Nats-Msg-Id": headers["Nats-Msg-Id"]}


async def put_raw(shop: Shop, subject: str, data: bytes, headers: dict[str, str]) -> int:
    """Store a message with headers that no client library would send; its place in the stream."""
    block = "".join(["NATS/1.0\r\n", *(f"{key}: {value}\r\n" for key, value in headers.items()), "\r\n"])
    head = block.encode(errors="surrogateescape")
    publish = f"HPUB {subject} answer {len(head)} {len(head) + len(data)}\r\n".encode()
    url = urlsplit(shop.settings.nats_url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    try:
        async with asyncio.timeout(WITHIN_S):
            writer.write(b'CONNECT {"headers": true, "verbose": false}\r\nSUB answer 1\r\n')
            writer.write(publish + head + data + b"\r\n")
            while not (await reader.readline()).startswith(b"MSG answer"):
                pass
            return json.loads(await reader.readline())["seq"]
    finally:
        writer.close()
        await writer.wait_closed()
