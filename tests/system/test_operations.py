"""What operators see of real processes: alive, ready, their metrics and their traces."""

import asyncio
import json
import socket
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from countermand.contracts import EVENTS
from countermand.contracts.base import Actor, Owner, Role
from countermand.contracts.order import AskSellerToCancel, CancelReason
from countermand.kernel.ids import order_id_from
from countermand.runtime.embedded import Child
from lab.market import Market
from lab.system import System, embedded
from tests.support import system as at
from tests.support.observability import documented
from tests.support.otlp import Collector, Span, collecting

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLER: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
EVENTS_OF_TWO_ORDERS: Final = at.CANCELLED_UNPAID + at.CANCELLED_REFUNDED


@pytest.fixture(scope="module")
def collector() -> Generator[Collector]:
    """Where the system sends its traces."""
    with collecting() as collector:
        yield collector


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(collector: Collector) -> AsyncGenerator[System]:
    """One system for all; its spans are sent soon."""
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    async with embedded(environment=traced) as system:
        yield system


@pytest_asyncio.fixture(loop_scope="module")
async def market(system: System) -> AsyncGenerator[Market]:
    """A connection that outlives the broker."""
    async with at.connected(system.nats_url) as market:
        yield market


async def test_the_metrics_of_two_orders_are_what_the_streams_hold(system: System, market: Market) -> None:
    urls = {name: await url_of(child) for name, child in system.services.items()}
    before = {name: await samples(url) for name, url in urls.items()}
    unpaid, paid = order_id_from("metrics", 1), order_id_from("metrics", 2)

    await asyncio.gather(at.Buyer(market, unpaid).cancels_unpaid(), at.Buyer(market, paid).cancels_paid())
    await at.drained(market)

    after = {name: await samples(url) for name, url in urls.items()}
    recorded = await at.events_of_all(market)
    assert recorded[unpaid] + recorded[paid] == EVENTS_OF_TWO_ORDERS
    for owner in (Owner.ORDER, Owner.SELLER, Owner.DISPUTE, Owner.NOTIFY):
        grown = after[owner] - before[owner]
        own = Counter({name: n for name, n in EVENTS_OF_TWO_ORDERS.items() if EVENTS[name].owner == owner})
        assert by_label(grown, "countermand_events_appended_total", "event") == own
        settled = by_label(grown, "countermand_messages_handled_total", "outcome").total()
        assert settled == total(grown, "countermand_hop_seconds_count") > 0
        assert total(after[owner], "countermand_consumer_ack_pending") == 0
        assert total(grown, "countermand_append_conflicts_total") == 0
    order, notify = after["order"] - before["order"], after["notify"] - before["notify"]
    assert total(order, "countermand_request_to_answer_seconds_count") == 2
    assert total(notify, "countermand_request_to_email_seconds_count") == 2
    assert by_label(notify, "countermand_emails_total", "result") == Counter(sent=3)


async def test_what_nobody_can_handle_and_what_is_refused_is_counted(system: System, market: Market) -> None:
    url = await url_of(system.services["order"])
    before = await samples(url)
    nowhere = order_id_from("metrics", 3)
    await market.js.publish(f"cmd.order.{nowhere}.Nonsense", b"{}")
    await market.send(
        nowhere, AskSellerToCancel(actor=Actor(role=Role.BUYER, id="bea"), reason=CancelReason.BETTER_OFFER)
    )
    await at.drained(market)
    grown = await samples(url) - before
    assert by_label(grown, "countermand_dead_letters_total", "consumer") == Counter({"order-commands": 1})
    assert by_label(grown, "countermand_refusals_total", "reason") == Counter(unknown_order=1)
    assert by_label(grown, "countermand_messages_handled_total", "outcome") == Counter(dead=1, refused=1)
    assert by_label(grown, "countermand_messages_handled_total", "name") == Counter(other=1, AskSellerToCancel=1)


async def test_every_series_is_documented_and_every_documented_series_is_there(system: System) -> None:
    urls = [*[await url_of(child) for child in system.services.values()], system.mailbox_url]
    texts = [(await get(f"{url}/metrics")).text for url in urls]
    families = [family for text in texts for family in text_string_to_metric_families(text)]
    promised = documented(without="Of web")
    assert {family.name for family in families} == {family_of(name) for name in promised}
    for family in families:
        for sample in family.samples:
            assert sample.labels.keys() <= promised[sample.name], sample.name


async def test_a_service_is_alive_before_its_broker_and_ready_only_with_it(system: System) -> None:
    await system.services["order"].stop()
    await system.nats.kill()
    order = await at.start_service(system, "order")
    url = await url_of(order)
    assert (await get(f"{url}/healthz")).json() == {"status": "ok"}
    unready = await get(f"{url}/readyz")
    assert unready.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert unready.json()["checks"]["broker"] == {"ok": False, "vital": True, "detail": "not connected"}
    assert unready.json()["checks"]["consuming"]["detail"] == "starting"

    await system.nats.start()
    await ready(url)
    await system.nats.kill()
    away = await becomes(url, httpx.codes.SERVICE_UNAVAILABLE)
    assert away["checks"]["consuming"]["ok"], "it waits, and goes on when the broker is back"
    await system.nats.start()
    await ready(url)


