"""`countermand load` as people run it: on a system of its own, to its verdict and its files."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from countermand.runtime.settings import ConfigurationError
from lab.load.rawlog import FILE, RawLog
from lab.plan.mix import built_in, errand
from lab.system import embedded
from tests.support.machine import WAITS_S, to_itself
from tests.support.system import WITHIN_S, Ran, countermand, launched, press_ctrl_c, until

PLAYED_WITHIN_S: Final = 120.0
"""A run of seconds, with its start and its audit, on a machine that is busy with other tests."""

TRIES: Final = 3

EVERYDAY_WITHIN_S: Final = 200.0
"""The slowest flows of the everyday mix take 90 simulated days."""


async def load(folder: Path, *args: str, within_s: float = PLAYED_WITHIN_S) -> tuple[Ran, dict[str, Any]]:
    """A run into `folder`; what it said, and its result."""
    ran = await countermand("load", "--out", str(folder), *args, within_s=within_s)
    written = folder / "result.json"
    return ran, json.loads(written.read_text()) if written.exists() else {}


async def orders_arrive(folder: Path) -> None:
    """Wait until a run has begun."""

    async def begun() -> bool:
        with suppress(ConfigurationError):  # It has no log yet.
            return len(RawLog.read(folder).ticks) > 2
        return False

    await until(begun, "three ticks of the workers")


def assert_fails_with(ran: Ran, result: dict[str, Any], verdict: str, reason: str) -> None:
    """A run of a few orders on a machine busy with other tests is often late, which weighs more: then it says both."""
    assert any(said.startswith(reason) for said in result["reasons"]), result["reasons"]
    if any("more than 10 ms late" in said for said in result["reasons"]):
        assert (ran.code, result["verdict"]) == (4, "invalid")
    else:
        assert (ran.code, result["verdict"]) == (99, verdict)


def was_too_busy(result: dict[str, Any]) -> bool:
    """Whether all that is wrong is that the other tests kept the generator waiting: then a run says nothing, and is made again."""
    return result["verdict"] == "invalid" and all("more than 10 ms late" in said for said in result["reasons"])


@pytest.mark.timeout(WAITS_S + TRIES * EVERYDAY_WITHIN_S)
async def test_a_hundred_orders_a_second_with_a_service_killed_meanwhile_all_come_out_right(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Poisson arrivals of the everyday mix, and kill -9: the verdict is pass, and every file is there."""
    folder, tries = tmp_path / "run", 0
    while True:
        with to_itself(tmp_path_factory):
            ran, result = await load(
                folder,
                *("--rate", "100", "--duration", "10s", "--mix", "everyday", "--seed", "7", "--arrivals", "poisson"),
                *("--fault", "kill:order@4s", "--threshold", "violations==0", "--json", str(tmp_path / "copy.json")),
                within_s=EVERYDAY_WITHIN_S,
            )
        tries += 1
        if tries == TRIES or not was_too_busy(result):
            break
        folder.rename(tmp_path / f"busy-{tries}")
    assert (ran.code, result["verdict"], result["reasons"]) == (0, "pass", []), ran.err
    flows = result["flows"]
    assert flows["planned"] == flows["started"] + flows["shed"]
    assert flows["settled"] == flows["started"] > 900
    assert not any(line["violated"] for line in result["invariants"].values())
    assert (result["emails"]["lost"], result["drained"]) == (0, True)
    assert [fault["text"] for fault in result["faults"]] == ["kill:order@4s"]
    assert {"order", "seller", "dispute", "notify", "nats", "mailbox"} <= set(result["resources"])
    assert json.loads((tmp_path / "copy.json").read_text()) == result
    page = folder / "report.html"
    assert page.stat().st_size > 0
    again = await countermand("report", str(folder), "--json", str(tmp_path / "again.json"), "--html", str(page))
    assert again.code == 0, again.err
    assert json.loads((tmp_path / "again.json").read_text()) == result


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--rate", "5"], "name --rate and --duration"),
        (["--rate", "0", "--duration", "5s"], "rate: Input should be greater than 0"),
        (["--rate", "5", "--duration", "5"], "'5' is no span of time"),
        (["--rate", "5", "--duration", "1s"], "the warm-up of 2 s leaves nothing to measure"),
        (["--rate", "5", "--duration", "5s", "--mix", "nothing"], "nothing: there is no such file"),
        (["--rate", "5", "--duration", "5s", "--clock-rate", "1e6"], "the rate may be 129600 at most"),
        (["--rate", "5", "--duration", "5s", "--fault", "kill:ordr@2s"], "did you mean order?"),
        (["--rate", "5", "--duration", "5s", "--threshold", "request_to_email.p99<250"], "a time needs a unit"),
        (
            ["--rate", "5", "--duration", "5s", "--abort-on", "emails.lost>0"],
            "nobody knows this while a run lasts; there are",
        ),
        (
            ["--rate", "5", "--duration", "5s", "--fault", "kill:order@1s+2s", "--fault", "pause:order@2s+1s"],
            "still has hold",
        ),
        (["--rate", "5", "--duration", "5s", "--find-max"], "--find-max and --objective go together"),
        (["--rate", "5", "--duration", "5s", "--nats", "nats://127.0.0.1:1"], "no NATS server answers"),
        (["--rate", "5", "--duration", "5s", "--nats", "nats://x", "--fault", "kill:order@1s"], "embedded system only"),
    ],
)
async def test_what_cannot_be_is_refused_in_one_line(tmp_path: Path, args: list[str], says: str) -> None:
    """Before anything is started."""
    ran, result = await load(tmp_path / "run", *args)
    assert (ran.code, result) == (2, {})
    assert says in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([], "name a running NATS server"),
        (["--rate", "5", "--abort-on", "violations>0"], "leave out --rate, --abort-on"),
    ],
)
async def test_who_joins_a_run_plays_what_it_says(args: list[str], says: str) -> None:
    """Nothing that would not be heard is taken."""
    ran = await countermand("load", "--join", "load-1", *args)
    assert (ran.code, len(ran.err.splitlines()), says in ran.err) == (2, 1, True), ran.err


