"""How near Countermand comes to its ceiling: `uv run python -m benchmarks.ceiling [MIX…] [--json FILE]`.

For each mix, one after the other on one machine, each on a new embedded system:

(b) Countermand under more load than it can take, without emails; then some of its flows more, whose every message is recorded;
(a) a bare nats-py program that publishes that list with the same compare-and-sets, and acks what the same consumers deliver;
(c) Countermand with emails, over SMTP into its mailbox.

Prints flows a second, messages a flow, CPU seconds for 1000 flows by process, and the ratios. What a flow publishes is counted
by how much the streams grew, in (a) and in (b). What is on the list goes beside the figures, in `benchmarks/messages/`.
"""

import argparse
import asyncio
import json
import secrets
import sys
import tempfile
from bisect import bisect_right
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import nats
import psutil
from nats.aio.client import Client
from nats.aio.msg import Msg
from rich.console import Console
from rich.table import Table

from countermand.kernel.terms import DAY_A_MINUTE
from countermand.runtime.embedded import start_nats
from countermand.runtime.names import Names
from countermand.runtime.settings import load_settings
from countermand.runtime.streams import COMMANDS, TIMERS
from lab.load.command import one_run
from lab.load.options import Options, Target
from lab.load.plan import Arrivals, LoadPlan
from lab.load.rawlog import RawLog
from lab.plan.mix import Mix, built_in
from lab.stories.story import DAY_A_SECOND
from lab.system import CARDS, embedded, provisioned

MIXES: Final = ("peer", "standard", "everyday")


@dataclass(frozen=True, slots=True)
class Overload:
    """A load. More than two cores can take: the backlog is what keeps Countermand busy, and how long it does is what is measured.

    The clock of the quick flows is slow, so that no parcel leaves while a request waits in the backlog. Everyday orders live
    for 90 simulated days: they come long enough that those days are over before the backlog is.
    """

    rate: float
    seconds: float
    clock_rate: float


OVERLOAD: Final = {
    "peer": Overload(1_000, 8, DAY_A_MINUTE),
    "standard": Overload(1_300, 8, DAY_A_MINUTE),
    "everyday": Overload(400, 30, DAY_A_SECOND),
}
IN_FLIGHT: Final = 256
_BARE_FLOWS: Final = 5_000
_RECORDED: Final = 100
_RECORD_RATE: Final = 20.0
_STREAMS: Final = (COMMANDS, "ORDER", "SELLER", "DISPUTE", "NOTIFY")
_HEARD: Final = ("cmd.>", "order.>", "seller.>", "dispute.>", "notify.>", "timer.>")
_WORTH_THE_NAME: Final = 0.02
"""Of the largest backlog; less is what a single late order leaves."""

_ID: Final = "Nats-Msg-Id"
_SCHEDULER: Final = "Nats-Scheduler"
_SCHEDULE: Final = "Nats-Schedule"
_FOLDER: Final = Path(__file__).with_name("messages")


@dataclass(frozen=True, slots=True)
class Measured:
    """One side. `cpu_s` is seconds for 1000 flows, by process."""

    flows_per_s: float
    messages_a_flow: float
    cpu_s: dict[str, float]


