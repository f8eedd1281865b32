"""promtool, Prometheus' own judge, on the configuration, the alert rules, their tests, and every query of the dashboards."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.support.observability import PROMETHEUS, queries

IMAGE: Final = "prom/prometheus:v3"
_WITHIN_S: Final = 100
_DOCKER_FAILED: Final = 125
"""Docker's own exit code, as when it has no such image and can fetch none."""

INSTALLED: Final = shutil.which("promtool")

pytestmark = [] if INSTALLED else [pytest.mark.docker]

Promtool = Callable[..., str]


@pytest.fixture
def promtool() -> Promtool:
    """Runs promtool in a folder: the one on this machine, or that of the image. Its output, once it finds nothing wrong."""
    docker = shutil.which("docker")
    if INSTALLED is None and docker is None:
        pytest.skip("there is neither promtool nor docker")

    def run(folder: Path, *arguments: str) -> str:
        if INSTALLED is not None:
            command = [INSTALLED, *arguments]
        else:
            mount = f"{folder}:/checked:ro"
            command = [
                "docker",
                "run",
                "--rm",
                "--network=none",
                "--entrypoint=promtool",
                "-v",
                mount,
                "-w",
                "/checked",
            ]
            command += [IMAGE, *arguments]
        done = subprocess.run(
            command,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_WITHIN_S,
            check=False,
        )
        if INSTALLED is None and done.returncode == _DOCKER_FAILED:
            pytest.skip(f"docker cannot run {IMAGE}: {done.stdout.strip().splitlines()[-1]}")
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def test_the_configuration_and_its_rules_are_valid(promtool: Promtool) -> None:
    said = promtool(PROMETHEUS, "check", "config", "--lint=all", "--lint-fatal", "prometheus.yml")
    assert "1 rule files found" in said


def test_each_alert_fires_on_what_it_is_for_and_on_nothing_else(promtool: Promtool) -> None:
    assert "SUCCESS" in promtool(PROMETHEUS, "test", "rules", "rules.test.yml")


def test_each_query_of_the_dashboards_is_promql(promtool: Promtool, tmp_path: Path) -> None:
    """Promtool reads no dashboards: each query becomes a rule. Other than our parser, it also checks types."""
    asked = [{"record": f"query:{number}", "expr": query.text} for number, query in enumerate(queries())]
    tmp_path.chmod(0o755)  # In the container it is read by nobody.
    (tmp_path / "queries.yml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": asked}]}))
    assert f"{len(asked)} rules found" in promtool(tmp_path, "check", "rules", "queries.yml")