async def test_a_service_whose_consumer_was_deleted_is_not_ready(system: System, market: Market) -> None:
    url = await url_of(system.services["dispute"])
    await ready(url)
    info = (await at.consumers(market, Owner.DISPUTE))["dispute-commands"]
    await market.js.delete_consumer("COMMANDS", "dispute-commands")
    unready = await becomes(url, httpx.codes.SERVICE_UNAVAILABLE)
    assert unready["checks"]["streams"]["detail"] == "missing: COMMANDS with the consumer dispute-commands"
    await market.js.add_consumer("COMMANDS", config=info.config)
    await ready(url)


async def test_a_mail_server_that_is_away_is_told_and_leaves_notify_ready(system: System, market: Market) -> None:
    url = await url_of(system.services["notify"])
    await ready(url)
    await at.behave(system.mailbox_url, mode="451")
    buyer = at.Buyer(market, order_id_from("mail", 1))
    await buyer.cancels_unpaid()

    async def told() -> Any:
        answer = await get(f"{url}/readyz")
        return answer if not answer.json()["checks"]["smtp"]["ok"] else None

    answer = await at.until(told, "notify tells that the mail server is busy")
    assert answer.status_code == httpx.codes.OK
    assert "451" in answer.json()["checks"]["smtp"]["detail"]
    assert by_label(await samples(url), "countermand_message_retries_total", "reason")["outage"] > 0
    await at.behave(system.mailbox_url, mode="ok")
    await at.drained(market)
    assert (await get(f"{url}/readyz")).json()["checks"]["smtp"]["ok"]


async def test_a_port_that_is_taken_ends_the_service_with_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ran = await at.countermand("service", "seller", environment={"HTTP_PORT": port})
    assert (ran.code, ran.err) == (2, f"cannot listen on http://127.0.0.1:{port}: Address already in use\n")


async def test_traces_without_their_libraries_end_the_service_with_one_line(tmp_path: Path) -> None:
    """As where the extra is not installed."""
    (tmp_path / "opentelemetry.py").write_text("raise ImportError('there is no opentelemetry')")
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "PYTHONPATH": str(tmp_path)}
    ran = await at.countermand("service", "seller", environment=traced)
    assert ran.code == 2
    [line] = ran.err.splitlines()
    assert line.startswith("OTEL_EXPORTER_OTLP_ENDPOINT is set, which needs the extra `otel`")


async def test_an_order_is_one_trace_across_the_services(
    system: System, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each span's parent is the one from which its message came, and the first one's is the caller's."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("TRACEPARENT", CALLER)
    order_id = order_id_from("traced", 1)
    market = await Market.connect(system.nats_url)
    try:
        await at.Buyer(market, order_id).cancels_paid()
        await at.drained(market)
    finally:
        await market.close()

    way = (
        ("lab", "send cmd.order.PlaceOrder"),
        ("lab", "send cmd.order.AskSellerToCancel"),
        ("order", "process cmd.order.AskSellerToCancel"),
        ("seller", "process order.CancelRequested"),
        ("order", "process seller.SellerAccepted"),
        ("notify", "process order.OrderCancelled"),
    )

    async def all_there() -> Any:
        spans = {(span.service, span.name): span for span in collector.spans if span.trace == CALLER.split("-")[1]}
        return [spans[step] for step in way] if spans.keys() >= set(way) else None

    spans: list[Span] = await at.until(all_there, "the spans of one order")
    assert [span.parent for span in spans] == [CALLER.split("-")[2], *(span.id for span in spans[:-1])]
    assert {span.outcome for span in spans[2:]} == {"appended"}
    assert collector.paths == {"/v1/traces"}


# How to look


def family_of(name: str) -> str:
    """The parser's word for what a series belongs to."""
    for part in ("_total", "_bucket", "_sum", "_count"):
        name = name.removesuffix(part)
    return name


async def url_of(child: Child) -> str:
    """Where a service listens, from its log."""

    async def told() -> str | None:
        lines = child.log_path.read_text().splitlines() if child.log_path.exists() else []
        told = [json.loads(line) for line in lines if '"service.listening"' in line and f'"pid":{child.pid}' in line]
        return told[-1]["url"] if told else None

    return await at.until(told, f"{child.name} listens")


async def get(url: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=at.WITHIN_S) as http:
        return await http.get(url)


async def becomes(url: str, status: int) -> Any:
    """Wait until `/readyz` answers so; the body."""

    async def answers() -> Any:
        answer = await get(f"{url}/readyz")
        return answer.json() if answer.status_code == status else None

    return await at.until(answers, f"{url}/readyz answers {status}")


async def ready(url: str) -> None:
    await becomes(url, httpx.codes.OK)


async def samples(url: str) -> Counter[tuple[str, tuple[tuple[str, str], ...]]]:
    """Every sample of a process, by its name and labels."""
    families = text_string_to_metric_families((await get(f"{url}/metrics")).text)
    return Counter(
        {(one.name, tuple(sorted(one.labels.items()))): int(one.value) for family in families for one in family.samples}
    )


def by_label(found: Counter[tuple[str, tuple[tuple[str, str], ...]]], name: str, label: str) -> Counter[str]:
    """The samples of a name, added up by one label; zeros left out."""
    added: Counter[str] = Counter()
    for (of_name, labels), number in found.items():
        if of_name == name:
            added[dict(labels)[label]] += number
    return +added


def total(found: Counter[tuple[str, tuple[tuple[str, str], ...]]], name: str) -> int:
    return by_label(found, name, "service").total()
