"""Loads from the console: a real `countermand load` on a real system, started, watched, stopped and reported over HTTP."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, get_args

import httpx
import pytest

from lab.plan.mix import BUILT_IN
from services.dispute.app import CARD as DISPUTE
from services.order.app import CARD as ORDER
from services.seller.app import CARD as SELLER
from services.web.load import Mix
from tests.integration.conftest import Shop
from tests.support.web import TOKEN, Site, a_mailbox, notify_to, open_site

pytestmark = pytest.mark.timeout(600)  # A load of seconds, on a machine that may be busy with others.

LOADS: Final = "/api/operator/loads"
OPERATOR: Final = {"Authorization": f"Bearer {TOKEN}"}
LOAD: Final = {"rate": 10, "duration_s": 5, "mix": "peer"}
LONG: Final = {"rate": 2, "duration_s": 600, "mix": "peer"}
WITHIN_S: Final = 300.0
_POLL_S: Final = 0.2


@asynccontextmanager
async def serving(shop: Shop, folder: Path, **settings: Any) -> AsyncGenerator[Site]:
    """All services in this process, and web that may start loads."""
    async with a_mailbox() as (smtp_url, mailbox_url), shop.serving(ORDER, SELLER, DISPUTE, notify_to(smtp_url)):
        web = {"web_loads": True, "mailbox_url": mailbox_url, **settings}
        async with open_site(shop.settings.nats_url, folder / "web.db", **web) as site:
            yield site


@pytest.fixture
async def site(shop: Shop, tmp_path: Path) -> AsyncGenerator[Site]:
    async with serving(shop, tmp_path) as site:
        site.http.headers.update(OPERATOR)
        yield site


async def started(site: Site, load: dict[str, Any]) -> dict[str, Any]:
    answer = await site.http.post(LOADS, json=load)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def once(site: Site, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The newest load when that holds; it is looked at as a page does."""
    async with asyncio.timeout(WITHIN_S):
        while not holds(load := (await site.http.get(LOADS)).json()[0]):  # noqa: ASYNC110  # Nobody tells.
            await asyncio.sleep(_POLL_S)
    return load


def processes_of(folder: Path) -> list[str]:
    """The command lines of the loads and workers that web has started: they are told of its folder in that one."""
    return [
        line.replace("\0", " ")
        for one in Path("/proc").iterdir()
        if one.name.isdecimal()
        and int(one.name) != os.getpid()
        and str(folder / "loads-") in (line := _read(one / "cmdline"))
    ]


def kept_in(folder: Path) -> list[str]:
    """The ids of the loads that have a folder."""
    return [one.name for one in folder.glob("loads-*/*")]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # It has just ended.
        return ""


def test_the_mixes_offered_are_those_that_there_are() -> None:
    assert get_args(Mix) == BUILT_IN


async def test_a_load_is_played_judged_and_reported(site: Site) -> None:
    """From the wish to the verdict; its report is a page that may do nothing."""
    load = await started(site, LOAD)
    assert (load["state"], load["verdict"], load["report"]) == ("running", None, None)
    told = await once(site, lambda one: "orders/s" in one["line"] or one["state"] == "ended")
    assert "orders/s" in told["line"], told
    ended = await once(site, lambda one: one["state"] == "ended")
    # A busy machine may have made the generator late: then the run says so.
    assert (ended["verdict"], ended["exit_code"]) in {("pass", 0), ("invalid", 4)}, ended
    assert (ended["id"], ended["rate"], ended["seed"]) == (load["id"], 10, load["seed"])

    page = await site.http.get(ended["report"])
    assert (page.status_code, "Load run" in page.text) == (200, True)
    assert page.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    figures = (await site.http.get(ended["result"])).json()
    assert figures["verdict"] == ended["verdict"]
    assert figures["emails"]["delivered"] > 0  # It knows the mailbox, too.
    assert (await site.http.get(LOADS)).json() == [ended]

    again = await started(site, {**LOAD, "seed": load["seed"]})
    refused = await once(site, lambda one: one["id"] == again["id"] and one["state"] == "ended")
    assert (refused["verdict"], refused["exit_code"], refused["report"]) == (None, 2, None)
    assert "were placed here already" in refused["line"]
    assert (await site.http.get(f"/console/loads/{again['id']}/report")).status_code == 404


