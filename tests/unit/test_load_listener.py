"""Hearing every event once, from a broker that is played by hand."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.lean import LeanClient, Sink
from lab.load.play import listener
from lab.load.play.listener import Listener

WITHIN_S = 5.0
CHECK_S = 0.01


class Broker:
    """One stream, of which each consumer is told by hand what it sends.

    Attributes:
        sent: how many messages the last consumer has sent, as the broker says.
        asked: the first sequence that each consumer was asked for.
        lost: a consumer of which nobody answers.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.asked: list[int] = []
        self.looks = 0
        self.lost = ""
        self.consumer = ""
        self._sink: Sink | None = None

    def new_inbox(self) -> str:
        """Anything."""
        return "inbox"

    async def pour(self, _inbox: str, sink: Sink) -> Any:
        """Remember who hears."""
        self._sink = sink

        async def unsubscribe() -> None:
            """Nothing to undo."""

        return SimpleNamespace(unsubscribe=unsubscribe)

    async def request(self, subject: str, payload: bytes, **_: Any) -> Any:
        """The parts of JetStream's API that a listener uses."""
        answer: dict[str, Any] = {}
        if ".STREAM.INFO." in subject:
            answer = {"state": {"last_seq": 0}}
        elif ".CONSUMER.CREATE." in subject:
            self.asked.append(json.loads(payload)["config"]["opt_start_seq"])
            self.consumer, self.sent = subject.rpartition(".")[2], 0
        elif ".CONSUMER.INFO." in subject:
            self.looks += 1
            if subject.endswith(f".{self.lost}"):
                raise TimeoutError
            answer = {"delivered": {"consumer_seq": self.sent}}
        return SimpleNamespace(data=json.dumps(answer).encode())

    def send(self, sequence: int, nth: int, *, consumer: str | None = None, lost: bool = False) -> None:
        """The consumer's nth message; a lost one does not come."""
        self.sent = nth
        if self._sink and not lost:
            reply = f"$JS.ACK.S.{consumer or self.consumer}.1.{sequence}.{nth}.{sequence * 1_000}.0"
            self._sink(f"order.a.E.{sequence}".encode(), reply.encode(), b"{}", b"")

    async def looked_at(self, times: int) -> None:
        """Wait until the listener has asked so often, from now on, whether all has come."""
        wanted = self.looks + times
        async with asyncio.timeout(WITHIN_S):
            while self.looks < wanted:  # noqa: ASYNC110  # The listener tells nobody.
                await asyncio.sleep(CHECK_S)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look every few milliseconds."""
    monkeypatch.setattr(listener, "_CHECK_EVERY_S", CHECK_S)


async def listening(broker: Broker, heard: list[bytes]) -> Listener:
    """A listener that keeps the subjects of what it hears."""

    def hear(subject: bytes, _at: int, _data: bytes, _headers: bytes) -> None:
        heard.append(subject)

    ear = Listener(cast("LeanClient", broker), "S", ["order.>"], hear)
    await ear.start()
    return ear


async def test_a_last_message_that_was_lost_is_asked_for_again() -> None:
    """No later one shows the gap; the broker's count of what it has sent does."""
    broker, heard = Broker(), list[bytes]()
    ear = await listening(broker, heard)
    first = broker.consumer
    broker.send(1, 1)
    broker.send(2, 2, lost=True)
    await broker.looked_at(2)
    assert broker.asked == [1, 2]
    broker.send(2, 2, consumer=first)
    broker.send(2, 1)
    await broker.looked_at(2)
    assert (heard, broker.asked) == ([b"order.a.E.1", b"order.a.E.2"], [1, 2])
    await ear.stop()


async def test_a_gap_is_asked_for_from_the_last_one_that_was_heard() -> None:
    """What came after the gap comes again."""
    broker, heard = Broker(), list[bytes]()
    ear = await listening(broker, heard)
    broker.send(1, 1)
    broker.send(2, 2, lost=True)
    broker.send(3, 3)
    async with asyncio.timeout(WITHIN_S):
        while len(broker.asked) < 2:  # noqa: ASYNC110
            await asyncio.sleep(CHECK_S)
    broker.send(2, 1)
    broker.send(3, 2)
    assert (heard, broker.asked) == ([b"order.a.E.1", b"order.a.E.2", b"order.a.E.3"], [1, 2])
    await ear.stop()


async def test_a_consumer_lost_with_its_node_is_replaced() -> None:
    """A cluster does not say that it is gone: nobody answers for it until the node is back."""
    broker, heard = Broker(), list[bytes]()
    ear = await listening(broker, heard)
    broker.send(1, 1)
    broker.lost = broker.consumer
    async with asyncio.timeout(WITHIN_S):
        while len(broker.asked) < 2:  # noqa: ASYNC110
            await asyncio.sleep(CHECK_S)
    broker.send(2, 1)
    assert (heard, broker.asked) == ([b"order.a.E.1", b"order.a.E.2"], [1, 2])
    await ear.stop()
