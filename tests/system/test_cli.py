"""The command line towards people: what it answers to mistakes, and how it explains an order."""

import re
import socket
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from countermand.runtime.embedded import start_nats
from lab import cli
from lab.stories import STORIES
from lab.stories.play import perform
from lab.system import CARDS, System, embedded
from tests.support import system as at

AN_ORDER: Final = "7k2m9x4q1z8w5v3t6r0p2n4j"
NOBODY: Final = "nats://127.0.0.1:1"
A_LINE: Final = re.compile(
    r" *(?P<number>\d+)  (?P<simulated>\w{3} \d\d \w{3} \d{4} \d\d:\d\d| {21})  \+ *(?P<real>\d+\.\d{3}) s  "
    r"(?P<who>→ \w+|\w+) +(?P<what>\S.*?)(?:  +(?P<because>(?:\w+ )?of #\d+))? *"
)


# Mistakes: exit 2, one line that says what was expected, nothing played, no traceback


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["demo", "--frobnicate"], "No such option: --frobnicate"),
        (["frobnicate"], "No such command 'frobnicate'."),
        (["dmeo"], "No such command 'dmeo'. Did you mean 'demo'?"),
        (["story", "chnge-of-mind"], "there is no story 'chnge-of-mind'; did you mean change-of-mind?"),
        (["story", "xyzzy"], "there is no story 'xyzzy'; `countermand story --list` lists them"),
        (["story", "change-of-mind", "xyzzy"], "there is no story 'xyzzy'; `countermand story --list` lists them"),
        (["demo", "--seed", "seven"], "Invalid value for '--seed': Input should be a valid integer"),
        (["demo", "--seed", "-1"], "Invalid value for '--seed': Input should be greater than or equal to 0"),
        (["demo", "--seed", str(2**64)], f"Invalid value for '--seed': Input should be less than or equal to {2**63}"),
        (["demo", "--seed"], "Option '--seed' requires an argument."),
        (["story", "change-of-mind", "--nats", NOBODY], f"no NATS server answers at {NOBODY}"),
        (["why", AN_ORDER, "--nats", NOBODY], f"no NATS server answers at {NOBODY}"),
        (["provision", "--nats", NOBODY], f"no NATS server answers at {NOBODY}"),
        (["why", AN_ORDER, "--nats", "nats://127.0.0.1:port"], "no NATS server answers at nats://127.0.0.1:port"),
        (["provision", "--nats", "nats://127.0.0.1:port"], "no NATS server answers at nats://127.0.0.1:port"),
        (["why", AN_ORDER, "--nats", ""], "no NATS server answers at "),
        (["why", AN_ORDER], "name a running NATS server with --nats or NATS_URL"),
        (["provision"], "name a running NATS server with --nats or NATS_URL"),
        (["why"], "Missing argument 'ORDER_ID'."),
        (["service", "odrer"], "there is no service 'odrer'; there are order, seller, dispute, notify, mailbox"),
        (
            ["demo", "--json", "/no/such/folder/demo.json"],
            "Invalid value for '--json': /no/such/folder/demo.json cannot",
        ),
        (["story", "--json", "/"], "Invalid value for '--json': / cannot be written"),
    ],
)
def test_a_mistake_gets_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    """On stderr, with exit code 2, before anything is done."""
    for name in ("NATS_URL", "MAILBOX_URL"):
        monkeypatch.delenv(name, raising=False)

    code = ran_here(monkeypatch, *arguments)

    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert said.err.startswith(f"countermand: {line}")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("service", "environment", "line"),
    [
        ("order", {"LOG_LEVEL": "loud"}, "log_level: Input should be 'debug', 'info', 'warning' or 'error'"),
        ("seller", {"ACK_WAIT_S": "60"}, "ack_wait_s: Input should be less than or equal to 5"),
        ("notify", {"SMTP_URL": "nonsense"}, "SMTP_URL: an SMTP URL is smtp://[user:password@]host:port"),
        ("notify", {"SMTP_CONNECTIONS": "0"}, "smtp_connections: Input should be greater than or equal to 1"),
        ("notify", {"MAIL_FROM": "nonsense"}, "MAIL_FROM: 'nonsense' is no sender: expected an address"),
        ("mailbox", {"MAILBOX_SMTP_PORT": "smtp"}, "mailbox: smtp_port: Input should be a valid integer"),
    ],
)
async def test_a_bad_setting_gets_one_clear_line(service: str, environment: dict[str, str], line: str) -> None:
    """A service whose environment makes no sense does not start."""
    ran = await at.countermand("service", service, environment=environment)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(line)
    assert ran.err.count("\n") == 1


