"""Whole systems of real processes: what a test does to them, and what they have done, read from outside.

Nothing here asks a service: the streams, the mailbox and `/proc` tell.
"""

import asyncio
import os
import signal
import sys
import sysconfig
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import nats
from nats.errors import Error as NatsError
from nats.js.api import ConsumerInfo

from countermand.contracts.base import Actor, Brief, Contact, Owner, Role, SellerRef
from countermand.contracts.order import (
    AskSellerToCancel,
    CancelReason,
    ConfirmCancel,
    OpenCancelDialog,
    PaymentMethod,
    PlaceOrder,
)
from countermand.kernel.money import Money
from countermand.kernel.policy import Policy
from countermand.kernel.terms import DAY_A_MINUTE, Clock, Terms
from countermand.runtime.direct import Stored
from countermand.runtime.embedded import Child, spawn
from countermand.runtime.names import Names
from countermand.runtime.streams import DEAD, TIMERS
from lab.facts import Fact, history
from lab.market import Market
from lab.stories.story import Story
from lab.system import CARDS, System

WITHIN_S: Final = 60.0
"""How long a test waits for what should take seconds: the machine may be busy with other tests."""

POLL_S: Final = 0.05

COUNTERMAND: Final = str(Path(sysconfig.get_path("scripts")) / "countermand")
"""The console script, as people run it."""

_EVENTS_AT_ONCE: Final = 1_000
_RECONNECT_EVERY_S: Final = 0.2

CANCELLED_UNPAID: Final = Counter(
    {
        "OrderPlaced": 1,
        "CancelDialogOpened": 1,
        "CancelRequested": 1,
        "SellerAccepted": 1,
        "SellerRated": 1,
        "OrderCancelled": 1,
        "OrderClosed": 1,
        "EmailSent": 1,
    }
)
"""What every service records about an unpaid order whose seller agrees at once."""

CANCELLED_REFUNDED: Final = Counter(
    {
        "OrderPlaced": 1,
        "ParcelPlanned": 1,
        "CancelRequested": 1,
        "SellerAccepted": 1,
        "SellerRated": 1,
        "OrderCancelled": 1,
        "RefundIssued": 1,
        "RefundReceived": 1,
        "OrderClosed": 1,
        "EmailSent": 2,
    }
)
"""The same of an order that was paid by wallet."""


# Connections and processes


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[Market]:
    """The marketplace from outside, by a connection that waits for a broker which is away."""

    async def say_nothing(_: Exception) -> None:
        """What fails is told by the call that fails."""

    nc = await nats.connect(
        url, max_reconnect_attempts=-1, reconnect_time_wait=_RECONNECT_EVERY_S, error_cb=say_nothing
    )
    try:
        market = Market(nc, Names(), url)
        await market.reader.start()
        yield market
    finally:
        await nc.close()


async def start_service(system: System, name: str, environment: Mapping[str, str] | None = None) -> Child:
    """Start a service anew, with more in its environment; the system stops it at its end. Not waited for."""
    child = await spawn(
        [sys.executable, "-m", f"services.{name}"],
        env={**system.environment, **(environment or {})},
        log_path=system.data_dir / "logs" / f"{name}.log",
        name=name,
    )
    system.services[name] = child
    system.supervisor.add(child)
    return child


async def ended(child: Child, within_s: float = WITHIN_S) -> int:
    """Wait until a process ends by itself or by a signal of ours; its return code."""
    async with asyncio.timeout(within_s):
        await child.died()
    assert child.returncode is not None
    return child.returncode


def tell(child: Child, number: signal.Signals) -> None:
    """Send a process a signal."""
    os.kill(child.pid, number)


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str


async def countermand(*args: str, environment: Mapping[str, str] | None = None, within_s: float = WITHIN_S) -> Ran:
    """Run the command line as a user would, without a terminal."""
    process = await asyncio.create_subprocess_exec(
        COUNTERMAND,
        *args,
        env={**_clean_environment(), **(environment or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), within_s)
    except TimeoutError:
        process.kill()
        await process.communicate()
        raise
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())


