"""What nobody may do who is let in: the server of `deploy/nats` with the users that `countermand users` writes."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from countermand.contracts.base import Owner
from countermand.runtime.names import Names
from countermand.runtime.settings import Settings
from lab.access import files
from lab.access.users import users
from lab.system import CARDS, provisioned
from tests.support.guarded import Guarded, guarded
from tests.support.system import countermand

ORDER_ID: Final = "p" * 24
SERVICES: Final = tuple(map(str, Owner))

_READS: Final = ("DIRECT.GET", "STREAM.MSG.GET", "CONSUMER.CREATE", "STREAM.SNAPSHOT")

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Guarded]:
    """A server with users and streams."""
    async with guarded(tmp_path_factory.mktemp("guarded")) as server:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in server.environment("provision").items():
                patch.setenv(name, value)
            await provisioned(server.url, Settings())
        yield server


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    return request.param


def others(service: str) -> list[str]:
    return [other for other in SERVICES if other != service]


def consumers(service: str) -> list[tuple[str, str]]:
    """A service's consumers: stream and name."""
    (card,) = (card for card in CARDS if card.name == service)
    return [(heard.stream, f"{service}-{heard.stream.lower()}") for heard in card.subscriptions()]


async def test_a_service_may_record_its_own_events(server: Guarded, service: str) -> None:
    async with server.connected(service) as visitor:
        own = [
            f"{service}.{ORDER_ID}.SomethingNew.1",
            f"reply.{service}.{ORDER_ID}.c1",
            f"dead.{service}.{service}-order",
        ]
        assert await visitor.may_publish(*own) == own


async def test_a_service_may_not_speak_for_another(server: Guarded, service: str) -> None:
    said = [
        subject.format(other=other, id=ORDER_ID)
        for other in others(service)
        for subject in (
            "{other}.{id}.OrderCancelled.1",
            "reply.{other}.{id}.c1",
            "timer.{other}.{id}.AnswerDue.1",
            "due.{other}.{id}.AnswerDue.1",
            "dead.{other}.{other}-order",
            "retry.{other}.{other}-order",
            "_INBOX_{other}.answer",
        )
    ]
    said += [f"due.{service}.{ORDER_ID}.AnswerDue.1", "policy.0123", "deliver.order.commands"]
    async with server.connected(service) as visitor:
        assert await visitor.may_publish(*said) == []


async def test_a_service_sends_no_commands(server: Guarded, service: str) -> None:
    async with server.connected(service) as visitor:
        assert await visitor.may_publish(*(f"cmd.{to}.{ORDER_ID}.PlaceOrder" for to in SERVICES)) == []


async def test_a_service_neither_removes_nor_empties_nor_changes_a_stream(server: Guarded, service: str) -> None:
    streams = [*map(str.upper, SERVICES), "COMMANDS", "TIMERS", "REPLY", "DEAD", "POLICIES", "NEW"]
    asked = [
        f"$JS.API.STREAM.{do}.{stream}"
        for do in ("CREATE", "UPDATE", "DELETE", "PURGE", "MSG.DELETE", "RESTORE", "SNAPSHOT")
        for stream in streams
    ]
    async with server.connected(service) as visitor:
        assert await visitor.may_publish(*asked) == []


async def test_a_service_cannot_touch_a_consumer_of_another_nor_make_one(server: Guarded, service: str) -> None:
    asked = [f"$JS.API.CONSUMER.CREATE.{stream}" for stream, _ in consumers(service)]
    for stream, own in consumers(service):
        asked += [f"$JS.API.CONSUMER.{do}.{stream}.{own}" for do in ("CREATE", "DURABLE.CREATE", "DELETE", "MSG.NEXT")]
    for other in others(service):
        for stream, name in consumers(other):
            asked += [
                f"$JS.API.CONSUMER.{do}.{stream}.{name}"
                for do in ("CREATE", "DURABLE.CREATE", "DELETE", "MSG.NEXT", "INFO")
            ]
            asked += [f"$JS.ACK.{stream}.{name}.1.1.1.1.0"]
    async with server.connected(service) as visitor:
        assert await visitor.may_publish(*asked) == []


async def test_a_service_hears_nothing_that_is_meant_for_another(server: Guarded, service: str) -> None:
    asked = [">", "*", "_INBOX.>", f"{service}.>", "cmd.>", "reply.>", "policy.*", "$JS.EVENT.>", "$JS.API.>", "$SYS.>"]
    for other in (*others(service), "web", "lab", "provision", "backup", "observer"):
        asked += [f"_INBOX_{other}.>", f"deliver.{other}.*", f"{other}.>"]
    async with server.connected(service) as visitor:
        assert await visitor.may_hear(*asked) == []


