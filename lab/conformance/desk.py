"""One order of a conformance run: its buyer, its platform, and a seller who acts by hand. The streams tell what came of it."""

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

from countermand.contracts.base import Actor, Brief, Command, Contact, Owner, Role, SellerRef
from countermand.contracts.order import AskSellerToCancel, CancelReason, PaymentMethod, PlaceOrder
from countermand.contracts.seller import ProvideTracking
from countermand.contracts.subjects import command_subject, token
from countermand.kernel.ids import order_id_from
from countermand.kernel.money import Money
from countermand.kernel.policy import Policy
from countermand.kernel.terms import Clock, Terms
from countermand.runtime.direct import Stored
from countermand.runtime.settings import ConfigurationError
from countermand.runtime.streams import COMMANDS, DEAD, REPLY
from lab.conformance.tape import Tape
from lab.market import Market

CLOCK_RATE: Final = 3_600.0
"""An hour a second: no deadline of an order passes while it is tried, and all of them within some minutes after."""

_EPOCH: Final = datetime(2023, 3, 1, 17, tzinfo=UTC)
_AGAIN_S: Final = 0.3
"""A desk that does not know of the request yet refuses to answer it: it is asked again after so long."""


class Broken(Exception):
    """The clause does not hold; the message says what was seen instead."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event as its stream holds it, taken apart without any assumption."""

    stored: Stored
    name: str
    revision: str
    body: dict[str, Any]

    @property
    def id(self) -> str:
        """Its `ce-id`; empty if it has none."""
        return self.stored.headers.get("ce-id", "")

    @property
    def cause(self) -> str:
        """Its `ce-causationid`; empty if it has none."""
        return self.stored.headers.get("ce-causationid", "")


