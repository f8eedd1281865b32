"""Tries every mutation: `python -m tests.mutations [--rule R4 …] [--jobs 2]`. Exit code 0 only if all are killed."""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.mutations.catalogue import MUTATIONS, Mutation
from tests.mutations.rules import ROOT

_PROOF_S_MAX: Final = 180.0
"""A story gives up after 50 s of waiting for anything; the rest is for a machine with much else to do."""

_ELSEWHERE: Final = {"NATS_URL", "MAILBOX_URL"}
"""A story would play on the system that they name, which runs other code."""

_PASSES: Final = 0
_TEST_FAILS: Final = 1
_STORY_FAILS: Final = 3


class Verdict(StrEnum):
    """What became of a mutation."""

    KILLED = "killed"
    SURVIVED = "SURVIVED"
    NOT_APPLIED = "could not apply"
    NO_PROOF = "proof fails unmutated"
    BROKEN = "broke otherwise"
    TOO_LONG = "took too long"


@dataclass(frozen=True, slots=True)
class Proof:
    """How a proof ended. `code` is nothing if it took too long; `failed` is the first test that did."""

    code: int | None
    failed: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What was found out about a mutation."""

    mutation: Mutation
    verdict: Verdict
    detail: str
    seconds: float

    def line(self) -> str:
        """For people."""
        mutation = self.mutation
        return f"{mutation.rule:<4} {self.verdict:<21} {self.seconds:5.0f} s  {mutation.name}  [{self.detail}]\n"


class Trier:
    """Tries mutations on copies in `folder`; each proof is first run once on the code as it is."""

    def __init__(self, pool: Executor, folder: Path, mutations: Iterable[Mutation]) -> None:
        self._files = _tracked()
        self._folder = folder
        self._unmutated = folder / "unmutated"
        _copy(self._files, ROOT, self._unmutated)
        # They begin before any trial does, so that no trial waits for one that waits for a free worker.
        commands = dict.fromkeys(map(_command, mutations))
        self._before = {command: pool.submit(_prove, command, self._unmutated) for command in commands}

    def attempt(self, mutation: Mutation) -> Trial:
        """Undo one rule."""
        started = time.monotonic()
        verdict, detail = self._judge(mutation)
        return Trial(mutation, verdict, detail, time.monotonic() - started)

    def _judge(self, mutation: Mutation) -> tuple[Verdict, str]:
        command = _command(mutation)
        try:
            source = mutation.apply((self._unmutated / mutation.file).read_text())
        except (OSError, ValueError) as error:
            return Verdict.NOT_APPLIED, str(error)
        if (before := self._before[command].result()).code != _PASSES:
            return Verdict.NO_PROOF, f"{mutation.proof}: exit {before.code} {before.failed}".rstrip()
        mutated = self._folder / mutation.rule
        try:
            _copy(self._files, self._unmutated, mutated)
            (mutated / mutation.file).write_text(source)
            after = _prove(command, mutated)
        finally:
            shutil.rmtree(mutated, ignore_errors=True)
        return _verdict(mutation, after), f"{mutation.proof} {after.failed}".rstrip()


def main() -> int:
    """Try what was asked for, and say what became of it."""
    arguments = _arguments()
    chosen = [mutation for mutation in MUTATIONS if not arguments.rule or mutation.rule in arguments.rule]
    trials: list[Trial] = []
    with TemporaryDirectory(prefix="mutations-") as folder, ThreadPoolExecutor(arguments.jobs) as pool:
        trier = Trier(pool, Path(folder), chosen)
        for trial in pool.map(trier.attempt, chosen):
            trials.append(trial)
            _say(trial.line())
    killed = sum(trial.verdict is Verdict.KILLED for trial in trials)
    _say(f"{killed} of {len(trials)} mutations killed\n")
    return 0 if trials and killed == len(trials) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutations", description="Undo each rule; its proof must fail."
    )
    rules = [mutation.rule for mutation in MUTATIONS]
    parser.add_argument("--rule", nargs="+", choices=rules, metavar="ID", help="only these, as in R4 P1 X12")
    parser.add_argument("--jobs", type=int, default=2, choices=range(1, 17), metavar="N", help="side by side")
    return parser.parse_args()


def _verdict(mutation: Mutation, after: Proof) -> Verdict:
    if after.code is None:
        return Verdict.TOO_LONG
    if after.code == _PASSES:
        return Verdict.SURVIVED
    return Verdict.KILLED if after.code == (_STORY_FAILS if mutation.story else _TEST_FAILS) else Verdict.BROKEN


def _command(mutation: Mutation) -> tuple[str, ...]:
    """The arguments of Python that run the proof."""
    if mutation.story:
        return ("-m", "lab.cli", "story", mutation.story)
    named = f"_{mutation.rule.lower()}_"
    return ("-m", "pytest", "-n", "0", "-x", "-q", "-p", "no:cacheprovider", mutation.proof, "-k", named)


def _prove(command: tuple[str, ...], root: Path) -> Proof:
    """Run a proof on the code in `root`."""
    environment = {key: value for key, value in os.environ.items() if key not in _ELSEWHERE}
    environment |= {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(root.parent)}
    try:
        # A broker that a story starts ends with it, however it ends.
        done = subprocess.run(
            [sys.executable, *command],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PROOF_S_MAX,
            check=False,
            text=True,
        )
    except subprocess.TimeoutExpired:
        return Proof(None, "")
    return Proof(done.returncode, _first_failure(done.stdout))


def _first_failure(said: str) -> str:
    """The name of the first test that failed, from pytest's summary."""
    failed = (line for line in said.splitlines() if line.startswith("FAILED "))
    return next(failed, "").removeprefix("FAILED ").partition(" - ")[0].partition("[")[0].rpartition("::")[2]


def _tracked() -> list[Path]:
    """The files of the work tree that git knows or would add."""
    listed = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
    )
    return [Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()]


def _copy(files: Iterable[Path], source: Path, target: Path) -> None:
    for file in files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / file, target / file)


def _say(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
