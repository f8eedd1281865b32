"""The services as processes, on the official image of NATS."""

import os
import sys
from pathlib import Path

import pytest
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from countermand.runtime.embedded import Supervisor, spawn
from countermand.runtime.settings import Settings
from lab.system import CARDS, provisioned, ready
from services.mailbox.app import MailboxSettings, open_mailbox
from tests.support.compose import needs_docker
from tests.support.system import countermand

pytestmark = [pytest.mark.docker, needs_docker, pytest.mark.timeout(600)]


async def test_a_story_ends_right_on_the_official_image(tmp_path: Path) -> None:
    supervisor = Supervisor()
    server = DockerContainer("nats:2.15-alpine").with_command(["-js"]).with_exposed_ports(4222)
    with server.waiting_for(LogMessageWaitStrategy("Server is ready")) as nats:
        url = f"nats://{nats.get_container_host_ip()}:{nats.get_exposed_port(4222)}"
        await provisioned(url, Settings())
        async with open_mailbox(MailboxSettings(smtp_port=0, http_port=0)) as mailbox:
            try:
                for card in CARDS:
                    environment = {"NATS_URL": url, "SMTP_URL": mailbox.smtp_url, "HTTP_PORT": "0"}
                    args = [sys.executable, "-m", f"services.{card.name}"]
                    log = tmp_path / f"{card.name}.log"
                    supervisor.add(await spawn(args, env=environment, log_path=log, name=card.name))
                await ready(url, Settings(), supervisor)
                environment = {"NATS_URL": url, "MAILBOX_URL": mailbox.http_url, "HOME": os.environ["HOME"]}
                played = await countermand(
                    "story", "change-of-mind", "pocket-refund", environment=environment, within_s=240
                )
                assert played.code == 0, played.out + played.err
            finally:
                await supervisor.stop()
