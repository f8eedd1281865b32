"""What a seller's service must do: each clause is tried on an order of its own, whose seller acts by hand."""

from typing import Final

from countermand.contracts.base import Actor, Role
from countermand.contracts.order import CancelReason, RefusalGround, WithdrawCancel
from countermand.contracts.seller import (
    AcceptCancel,
    MessageSeller,
    OfferPartialRefund,
    ProvideTracking,
    RefuseCancel,
    ShipOrder,
)
from countermand.contracts.subjects import command_subject
from countermand.kernel.money import Money
from lab.conformance.clause import Clause
from lab.conformance.desk import Desk, expect

_NUMBER: Final = "LX123456785CN"


async def agrees(desk: Desk) -> str:
    """R5."""
    request = await desk.request()
    accepted = await desk.does(AcceptCancel(actor=desk.seller, request_id=request), "SellerAccepted")
    named = accepted.body.get("request_id")
    expect(holds=named == request, otherwise=f"SellerAccepted names the request {named}, and {request} was asked")
    await desk.order_says("OrderCancelled")
    return f"SellerAccepted names {request}; the order is cancelled"


async def refuses(desk: Desk) -> str:
    """R16."""
    request = await desk.request()
    command = RefuseCancel(actor=desk.seller, request_id=request, ground=RefusalGround.KEEPS_THE_SALE, text="No.")
    body = (await desk.does(command, "SellerRefused")).body
    said = (body.get("request_id"), body.get("ground"), body.get("text"))
    expect(holds=said == (request, "keeps_the_sale", "No."), otherwise=f"SellerRefused says {said}")
    await desk.order_says("CancelRefused")
    return f"SellerRefused names {request} and its ground; the order goes on"


async def ships(desk: Desk) -> str:
    """R11."""
    shipped = await desk.does(ShipOrder(actor=desk.seller, tracking_number=_NUMBER), "Shipped")
    number = shipped.body.get("tracking_number")
    expect(holds=number == _NUMBER, otherwise=f"Shipped has the tracking number {number}, and {_NUMBER} was given")
    await desk.order_says("ShipmentNoted")
    return f"Shipped with {_NUMBER}; the order notes it"


async def holds_what_was_accepted(desk: Desk) -> str:
    """X2."""
    request = await desk.request()
    await desk.does(AcceptCancel(actor=desk.seller, request_id=request), "SellerAccepted")
    await desk.send(ShipOrder(actor=desk.seller))
    await desk.order_says("OrderCancelled")
    await desk.send(ShipOrder(actor=desk.seller))
    await desk.all_handled()
    names = desk.names()
    expect(holds="Shipped" not in names, otherwise=f"the parcel was shipped all the same: {', '.join(names)}")
    return "two attempts to ship, before and after OrderCancelled, and no Shipped"


async def ships_after_a_refusal(desk: Desk) -> str:
    """R16."""
    request = await desk.request()
    command = RefuseCancel(actor=desk.seller, request_id=request, ground=RefusalGround.KEEPS_THE_SALE)
    await desk.does(command, "SellerRefused")
    await desk.does(ShipOrder(actor=desk.seller), "Shipped")
    return "Shipped follows SellerRefused"


async def ships_after_a_withdrawal(desk: Desk) -> str:
    """X10."""
    request = await desk.request()
    await desk.send(WithdrawCancel(actor=desk.buyer, request_id=request))
    await desk.order_says("CancelWithdrawn")
    await desk.does(ShipOrder(actor=desk.seller), "Shipped")
    return "Shipped follows CancelWithdrawn"


async def accepts_nothing_that_has_left(desk: Desk) -> str:
    """X1, X2."""
    request = await desk.request()
    await desk.does(ShipOrder(actor=desk.seller), "Shipped")
    await desk.send(AcceptCancel(actor=desk.seller, request_id=request))
    await desk.all_handled()
    names = desk.names()
    expect(holds="SellerAccepted" not in names, otherwise=f"it was accepted all the same: {', '.join(names)}")
    return "no SellerAccepted after Shipped"