async def test_a_service_reads_only_the_histories_that_its_decisions_need(server: Guarded) -> None:
    """Notify sends emails about orders and rulings: the seller's history and people's commands are not its business."""
    needed = ["$JS.API.DIRECT.GET.ORDER", "$JS.API.DIRECT.GET.DISPUTE", "$JS.API.DIRECT.GET.NOTIFY"]
    others_business = [f"$JS.API.{do}.{stream}" for do in _READS for stream in ("SELLER", "COMMANDS", "TIMERS", "DEAD")]
    async with server.connected("notify") as visitor:
        assert await visitor.may_publish(*needed, *others_business) == needed


@pytest.mark.parametrize("user", ["web", "lab", "provision", "backup", "observer"])
async def test_nobody_but_a_service_records_events_or_takes_its_messages(server: Guarded, user: str) -> None:
    said = [f"{owner}.{ORDER_ID}.OrderCancelled.1" for owner in SERVICES]
    said += [f"$JS.API.STREAM.{do}.ORDER" for do in ("DELETE", "PURGE")]
    for owner in SERVICES:
        for stream, name in consumers(owner):
            said += [f"$JS.API.CONSUMER.DELETE.{stream}.{name}", f"$JS.ACK.{stream}.{name}.1.1.1.1.0"]
    heard = [f"_INBOX_{owner}.>" for owner in SERVICES] + ["deliver.order.seller", ">"]
    async with server.connected(user) as visitor:
        assert await visitor.may_publish(*said) == []
        assert await visitor.may_hear(*heard) == []


async def test_an_observer_sees_how_streams_are_and_no_message(server: Guarded) -> None:
    async with server.connected("observer") as visitor:
        assert (await visitor.nc.jetstream().stream_info("ORDER")).config.name == "ORDER"
        asked = [f"$JS.API.{do}.ORDER" for do in _READS] + [f"cmd.order.{ORDER_ID}.PlaceOrder"]
        assert await visitor.may_publish(*asked) == []


async def test_the_web_makes_no_consumer(server: Guarded) -> None:
    """It could give it another's name; it follows the streams without."""
    asked = [f"$JS.API.CONSUMER.{do}" for do in ("CREATE.ORDER", "CREATE.ORDER.mine", "DURABLE.CREATE.ORDER.mine")]
    async with server.connected("web") as visitor:
        assert await visitor.may_publish(*asked) == []


async def test_a_message_over_64_kib_is_refused(server: Guarded) -> None:
    async with server.connected("lab") as visitor:
        assert visitor.nc.max_payload == 64 * 1024


async def test_nobody_comes_in_without_a_password(server: Guarded, tmp_path: Path) -> None:
    """A service says in one line what is wrong, and exits with 2."""
    wrong = tmp_path / "password"
    wrong.write_text("guessed")
    environment = server.environment("order") | {"NATS_PASSWORD_FILE": str(wrong)}
    ran = await countermand("service", "order", environment=environment)
    assert ran.code == 2
    assert ran.err.splitlines()[-1] == "the NATS server does not let order in: nats: 'Authorization Violation'"
    ran = await countermand("audit", environment={"NATS_URL": server.url})
    assert ran.code == 2
    assert "Authorization Violation" in ran.err


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"NATS_USER": "order"}, "NATS_USER and NATS_PASSWORD_FILE go together"),
        (
            {"NATS_USER": "order", "NATS_PASSWORD_FILE": "/nowhere"},
            "/nowhere cannot be read: No such file or directory",
        ),
        ({"NATS_USER": "order", "NATS_PASSWORD_FILE": "/dev/null"}, "/dev/null is empty"),
        ({"NATS_CA_FILE": "/dev/null"}, "NATS_CA_FILE: /dev/null is no readable file of certificates"),
    ],
)
async def test_a_setting_that_cannot_be_is_one_clear_line(settings: dict[str, str], complaint: str) -> None:
    ran = await countermand("service", "order", environment=settings)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert complaint in ran.err


async def test_a_second_run_keeps_the_passwords_and_writes_what_the_server_needs_anew(tmp_path: Path) -> None:
    assert len(files.write(tmp_path, users(Names()))) == 9
    before = (tmp_path / "order/password").read_text()
    (tmp_path / "nats/generated.conf").unlink()
    (tmp_path / "web/password").unlink()
    assert files.write(tmp_path, users(Names())) == ["web"]
    assert (tmp_path / "order/password").read_text() == before
    server_side = (tmp_path / "nats/generated.conf").read_text()
    assert not [user for user in users(Names()) if (tmp_path / user / "password").read_text() in server_side]
    assert {path.stat().st_mode & 0o077 for path in tmp_path.rglob("*")} == {0}  # noqa: ASYNC240
