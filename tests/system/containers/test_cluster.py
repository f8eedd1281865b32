"""Three NATS nodes with every stream on each: one of them is killed while orders arrive."""

from collections.abc import Generator

import pytest

from tests.support.compose import Installation, installed, needs_docker
from tests.support.machine import to_itself

pytestmark = [pytest.mark.docker, needs_docker, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Generator[Installation]:
    """A cluster with TLS, to its clients and between its nodes."""
    with to_itself(tmp_path_factory), installed(tmp_path_factory.mktemp("cluster"), "cluster", "tls") as system:
        yield system


@pytest.mark.parametrize("node", ["nats", "nats-2"])
def test_a_node_killed_under_load_costs_no_order(system: Installation, node: str) -> None:
    """Whichever led the streams: the second one may have been chosen to when the first was killed."""
    with system.under_load("--rate", "10", "--mix", "everyday", "--warmup", "0s", "--duration", "20s"):
        system.do("kill", "--signal", "KILL", node)
    system.do("up", "--no-build", "--no-recreate", "--wait", "nats", "nats-2", "nats-3")
    assert set(system.states("nats", "nats-2", "nats-3").values()) == {"healthy"}