async def accepts_no_earlier_request(desk: Desk) -> str:
    """X7."""
    first = await desk.request()
    refusal = RefuseCancel(actor=desk.seller, request_id=first, ground=RefusalGround.KEEPS_THE_SALE)
    await desk.does(refusal, "SellerRefused")
    await desk.order_says("CancelRefused")
    await desk.request()
    await desk.send(AcceptCancel(actor=desk.seller, request_id=first))
    await desk.all_handled()
    names = desk.names()
    expect(holds="SellerAccepted" not in names, otherwise="the first request, refused before, was accepted")
    return "an answer to a request that has been answered does nothing"


async def counts_a_repetition_once(desk: Desk) -> str:
    """X12."""
    request = await desk.request()
    command = RefuseCancel(actor=desk.seller, request_id=request, ground=RefusalGround.KEEPS_THE_SALE)
    refused = await desk.does(command, "SellerRefused")
    offer = OfferPartialRefund(actor=desk.seller, amount=Money(amount_minor=100, currency="USD"))
    offered = await desk.does(offer, "PartialRefundOffered")
    for _ in range(2):
        await desk.send(command, command_id=refused.cause)
        await desk.send(offer, command_id=offered.cause)
    await desk.all_handled()
    names = desk.names()
    twice = [name for name in ("SellerRefused", "PartialRefundOffered") if names.count(name) != 1]
    expect(holds=not twice, otherwise=f"the same command, three times, led to {', '.join(names)}")
    return "two commands, three times each, led to one event each"


async def ignores_unknown_fields(desk: Desk) -> str:
    """Readers ignore what they do not know."""
    await desk.does(ShipOrder(actor=desk.seller), "Shipped", more={"colour": "blue", "nested": {"any": [1, None]}})
    return "a command with fields that nobody knows is obeyed"


async def needs_no_headers(desk: Desk) -> str:
    """A command without an id gets it from its place in the stream."""
    shipped = await desk.does(ShipOrder(actor=desk.seller), "Shipped", bare=True)
    return f"Shipped is caused by {shipped.cause}"


async def refuses_what_makes_no_sense(desk: Desk) -> str:
    """The history does not grow."""
    sent = await desk.send(AcceptCancel(actor=desk.seller, request_id="nobody:AskSellerToCancel"))
    refusal = await desk.refusal(sent)
    expect(holds=refusal is not None, otherwise=f"no refusal on reply.seller.{desk.order_id}.{sent}")
    said = refusal or {}
    missing = [key for key in ("command", "command_id", "reason", "detail") if not said.get(key)]
    expect(holds=not missing, otherwise=f"the refusal lacks {', '.join(missing)}")
    expect(holds=said["command_id"] == sent, otherwise=f"the refusal names {said['command_id']}, and {sent} was sent")
    await desk.all_handled()
    names = desk.names()
    expect(holds="SellerAccepted" not in names, otherwise="a request that does not exist was accepted")
    return f"refused: {said['reason']}"


async def refuses_other_sellers(desk: Desk) -> str:
    """Only the seller of the order."""
    request = await desk.request()
    await desk.all_handled()
    other = Actor(role=Role.SELLER, id="another-seller")
    sent = [await desk.send(AcceptCancel(actor=other, request_id=request)), await desk.send(ShipOrder(actor=other))]
    await desk.all_handled()
    names = desk.names()
    wrong = [name for name in ("SellerAccepted", "Shipped") if name in names]
    expect(holds=not wrong, otherwise=f"another seller was obeyed: {', '.join(wrong)}")
    silent = [command_id for command_id in sent if await desk.refusal(command_id) is None]
    expect(holds=not silent, otherwise=f"no refusal of {', '.join(silent)}")
    return "another seller's commands are refused"


