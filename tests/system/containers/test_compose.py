"""`docker compose up --build --wait`, and what operators do then. One system for all, in the order of the file."""

import time
from collections.abc import Generator

import httpx
import pytest

from countermand.runtime.names import Names
from lab.access.users import users
from tests.support.compose import SERVICES, Installation, installed, needs_docker
from tests.support.machine import to_itself
from tests.support.web import PLACED, WAIT

pytestmark = [pytest.mark.docker, needs_docker, pytest.mark.timeout(1200)]

STORIES = ("change-of-mind", "request-lost", "everything-twice", "word-against-word", "every-email")
LOAD = ("--rate", "15", "--mix", "everyday", "--warmup", "0s")
PAUSE_S = 20


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Generator[Installation]:
    """Everything of the compose file, healthy."""
    with to_itself(tmp_path_factory), installed(tmp_path_factory.mktemp("compose")) as system:
        yield system


def test_everything_comes_up_healthy(system: Installation) -> None:
    assert set(system.states("nats", *SERVICES).values()) == {"healthy"}
    assert [one["State"]["ExitCode"] for one in system.inspected("users", "provision")] == [0, 0]


def test_stories_end_right(system: Installation) -> None:
    played = system.lab("story", *STORIES, check=False)
    assert played.returncode == 0, played.stdout + played.stderr


def test_the_pages_take_an_order_and_know_their_operator(system: Installation) -> None:
    host, port = system.get_service_host_and_port("web", 8080)
    with httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as browser:
        assert "My orders" in browser.get("/").text
        placed = browser.post("/api/orders", json=PLACED, headers=WAIT)
        assert placed.status_code == httpx.codes.OK, placed.text
        assert browser.get("/api/operator/dead").status_code == httpx.codes.UNAUTHORIZED
        token = system.do("exec", "-T", "web", "cat", "/run/countermand/token").stdout
        trusted = browser.get("/api/operator/dead", headers={"Authorization": f"Bearer {token}"})
        assert trusted.status_code == httpx.codes.OK, trusted.text


def test_no_password_is_in_an_image_an_environment_or_a_log(system: Installation) -> None:
    passwords = {user: _password(system, user) for user in users(Names())}
    assert all(len(password) == 64 for password in passwords.values())
    image = system.inspected("order")[0]["Image"]
    told = [
        system.docker("inspect", image, *system.containers()).stdout,
        system.docker("history", "--no-trunc", image).stdout,
        system.do("logs", "--no-color").stdout,
    ]
    assert [user for user, password in passwords.items() if any(password in text for text in told)] == []
    hidden = system.docker("run", "--rm", "--entrypoint", "find", image, "/volumes", "-type", "f").stdout
    assert hidden == ""


def test_a_service_sees_its_own_password_only_and_is_nobody_special(system: Installation) -> None:
    seen = system.do("exec", "-T", "seller", "find", "/run/countermand", "/volumes", "-type", "f", check=False).stdout
    assert seen.split() == ["/run/countermand/password"]
    assert system.do("exec", "-T", "seller", "id", "-u").stdout.strip() == "10001"
    assert system.do("exec", "-T", "seller", "touch", "/app/x", check=False).returncode != 0
    for tool in ("gcc", "uv", "nats-server"):
        assert system.do("exec", "-T", "seller", "sh", "-c", f"command -v {tool}", check=False).returncode != 0, tool


def test_a_service_that_is_paused_for_a_while_catches_up(system: Installation) -> None:
    with system.under_load(*LOAD, "--duration", "15s"):
        system.do("pause", "seller")
        time.sleep(PAUSE_S)
        system.do("unpause", "seller")


def test_more_replicas_share_the_work_and_each_can_be_restarted_under_load(system: Installation) -> None:
    scaled = ("--scale", "order=3", "--scale", "seller=2")
    system.do("up", "--no-build", "--no-recreate", "--wait", *scaled, *SERVICES)
    replicas = system.states("order", "seller")
    assert (len(replicas), set(replicas.values())) == (5, {"healthy"})
    with system.under_load(*LOAD, "--duration", "30s"):
        for container in system.containers("order", "seller", "dispute", "notify"):
            system.docker("restart", "--time", "10", container)
    for container in system.containers("order"):
        assert '"outcome":"appended"' in system.docker("logs", container).stderr, "a replica did nothing"
    killed = [one["Name"] for one in system.inspected(*SERVICES) if one["RestartCount"] or one["State"]["OOMKilled"]]
    assert killed == []


def test_everything_stops_in_time_and_without_complaint(system: Installation) -> None:
    system.ends_well()


def _password(system: Installation, user: str) -> str:
    mounts = ("run", "--rm", "--no-deps", "-T", "--entrypoint", "cat", "users", f"/volumes/{user}/password")
    return system.do(*mounts).stdout.strip()
