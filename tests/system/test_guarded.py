"""A system on a server that lets each user do only what is theirs, as compose has it."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Final

import httpx
import pytest

from countermand.runtime.embedded import Supervisor, spawn
from countermand.runtime.settings import Settings
from lab.system import CARDS, provisioned, ready
from services.mailbox.app import MailboxSettings, open_mailbox
from tests.support.guarded import Guarded, guarded
from tests.support.system import countermand
from tests.support.web import TOKEN, WITHIN_S, Site, eventually

STORIES: Final = ("every-email", "everything-twice", "word-against-word")
"""Commands and their refusals, timers, a policy of its own, repeated messages, and a ruling that reads all histories."""


@pytest.mark.timeout(300)
async def test_everybody_does_their_whole_work_as_their_own_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Provisioning, stories, reconciling, a load with its audit, an operator's tools, a backup; the server refused nobody anything."""
    supervisor = Supervisor()
    async with guarded(tmp_path) as server, open_mailbox(MailboxSettings(smtp_port=0, http_port=0)) as mailbox:
        _become("provision", server, monkeypatch)
        await provisioned(server.url, Settings())
        try:
            for card in CARDS:
                environment = server.environment(card.name) | {"SMTP_URL": mailbox.smtp_url, "RECONCILE_EVERY_S": "1"}
                args = [sys.executable, "-m", f"services.{card.name}"]
                log = tmp_path / f"{card.name}.log"
                supervisor.add(await spawn(args, env=environment, log_path=log, name=card.name))
            _become("lab", server, monkeypatch)
            await ready(server.url, Settings(), supervisor)
            lab = server.environment("lab") | {"MAILBOX_URL": mailbox.http_url, "HOME": os.environ["HOME"]}
            played = await countermand("story", *STORIES, environment=lab, within_s=120)
            assert played.code == 0, played.out + played.err
            asked = (
                "--rate",
                "20",
                "--duration",
                "2s",
                "--warmup",
                "0s",
                "--mix",
                "peer",
                "--out",
                str(tmp_path / "run"),
            )
            loaded = await countermand("load", *asked, environment=lab, within_s=120)
            assert loaded.code in {0, 4}, loaded.out + loaded.err  # 4: too busy a machine to start every order on time.
            await _operate(lab, tmp_path)
            await _visit(server.environment("web") | {"MAILBOX_URL": mailbox.http_url}, supervisor, tmp_path)
        finally:
            await supervisor.stop()
        _become("backup", server, monkeypatch)
        saving = server.environment("backup")
        saved = await countermand("backup", str(tmp_path / "saved"), environment=saving)
        assert saved.code == 0, saved.out + saved.err
        assert _violations(tmp_path / "nats-server.log") == []
    (tmp_path / "other").mkdir()
    async with guarded(tmp_path / "other") as server:
        restored = await countermand("restore", str(tmp_path / "saved"), environment=server.environment("backup"))
        assert restored.code == 0, restored.out + restored.err
        audited = await countermand("audit", "--drained", environment=server.environment("lab"))
        assert audited.code == 0, audited.out + audited.err
        assert _violations(tmp_path / "other/nats-server.log") == []


@pytest.mark.parametrize("service", ["order", "web"])
async def test_a_service_that_the_broker_lets_in_no_more_ends_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    """Whoever runs it starts it again, with the new password: alive without a connection it would be of no use."""
    async with guarded(tmp_path) as server:
        _become("provision", server, monkeypatch)
        await provisioned(server.url, Settings())
        environment = server.environment(service) | {"HTTP_PORT": "0"}
        args = [sys.executable, "-m", f"services.{service}"]
        child = await spawn(args, env=environment, log_path=tmp_path / f"{service}.log", name=service)

        async def connected() -> bool:
            return ("service.started" if service == "order" else "web.listening") in child.log_tail(20)

        await eventually(connected)
        server.change_passwords()
        try:
            await asyncio.wait_for(child.died(), WITHIN_S)
        finally:
            await child.kill()
        assert child.returncode == 1, child.log_tail(20)
        assert "the broker has ended" in child.log_tail(3)


async def _visit(web: dict[str, str], supervisor: Supervisor, folder: Path) -> None:
    """What a buyer and an operator do over HTTP."""
    ready_file = folder / "web.json"
    environment = web | {"HTTP_PORT": "0", "WEB_TOKEN": TOKEN, "WEB_READY_FILE": str(ready_file)}
    args = [sys.executable, "-m", "services.web"]
    supervisor.add(await spawn(args, env=environment, log_path=folder / "web.log", name="web"))

    async def listens() -> bool:
        return ready_file.exists()

    await eventually(listens)
    async with httpx.AsyncClient(base_url=json.loads(ready_file.read_text())["http_url"], timeout=60) as http:
        site = Site(str(http.base_url), http)
        await site.is_ready()
        order_id = await site.place()
        trusted = {"Authorization": f"Bearer {TOKEN}"}
        for path in (
            f"/api/orders/{order_id}",
            f"/api/orders/{order_id}/timeline",
            "/",
            "/console",
            "/api/operator/dead",
        ):
            answer = await http.get(path, headers=trusted)
            assert answer.status_code == httpx.codes.OK, answer.text


async def _operate(lab: dict[str, str], folder: Path) -> None:
    """What an operator looks at and does; the checks of the seller leave dead letters."""
    result = folder / "stories.json"
    played = await countermand("story", "change-of-mind", "--json", str(result), environment=lab, within_s=120)
    assert played.code == 0, played.out + played.err
    order_id = json.loads(result.read_text())["stories"][0]["order_id"]
    for asked in (
        ("why", order_id),
        ("conformance", "seller"),
        ("status",),
        ("stuck",),
        ("dead", "list"),
        ("dead", "show", "1"),
        ("dead", "replay", "1", "--reason", "to try it"),
        ("dead", "discard", "--all", "--reason", "tried"),
    ):
        ran = await countermand(*asked, environment=lab, within_s=120)
        assert ran.code == 0, (asked, ran.out + ran.err)


def _become(user: str, server: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment(user).items():
        monkeypatch.setenv(name, value)


def _violations(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if "Violation" in line]