async def test_one_load_runs_at_a_time_until_it_is_stopped(site: Site, tmp_path: Path) -> None:
    """A stopped one reports what there is, and leaves no process."""
    load = await started(site, LONG)
    second = await site.http.post(LOADS, json=LOAD)
    assert (second.status_code, second.json()["reason"]) == (409, "a_load_runs")
    await once(site, lambda one: "orders/s" in one["line"])
    assert len(processes_of(tmp_path)) == 2  # It and its worker.
    stopping = await site.http.post(f"{LOADS}/{load['id']}/stop")
    assert (stopping.status_code, stopping.json()["state"]) == (202, "stopping")
    ended = await once(site, lambda one: one["state"] == "ended")
    assert (ended["verdict"], ended["exit_code"]) == ("interrupted", 130), ended
    assert (await site.http.get(ended["report"])).status_code == 200
    assert processes_of(tmp_path) == []
    assert (await site.http.post(f"{LOADS}/{load['id']}/stop")).json() == ended
    unknown = await site.http.post(f"{LOADS}/00000000/stop")
    assert (unknown.status_code, unknown.json()["reason"]) == (404, "no_such_load")


async def test_a_load_ends_with_web_and_nothing_is_left(shop: Shop, tmp_path: Path) -> None:
    async with serving(shop, tmp_path) as site:
        site.http.headers.update(OPERATOR)
        await started(site, LONG)
        await once(site, lambda one: "orders/s" in one["line"])
        assert processes_of(tmp_path)
    assert processes_of(tmp_path) == []
    assert kept_in(tmp_path) == []


async def test_the_last_five_are_kept(site: Site, tmp_path: Path) -> None:
    """Each is stopped before it has begun; the oldest one goes, with its folder."""
    ids: list[str] = []
    for _ in range(6):
        ids.append((await started(site, LONG))["id"])
        await site.http.post(f"{LOADS}/{ids[-1]}/stop")
        await once(site, lambda one: one["state"] == "ended")
    assert [one["id"] for one in (await site.http.get(LOADS)).json()] == ids[:0:-1]
    assert set(kept_in(tmp_path)) == set(ids[1:])


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": 0},
        {"rate": 501},
        {"duration_s": 4},
        {"duration_s": 601},
        {"mix": "/etc/passwd"},
        {"seed": -1},
        {"seed": "--nats"},
        {"out": "/tmp"},  # noqa: S108  Nobody may choose it.
    ],
)
async def test_what_cannot_be_wished_for_is_refused(site: Site, wrong: dict[str, Any]) -> None:
    """By the API and by the page, and nothing is started."""
    answer = await site.http.post(LOADS, json={**LOAD, **wrong})
    assert (answer.status_code, answer.json()["reason"]) == (422, "invalid")
    if "out" not in wrong:  # The page reads no other fields than its own.
        page = await site.http.post("/console/loads/new", data={**LOAD, **wrong}, headers={"Accept": "text/html"})
        assert (page.status_code, "Please choose" in page.text) == (422, True)
    assert (await site.http.get(LOADS)).json() == []


async def test_only_the_operator_may_and_only_where_it_is_on(shop: Shop, tmp_path: Path) -> None:
    async with open_site(shop.settings.nats_url, tmp_path / "on.db", web_loads=True) as on:
        for answer in await everything(on.http):
            assert (answer.status_code, answer.json()["reason"]) == (401, "token_needed"), answer.url
    async with open_site(shop.settings.nats_url, tmp_path / "off.db") as off:
        off.http.headers.update(OPERATOR)
        for answer in await everything(off.http):
            assert (answer.status_code, answer.json()["reason"]) == (403, "loads_off"), answer.url
        assert "docker compose run --rm load" in (await off.http.get("/console")).text
    async with open_site(shop.settings.nats_url, tmp_path / "free.db", web_loads=True, web_token=None) as free:
        for answer in await everything(free.http):
            assert (answer.status_code, answer.json()["reason"]) == (403, "operator_off"), answer.url


async def everything(http: httpx.AsyncClient) -> list[httpx.Response]:
    """An answer of each address."""
    return [
        await http.post(LOADS, json=LOAD),
        await http.get(LOADS),
        await http.post(f"{LOADS}/00000000/stop"),
        await http.get("/console/loads"),
        await http.get("/console/loads/new"),
        await http.post("/console/loads/new", data=LOAD),
        await http.post("/console/loads/00000000/stop"),
        await http.get("/console/loads/00000000/report"),
        await http.get("/console/loads/00000000/result.json"),
    ]
