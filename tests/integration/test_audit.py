"""The audit against a real broker: every fault is seen, nothing else is, whatever the size of the batches."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from nats.js.api import AckPolicy, ConsumerConfig

from countermand.kernel.policy import Policy, PromisedEmail
from countermand.runtime.embedded import NatsServer, start_nats
from countermand.runtime.names import Names
from countermand.runtime.settings import ConfigurationError, Settings
from countermand.runtime.streams import provision
from lab.audit import Options, Report, audit
from lab.audit.histories import history
from lab.audit.show import timeline
from lab.lean import Place, place_of
from lab.market import Market
from tests.support.audits import words
from tests.support.endings import ENDINGS, cancelled_refunded, cancelled_unpaid, completed, late_payment, unpaid_expired
from tests.support.faults import FAULTS, a_lost_email, a_lost_refund, open_after_its_deadline
from tests.support.histories import History, write

_EACH = [(invariant, fault) for invariant, faults in FAULTS.items() for fault in faults]
_NOW = Options(grace_s=0)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Report]:
    """One store with every ending and every fault, audited with grace and without."""

    async def run() -> tuple[Report, Report]:
        server = await start_nats(tmp_path_factory.mktemp("everything"))
        try:
            async with installed(server) as market:
                await write(market.js, *(make() for make in (*ENDINGS, *(fault for _, fault in _EACH))))
                return await audit(market, _NOW), await audit(market, Options(grace_s=3_600))
        finally:
            await server.stop()

    return asyncio.run(run())


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.__name__)
def test_an_honest_history_is_not_blamed(everything: tuple[Report, Report], ending: Callable[[], History]) -> None:
    assert broken_by(everything[0], ending()) == []


@pytest.mark.parametrize(("invariant", "fault"), _EACH, ids=[fault.__name__ for _, fault in _EACH])
def test_a_fault_is_seen_as_what_it_is(
    everything: tuple[Report, Report], invariant: str, fault: Callable[[], History]
) -> None:
    assert broken_by(everything[0], fault()) == [invariant]


def test_nothing_is_blamed_on_nobody(everything: tuple[Report, Report]) -> None:
    report = everything[0]

    assert [violation for violation in report.violations if not violation.order_id] == []
    assert report.orders == len(ENDINGS) + len(_EACH)


@pytest.mark.parametrize("fault", [a_lost_email, a_lost_refund, open_after_its_deadline], ids=lambda f: f.__name__)
def test_what_is_young_is_pending(everything: tuple[Report, Report], fault: Callable[[], History]) -> None:
    lenient = everything[1]

    assert broken_by(lenient, fault()) == []
    pending = {str(line.invariant): line.pending for line in lenient.lines}
    assert pending["I1"] >= 2
    assert pending["I4"] >= 1


async def test_small_batches_and_a_short_memory_change_nothing(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders are let go of at once, and opened again by what comes late about them."""
    async with installed(server) as market:
        await write(market.js, *(make() for make in (*ENDINGS, *(fault for _, fault in _EACH))))
        whole = await audit(market, _NOW)
        monkeypatch.setattr("lab.audit.reading.BATCH", 3)
        monkeypatch.setattr("lab.audit.run.LINGER_NS", 0)
        monkeypatch.setattr("lab.audit.auditor._RATED_WITHIN_NS", 0)
        pieces = await audit(market, _NOW)

    assert _numbers(pieces) == _numbers(whole)
    assert set(pieces.violations) == set(whole.violations)


