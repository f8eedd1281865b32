"""`countermand policy …` as an operator meets it: output and exit codes."""

from pathlib import Path

import pytest

from countermand.kernel.policy import Policy
from lab.cli import main


def test_show_prints_the_default_policy_as_a_policy_file(run: "Run", tmp_path: Path) -> None:
    code, shown, _ = run("show")
    path = tmp_path / "policy.yaml"
    path.write_text(shown, encoding="utf-8")
    assert code == 0
    assert run("check", str(path)) == (0, f"ok, hash {Policy().hash}\n", "")


def test_show_of_a_file_prints_its_policy_with_the_same_hash(run: "Run", tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("on_silence: wait\n", encoding="utf-8")
    policy_hash = Policy.model_validate({"on_silence": "wait"}).hash
    assert run("check", str(path)) == (0, f"ok, hash {policy_hash}\n", "")
    code, shown, _ = run("show", str(path))
    assert code == 0
    assert policy_hash in shown.splitlines()[0]
    path.write_text(shown, encoding="utf-8")
    assert run("check", str(path)) == (0, f"ok, hash {policy_hash}\n", "")


@pytest.mark.parametrize("command", ["show", "check", "put"])
def test_a_wrong_file_is_one_line_and_exit_code_2(run: "Run", tmp_path: Path, command: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("# mine\non_silence: wiat\n", encoding="utf-8")
    nats = ["--nats", "nats://127.0.0.1:1"] if command == "put" else []
    said = "on_silence should be one of cancel, refuse, wait; found 'wiat'; did you mean wait?"
    assert run(command, str(path), *nats) == (2, "", f"countermand: {path}:2: {said}\n")


def test_a_missing_argument_is_exit_code_2(run: "Run", monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NATS_URL", raising=False)
    assert run("check") == (2, "", "countermand: Missing argument 'FILE'.\n")
    assert run("put", str(tmp_path)) == (2, "", "countermand: Missing option '--nats' (env var: 'NATS_URL').\n")


def test_put_where_nobody_answers_is_one_line_and_exit_code_2(run: "Run", tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.touch()
    code, out, said = run("put", str(path), "--nats", "nats://127.0.0.1:1")
    assert (code, out) == (2, "")
    assert said.startswith("countermand: no NATS server answers at nats://127.0.0.1:1")
    assert said.count("\n") == 1


class Run:
    """Runs `countermand policy …` here."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[object, str, str]:
        """The exit code, the output, and what went to standard error."""
        self._monkeypatch.setattr("sys.argv", ["countermand", "policy", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capsys.readouterr()
        return ended.value.code, out, err


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(monkeypatch, capsys)