async def test_a_mailbox_elsewhere_cannot_be_struck_and_an_earlier_run_is_not_written_over(tmp_path: Path) -> None:
    """Both in one line, before anything is started."""
    plan = ("--rate", "5", "--duration", "5s")
    elsewhere = {"SMTP_URL": "smtp://127.0.0.1:1"}
    ran = await countermand("load", "--out", str(tmp_path), *plan, "--fault", "smtp:451@1s+1s", environment=elsewhere)
    assert (ran.code, len(ran.err.splitlines()), "SMTP_URL sends the emails elsewhere" in ran.err) == (2, 1, True)
    (tmp_path / FILE).write_bytes(b"an hour of measuring")
    ran = await countermand("load", "--out", str(tmp_path), *plan)
    assert (ran.code, len(ran.err.splitlines()), "already holds a run" in ran.err) == (2, 1, True)
    assert (tmp_path / FILE).read_bytes() == b"an hour of measuring"


async def test_two_workers_play_the_orders_of_the_plan_each_once(tmp_path: Path) -> None:
    """Their logs are merged into one."""
    _, result = await load(
        tmp_path / "run",
        *("--rate", "30", "--duration", "4s", "--warmup", "1s", "--mix", "peer", "--seed", "11"),
        *("--arrivals", "constant", "--workers", "2"),
    )
    log = RawLog.read(tmp_path / "run")
    played = {order["n"]: order["order"] for order in log.orders()}
    mix = built_in("peer")
    assert played == {number: errand(mix, 11, number).order_id for number in range(120)}
    assert (result["flows"]["planned"], result["flows"]["settled"], result["violations"]) == (120, 120, 0)
    assert {tick["index"] for tick in log.ticks} == {0, 1}


async def test_a_condition_ends_the_run_at_once_and_what_did_not_start_counts_as_shed(tmp_path: Path) -> None:
    """Exit code 99."""
    ran, result = await load(
        tmp_path / "run",
        *("--rate", "20", "--duration", "60s", "--mix", "peer", "--abort-on", "flows.started>50"),
    )
    assert_fails_with(ran, result, "aborted", "The run was aborted: flows.started>50.")
    flows = result["flows"]
    assert 50 < flows["started"] < 600
    assert flows["planned"] == flows["started"] + flows["shed"]
    assert (result["violations"], result["drained"], flows["settled"]) == (0, True, flows["started"])


async def test_a_missed_threshold_is_exit_code_99(tmp_path: Path) -> None:
    """And is told."""
    ran, result = await load(
        tmp_path / "run",
        *("--rate", "20", "--duration", "4s", "--mix", "peer"),
        *("--threshold", "request_to_email.p99<0.001ms", "--threshold", "violations==0"),
    )
    assert [threshold["ok"] for threshold in result["thresholds"]] == [False, True]
    assert_fails_with(ran, result, "threshold", "request_to_email.p99<0.001ms does not hold")