async def buries_what_is_malformed(desk: Desk) -> str:
    """Never a crash, never an endless redelivery."""
    for name, body in (("AcceptCancel", b"{"), ("ShipOrder", b'{"actor": 17}'), ("NoSuchCommand", b"{}")):
        subject = command_subject("seller", desk.order_id, name)
        letter = await desk.dead_letter(await desk.put(subject, body))
        expect(holds=letter is not None, otherwise=f"{name} with the body {body.decode()} has no dead letter")
        headers = letter.headers if letter else {}
        lacks = [key for key in ("dead-reason", "dead-stream", "dead-subject") if not headers.get(key)]
        expect(holds=not lacks, otherwise=f"the dead letter of {name} lacks {', '.join(lacks)}")
        told = headers["dead-subject"]
        expect(holds=told == subject, otherwise=f"the dead letter's dead-subject is {told}, and {subject} was sent")
    await desk.all_handled()
    return "three malformed commands are dead letters, and the next command is obeyed"


async def passes_messages_on(desk: Desk) -> str:
    """R7."""
    message = MessageSeller(actor=desk.buyer, reason=CancelReason.NO_LONGER_NEEDED, text="Please do not send it.")
    body = (await desk.does(message, "SellerMessaged")).body
    said = [body.get(key) for key in ("text", "actor", "reason")]
    wanted = ["Please do not send it.", desk.buyer.model_dump(mode="json"), "no_longer_needed"]
    expect(holds=said == wanted, otherwise=f"SellerMessaged says {said}, and {wanted} was sent")
    await desk.order_says("CancelRequested")
    return "the message is recorded as it was sent; the order takes it for a request"


async def shows_tracking(desk: Desk) -> str:
    """R17."""
    told = await desk.does(ProvideTracking(actor=desk.seller, tracking_number=_NUMBER), "TrackingProvided")
    number = told.body.get("tracking_number")
    expect(holds=number == _NUMBER, otherwise=f"TrackingProvided shows {number}, and {_NUMBER} was given")
    return f"TrackingProvided shows {_NUMBER}"


async def offers_a_part(desk: Desk) -> str:
    """R21."""
    amount = Money(amount_minor=500, currency="USD")
    offered = await desk.does(OfferPartialRefund(actor=desk.seller, amount=amount), "PartialRefundOffered")
    said = offered.body.get("amount")
    expect(holds=said == amount.model_dump(), otherwise=f"PartialRefundOffered offers {said}")
    await desk.order_says("PartialRefundNoted")
    return "PartialRefundOffered has the amount; the order notes it"


CLAUSES: Final = (
    Clause("agrees", "who agrees is recorded as SellerAccepted, which names the request", agrees),
    Clause("refuses", "who says no is recorded as SellerRefused, which names the request and its ground", refuses),
    Clause("ships", "a parcel handed over is recorded as Shipped, with its number", ships),
    Clause(
        "holds",
        "after SellerAccepted the parcel is held, and never leaves once the order is cancelled",
        holds_what_was_accepted,
    ),
    Clause("ships-after-refusal", "after a refusal the parcel may leave", ships_after_a_refusal),
    Clause("ships-after-withdrawal", "after a request was withdrawn the parcel may leave", ships_after_a_withdrawal),
    Clause("shipped-first", "what has left is not accepted", accepts_nothing_that_has_left),
    Clause("answered-before", "an answer to an earlier request does nothing", accepts_no_earlier_request),
    Clause("repetition", "a command sent again under its id counts once", counts_a_repetition_once),
    Clause("unknown-fields", "unknown fields are ignored", ignores_unknown_fields),
    Clause("no-headers", "a command needs no headers: its place in the stream is its id", needs_no_headers),
    Clause("no-sense", "what makes no sense is refused on reply.seller.<order>.<command>", refuses_what_makes_no_sense),
    Clause("other-sellers", "only the order's seller is obeyed", refuses_other_sellers),
    Clause(
        "malformed", "what is malformed or unknown becomes a dead letter, and work goes on", buries_what_is_malformed
    ),
    Clause("messages", "a buyer's message is recorded as SellerMessaged", passes_messages_on),
    Clause("tracking", "a tracking number is recorded as TrackingProvided", shows_tracking),
    Clause("offers", "a concession is recorded as PartialRefundOffered", offers_a_part),
)
"""What is tried, side by side."""