async def test_a_bad_setting_stops_the_demo_too() -> None:
    """Whatever has been started by then is stopped."""
    ran = await at.countermand("demo", environment={"LOG_LEVEL": "loud"})
    assert (ran.code, "playing" in ran.out) == (2, False)
    assert ran.err.startswith("countermand: log_level: Input should be 'debug', 'info', 'warning' or 'error'")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("command", [["story", "change-of-mind"], ["why", AN_ORDER]])
async def test_a_nats_server_without_our_streams_gets_one_clear_line(tmp_path: Path, command: list[str]) -> None:
    """It says what to do."""
    server = await start_nats(tmp_path)
    try:
        ran = await at.countermand(*command, "--nats", server.url)
    finally:
        await server.stop()
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "countermand: this NATS server has no stream ORDER: run `countermand provision`\n"


async def test_a_port_in_use_gets_one_clear_line() -> None:
    """The mailbox says which address it could not have."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ran = await at.countermand("service", "mailbox", environment={"MAILBOX_SMTP_PORT": port})
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("mailbox: ")
    assert port in ran.err
    assert ran.err.count("\n") == 1


# Help


async def test_nothing_asked_shows_the_help() -> None:
    """On stdout and with exit code 0, as people expect who only look."""
    ran = await at.countermand()
    assert (ran.code, ran.err) == (0, "")
    for command in ("demo", "up", "story", "service", "provision", "why"):
        assert re.search(rf"^  {command}  +\S", ran.out, re.MULTILINE), command
    assert (await at.countermand("--help")).out == ran.out


def test_the_list_names_every_story_with_its_rules(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And plays none."""
    assert ran_here(monkeypatch, "story", "--list") == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line and line[0] != " "}
    assert lines.keys() == {"story", *STORIES}
    assert all(rule in lines[name].split() for name, story in STORIES.items() for rule in story.rules[:1])


# Why


@dataclass(frozen=True, slots=True)
class Told:
    """A line of a timeline."""

    number: int
    simulated: datetime | None
    real_s: float
    who: str
    what: str
    because: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system() -> AsyncGenerator[System]:
    """A running system."""
    async with embedded() as system:
        yield system


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def timelines(system: System) -> dict[str, list[Told]]:
    """What `why` tells about the orders of two stories."""
    names = ("double-click", "request-lost")
    async with at.connected(system.nats_url) as market:
        stories = [STORIES[name] for name in names]
        performance = await perform(
            stories, market, cards=CARDS, mailbox_url=None, seed=7, run="why", progress=at.silently
        )
    assert performance.ok
    return {
        verdict.story: read(await at.countermand("why", verdict.order_id, "--nats", system.nats_url), verdict.order_id)
        for verdict in performance.verdicts
    }


def read(ran: at.Ran, order_id: str) -> list[Told]:
    assert (ran.code, ran.err) == (0, "")
    title, header, *lines, feedback = [line for line in ran.out.splitlines() if line.strip()]
    assert title.split() == ["Order", order_id]
    assert header.split() == ["#", "simulated", "real", "service", "what", "happened", "because"]
    assert re.fullmatch(r"Seller \S+ \([a-z-]+\): (\d+ % positive from \d+ orders?|no order has ended yet)\.", feedback)
    return [told(line) for line in lines]


def told(line: str) -> Told:
    match = A_LINE.fullmatch(line)
    assert match, line
    text = match["simulated"].strip()
    simulated = datetime.strptime(text, "%a %d %b %Y %H:%M").replace(tzinfo=UTC) if text else None
    return Told(
        int(match["number"]), simulated, float(match["real"]), match["who"], match["what"], match["because"] or ""
    )