async def main() -> None:
    """Measure, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mixes", nargs="*", default=MIXES, metavar="MIX")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    console = Console(width=140)
    found: dict[str, dict[str, Measured]] = {}
    for name in options.mixes:
        mix = built_in(name)
        recorded: list[list[dict[str, Any]]] = []
        without = await _countermand(_silent(mix), recorded)
        _keep(name, recorded)
        bare = await _bare(recorded)
        with_mail = await _countermand(mix, None)
        found[name] = {"a": bare, "b": without, "c": with_mail}
        _show(name, found[name], console)
    if options.json:
        document = {mix: {side: asdict(measured) for side, measured in sides.items()} for mix, sides in found.items()}
        options.json.write_text(json.dumps(document, indent=2) + "\n")


async def _countermand(mix: Mix, recorded: list[list[dict[str, Any]]] | None) -> Measured:
    """Overload a new system and let it work everything off; then, if asked to, record a few flows more."""
    console = Console(stderr=True, width=140)
    with tempfile.TemporaryDirectory(prefix="ceiling-") as folder:
        async with embedded() as system:
            target = Target(system.nats_url, Names(load_settings().subject_prefix), system.emails_at, system)
            log = await _played(mix, OVERLOAD[mix.name], 7, target, Path(folder) / "load", console)
            measured = await _measured(log, system.nats_url)
            if recorded is not None:
                recorded += await _recorded(mix, target, Path(folder) / "recorded", console)
    return measured


async def _played(mix: Mix, load: Overload, seed: int, target: Target, folder: Path, console: Console) -> RawLog:
    plan = LoadPlan(
        run=f"ceiling-{secrets.token_hex(4)}",
        mix=mix,
        seed=seed,
        rate=load.rate,
        duration_s=load.seconds,
        warmup_s=0,
        arrivals=Arrivals.CONSTANT,
        clock_rate=load.clock_rate,
        in_flight_max=1_000_000,
    )
    await one_run(Options(plan, folder), target, asyncio.Event(), console)
    log = RawLog.read(folder)
    if not log.end["drained"]:
        sys.exit(f"the run did not drain: {log.end['stopped']}")
    return log


async def _measured(log: RawLog, nats_url: str) -> Measured:
    ends = sorted(order["closed"] for order in log.orders() if order["closed"] is not None)
    nc = await nats.connect(nats_url)
    published = sum([(await nc.jetstream().stream_info(name)).state.last_seq for name in (*_STREAMS, TIMERS)])
    await nc.close()
    busy_s = _busy_s(log)
    first, last = log.samples[0]["processes"], log.samples[-1]["processes"]
    cpu_s = {name: used["cpu_s"] - first[name]["cpu_s"] for name, used in last.items() if name in first}
    cpu_s["generator"] = max(tick["cpu_s"] for tick in log.ticks) - log.ticks[0]["cpu_s"]
    flows = len(ends)
    return Measured(
        bisect_right(ends, busy_s) / busy_s,
        published / flows,
        {name: used * 1e3 / flows for name, used in cpu_s.items()},
    )


def _busy_s(log: RawLog) -> float:
    """Until when, from the start, there was more to do than could be done: the last sample with a backlog worth the name."""
    waiting = [(sample["second"], sum((sample["backlog"] or {}).values())) for sample in log.samples]
    most = max(messages for _, messages in waiting)
    busy_s = max(second for second, messages in waiting if messages >= most * _WORTH_THE_NAME)
    if busy_s < log.run["plan"]["duration_s"]:
        sys.exit(f"the system was not overloaded: at the last arrival nothing waited ({most} messages at most)")
    return busy_s


async def _recorded(mix: Mix, target: Target, folder: Path, console: Console) -> list[list[dict[str, Any]]]:
    """Every message that the flows of a light run publish, flow by flow."""
    heard: dict[str, list[dict[str, Any]]] = {}

    async def hear(msg: Msg) -> None:
        headers = msg.headers or {}
        order_id = (headers.get(_SCHEDULER) or msg.subject).split(".")[2 if msg.subject[:3] in ("cmd", "tim") else 1]
        if _SCHEDULE in headers:
            headers[_SCHEDULE] = headers[_SCHEDULE].replace("@at 20", "@at 21")
        told = {name: value.replace(order_id, "{order}") for name, value in headers.items()}
        subject, body = msg.subject.replace(order_id, "{order}"), msg.data.decode().replace(order_id, "{order}")
        heard.setdefault(order_id, []).append({"subject": subject, "headers": told, "body": body})

    nc = await nats.connect(target.nats_url)
    for subject in _HEARD:
        await nc.subscribe(subject, cb=hear)
    await nc.flush()
    light = Overload(_RECORD_RATE, _RECORDED / _RECORD_RATE, OVERLOAD[mix.name].clock_rate)
    log = await _played(mix, light, 8, target, folder, console)
    await nc.close()
    return [heard[order["order"]] for order in log.orders()]


async def _bare(recorded: list[list[dict[str, Any]]], flows: int = _BARE_FLOWS) -> Measured:
    with tempfile.TemporaryDirectory(prefix="ceiling-") as folder:
        path = Path(folder) / "messages.json"
        path.write_text(json.dumps(recorded))
        server = await start_nats(Path(folder) / "nats")
        try:
            await provisioned(server.url, load_settings())
            nc = await nats.connect(server.url)
            for policy in {body["terms"]["policy"] for body in _placed(recorded)}:
                await nc.jetstream().publish(f"policy.{policy}", b"{}")
            args = ("-m", "benchmarks.bare", server.url, str(path), str(flows), str(IN_FLIGHT))
            program = await asyncio.create_subprocess_exec(sys.executable, *args, stdout=asyncio.subprocess.PIPE)
            said, _ = await program.communicate()
            result = json.loads(said)
            grown = {name: (await nc.jetstream().stream_info(name)).state.last_seq for name in _STREAMS}
            timers = (await nc.jetstream().stream_info(TIMERS)).state.last_seq
            await _check_acked(nc)
            await nc.close()
            _check(grown, recorded, flows)
            usage = psutil.Process(server.pid).cpu_times()
        finally:
            await server.stop()
    cpu_s = {"nats": usage.user + usage.system, "bare": result["cpu_s"]}
    per_1000 = {name: used * 1e3 / flows for name, used in cpu_s.items()}
    return Measured(flows / result["seconds"], (sum(grown.values()) + timers) / flows, per_1000)


def _placed(recorded: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [
        json.loads(message["body"])
        for flow in recorded
        for message in flow
        if message["subject"].endswith(".PlaceOrder")
    ]


def _check(grown: dict[str, int], recorded: list[list[dict[str, Any]]], flows: int) -> None:
    """Every message of the list is in its stream, once; a command that its buyer sent twice is one."""
    expected = Counter[str]()
    for number in range(flows):
        once = {(message["headers"].get(_ID), message["subject"]) for message in recorded[number % len(recorded)]}
        expected.update(_stream_of(subject) for _, subject in once)
    if any(grown[name] != expected[name] for name in _STREAMS):
        sys.exit(f"the streams grew by {grown} instead of {dict(expected)}")


async def _check_acked(nc: Client) -> None:
    """Whatever a consumer has was delivered and acked; fired timers are none of the list."""
    for card in CARDS:
        for heard in card.subscriptions():
            if heard.stream != TIMERS:
                info = await nc.jetstream().consumer_info(heard.stream, Names().consumer(card.name, heard.stream))
                if info.num_pending or info.num_ack_pending:
                    sys.exit(f"{info.name} was left with {info.num_pending} messages, {info.num_ack_pending} unacked")


def _stream_of(subject: str) -> str:
    owner = subject.partition(".")[0]
    return {"cmd": COMMANDS, "timer": TIMERS}.get(owner, owner.upper())


def _silent(mix: Mix) -> Mix:
    """The same flows, whose policies promise no email."""
    flows = tuple(
        flow.model_copy(update={"policy": flow.policy.model_copy(update={"emails": ()})}) for flow in mix.flows
    )
    return Mix(name=mix.name, description=mix.description, flows=flows)


def _keep(name: str, recorded: list[list[dict[str, Any]]]) -> None:
    """The list, as one can read it: how often a flow of the mix publishes what, and how many bytes it has."""
    times, size = Counter[str](), Counter[str]()
    for message in (message for flow in recorded for message in flow):
        what = ".".join(part for part in message["subject"].split(".") if part != "{order}" and not part.isdecimal())
        times[what] += 1
        size[what] += len(message["body"]) + sum(len(k) + len(v) + 4 for k, v in message["headers"].items())
    _FOLDER.mkdir(exist_ok=True)
    lines = [
        {"message": what, "a_flow": round(number / len(recorded), 3), "bytes": round(size[what] / number)}
        for what, number in times.items()
    ]
    (_FOLDER / f"{name}.json").write_text(
        json.dumps({"flows_recorded": len(recorded), "messages": lines}, indent=1) + "\n"
    )


def _show(name: str, sides: dict[str, Measured], console: Console) -> None:
    table = Table(title=name, title_justify="left")
    for column in ("", "flows/s", "of (a)", "messages a flow", "CPU s for 1000 flows"):
        table.add_column(column)
    titles = {"a": "(a) bare nats-py", "b": "(b) Countermand, no emails", "c": "(c) Countermand with SMTP"}
    for side, measured in sides.items():
        cpu = ", ".join(f"{process} {used:.2f}" for process, used in sorted(measured.cpu_s.items()))
        share = f"{measured.flows_per_s / sides['a'].flows_per_s:.0%}"
        total = f"{sum(measured.cpu_s.values()):.2f}: {cpu}"
        table.add_row(titles[side], f"{measured.flows_per_s:,.0f}", share, f"{measured.messages_a_flow:.1f}", total)
    console.print(table)


if __name__ == "__main__":
    asyncio.run(main())
