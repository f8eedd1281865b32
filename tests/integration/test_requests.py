"""Requests to a real broker over one inbox: each gets its own answer, and each way of failing its own error."""

import asyncio
from collections.abc import AsyncGenerator

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import MaxPayloadError
from nats.js.api import StreamConfig
from nats.js.errors import APIError, NoStreamResponseError

from countermand.runtime import requests as module
from countermand.runtime.embedded import NatsServer
from countermand.runtime.outage import is_outage
from countermand.runtime.requests import Ack, Requests, put
from tests.integration.conftest import WITHIN_S, eventually

WRONG_LAST_SEQUENCE = 10071


@pytest.fixture
async def nc(server: NatsServer) -> AsyncGenerator[Client]:
    """A connection to a broker with one stream, that comes back by itself."""
    nc = await nats.connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    await nc.jetstream().add_stream(StreamConfig(name="KEPT", subjects=["kept.>"]))
    try:
        yield nc
    finally:
        await nc.close()


@pytest.fixture
async def requests(nc: Client) -> Requests:
    """What is tried."""
    requests = Requests(nc)
    await requests.start()
    return requests


async def test_a_publish_tells_where_the_message_is_and_whether_it_was_there_before(
    nc: Client, requests: Requests
) -> None:
    assert await requests.publish("kept.a", b"one", {"Nats-Msg-Id": "1", "more": "kept"}) == Ack(1, duplicate=False)
    assert await requests.publish("kept.b", b"two", {"Nats-Msg-Id": "2"}) == Ack(2, duplicate=False)
    assert await requests.publish("kept.a", b"one", {"Nats-Msg-Id": "1"}) == Ack(1, duplicate=True)
    stored = await nc.jetstream().get_msg("KEPT", seq=1)
    assert (stored.subject, stored.data, (stored.headers or {})["more"]) == ("kept.a", b"one", "kept")


async def test_a_message_that_is_too_long_with_its_headers_is_not_sent(nc: Client, requests: Requests) -> None:
    """The broker would end the connection over it, and for good."""
    with pytest.raises(MaxPayloadError):
        await requests.publish("kept.a", bytes(nc.max_payload - 10), {"Nats-Msg-Id": "1"})
    assert await requests.publish("kept.a", b"one", {"Nats-Msg-Id": "1"}) == Ack(1, duplicate=False)


async def test_many_in_flight_get_each_its_own_answer(nc: Client, requests: Requests) -> None:
    """Whatever the order in which the answers come."""

    async def answer_odd_ones_late(msg: Msg) -> None:
        if int(msg.data) % 2:
            asyncio.get_running_loop().call_later(0.05, asyncio.ensure_future, msg.respond(msg.data))
        else:
            await msg.respond(msg.data)

    await nc.subscribe("echo", cb=answer_odd_ones_late)
    numbers = [str(n).encode() for n in range(500)]
    assert await asyncio.gather(*(requests.ask("echo", number) for number in numbers)) == numbers