@asynccontextmanager
async def launched(*args: str, temporary: Path) -> AsyncGenerator[asyncio.subprocess.Process]:
    """The command line as a process that is there while the block runs; what it says can be read from its pipes.

    Args:
        temporary: where it puts its temporary files.
    """
    process = await asyncio.create_subprocess_exec(
        COUNTERMAND,
        *args,
        env={**_clean_environment(), "TMPDIR": str(temporary)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_hear_ctrl_c,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            end([process.pid, *descendants(process.pid)])
        await process.communicate()


def _hear_ctrl_c() -> None:
    """A shell starts what it runs in the background deaf to Ctrl-C, and so would be all that these tests start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def press_ctrl_c(process: asyncio.subprocess.Process) -> None:
    """What a terminal does: everybody in the command's group is interrupted, not the command alone."""
    os.killpg(process.pid, signal.SIGINT)


def end(pids: Sequence[int]) -> None:
    """End what a failed test may have left, so that it disturbs no other."""
    for pid in filter(lives, pids):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """Every living process that stems from this one, read from `/proc`."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (state := _state(int(entry.name))) is not None and state[0] not in "ZX":
            children.setdefault(state[1], []).append(int(entry.name))
    found: list[int] = []
    ahead = [pid]
    while ahead:
        born = children.get(ahead.pop(), [])
        found += born
        ahead += born
    return found


def command_of(pid: int) -> str:
    """The command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def lives(pid: int) -> bool:
    """Whether a process runs; a dead one that nobody has waited for does not."""
    state = _state(pid)
    return state is not None and state[0] not in "ZX"


async def gone(pids: Sequence[int], within_s: float) -> list[int]:
    """Wait until these have ended; those that have not."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while any(map(lives, pids)):  # noqa: ASYNC110  # Strangers: nothing tells of their end.
                await asyncio.sleep(0.01)
    return [pid for pid in pids if lives(pid)]


def _state(pid: int) -> tuple[str, int] | None:
    """The state and the parent of a process."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return after_name[0], int(after_name[1])


def _clean_environment() -> dict[str, str]:
    """Ours, less what would lead a command to somebody else's system."""
    ours = ("NATS_URL", "MAILBOX_URL", "SMTP_URL", "LOG_LEVEL", "COUNTERMAND_CRASH_AT", "SUBJECT_PREFIX", "HTTP_PORT")
    return {key: value for key, value in os.environ.items() if key not in ours}


# What is in the streams


async def until(holds: Callable[[], Any], what: str, within_s: float = WITHIN_S) -> Any:
    """Poll an async function until it returns something true; that.

    Raises:
        AssertionError: it did not in time.
    """
    try:
        async with asyncio.timeout(within_s):
            while not (found := await holds()):  # noqa: ASYNC110  # What other processes do tells nobody.
                await asyncio.sleep(POLL_S)
            return found
    except TimeoutError:
        msg = f"not within {within_s:g} s: {what}"
        raise AssertionError(msg) from None


async def consumers(market: Market, *services: Owner) -> dict[str, ConsumerInfo]:
    """What each durable consumer says of itself; of these services, or of all."""
    return {
        market.names.consumer(card.name, subscription.stream): await market.js.consumer_info(
            market.names.stream(subscription.stream), market.names.consumer(card.name, subscription.stream)
        )
        for card in CARDS
        if not services or card.name in services
        for subscription in card.subscriptions()
    }


async def drained(market: Market, *services: Owner, within_s: float = WITHIN_S) -> None:
    """Wait until every consumer, or each of these services, has heard everything and has acked it, and stays so.

    Raises:
        AssertionError: it does not come to that; the message says which consumers have what left.
    """
    left: dict[str, tuple[int | None, int | None]] = {}
    quiet = 0
    try:
        async with asyncio.timeout(within_s):
            while quiet < 2:  # What one consumer acks may have become another's message.
                infos = await consumers(market, *services)
                left = {
                    name: (info.num_pending, info.num_ack_pending)
                    for name, info in infos.items()
                    if info.num_pending or info.num_ack_pending
                }
                quiet = 0 if left else quiet + 1
                await asyncio.sleep(2 * POLL_S)
    except TimeoutError:
        msg = f"not drained within {within_s:g} s; pending and ack-pending: {left}"
        raise AssertionError(msg) from None


async def dead_letters(market: Market) -> list[Stored]:
    """Everything below `dead.`."""
    return await market.reader.following(DEAD, "dead.>", 1, _EVENTS_AT_ONCE)


async def armed_timers(market: Market) -> set[str]:
    """The subjects of all armed timers."""
    info = await market.js.stream_info(TIMERS, subjects_filter="timer.>")
    return {subject for subject in info.state.subjects or {} if not subject.endswith(".cancelled")}


async def facts_of(market: Market, order_id: str) -> list[Fact]:
    """Everything that is recorded about an order."""
    return await history(market.reader, market.names, order_id)


async def events_of_all(market: Market) -> dict[str, Counter[str]]:
    """How many events of each name each order has. Every event has a subject of its own: one used twice counts twice."""
    events: dict[str, Counter[str]] = defaultdict(Counter)
    for owner in Owner:
        info = await market.js.stream_info(market.names.journal(owner), subjects_filter=f"{owner}.>")
        for subject, times in (info.state.subjects or {}).items():
            _, order_id, name, _ = subject.split(".")
            events[order_id][name] += times
    return dict(events)


async def count_of(market: Market, owner: Owner, event: str) -> int:
    """How many events of that name there are, of all orders."""
    info = await market.js.stream_info(market.names.journal(owner), subjects_filter=f"{owner}.*.{event}.*")
    return sum((info.state.subjects or {}).values())


@asynccontextmanager
async def patient(market: Market, *names: str, ack_wait_s: float = 600.0) -> AsyncGenerator[None]:
    """While the block runs, these consumers wait so long for an ack: until then only what is given back comes again."""
    there = await consumers(market)
    infos = [there[name] for name in names]
    for info in infos:
        await market.js.add_consumer(info.stream_name, config=info.config.evolve(ack_wait=ack_wait_s))
    yield
    for info in infos:
        await market.js.add_consumer(info.stream_name, config=info.config)


async def refusals(market: Market) -> list[bytes]:
    """Everything that was refused."""
    return [stored.data for stored in await market.reader.following("REPLY", "reply.>", 1, _EVENTS_AT_ONCE)]


def silently(_story: Story, _state: str) -> None:
    """The progress of stories that nobody watches."""


# What is in the mailbox


async def message_ids(mailbox_url: str, order_id: str | None = None) -> dict[str, int]:
    """Every Message-ID and how often it came."""
    return await _ask(mailbox_url, "/message-ids", {"order": order_id} if order_id else None)


async def mail_count(mailbox_url: str) -> dict[str, int]:
    """`received`, `distinct` and `duplicates`."""
    return await _ask(mailbox_url, "/count")


async def behave(mailbox_url: str, **fault: Any) -> None:
    """Tell the mailbox to fail, as in `mode="451"`."""
    async with httpx.AsyncClient() as http:
        (await http.put(f"{mailbox_url}/mode", json=fault)).raise_for_status()


async def _ask(mailbox_url: str, path: str, params: Mapping[str, str] | None = None) -> Any:
    async with httpx.AsyncClient() as http:
        answer = await http.get(mailbox_url + path, params=params)
        answer.raise_for_status()
        return answer.json()


# A buyer who does not give up


class Buyer:
    """One order of one buyer: every command is sent again, with the same id, until the broker says that it has it."""

    def __init__(self, market: Market, order_id: str, *, name: str = "Bea Buyer", policy: Policy | None = None) -> None:
        self.market = market
        self.order_id = order_id
        self.sent_again = 0
        self.ended = False
        self._name = name
        self._actor = Actor(role=Role.BUYER, id=f"buyer-{order_id}")
        clock = Clock(epoch=datetime.now(UTC), started_at=datetime.now(UTC), rate=DAY_A_MINUTE)
        self._terms = Terms(7, policy or Policy(), clock)

    async def cancels_unpaid(self) -> None:
        """Order, press Cancel, confirm, and wait for the end."""
        await self.place(paid=False)
        await self.hears("OrderPlaced")
        await self._send(OpenCancelDialog(actor=self._actor, reason=CancelReason.NO_LONGER_NEEDED))
        dialog_id = await self.hears("CancelDialogOpened")
        await self._send(ConfirmCancel(actor=self._actor, dialog_id=dialog_id))
        await self.hears("OrderClosed")
        self.ended = True

    async def cancels_paid(self) -> None:
        """Order, pay by wallet, ask the seller to cancel, and wait for the end."""
        await self.place(paid=True)
        await self.hears("OrderPlaced")
        await self.ask_seller()
        await self.hears("OrderClosed")
        self.ended = True

    async def place(self, *, paid: bool, profile: str = "prompt") -> None:
        """Order."""
        brief = Brief(
            buyer=Contact(id=self._actor.id, name=self._name, email=f"{self.order_id}@shop.example"),
            seller=SellerRef(id="seller-1", profile=profile),
            item="Desk lamp, brass",
            price=Money(amount_minor=4_990, currency="USD"),
        )
        await self._send(
            PlaceOrder(
                actor=self._actor, brief=brief, payment_method=PaymentMethod.WALLET, paid=paid, terms=self._terms.ref
            )
        )

    async def ask_seller(self) -> None:
        """Ask the seller to cancel."""
        await self._send(AskSellerToCancel(actor=self._actor, reason=CancelReason.BETTER_OFFER))

    async def hears(self, event: str, within_s: float = WITHIN_S) -> str:
        """Wait for an event of the order; its id."""

        async def look() -> str | None:
            with suppress(NatsError, TimeoutError, ConnectionError):  # Away; it comes back.
                stored = await self.market.reader.last_of_each("ORDER", [f"order.{self.order_id}.{event}.*"])
                return stored[0].headers["ce-id"] if stored else None
            return None

        return await until(look, f"{event} of {self.order_id}", within_s)

    async def _send(self, command: Any) -> None:
        command_id = f"{type(command).__name__}-{self.order_id}"
        async with asyncio.timeout(WITHIN_S):
            while True:
                try:
                    await self.market.send(self.order_id, command, command_id=command_id)
                except (NatsError, TimeoutError, ConnectionError):
                    self.sent_again += 1
                    await asyncio.sleep(_RECONNECT_EVERY_S)
                else:
                    return
