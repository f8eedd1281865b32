"""A seller's service that has none of our code: nats-py, JSON and the published contracts. With bugs, on request."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig

from lab.market import Market

BUGS: Final = {
    "ships what it has accepted": {"holds", "audit"},
    "forgets what it has done": {"repetition", "answered-before"},
    "obeys every seller": {"other-sellers"},
    "drops what it cannot read": {"malformed"},
    "wants no unknown fields": {"unknown-fields"},
    "loses the correlation": {"correlation"},
    "expects nothing": {"compare-and-set"},
    "keeps refusals to itself": {"no-sense", "other-sellers"},
}
"""Each bug, and the clauses that it breaks."""

_FIELDS: Final = {
    "AcceptCancel": {"actor", "request_id"},
    "RefuseCancel": {"actor", "request_id", "ground", "text"},
    "ShipOrder": {"actor", "tracking_number"},
    "ProvideTracking": {"actor", "tracking_number"},
    "OfferPartialRefund": {"actor", "amount", "text"},
    "MessageSeller": {"actor", "reason", "text", "request_id"},
}


@dataclass
class Dealings:
    """What it knows of one order."""

    seller: str = ""
    terms: str = ""
    pending: str = ""
    accepted: str = ""
    shipped: bool = False
    cancelled: bool = False
    revision: int = 0
    last: int = 0
    done: set[str] = field(default_factory=set[str])


class ForeignSeller:
    """Answers by hand, and ships; one message at a time."""

    def __init__(self, market: Market, bugs: set[str] | None = None) -> None:
        self._js = market.js
        self._bugs = bugs or set()
        self._orders: dict[str, Dealings] = {}
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Sell while the block does."""
        config = ConsumerConfig(ack_wait=5)
        heard = [
            await self._js.subscribe(subject, stream=stream, cb=self._hear, manual_ack=True, config=config)
            for stream, subject in (("ORDER", "order.>"), ("COMMANDS", "cmd.seller.>"))
        ]
        try:
            yield
        finally:
            for subscription in heard:
                await subscription.unsubscribe()

    async def _hear(self, msg: Msg) -> None:
        async with self._turn:
            kind, *_, order_id, name = msg.subject.split(".")[:4] if msg.subject.startswith("cmd") else _of_event(msg)
            dealings = self._orders.setdefault(order_id, Dealings())
            if kind == "order":
                self._learn(dealings, name, json.loads(msg.data), (msg.headers or {}))
            else:
                await self._obey(order_id, dealings, name, msg)
            await msg.ack()

    def _learn(self, dealings: Dealings, name: str, body: dict[str, Any], headers: dict[str, str]) -> None:
        if name == "OrderPlaced":
            dealings.seller, dealings.terms = body["brief"]["seller"]["id"], headers["ce-terms"]
        elif name == "CancelRequested":
            dealings.pending = headers["ce-id"]
        elif name == "OrderCancelled":
            dealings.cancelled = True
        elif name in {"CancelWithdrawn", "CancelExpired", "AcceptanceSuperseded"}:
            dealings.pending, dealings.accepted = "", ""

    async def _obey(self, order_id: str, dealings: Dealings, name: str, msg: Msg) -> None:
        stream, sequence, stored_at = _place(msg)
        headers = msg.headers or {}
        command_id = headers.get("ce-id") or headers.get("Nats-Msg-Id") or f"{stream}-{sequence}"
        try:
            body = json.loads(msg.data)
            unknown = set(body) - _FIELDS[name]
            actor = body["actor"]["id"]
        except (ValueError, KeyError, TypeError) as error:
            if "drops what it cannot read" not in self._bugs:
                await self._bury(msg, stream, sequence, repr(error))
            return
        if unknown and "wants no unknown fields" in self._bugs:
            await self._bury(msg, stream, sequence, f"unknown: {unknown}")
            return
        if command_id in dealings.done and "forgets what it has done" not in self._bugs:
            return
        reason = self._objection(dealings, name, actor, body)
        if reason is None:
            await self._record(order_id, dealings, name, command_id, headers, stored_at, body)
        elif "keeps refusals to itself" not in self._bugs:
            refusal = {"command": name, "command_id": command_id, "reason": reason, "detail": "No."}
            await self._js.publish(f"reply.seller.{order_id}.{command_id}", json.dumps(refusal).encode())

    def _objection(self, dealings: Dealings, name: str, actor: str, body: dict[str, Any]) -> str | None:
        if not dealings.seller:
            return "unknown_order"
        if name != "MessageSeller" and actor != dealings.seller and "obeys every seller" not in self._bugs:
            return "not_the_seller"
        if name in {"AcceptCancel", "RefuseCancel"}:
            answered = "forgets what it has done" not in self._bugs and body["request_id"] != dealings.pending
            unknown = body["request_id"] == "nobody:AskSellerToCancel" or not body["request_id"].startswith("AskSeller")
            if answered or unknown or (dealings.shipped and name == "AcceptCancel"):
                return "no_such_request"
        if name == "ShipOrder":
            held = (dealings.accepted or dealings.cancelled) and "ships what it has accepted" not in self._bugs
            return "already_shipped" if dealings.shipped else "held" if held else None
        return None

    async def _record(
        self,
        order_id: str,
        dealings: Dealings,
        name: str,
        command_id: str,
        headers: dict[str, str],
        stored_at: datetime,
        body: dict[str, Any],
    ) -> None:
        simulated = _simulated(dealings.terms, stored_at)
        event, content = _event_of(name, body, simulated)
        if event == "SellerAccepted":
            dealings.accepted = body["request_id"]
        if name in {"AcceptCancel", "RefuseCancel"}:
            dealings.pending = ""
        dealings.shipped = dealings.shipped or event == "Shipped"
        dealings.revision += 1
        event_id = f"{command_id}:{event}{dealings.revision if command_id in dealings.done else ''}"
        dealings.done.add(command_id)
        sent = {
            "Nats-Msg-Id": event_id,
            "ce-specversion": "1.0",
            "ce-id": event_id,
            "ce-type": f"{event}.v1",
            "ce-source": "/somebody/else",
            "ce-time": stored_at.isoformat(),
            "ce-correlationid": headers.get("ce-correlationid") or command_id,
            "ce-causationid": command_id,
            "ce-simtime": simulated.isoformat(),
            "ce-terms": dealings.terms,
            "Nats-Expected-Last-Subject-Sequence": str(dealings.last),
            "Nats-Expected-Last-Subject-Sequence-Subject": f"seller.{order_id}.>",
        }
        if "loses the correlation" in self._bugs:
            sent["ce-correlationid"] = event_id
        if "expects nothing" in self._bugs:
            sent = {key: value for key, value in sent.items() if not key.startswith("Nats-Expected")}
        subject = f"seller.{order_id}.{event}.{dealings.revision}"
        dealings.last = (await self._js.publish(subject, json.dumps(content).encode(), headers=sent)).seq

    async def _bury(self, msg: Msg, stream: str, sequence: int, reason: str) -> None:
        headers = {
            "dead-subject": msg.subject,
            "dead-stream": stream,
            "dead-sequence": str(sequence),
            "dead-reason": reason,
        }
        await self._js.publish("dead.seller.somebody", msg.data, headers=headers)


