"""Three NATS nodes with every stream on each: the one that leads is killed while orders arrive."""

import json
from collections.abc import Generator
from typing import Any

import pytest

from tests.support.compose import Installation, installed, needs_docker
from tests.support.machine import to_itself

pytestmark = [pytest.mark.docker, needs_docker, pytest.mark.timeout(1200)]

NODES = ("nats", "nats-2", "nats-3")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Generator[Installation]:
    """A cluster with TLS, to its clients and between its nodes."""
    with to_itself(tmp_path_factory), installed(tmp_path_factory.mktemp("cluster"), "cluster", "tls") as system:
        yield system


def test_the_leader_of_the_orders_killed_under_load_costs_no_order(system: Installation) -> None:
    assert set(_replicas(system).values()) == {3}
    with system.under_load("--rate", "10", "--mix", "everyday", "--warmup", "0s", "--duration", "20s"):
        system.do("kill", "--signal", "KILL", _leader(system))
    system.do("up", "--no-build", "--no-recreate", "--wait", *NODES)
    assert set(system.states(*NODES).values()) == {"healthy"}


def _leader(system: Installation) -> str:
    return _streams(system)["ORDER"]["cluster"]["leader"]


def _replicas(system: Installation) -> dict[str, int]:
    return {name: stream["config"]["num_replicas"] for name, stream in _streams(system).items()}


def _streams(system: Installation) -> dict[str, Any]:
    """By name, what a node's monitoring, which only the node itself can ask, says of every stream."""
    asked = "http://127.0.0.1:8222/jsz?accounts=true&streams=true&config=true"
    (account,) = json.loads(system.do("exec", "-T", "nats", "wget", "-q", "-O", "-", asked).stdout)["account_details"]
    return {stream["name"]: stream for stream in account["stream_detail"]}
