"""What writes a history to audit: commands and events as messages, with every header that a service would send."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from nats.js import JetStreamContext

from countermand.contracts.base import Brief, Contact, Event, SellerRef
from countermand.contracts.order import (
    Goods,
    PaymentMethod,
)
from countermand.contracts.subjects import command_subject, event_subject
from countermand.kernel.draw import draw_between
from countermand.kernel.ids import order_id_from
from countermand.kernel.money import Money
from countermand.kernel.policy import Policy
from countermand.kernel.terms import Clock, Terms
from lab.audit.fact import COMMANDS, Fact, command, event

PRICE: Final = 4_990
EPOCH: Final = datetime(2023, 3, 1, 17, tzinfo=UTC)
SEED: Final = 7


@dataclass(slots=True)
class Wire:
    """One message to write."""

    owner: str
    subject: str
    headers: dict[str, str]
    data: bytes


class Writer:
    """Writes one order's history. `now` is its simulated time, which moves by `wait` and by nothing else.

    Args:
        name: the order's id follows from it.
        started_ago: how long ago, in real time, the order's clock began to run at `rate`.
    """

    def __init__(
        self,
        name: str = "one",
        *,
        paid: bool = True,
        method: PaymentMethod = PaymentMethod.WALLET,
        policy: Policy | None = None,
        rate: float = 86_400.0,
        started_ago: timedelta = timedelta(days=1),
        run_id: str | None = None,
        customer: Contact | None = None,
    ) -> None:
        self.order_id = order_id_from("history", name)
        self.policy = policy or Policy()
        clock = Clock(epoch=EPOCH, started_at=datetime.now(UTC) - started_ago, rate=rate)
        self.terms = Terms(SEED, self.policy, clock)
        self.method = method
        self.paid = paid
        self.customer = customer
        self.run_id = run_id
        self.now = EPOCH
        self.wires: list[Wire] = []
        self.events: dict[str, Event] = {}
        self.captured = 0
        self.refunded = 0
        self.goods = Goods.NOT_SHIPPED
        self._revisions: Counter[str] = Counter()
        self._commands = 0

    # What anybody writes

    def ask(self, name: str, owner: str = "order") -> str:
        """Somebody sends a command."""
        self._commands += 1
        command_id = f"{name}-{self.order_id[:12]}-{self._commands}"
        headers = {"Nats-Msg-Id": command_id, "ce-id": command_id, "ce-specversion": "1.0", "ce-type": f"{name}.v1"}
        self.wires.append(Wire(COMMANDS, command_subject(owner, self.order_id, name), headers, b"{}"))
        return command_id

    def tell(
        self,
        event: Event,
        cause: str,
        by: str = "",
        *,
        event_id: str | None = None,
        revision: int | None = None,
        name: str | None = None,
        **headers: str,
    ) -> str:
        """An owner records an event; `headers` replaces CloudEvents attributes, an empty one leaves it out."""
        name = name or type(event).__name__
        event_id = event_id or f"{cause}:{by or name}"
        self._revisions[event.owner] += 1
        revision = self._revisions[event.owner] = revision or self._revisions[event.owner]
        attributes = {
            "specversion": "1.0",
            "id": event_id,
            "type": f"{name}.v1",
            "source": f"/countermand/{event.owner}",
            "time": datetime.now(UTC).isoformat(),
            "correlationid": event_id.partition(":")[0],
            "causationid": cause,
            "simtime": self.now.isoformat(),
            "terms": self.terms.ref.header(),
        } | headers
        self.events[event_id] = event
        subject = event_subject(event.owner, self.order_id, name, revision)
        wire_headers = {f"ce-{key}": value for key, value in attributes.items() if value}
        self.wires.append(Wire(event.owner, subject, wire_headers, event.model_dump_json().encode()))
        return event_id

    def unwrite(self, event_id: str) -> Event:
        """Take the last event back."""
        event = self.events.pop(event_id)
        self.wires.pop()
        self._revisions[event.owner] -= 1
        return event

    def wait(self, **span: float) -> Self:
        """Simulated time passes, as in `days=3`."""
        self.now += timedelta(**span)
        return self

    def until(self, at: datetime | None) -> Self:
        """Simulated time passes until then."""
        self.now = max(self.now, at or self.now)
        return self

    def facts(self, *, first_at: int = 1_000, step: int = 1_000_000) -> list[Fact]:
        """The history as facts, one after another by `step` ns, without a broker."""
        places: Counter[str] = Counter()
        facts: list[Fact] = []
        for number, wire in enumerate(self.wires):
            places[wire.owner] += 1
            headers = "".join(f"\r\n{key}: {value}" for key, value in wire.headers.items()) + "\r\n"
            at, place = first_at + number * step, places[wire.owner]
            if wire.owner == COMMANDS:
                facts.append(command("COMMANDS", wire.subject, place, at, headers))
            else:
                facts.append(event(wire.owner, wire.subject, place, at, headers, wire.data))
        return facts

    @property
    def brief(self) -> Brief:
        """Who, from whom, what."""
        return Brief(
            buyer=Contact(id="buyer", name="Robin Buyer", email="robin@shop.example"),
            seller=SellerRef(id="seller", profile="manual"),
            item="Desk lamp, brass",
            price=usd(PRICE),
        )

    def _of(self, event_id: str, kind: type[Any]) -> Any:
        found = self.events[event_id]
        assert isinstance(found, kind)
        return found

    def _ship_by(self) -> datetime:
        return self.policy.business_days.add_business_days(self.now, self.policy.seller_ships_within_business_days)

    def _arrival(self) -> datetime:
        span = getattr(self.policy.refund_transit_business_days, self.method)
        days = draw_between(span.low, span.high, SEED, self.order_id, "P11")
        return self.policy.business_days.add_business_days(self.now, days) if days else self.now


def usd(amount_minor: int) -> Money:
    """So many cents."""
    return Money(amount_minor=amount_minor, currency="USD")


async def write(js: JetStreamContext, *histories: Writer, prefix: str = "") -> None:
    """Write histories into the streams, one after another."""
    for history in histories:
        for wire in history.wires:
            await js.publish(prefix + wire.subject, wire.data, headers=wire.headers)