async def test_ctrl_c_ends_the_arrivals_and_reports_what_there_is(tmp_path: Path) -> None:
    """Exit code 130."""
    folder = tmp_path / "run"
    args = ("load", "--out", str(folder), "--rate", "20", "--duration", "60s", "--mix", "peer")
    async with launched(*args, temporary=tmp_path) as process:
        await orders_arrive(folder)
        press_ctrl_c(process)
        async with asyncio.timeout(PLAYED_WITHIN_S):
            assert await process.wait() == 130
    result = json.loads((folder / "result.json").read_text())
    assert result["verdict"] == "interrupted"
    assert result["flows"]["planned"] == result["flows"]["started"] + result["flows"]["shed"]
    assert result["violations"] == 0


async def test_a_lost_worker_costs_its_share_and_not_the_run(tmp_path: Path) -> None:
    """What the other one kept is reported; without an audit the run says nothing, and says why."""
    folder = tmp_path / "run"
    args = ("load", "--out", str(folder), "--rate", "20", "--duration", "60s", "--mix", "peer", "--workers", "2")
    async with launched(*args, temporary=tmp_path) as process:
        await orders_arrive(folder)
        workers = [
            child for child in psutil.Process(process.pid).children() if "lab.load.play.worker" in child.cmdline()
        ]
        workers[0].kill()
        async with asyncio.timeout(PLAYED_WITHIN_S):
            assert await process.wait() == 4
    result = json.loads((folder / "result.json").read_text())
    assert (len(workers), result["verdict"], result["violations"], result["drained"]) == (2, "invalid", None, False)
    assert result["stopped"] in [f"load-{number} was killed by SIGKILL" for number in (1, 2)]
    assert result["flows"]["started"] > 0
    assert result["generator"]["unlogged"] > 0


@pytest.mark.timeout(240)
async def test_a_run_whose_mailbox_is_lost_is_reported_as_what_it_is(tmp_path: Path) -> None:
    """It ends by its drain, nobody can say what was mailed, and the orders are in the log."""
    folder = tmp_path / "run"
    async with embedded() as system:
        where = ("--nats", system.nats_url, "--mailbox", system.mailbox_url)
        plan = ("--rate", "20", "--duration", "6s", "--mix", "peer", "--drain", "2s")
        async with launched("load", "--out", str(folder), *where, *plan, temporary=tmp_path) as process:
            await orders_arrive(folder)
            await system.mailbox.kill()
            async with asyncio.timeout(PLAYED_WITHIN_S):
                assert await process.wait() == 4
    result = json.loads((folder / "result.json").read_text())
    assert (result["verdict"], result["violations"], result["drained"]) == ("invalid", None, False)
    assert result["stopped"].startswith("no mailbox answers at ")
    assert result["flows"]["started"] == result["flows"]["planned"] > 80


@pytest.mark.timeout(240)
async def test_workers_from_elsewhere_join_a_run_on_a_named_system(tmp_path: Path) -> None:
    """The same plan a second time is refused: its orders are there already."""
    folder = tmp_path / "run"
    async with embedded() as system:
        where = ("--nats", system.nats_url, "--mailbox", system.mailbox_url)
        plan = ("--rate", "30", "--duration", "4s", "--mix", "peer", "--seed", "7")
        async with launched(
            *("load", "--out", str(folder), *where, *plan, "--remote-workers", "1"), temporary=tmp_path
        ) as coordinator:
            assert coordinator.stderr is not None
            async with asyncio.timeout(WITHIN_S):
                while b"--join" not in (line := await coordinator.stderr.readline()):
                    assert line, "the coordinator ended early"
            run = line.split()[-1].decode()
            joined = await countermand("load", "--nats", system.nats_url, "--join", run, within_s=PLAYED_WITHIN_S)
            assert joined.code == 0, joined.err
            async with asyncio.timeout(WITHIN_S):
                await coordinator.communicate()
        result = json.loads((folder / "result.json").read_text())
        flows = result["flows"]
        assert (flows["settled"], result["violations"], result["plan"]["workers"]) == (flows["planned"], 0, 2)
        second, _ = await load(tmp_path / "again", *where, *plan)
        assert second.code == 2
        assert "choose another --seed" in second.err
        nobody = await countermand("load", "--nats", system.nats_url, "--join", "load-nobody")
        assert (nobody.code, nobody.err.splitlines()[-1].startswith("countermand: nobody coordinates")) == (2, True)