async def test_more_than_may_be_in_flight_wait_for_their_turn_and_their_time_does_not_run(
    nc: Client, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a service short of processor time takes up every answer too late, asks again, and gets nothing done."""
    held: list[Msg] = []

    async def hold(msg: Msg) -> None:
        held.append(msg)

    await nc.subscribe("slow", cb=hold)
    monkeypatch.setattr(module, "TIMEOUT_S", 1.0)
    asking = [asyncio.create_task(requests.ask("slow", b"")) for _ in range(2 * module.IN_FLIGHT_MAX)]

    async def answer_all(round_: int) -> None:
        async def are_asked() -> bool:
            return len(held) == module.IN_FLIGHT_MAX

        await eventually(are_asked)
        await asyncio.sleep(0.7)  # Twice this is more than the time an answer has.
        assert len(held) == module.IN_FLIGHT_MAX, f"in round {round_}"
        for msg in held[:]:
            held.remove(msg)
            await msg.respond(b"done")

    await answer_all(1)
    await answer_all(2)
    assert await asyncio.gather(*asking) == [b"done"] * len(asking)


async def test_a_refused_publish_says_why(requests: Requests) -> None:
    await requests.publish("kept.a", b"", {})
    with pytest.raises(APIError) as refused:
        await requests.publish("kept.a", b"", {"Nats-Expected-Last-Subject-Sequence": "0"})
    assert refused.value.err_code == WRONG_LAST_SEQUENCE
    assert not is_outage(refused.value)


async def test_where_nobody_listens_there_is_no_wait(requests: Requests) -> None:
    async with asyncio.timeout(module.TIMEOUT_S / 2):
        for ask in (requests.ask("nobody.here", b""), requests.publish("no.stream", b"", {})):
            with pytest.raises(NoStreamResponseError) as nobody:
                await ask
            assert is_outage(nobody.value)


async def test_an_answer_that_does_not_come_is_an_outage_and_one_that_comes_late_disturbs_nobody(
    nc: Client, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[Msg] = []

    async def hold(msg: Msg) -> None:
        held.append(msg)

    await nc.subscribe("slow", cb=hold)
    with monkeypatch.context() as patched:
        patched.setattr(module, "TIMEOUT_S", 0.2)
        async with asyncio.timeout(WITHIN_S):
            answers = await asyncio.gather(
                *(requests.ask("slow", str(n).encode()) for n in range(3)), return_exceptions=True
            )
    assert [type(answer) for answer in answers] == [TimeoutError] * 3
    assert all(isinstance(answer, TimeoutError) and is_outage(answer) for answer in answers)

    asking = asyncio.create_task(requests.ask("slow", b"again"))

    async def is_asked() -> bool:
        return len(held) > len(answers)

    await eventually(is_asked)
    for msg in held[:-1]:
        await msg.respond(b"late")
    await held[-1].respond(b"now")
    assert await asking == b"now"


async def test_who_gives_up_disturbs_nobody_and_the_timeouts_of_others_are_kept(
    nc: Client, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: Msg) -> None:
        """It says nothing."""

    await nc.subscribe("mute", cb=never)
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)
    gone, waiting = (asyncio.create_task(requests.ask("mute", b"")) for _ in range(2))
    await asyncio.sleep(0.05)
    gone.cancel()
    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(TimeoutError, match="did not answer within"):
            await waiting
    assert gone.cancelled()
    assert await requests.publish("kept.a", b"", {}) == Ack(1, duplicate=False)


async def test_a_stored_answer_of_503_words_is_no_missing_stream(nc: Client, requests: Requests) -> None:
    """Only the broker's own status says that nobody listens; an answer's text does not."""

    async def answer(msg: Msg) -> None:
        await msg.respond(b"503")

    await nc.subscribe("code", cb=answer)
    assert await requests.ask("code", b"") == b"503"


@pytest.mark.usefixtures("nc")
async def test_answers_come_over_a_new_connection_too(server: NatsServer, requests: Requests) -> None:
    before = await requests.publish("kept.a", b"", {})
    errors: list[Exception] = []
    await server.restart()

    async def is_stored() -> bool:
        try:
            return (await requests.publish("kept.a", b"", {"Nats-Msg-Id": "after"})).sequence > before.sequence
        except Exception as error:  # noqa: BLE001  # Looked at below.
            errors.append(error)
            return False

    await eventually(is_stored)
    assert [error for error in errors if not is_outage(error)] == []


async def test_headers_and_payload_arrive_as_they_were_given(nc: Client) -> None:
    """They are written past nats-py, which reads them here."""
    heard: asyncio.Queue[Msg] = asyncio.Queue()
    await nc.subscribe("wire.>", cb=heard.put)
    headers = {"ce-id": "c1:Zürich", "empty": "", "long": "x" * 5_000, "colons": "a: b: c"}
    await put(nc, "wire.a", "back", headers, b"{\r\n}")
    msg = await asyncio.wait_for(heard.get(), 5)
    assert (msg.subject, msg.reply, msg.data, msg.headers) == ("wire.a", "back", b"{\r\n}", headers)


@pytest.mark.parametrize(
    ("subject", "headers"),
    [
        ("wire.a", {"a": "b\r\nNats-Rollup: all"}),
        ("wire.a", {"a\n": "b"}),
        ("wire.a b", {"a": "b"}),
        ("wire\r\n", {"a": "b"}),
    ],
)
async def test_nothing_can_be_smuggled_into_a_message(nc: Client, subject: str, headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="line break or a space"):
        await put(nc, subject, "back", headers, b"")