async def test_late_payments_and_parcels_are_looked_up(server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    lookups: list[str] = []

    async def counted(market: Market, order_id: str) -> list[Any]:
        lookups.append(order_id)
        return await history(market, order_id)

    monkeypatch.setattr("lab.audit.run.history", counted)
    monkeypatch.setattr("lab.audit.run.LINGER_NS", 0)
    monkeypatch.setattr("lab.audit.reading.BATCH", 2)
    closed, between = late_payment(), [completed(f"between-{number}") for number in range(5)]
    late = len(closed.wires) - 5  # The payment, its refund, and the email about it.
    closed.wires, rest = closed.wires[:late], closed.wires[late:]
    async with installed(server) as market:
        await write(market.js, closed, *between)
        closed.wires = rest
        await write(market.js, closed)
        report = await audit(market, _NOW)

    assert words(report.violations) == ""
    assert (report.orders, report.emails["delivered"]) == (6, 2)
    assert closed.order_id in lookups


async def test_only_the_orders_of_a_run(server: NatsServer) -> None:
    ours, other = History("ours", paid=False, run_id="r1"), History("other", paid=False, run_id="r2")
    for placed in (ours, other):
        placed.place()
    async with installed(server) as market:
        await write(market.js, ours, other)

        assert (await audit(market, Options(run="r1"))).orders == 1
        assert (await audit(market, Options(run="r3"))).orders == 0


async def test_only_orders_placed_since(server: NatsServer) -> None:
    before, after = late_payment(), cancelled_unpaid()
    last = before.wires.pop()
    async with installed(server) as market:
        await write(market.js, before)
        await asyncio.sleep(0.01)
        since = datetime.now(UTC)
        before.wires = [last]
        await write(market.js, before, after)

        report = await audit(market, Options(since=since, grace_s=0))

    assert (report.orders, words(report.violations)) == (1, "")


async def test_single_orders_are_looked_up(server: NatsServer) -> None:
    good, bad = cancelled_refunded(), a_lost_email()
    async with installed(server) as market:
        await write(market.js, good, bad)

        assert (await audit(market, Options(orders=(good.order_id,), grace_s=0))).ok
        report = await audit(market, Options(orders=(good.order_id, bad.order_id), grace_s=0))
        assert (report.orders, broken_by(report, bad)) == (2, ["I4"])
        with pytest.raises(ConfigurationError, match=r"no order a{20} is known"):
            await audit(market, Options(orders=("a" * 20,)))


async def test_orders_under_their_own_policies(server: NatsServer) -> None:
    chatty = History("chatty", paid=False, policy=Policy(emails=(PromisedEmail.ORDER_PLACED,)))
    placed = chatty.place()
    strange = History("strange", paid=False, policy=Policy(unpaid_closes_after_days=3))
    strange.place()
    async with installed(server) as market:
        await market.policies.put(chatty.policy)
        await write(market.js, chatty, strange)
        report = await audit(market, Options(grace_s=0))
        assert (broken_by(report, chatty), broken_by(report, strange)) == (["I1", "I4"], ["I6"])

        chatty.email(placed, PromisedEmail.ORDER_PLACED)
        chatty.wires = chatty.wires[-1:]
        await write(market.js, chatty)
        assert broken_by(await audit(market, Options(grace_s=0)), chatty) == ["I1"]


async def test_an_installation_with_a_prefix(server: NatsServer) -> None:
    names = Names("shop1.")
    async with installed(server) as other, installed(server, names) as market:
        await write(other.js, a_lost_email())
        await write(market.js, *(ending() for ending in ENDINGS), prefix="shop1.")
        report = await audit(market, Options(grace_s=0, drained=True))

    assert (report.orders, words(report.violations)) == (len(ENDINGS), "")


async def test_messages_of_strangers_are_named_and_break_nothing(server: NatsServer) -> None:
    order = cancelled_unpaid()
    async with installed(server) as market:
        await write(market.js, order)
        for subject in ("order.what", f"order.{order.order_id}.OrderClosed.99", "cmd.order", "seller.a.b.c.d"):
            await market.nc.publish(subject, b"\x00")
        await market.nc.flush()
        report = await audit(market, Options(grace_s=0))

    said = words(report.violations)
    assert report.orders == 1
    assert "'order.what', which is no event's subject" in said
    assert "'seller.a.b.c.d', which is no event's subject" in said
    assert "revision 99 of order ((unreadable)) follows revision 5" in said
    assert {str(violation.invariant) for violation in report.violations} == {"I6"}


async def test_a_consumer_with_work_is_stuck(server: NatsServer) -> None:
    """I9, and only after the drain."""
    async with installed(server) as market:
        config = ConsumerConfig(durable_name="order-commands", ack_policy=AckPolicy.EXPLICIT)
        await market.js.add_consumer("COMMANDS", config=config)
        await write(market.js, unpaid_expired())

        assert (await audit(market, Options())).ok
        report = await audit(market, Options(drained=True))

    assert words(report.violations) == "I9 consumer order-commands has 1 messages to get and 0 to settle"


async def test_after_the_drain_no_order_waits_for_a_message(server: NatsServer) -> None:
    stuck = a_lost_refund()
    async with installed(server) as market:
        await write(market.js, stuck)

        assert broken_by(await audit(market, Options(drained=True)), stuck) == ["I9"]


async def test_the_mailbox_is_compared_with_the_records(server: NatsServer) -> None:
    arrived, lost = cancelled_unpaid("arrived"), cancelled_unpaid("lost")
    ids = {_message_id(arrived): 2, "<stray@x>": 1}
    async with installed(server) as market, mailbox(ids) as url:
        await write(market.js, arrived, lost)
        live = await audit(market, Options(grace_s=0, mailbox_url=url))
        drained = await audit(market, Options(grace_s=0, mailbox_url=url, drained=True))
        one = await audit(market, Options(orders=(arrived.order_id,), grace_s=0, mailbox_url=url))

    assert broken_by(live, lost) == ["I4"]
    assert live.emails == {"promised": 2, "delivered": 1, "failed": 0, "duplicates": 1, "lost": 1}
    assert live.lines[3].pending == 1
    assert "<stray@x> arrived, and no event says that it was sent" in words(drained.violations)
    assert one.ok


async def test_a_system_that_is_not_there_is_one_clear_line(server: NatsServer) -> None:
    market = await Market.connect(server.url)
    try:
        with pytest.raises(ConfigurationError, match="no stream NOTIFY here"):
            await audit(market, Options())
        await provision(market.js, Names(), Settings(), [])
        with pytest.raises(ConfigurationError, match="no mailbox answers"):
            await audit(market, Options(mailbox_url="http://127.0.0.1:9"))
        assert (await audit(market, Options(drained=True))).ok
    finally:
        await market.close()


async def test_a_timeline_tells_anything(server: NatsServer) -> None:
    """Whatever an order's history holds can be shown."""
    async with installed(server) as market:
        for _, fault in _EACH:
            told = fault()
            await write(market.js, told)
            steps = timeline(await history(market, told.order_id))
            assert len(steps) == len(told.wires)


async def test_the_command_says_it_by_its_exit_code(server: NatsServer, tmp_path: Path) -> None:
    document = tmp_path / "audit.json"
    good, bad = cancelled_refunded(), a_lost_email()
    async with installed(server) as market:
        await write(market.js, good)
        code, output = await command("--nats", server.url, "--grace", "0s", "--json", str(document))
        assert code == 0, output
        assert "✓ I10" in output
        assert "1 orders, 11 events (11 an order)" in output

        await write(market.js, bad)
        code, output = await command("--nats", server.url, "--grace", "0s", "--json", str(document))
        assert code == 3, output
        assert f"I4 order {bad.order_id}: no email cancelled about" in output
        assert "the order is cancelled (seller_agreed)" in output

        code, output = await command("--nats", server.url, "--run", "nowhere")
        assert (code, output) == (2, "countermand: no order of run nowhere is known here\n")

    verdict = json.loads(document.read_text())
    assert (verdict["verdict"], verdict["seed"], verdict["orders"]) == ("fail", None, 2)
    assert verdict["invariants"]["I4"]["violations"][0]["order_id"] == bad.order_id
    assert verdict["emails"] == {"promised": 3, "delivered": 2, "failed": 0, "duplicates": 0, "lost": 1}


@pytest.mark.parametrize(
    "reply",
    [
        b"$JS.ACK.ORDER.audit-1.1.77.5.1700000000000000000.12",
        b"$JS.ACK.hub.ACC123.ORDER.audit-1.1.77.5.1700000000000000000.12.token",
    ],
    ids=["plain", "with a domain"],
)
def test_a_messages_place_is_read_from_its_ack_subject(reply: bytes) -> None:
    assert place_of(reply) == Place("audit-1", 77, 5, 1_700_000_000_000_000_000, 12)


@asynccontextmanager
async def installed(server: NatsServer, names: Names | None = None) -> AsyncGenerator[Market]:
    """The streams of an installation, and a connection."""
    market = await Market.connect(server.url, names)
    try:
        await provision(market.js, market.names, Settings(subject_prefix=market.names.prefix), [])
        yield market
    finally:
        await market.close()


@asynccontextmanager
async def mailbox(message_ids: dict[str, int]) -> AsyncGenerator[str]:
    """A mailbox that has received these."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = json.dumps(message_ids).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def command(*arguments: str) -> tuple[int, str]:
    """`countermand audit`: its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "lab.cli",
        "audit",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


def broken_by(report: Report, history: History) -> list[str]:
    """The invariants that this order breaks, each once."""
    order_id = history.order_id
    return sorted({str(violation.invariant) for violation in report.violations if violation.order_id == order_id})


def _numbers(report: Report) -> dict[str, Any]:
    document = report.document()
    return {key: value for key, value in document.items() if key not in {"seconds", "events_per_s", "invariants"}} | {
        line.invariant: (line.checked, line.pending, len(line.violations)) for line in report.lines
    }


def _message_id(order: History) -> str:
    return next(fact.body["message_id"] for fact in order.facts() if fact.name == "EmailSent")
