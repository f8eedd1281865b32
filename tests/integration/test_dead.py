"""Dead letters: a replay is the message that failed, come once more; and nothing about a letter is ever lost."""

import asyncio
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from countermand.contracts.order import AskSellerToCancel, CancelReason, OpenCancelDialog, PaymentMethod
from countermand.contracts.seller import SellerAccepted
from countermand.kernel.policy import Policy
from countermand.runtime.card import Card
from countermand.runtime.letters import DISCARD, REPLAY, Letters, Outcome, Wish
from countermand.runtime.streams import COMMANDS, DEAD
from lab import cli
from services.order.app import CARD as ORDER
from services.order.commands import EndSilence, IssueRefund
from tests.integration.conftest import FASTEST, Shop, deciding, eventually, some_order_id, terms_now
from tests.support.orders import BUYER, place

PRESS: Final = OpenCancelDialog(actor=BUYER, reason=CancelReason.BETTER_OFFER)
ASK: Final = AskSellerToCancel(actor=BUYER, reason=CancelReason.BETTER_OFFER)
LOGGED: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[")
AGAIN: Final = Wish(REPLAY, "anna", "mended")
AWAY: Final = Wish(DISCARD, "anna", "nobody's")


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("countermand.runtime.handler._RETRY_S", (0.001,))


# A replay is the message that failed


async def test_a_replay_is_decided_with_the_id_and_the_time_of_the_message_that_failed(shop: Shop) -> None:
    """An hour of the order's time has passed since; the dialog lapses as if it had been shown at once."""
    async with shop.serving(broken(OpenCancelDialog)):
        order_id = await shop.place(under=terms_now(rate=3_600))
        sent = await shop.send(order_id, PRESS, id="pressed", correlationid="run-1")
        await shop.settled()
    await asyncio.sleep(1)
    async with shop.serving(ORDER):
        outcome = await act(shop, letter_of(await known(shop)), AGAIN)
        await shop.settled()

    placed, shown = await shop.facts(order_id)
    assert outcome.done
    assert (shown.name, shown.id, shown.caused_by) == ("CancelDialogOpened", "pressed:OpenCancelDialog", "pressed")
    [command] = [stored for stored in await shop.stored(COMMANDS) if stored.sequence == sent]
    elapsed = (command.stored_at - placed.at).total_seconds() * 3_600
    assert abs((shown.simulated_at - placed.simulated_at).total_seconds() - elapsed) < 60
    [stored] = [event for event in await shop.stored("ORDER") if "CancelDialogOpened" in event.subject]
    assert stored.headers["ce-correlationid"] == "run-1"
    assert shown.at - command.stored_at > timedelta(seconds=1)


@pytest.mark.parametrize(
    ("headers", "cause"), [({}, "COMMANDS-2"), ({"Nats-Msg-Id": "from the client"}, "from the client")]
)
async def test_a_replay_of_a_command_without_an_id_has_the_id_that_the_first_try_had(
    shop: Shop, headers: dict[str, str], cause: str
) -> None:
    async with shop.serving(broken(OpenCancelDialog)):
        order_id = await shop.place()
        await shop.send(order_id, PRESS, headers=headers)
        await shop.settled()
    async with shop.serving(ORDER):
        await act(shop, letter_of(await known(shop)), AGAIN)
        await shop.settled()
    assert (await shop.facts(order_id))[-1].caused_by == cause


async def test_a_replay_does_not_turn_back_the_orders_time(shop: Shop) -> None:
    async with shop.serving(broken(AskSellerToCancel)):
        order_id = await shop.place(under=terms_now(rate=3_600))
        await shop.send(order_id, ASK)
        await shop.settled()
        shown = await shop.do(order_id, PRESS)
    async with shop.serving(ORDER):
        await act(shop, letter_of(await known(shop)), AGAIN)
        await shop.settled()
    requested = (await shop.facts(order_id))[-1]
    assert (requested.name, requested.simulated_at) == ("CancelRequested", shown.simulated_at)


async def test_what_was_done_before_the_failure_is_not_done_again(shop: Shop) -> None:
    """The order was cancelled, and the refund failed: the replay issues it, once."""
    order_id, under = some_order_id(), terms_now()
    async with shop.serving(broken(IssueRefund)):
        await shop.place(order_id=order_id, paid=True, method=PaymentMethod.WALLET, under=under)
        await shop.send(order_id, ASK, id="ask")
        await shop.until(order_id, "CancelRequested")
        await shop.tell(order_id, SellerAccepted(request_id="ask:AskSellerToCancel"), 1, "yes", under)
        await shop.settled()
    assert (await shop.events(order_id))[-1] == "OrderCancelled"
    async with shop.serving(ORDER):
        letter = letter_of(await known(shop))
        await act(shop, letter, AGAIN)
        await shop.settled()
        ended = await shop.events(order_id)
        await send_verbatim(shop, letter)  # Whatever else may send it once more.
        await shop.settled()
    assert ended[-4:] == ["OrderCancelled", "RefundIssued", "RefundReceived", "OrderClosed"]
    assert await shop.events(order_id) == ended


async def test_a_fired_timer_can_be_replayed_although_its_stream_has_forgotten_it(shop: Shop) -> None:
    async with shop.serving(broken(EndSilence)):
        order_id = await shop.place(under=terms_now(rate=FASTEST))
        await shop.do(order_id, ASK)

        async def has_failed() -> bool:
            return bool((await known(shop)).known)

        await eventually(has_failed)
        await shop.settled()
    async with shop.serving(ORDER):
        await act(shop, letter_of(await known(shop)), AGAIN)
        await shop.settled()
    assert await shop.events(order_id) == ["OrderPlaced", "CancelRequested", "OrderCancelled", "OrderClosed"]


async def test_an_order_under_a_policy_that_is_stored_later_is_placed_by_a_replay(shop: Shop) -> None:
    order_id, policy = some_order_id(), Policy(dialog_lapses_after_min=7)
    async with shop.serving(ORDER):
        await shop.send(order_id, place(under=terms_now(policy)))
        await shop.settled()
        letter = letter_of(await known(shop))
        await shop.market.policies.put(policy)
        await act(shop, letter, AGAIN)
        await shop.settled()
    assert await shop.events(order_id) == ["OrderPlaced"]


async def test_what_fails_again_is_a_dead_letter_again_and_no_loop(shop: Shop) -> None:
    async with shop.serving(broken(OpenCancelDialog)):
        order_id = await shop.place()
        sent = await shop.send(order_id, PRESS)
        await shop.settled()
        first = letter_of(await known(shop))
        await act(shop, first, AGAIN)
        await shop.settled()
        letters = await known(shop)
    [second] = letters.open()
    assert len(letters.known) == 2
    assert (second.follows, second.subject, second.original) == (first, f"cmd.order.{order_id}.OpenCancelDialog", sent)
    assert second.consumer == "order-commands"
    assert len(await shop.stored(DEAD)) == 3
    async with shop.serving(ORDER):
        await act(shop, second.sequence, AGAIN)
        await shop.settled()
    assert (await shop.facts(order_id))[-1].caused_by == f"COMMANDS-{sent}"


async def test_a_replay_that_does_not_say_of_what_is_a_dead_letter_itself(shop: Shop) -> None:
    async with shop.serving(ORDER):
        order_id = await shop.place()
        subject = {"dead-subject": f"cmd.order.{order_id}.OpenCancelDialog"}
        for headers in ({}, subject, subject | {"dead-stream": COMMANDS, "dead-sequence": "x", "dead-time": "soon"}):
            await shop.put("retry.order.order-commands", PRESS.model_dump_json().encode(), headers)
        await shop.put("retry.order.order-commands.more", b"{}", subject)
        await shop.settled()
    reasons = [letter.reason for letter in (await known(shop)).open()]
    assert len(reasons) == 4
    assert all("is no subject of a command" in reason for reason in reasons)
    assert await shop.events(order_id) == ["OrderPlaced"]


# What is cut, and what cannot be


async def test_a_body_that_was_cut_is_replayed_whole_while_its_stream_has_it(shop: Shop) -> None:
    async with shop.serving(broken(OpenCancelDialog)):
        order_id = await shop.place()
        body = PRESS.model_dump() | {"unknown": "x" * 50 * 1024}
        await shop.put(f"cmd.order.{order_id}.OpenCancelDialog", json.dumps(body).encode())
        await shop.settled()
    async with shop.serving(ORDER):
        letters = await known(shop)
        letter = letters.known[letter_of(letters)]
        assert letter.cut_from
        await act(shop, letter.sequence, AGAIN)
        await shop.settled()
    assert (await shop.events(order_id))[-1] == "CancelDialogOpened"


async def test_a_body_that_was_cut_and_is_gone_is_refused(shop: Shop) -> None:
    async with shop.serving(ORDER):
        order_id = await shop.place()
        sent = await shop.put(f"cmd.order.{order_id}.OpenCancelDialog", b"x" * 50 * 1024)
        await shop.settled()
    await shop.market.js.delete_msg(COMMANDS, sent)
    outcome = await act(shop, letter_of(await known(shop)), AGAIN)
    assert (outcome.refused, outcome.done) == (True, False)
    assert outcome.what == (
        f"cannot be replayed: the letter has only a part of its 51200 bytes, and COMMANDS no longer has message {sent}"
    )
    assert letter_of(await known(shop))


async def test_what_the_broker_would_not_take_back_is_refused_and_the_connection_lives(shop: Shop) -> None:
    async with shop.serving(ORDER):
        order_id = await shop.place()
        await shop.put(f"cmd.order.{order_id}.OpenCancelDialog", b"x" * (64 * 1024 - 100), {"a": "b"})
        await shop.settled()
    outcome = await act(shop, letter_of(await known(shop)), AGAIN)
    assert outcome.refused
    assert "and the broker takes 65536" in outcome.what
    assert letter_of(await known(shop))


async def test_a_failure_on_record_is_not_replayed(shop: Shop) -> None:
    """The mail server's refusal is an event: a replay would find it and send nothing."""
    async with shop.serving(ORDER):
        await shop.place()
    await shop.put(
        "dead.notify.notify-order",
        b"{}",
        {
            "dead-subject": f"order.{some_order_id()}.OrderCancelled.2",
            "dead-stream": "ORDER",
            "dead-sequence": "2",
            "dead-time": datetime.now(UTC).isoformat(),
            "dead-reason": "EmailFailed: 550 no such mailbox",
        },
    )
    outcome = await act(shop, letter_of(await known(shop)), AGAIN)
    assert (outcome.refused, outcome.what.split(":")[0]) == (True, "cannot be replayed")
    assert (await act(shop, letter_of(await known(shop)), AWAY)).done


# Once, by one operator, and on record


async def test_of_many_operators_at_once_one_replays_each_letter(shop: Shop) -> None:
    async with shop.serving(ORDER):
        sent = [await shop.put(f"cmd.order.{some_order_id()}.Nope", b"{}") for _ in range(10)]
        await shop.settled()
    desks = [await known(shop) for _ in range(4)]
    wishes = [Wish(kind, f"operator {number}", "now") for number, kind in enumerate((REPLAY, REPLAY, DISCARD, DISCARD))]

    async def work(desk: Letters, wish: Wish) -> list[Outcome]:
        return [await desk.carry_out(sequence, wish) for sequence in list(desk.known)]

    outcomes = await asyncio.gather(*map(work, desks, wishes))
    done = [outcome for of_one in outcomes for outcome in of_one if outcome.done]
    assert sorted(outcome.sequence for outcome in done) == list(range(1, len(sent) + 1))
    assert not any(outcome.refused for of_one in outcomes for outcome in of_one)
    assert len(await shop.stored(DEAD)) == 2 * len(sent)
    final = await known(shop)
    assert final.open() == []
    assert {outcome.sequence: outcome.act for outcome in done} == {
        sequence: letter.act for sequence, letter in final.known.items()
    }


async def test_an_act_whose_ack_is_lost_is_done_once_and_known_as_ones_own(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop.serving(ORDER):
        await shop.put(f"cmd.order.{some_order_id()}.Nope", b"{}")
        await shop.settled()
    desk = await known(shop)
    publish = type(shop.market.js).publish
    lost = 0

    async def publish_and_lose_the_ack(self: Any, *args: Any, **options: Any) -> Any:
        nonlocal lost
        await publish(self, *args, **options)
        lost += 1
        raise TimeoutError

    monkeypatch.setattr(type(shop.market.js), "publish", publish_and_lose_the_ack)
    outcome = await desk.carry_out(1, AGAIN)
    monkeypatch.undo()
    assert (outcome.done, lost) == (True, 1)
    assert len(await shop.stored(DEAD)) == 2


async def test_a_letter_is_never_deleted_and_says_who_did_what_and_why(shop: Shop) -> None:
    async with shop.serving(ORDER):
        for _ in range(2):
            await shop.put(f"cmd.order.{some_order_id()}.Nope", b"{}")
        await shop.settled()
    told = await act(shop, 1, replace(AWAY, dry_run=True))
    assert (told.done, told.refused, told.what.split(":")[0]) == (False, False, "would be discarded")
    assert len((await known(shop)).open()) == 2

    first, second = await act(shop, 1, replace(AWAY, reason="a stränger's\nmistake")), await act(shop, 1, AGAIN)
    letters = await known(shop)
    assert [letter.sequence for letter in letters.open()] == [2]
    assert first.done
    assert (second.done, second.refused, second.act) == (False, False, letters.known[1].act)
    done = letters.known[1].act
    assert done is not None
    assert (done.kind, done.actor, done.reason) == (DISCARD, "anna", "a stränger's mistake")
    assert second.what == f"was discarded by anna at {done.at:%Y-%m-%d %H:%M:%S}: a stränger's mistake"
    assert (await act(shop, 3, AGAIN)).what == "there is no such dead letter"


# The command line


async def test_an_operator_finds_a_letter_reads_it_replays_it_and_sees_that_it_is_done(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def dead(*arguments: str, code: int = 0) -> str:
        capsys.readouterr()
        told = await asyncio.to_thread(
            cli.app, ["dead", *arguments, "--nats", shop.settings.nats_url], standalone_mode=False
        )
        said = "\n".join(line for line in capsys.readouterr().out.splitlines() if not LOGGED.match(line))
        assert told == code, said
        return said

    async with shop.serving(broken(OpenCancelDialog)):
        order_id = await shop.place()
        await shop.send(order_id, PRESS, id="pressed")
        await shop.put(f"cmd.order.{order_id}.Nope", b"{}")
        await shop.settled()
    assert (
        await dead("replay", "1", "--dry-run")
        == f"1: would be replayed: cmd.order.{order_id}.OpenCancelDialog for order"
    )
    listed = await dead("list", "--json", str(tmp_path / "list.json"))
    document = json.loads((tmp_path / "list.json").read_text())
    assert [letter["order_id"] for letter in document["letters"]] == [order_id, order_id]
    assert "failed 20 times: RuntimeError('a bug')" in listed
    assert listed.endswith("2 open dead letters")
    assert (await dead("list", "--reason", "NO COMMAND")).endswith("1 open dead letter")
    assert await dead("list", "--service", "seller") == "no open dead letters"
    assert await dead("list", "--since", "1h") == listed

    shown = await dead("show", "1")
    assert f"{order_id}: 4 steps, the last one by → order: somebody asks: Nope" in " ".join(shown.split())
    assert '"reason": "better_offer"' in shown
    assert "`countermand dead replay 1 --reason …`" in " ".join(shown.split())

    async with shop.serving(ORDER):
        replayed = await dead("replay", "1", "--reason", "mended", "--actor", "anna")
        assert replayed.splitlines()[0].startswith("1: replayed by anna at ")
        assert replayed.splitlines()[1:] == ["1: order has handled it"]
    assert (await shop.events(order_id))[-1] == "CancelDialogOpened"
    assert (await dead("replay", "1", "--reason", "mended")).startswith("1: was replayed by anna at ")
    assert (await dead("discard", "--all", "--reason", "a stranger's")).startswith("2: discarded by ")
    assert await dead("list") == "no open dead letters"
    assert "replayed by anna at" in " ".join((await dead("list", "--all")).split())
    assert await dead("replay", "9", "--reason", "why not", code=2) == "9: there is no such dead letter"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["replay", "1"], "why? --reason is kept with what is replayed; --dry-run only tells what would be done"),
        (["discard", "--reason", "x"], "which letters? `countermand dead discard LETTER…`, or --all"),
        (["replay", "1", "--all", "--reason", "x"], "which letters? `countermand dead replay LETTER…`, or --all"),
        (["replay", "1", "--service", "order", "--reason", "x"], "--service belongs to --all: letters have numbers"),
        (["show", "1"], "no NATS server answers at nats://127.0.0.1:1"),
        (["list", "--since", "soon"], "'soon' is no time such as"),
    ],
)
def test_a_mistake_gets_one_line_and_exit_2(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["countermand", "dead", *arguments, "--nats", "nats://127.0.0.1:1"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    assert (ended.value.code, said.out, len(said.err.splitlines())) == (2, "", 1)
    assert line in said.err


# What the tests are made of


def broken(command: type[Any]) -> Card[Any, Any, Any]:
    """The service order, with a bug in how it decides one command."""

    def fail(asked: Any, state: Any, now: Any) -> Any:
        if isinstance(asked, command):
            msg = "a bug"
            raise RuntimeError(msg)  # noqa: TRY004  # A bug has any type.
        return ORDER.decider.decide(asked, state, now)

    return deciding(ORDER, fail)


async def known(shop: Shop) -> Letters:
    """What an operator reads."""
    letters = Letters(shop.market.nc, shop.market.reader, shop.names)
    await letters.read_on()
    return letters


def letter_of(letters: Letters) -> int:
    """The one open letter."""
    [letter] = letters.open()
    return letter.sequence


async def act(shop: Shop, sequence: int, wish: Wish) -> Outcome:
    """What an operator does."""
    return await (await known(shop)).carry_out(sequence, wish)


async def send_verbatim(shop: Shop, sequence: int) -> None:
    """Send a letter back as it is, with no tool of ours."""
    [letter] = [stored for stored in await shop.stored(DEAD) if stored.sequence == sequence]
    headers = {name: value for name, value in letter.headers.items() if not name.startswith("Nats-")}
    await shop.put(letter.subject.replace("dead.", "retry.", 1), letter.data, headers)
