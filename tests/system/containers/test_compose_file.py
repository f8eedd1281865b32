"""What operators expect of every container, read from the compose files as Compose understands them."""

import json
import subprocess
from typing import Any

import pytest

from tests.support.compose import ROOT, needs_docker

pytestmark = [pytest.mark.docker, needs_docker]

OVERRIDES = ("cluster", "durable", "tls", "observability")
ONE_SHOTS = {"users", "provision", "certificates", "load", "lab", "backup"}


@pytest.fixture(params=[(), *((name,) for name in OVERRIDES), OVERRIDES], ids="+".join)
def services(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """Every service, with one override, with none and with all of them."""
    files = ["docker-compose.yml", *(f"deploy/compose.{name}.yml" for name in request.param)]
    command = ["docker", "compose", *(part for file in files for part in ("-f", file)), "--profile", "*"]
    found = subprocess.run([*command, "config", "--format", "json"], cwd=ROOT, check=True, capture_output=True)
    return json.loads(found.stdout)["services"]


def test_a_container_can_do_little_and_use_little(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["logging"]["options"]["max-size"], name
        assert {"cpus", "memory", "pids"} <= set(service["deploy"]["resources"]["limits"]), name
        assert "container_name" not in service, f"{name} could not be scaled"


def test_what_runs_on_tells_how_it_is_and_is_started_again(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        if name not in ONE_SHOTS:
            assert service["healthcheck"]["test"][0] == "CMD", name
            assert service["restart"] == "unless-stopped", name
        else:
            assert "restart" not in service, name


def test_ports_are_open_to_this_machine_only_and_monitoring_to_nobody(services: dict[str, dict[str, Any]]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}
    assert not {port["target"] for port in published} & {8222, 6222, 2525}


def test_nobody_is_told_a_password_but_in_a_file_of_their_own(services: dict[str, dict[str, Any]]) -> None:
    ours = {name: service for name, service in services.items() if "NATS_USER" in service.get("environment", {})}
    assert set(ours) >= {"order", "seller", "dispute", "notify", "web", "provision", "load", "lab", "backup"}
    for name, service in ours.items():
        user = service["environment"]["NATS_USER"]
        mounted = {volume["source"]: volume.get("read_only") for volume in service["volumes"]}
        assert {source for source in mounted if source.endswith("-user")} == {f"{user}-user"}, name
        assert mounted[f"{user}-user"] is True, name


def test_a_service_waits_for_the_streams(services: dict[str, dict[str, Any]]) -> None:
    for name in ("order", "seller", "dispute", "notify", "web"):
        assert services[name]["depends_on"]["provision"]["condition"] == "service_completed_successfully"
    assert services["provision"]["depends_on"]["nats"]["condition"] == "service_healthy"