def _of_event(msg: Msg) -> list[str]:
    owner, order_id, name, _ = msg.subject.split(".")
    return [owner, owner, order_id, name]


def _event_of(name: str, body: dict[str, Any], at: datetime) -> tuple[str, dict[str, Any]]:
    match name:
        case "AcceptCancel":
            return "SellerAccepted", {"request_id": body["request_id"]}
        case "RefuseCancel":
            answer = {key: body[key] for key in ("request_id", "ground", "text")}
            return "SellerRefused", answer | {"ships_at": None}
        case "ShipOrder":
            soon = (at + timedelta(hours=1)).isoformat()
            number = body.get("tracking_number") or "SOMEBODY1"
            shipped = {"tracking_number": number, "shipped_at": at.isoformat(), "scanned_at": soon, "arrives_at": soon}
            return "Shipped", shipped
        case "ProvideTracking":
            return "TrackingProvided", {"tracking_number": body["tracking_number"]}
        case "OfferPartialRefund":
            return "PartialRefundOffered", {"amount": body["amount"], "text": body["text"]}
        case _:
            return "SellerMessaged", {key: body[key] for key in ("actor", "reason", "text", "request_id")}


def _simulated(terms: str, at: datetime) -> datetime:
    _, _, epoch, started_at, rate = terms.split(";")
    return datetime.fromisoformat(epoch) + (at - datetime.fromisoformat(started_at)) * float(rate)


def _place(msg: Msg) -> tuple[str, int, datetime]:
    tokens = msg.reply.split(".")
    return tokens[2], int(tokens[5]), datetime.fromtimestamp(int(tokens[7]) / 1e9, UTC)