class Desk:
    """An order, and who acts on it. Nothing waits for longer than `within_s`."""

    def __init__(self, market: Market, tape: Tape, within_s: float) -> None:
        self.market = market
        self._tape = tape
        self.within_s = within_s
        self.order_id = order_id_from("conformance", secrets.token_hex(8))
        self.seller = Actor(role=Role.SELLER, id="conformance-seller")
        self.buyer = Actor(role=Role.BUYER, id="conformance-buyer")
        self.terms = Terms(7, Policy(), Clock(epoch=_EPOCH, started_at=datetime.now(UTC), rate=CLOCK_RATE))
        self._numbers = 0

    # What is sent

    async def place(self) -> None:
        """A paid order.

        Raises:
            ConfigurationError: the service `order`, which is ours, does not run.
        """
        contact = Contact(id=self.buyer.id, name="Conformance Buyer", email="conformance@buyers.example")
        brief = Brief(
            buyer=contact,
            seller=SellerRef(id=self.seller.id, profile="manual"),
            item="Desk lamp, brass",
            price=Money(amount_minor=4_990, currency="USD"),
        )
        await self.send(
            PlaceOrder(
                actor=self.buyer, brief=brief, payment_method=PaymentMethod.WALLET, paid=True, terms=self.terms.ref
            )
        )
        if await self._tape.until(self._first(Owner.ORDER, "OrderPlaced", None), self.within_s) is None:
            msg = f"no order was placed within {self.within_s:g} s: does the service order run?"
            raise ConfigurationError(msg)

    async def request(self) -> str:
        """The buyer asks the seller to cancel; the request's id."""
        sent = await self.send(AskSellerToCancel(actor=self.buyer, reason=CancelReason.NO_LONGER_NEEDED))
        requested = await self._tape.until(self._first(Owner.ORDER, "CancelRequested", sent), self.within_s)
        if requested is None:
            msg = f"order recorded no CancelRequested within {self.within_s:g} s"
            raise Broken(msg)
        return requested.id

    async def send(
        self,
        command: Command,
        *,
        command_id: str | None = None,
        more: Mapping[str, Any] | None = None,
        bare: bool = False,
    ) -> str:
        """Send a command; its id.

        Args:
            more: fields that nobody knows.
            bare: without any header; the id is then the place in the stream.
        """
        subject = command_subject(command.owner, self.order_id, type(command).__name__)
        body = json.dumps(command.model_dump(mode="json") | dict(more or {})).encode()
        if bare:
            return f"{self.market.names.stream(COMMANDS)}-{await self.put(subject, body)}"
        self._numbers += 1
        command_id = command_id or f"{type(command).__name__}-{self.order_id[:8]}-{self._numbers}"
        # Another Nats-Msg-Id each time, so that JetStream itself drops no repetition.
        headers = {"ce-id": command_id, "ce-specversion": "1.0", "Nats-Msg-Id": f"{self.order_id}-{self._numbers}"}
        await self.put(subject, body, headers)
        return command_id

    async def put(self, subject: str, body: bytes, headers: dict[str, str] | None = None) -> int:
        """Store any message; its place."""
        return (await self.market.js.publish(self.market.names.subject(subject), body, headers=headers)).seq

    async def does(self, command: Command, event: str, **options: Any) -> Told:
        """The seller does something that is in order; the event that must follow. What is refused is tried again.

        Raises:
            Broken: it does not follow.
        """
        deadline, refused = time.monotonic() + self.within_s, ""
        while (left_s := deadline - time.monotonic()) > 0:
            sent = await self.send(command, **options)
            told, refusal = self._first(Owner.SELLER, event, sent), self._refusal(sent)
            found = await self._tape.until(_either(told, refusal), left_s)
            if isinstance(found, Told):
                return found
            if found is not None:
                refused = f"; it was refused: {found.get('reason')}"
                await asyncio.sleep(_AGAIN_S)
        msg = f"{type(command).__name__} was not followed by {event} within {self.within_s:g} s{refused}"
        raise Broken(msg)

    async def all_handled(self) -> None:
        """Return when everything sent so far must have been handled: an order's messages are handled in their order."""
        self._numbers += 1
        await self.does(ProvideTracking(actor=self.seller, tracking_number=f"MARK{self._numbers}"), "TrackingProvided")

    # What is there

    async def order_says(self, event: str) -> Told:
        """Wait for an event of the order.

        Raises:
            Broken: it does not come.
        """
        told = await self._tape.until(self._first(Owner.ORDER, event, None), self.within_s)
        if told is None:
            msg = f"order did not record {event} within {self.within_s:g} s"
            raise Broken(msg)
        return told

    async def refusal(self, command_id: str) -> dict[str, Any] | None:
        """The refusal of a command, if it comes in time."""
        return await self._tape.until(self._refusal(command_id), self.within_s)

    async def dead_letter(self, sequence: int) -> Stored | None:
        """The dead letter of a command at that place, if it comes in time."""

        def look() -> Stored | None:
            letters = self._tape.of(DEAD)
            return next((one for one in letters if one.headers.get("dead-sequence") == str(sequence)), None)

        return await self._tape.until(look, self.within_s)

    def told(self, owner: Owner = Owner.SELLER) -> list[Told]:
        """Everything that an owner has recorded of the order, in the stream's order."""
        bare = self.market.names.bare
        return [_taken_apart(one, bare(one.subject)) for one in self._tape.of(owner.upper(), self.order_id)]

    def commands(self) -> list[Stored]:
        """Every command about the order."""
        return self._tape.of(COMMANDS, self.order_id)

    def names(self) -> list[str]:
        """The names of all that the seller has recorded."""
        return [one.name for one in self.told()]

    def _first(self, owner: Owner, event: str, cause: str | None) -> Callable[[], Told | None]:
        def look() -> Told | None:
            return next((one for one in self.told(owner) if one.name == event and cause in (None, one.cause)), None)

        return look

    def _refusal(self, command_id: str) -> Callable[[], dict[str, Any] | None]:
        subject = self.market.names.subject(f"reply.seller.{self.order_id}.{token(command_id)}")

        def look() -> dict[str, Any] | None:
            found = [one for one in self._tape.of(REPLY, self.order_id) if one.subject == subject]
            return _document(found[0].data) if found else None

        return look


def _either(
    told: Callable[[], Told | None], refusal: Callable[[], dict[str, Any] | None]
) -> Callable[[], Told | dict[str, Any] | None]:
    return lambda: told() or refusal()


def _taken_apart(stored: Stored, subject: str) -> Told:
    tokens = [*subject.split("."), "", "", "", ""]
    return Told(stored, tokens[2], tokens[3], _document(stored.data))


def _document(data: bytes) -> dict[str, Any]:
    try:
        found: Any = json.loads(data)
    except ValueError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def expect(*, holds: bool, otherwise: str) -> None:
    """Go on if it holds.

    Raises:
        Broken: it does not.
    """
    if not holds:
        raise Broken(otherwise)
