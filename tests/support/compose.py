"""The system as operators run it: the compose file in a project of its own, on ports that Docker chooses, gone at the end."""

import json
import os
import re
import secrets
import shutil
import subprocess
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from testcontainers.compose import DockerCompose

ROOT: Final = Path(__file__).parents[2]
SERVICES: Final = ("order", "seller", "dispute", "notify", "mailbox", "web")
"""What runs for as long as the system does, beside NATS."""

_COMMAND_S: Final = 600
"""What one command of Docker may take on a busy machine: building the image takes a minute or two."""

_ENDED_S: Final = 10
"""What containers get to end, as operators are promised; who is not done then is killed, and its exit code is 137."""


@cache
def why_not() -> str:
    """Why no containers can be run here; empty if they can."""
    if shutil.which("docker") is None:
        return "there is no docker on the PATH"
    for args in (("info",), ("compose", "version")):
        try:
            subprocess.run(["docker", *args], check=True, capture_output=True, timeout=60)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired, OSError) as error:
            return f"`docker {' '.join(args)}` fails: {error}"
    return ""


needs_docker: Final = pytest.mark.skipif(bool(why_not()), reason=why_not() or "it runs")


class Installation(DockerCompose):
    """A running system, or one that is being changed."""

    def docker(self, *args: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """A command of Docker's."""
        return _ran(["docker", *args], check=check)

    def do(self, *args: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """A command of Compose's, as `("restart", "order")`."""
        return _ran([*self.compose_command_property, *args], check=check)

    def lab(self, *args: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """`countermand …` as the user `lab`, beside the services."""
        return self.do("run", "--rm", "--no-deps", "-T", "lab", *args, check=check)

    def audit(self) -> None:
        """Every invariant holds on every order that there ever was, and nothing waits."""
        audited = self.lab("audit", "--drained", check=False)
        assert audited.returncode == 0, audited.stdout + audited.stderr

    def containers(self, *services: str) -> list[str]:
        """Ids of the containers of these services, or of all, also of those that have ended."""
        return self.do("ps", "-a", "-q", *services).stdout.split()

    def inspected(self, *services: str) -> list[dict[str, Any]]:
        """What Docker knows of them."""
        return json.loads(self.docker("inspect", *self.containers(*services)).stdout)

    def states(self, *services: str) -> dict[str, str]:
        """By container, `healthy`, or whatever else it is."""
        found: dict[str, str] = {}
        for one in self.inspected(*services):
            state = one["State"]
            found[one["Name"]] = state["Health"]["Status"] if "Health" in state else state["Status"]
        return found

    def ends_well(self) -> None:
        """Stop everything: nobody takes longer than operators are promised, and every exit code is 0."""
        self.do("stop", "--timeout", str(_ENDED_S))
        assert {one["Name"]: one["State"]["ExitCode"] for one in self.inspected() if one["State"]["ExitCode"]} == {}

    @contextmanager
    def under_load(self, *args: str) -> Generator[None]:
        """The block begins when orders arrive; after it all of them have come out right.

        A generator on a busy machine may be late (exit code 4), which says nothing about the orders: the audit does.
        """
        command = [*self.compose_command_property, "run", "--rm", "--no-deps", "-T", "load", *args]
        process = subprocess.Popen(
            command, cwd=ROOT, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        load = _Reader(process)
        try:
            assert load.arriving.wait(_COMMAND_S), load.said()
            yield
            assert process.wait(_COMMAND_S) in {0, 4}, load.said()
        finally:
            process.kill()
            load.join()
        self.audit()


class _Reader(threading.Thread):
    """Reads what a load run says: one line every few seconds while it lasts."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        super().__init__()
        self.arriving = threading.Event()
        self._process = process
        self._lines: list[str] = []
        self.start()

    def run(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line)
            if re.search(r"\b[1-9][0-9,]* started", line):
                self.arriving.set()
        self.arriving.set()  # It has ended, and its exit code says how.
        self._process.stdout.close()

    def said(self) -> str:
        """Its last lines."""
        return "".join(self._lines[-30:])


@contextmanager
def installed(folder: Path, *overrides: str, up: Sequence[str] = ()) -> Generator[Installation]:
    """Bring a system up: build the image, start everything, wait until all are healthy; and remove it with its volumes.

    Args:
        folder: for the file of settings.
        overrides: as in `cluster`.
        up: more for `docker compose up`.
    """
    settings = folder / "settings.env"
    names = {"COMPOSE_PROJECT_NAME": f"countermand-test-{secrets.token_hex(4)}"}
    names |= dict.fromkeys(("NATS_PORT", "MAILBOX_PORT", "WEB_PORT"), "0")
    settings.write_text("".join(f"{name}={value}\n" for name, value in names.items()))
    files = ["docker-compose.yml", *(f"deploy/compose.{name}.yml" for name in overrides)]
    system = Installation(
        context=ROOT,
        compose_file_name=files,
        env_file=str(settings),
        docker_command_path="docker",
    )
    try:
        system.do("up", "--build", "--wait", *up)
        yield system
    except subprocess.CalledProcessError as error:
        logs = system.do("logs", "--tail", "20", check=False)
        pytest.fail(f"{error.cmd}: {error.stderr[-2000:]}\n{logs.stdout[-8000:]}")
    finally:
        # With every profile: else the volume that only `load` and `lab` have would stay.
        system.do("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", str(_ENDED_S), check=False)


def _ran(command: Sequence[str], *, check: bool) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, cwd=ROOT, env=_environment(), check=check, capture_output=True, text=True, timeout=_COMMAND_S
    )


def _environment() -> dict[str, str]:
    """What Docker needs of ours, and none of our settings: they would be taken for those of the installation."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("NATS_", "COMPOSE_"))}
