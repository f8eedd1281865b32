"""The image's recipe and the Kubernetes manifests, checked by the tools that operators use, without a cluster."""

import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any, Final

import kubernetes_validate  # pyright: ignore[reportMissingTypeStubs]
import pytest
import yaml

from countermand.runtime.names import Names
from lab.access import files
from lab.access.users import users
from lab.system import CARDS

ROOT: Final = Path(__file__).parents[2]
NODES: Final = ("nats-0.nats-nodes", "nats-1.nats-nodes", "nats-2.nats-nodes")
VERSIONS: Final = ("1.31", "1.37")
"""The oldest and the newest Kubernetes that the manifests are checked for."""

Manifests = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def deploy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the folder with the secrets that an operator makes first."""
    folder = tmp_path_factory.mktemp("deploy") / "deploy"
    shutil.copytree(ROOT / "deploy", folder, ignore=shutil.ignore_patterns("secrets"))
    files.write(folder / "kubernetes/base/secrets", users(Names()), files.Server(NODES))
    return folder


@pytest.fixture(scope="module", params=["base", "keda"])
def manifests(request: pytest.FixtureRequest, deploy: Path) -> Manifests:
    """What `kubectl apply -k` would send, by kind and name."""
    built = _tool("kubectl", "kustomize", str(deploy / "kubernetes" / request.param))
    assert built.returncode == 0, built.stderr
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(built.stdout)}


def test_hadolint_finds_nothing() -> None:
    found = _tool("hadolint", str(ROOT / "deploy/Dockerfile"))
    assert (found.returncode, found.stdout) == (0, "")


@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_are_what_kubernetes_knows(manifests: Manifests, version: str) -> None:
    """KEDA's own kind is not among the schemas; another test reads it."""
    for (kind, _), manifest in manifests.items():
        if kind != "ScaledObject":
            kubernetes_validate.validate(manifest, version, strict=True)  # pyright: ignore[reportUnknownMemberType]


def test_every_pod_is_restricted_bounded_and_probed(manifests: Manifests) -> None:
    pods = {key: one["spec"]["template"]["spec"] for key, one in manifests.items() if "template" in one.get("spec", {})}
    assert {kind for kind, _ in pods} == {"Deployment", "StatefulSet", "Job"}
    for (kind, name), pod in pods.items():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert "memory" in container["resources"]["limits"], name
        if kind != "Job":
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys(), name


def test_a_service_is_alive_by_healthz_ready_by_readyz_and_knows_its_own_password(manifests: Manifests) -> None:
    for card in CARDS:
        pod = manifests["Deployment", card.name]["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert (
            container["livenessProbe"]["httpGet"]["path"] == container["startupProbe"]["httpGet"]["path"] == "/healthz"
        )
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert {"name": "NATS_USER", "value": card.name} in container["env"]
        secrets = [volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume]
        assert [name.rpartition("-")[0] for name in secrets] == [f"user-{card.name}"]
        assert ("PodDisruptionBudget", card.name) in manifests


def test_nothing_may_talk_to_anything_that_is_not_named(manifests: Manifests) -> None:
    default = manifests["NetworkPolicy", "nothing"]["spec"]
    assert default == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_replicas_follow_what_waits_for_consumers_that_exist(deploy: Path) -> None:
    known = {
        (heard.stream, Names().consumer(card.name, heard.stream)) for card in CARDS for heard in card.subscriptions()
    }
    scaled = list(yaml.safe_load_all((deploy / "kubernetes/keda/scaling.yaml").read_text()))
    assert {one["spec"]["scaleTargetRef"]["name"] for one in scaled} == {card.name for card in CARDS}
    for one in scaled:
        for trigger in one["spec"]["triggers"]:
            assert trigger["type"] == "nats-jetstream"
            assert (trigger["metadata"]["stream"], trigger["metadata"]["consumer"]) in known


def _tool(name: str, *args: str) -> "subprocess.CompletedProcess[str]":
    program = Path(sysconfig.get_path("scripts")) / name
    return subprocess.run([str(program), *args], check=False, capture_output=True, text=True, timeout=60)