@pytest.mark.asyncio(loop_scope="module")
async def test_why_tells_everything_in_words(timelines: dict[str, list[Told]]) -> None:
    """Commands, events and refusals, with who said what."""
    assert sorted((line.who, re.split(r" \(|; ", line.what)[0]) for line in timelines["double-click"]) == sorted(
        [
            ("→ order", "somebody asks: PlaceOrder"),
            ("order", "Robin Buyer orders “Desk lamp, brass” for 49.90 USD"),
            ("→ order", "somebody asks: OpenCancelDialog"),
            ("order", "the buyer presses Cancel"),
            ("→ order", "somebody asks: ConfirmCancel"),
            ("order", "the buyer asks the seller to cancel"),
            ("→ order", "somebody asks: ConfirmCancel"),
            ("order", "refuses ConfirmCancel"),
            ("→ order", "somebody asks: OpenCancelDialog"),
            ("order", "refuses OpenCancelDialog"),
            ("seller", "the seller reads the request and will answer later"),
            ("→ seller", "somebody asks: AcceptCancel"),
            ("seller", "the seller agrees, and holds the parcel"),
            ("order", "the order is cancelled"),
            ("notify", "an email to robin+double-click@shop.example: “Your order is cancelled: Desk lamp, brass”"),
            ("order", "the order ends: cancelled_unpaid"),
            ("seller", "the end"),
        ]
    )


@pytest.mark.asyncio(loop_scope="module")
async def test_why_names_the_cause_of_everything_that_was_not_asked(timelines: dict[str, list[Told]]) -> None:
    """It stands above, and is what caused it: the command, the event, or the timer that an event started."""
    for lines in timelines.values():
        assert [line.number for line in lines] == list(range(1, len(lines) + 1))
        for line in lines:
            asked = line.who.startswith("→")
            assert asked == (not line.because) == line.what.startswith("somebody asks")
            assert asked or cause_of(line, lines).number < line.number

    lines = timelines["double-click"]
    for what, cause in {
        "the order is cancelled": "the seller agrees, and holds the parcel",
        "the seller agrees": "somebody asks: AcceptCancel",
        "an email to": "the order is cancelled",
        "the seller reads the request": "the buyer asks the seller to cancel",
        "refuses OpenCancelDialog": "somebody asks: OpenCancelDialog",
    }.items():
        assert cause_of(the(what, lines), lines).what.startswith(cause)


@pytest.mark.asyncio(loop_scope="module")
async def test_why_tells_simulated_and_real_time(timelines: dict[str, list[Told]]) -> None:
    """The seller's 72 hours of silence take three seconds at a day a second."""
    for lines in timelines.values():
        assert lines[0].real_s == 0
        assert [line.real_s for line in lines] == sorted(line.real_s for line in lines)
        for who in ("order", "seller", "notify"):
            simulated = [line.simulated for line in lines if line.who == who and line.simulated]
            assert simulated == sorted(simulated)

    lines = timelines["request-lost"]
    cancelled = the("the order is cancelled (silence)", lines)
    requested = cause_of(cancelled, lines)
    assert cancelled.because == f"AnswerDue of #{requested.number}"
    assert requested.what.startswith("the buyer asks the seller to cancel")
    assert requested.simulated is not None
    assert f"an answer is due by {requested.simulated + timedelta(hours=72):%d %b %H:%M}" in requested.what
    assert cancelled.simulated is not None
    assert cancelled.simulated - requested.simulated >= timedelta(hours=72)
    assert cancelled.real_s - requested.real_s > 2.9


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("order_id", "line"),
    [
        (AN_ORDER, f"no order {AN_ORDER} is known here"),
        ("*", "'*' is no order id: expected 20 to 32 lower-case letters and digits"),
        ("Robin's lamp", '"Robin\'s lamp" is no order id: expected 20 to 32 lower-case letters and digits'),
    ],
)
async def test_why_of_an_unknown_order_gets_one_clear_line(system: System, order_id: str, line: str) -> None:
    """And nobody else's timeline."""
    ran = await at.countermand("why", order_id, environment={"NATS_URL": system.nats_url})
    assert (ran.code, ran.out, ran.err) == (2, "", f"countermand: {line}\n")


def the(what: str, lines: list[Told]) -> Told:
    [found] = [line for line in lines if line.what.startswith(what)]
    return found


def cause_of(line: Told, lines: list[Told]) -> Told:
    return lines[int(line.because.rpartition("#")[2]) - 1]


def ran_here(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """The exit code of a command in this process, which is quicker; what it raised otherwise is the test's failure."""
    monkeypatch.setattr(sys, "argv", ["countermand", *arguments])
    with pytest.raises(SystemExit) as ending:
        cli.main()
    return ending.value.code
