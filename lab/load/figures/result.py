"""The result of a run: one document, from which every report is made, and the verdict on it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self, cast

from countermand.runtime.settings import ConfigurationError
from lab import exits
from lab.load.figures.tally import BACKWARDS_S
from lab.load.plan import LATE_S
from lab.load.rawlog import CUT_SHORT
from lab.load.wording import counted

SCHEMA: Final = "https://countermand.example/schemas/load.v1.json"
FILE: Final = "result.json"

INTERRUPTED: Final = "interrupted"
"""What the end of a log says when a person stopped the run; anything else but `CUT_SHORT` is what aborted it."""

LATE_SHARE_MAX: Final = 0.01
"""Of the starts of a run, so many may be late; beyond, it is the generator that was measured."""

NEGATIVE_SHARE_MAX: Final = 0.001
"""Of the spans of a run, so many may end before they begin; beyond, a clock was set and the others are wrong too."""

CLOCK_DRIFT_MS_MAX: Final = LATE_S * 1e3
"""Scheduled sends are told by a worker's clock, and what follows by the broker's: apart by more, a start would be late."""


class Verdict(StrEnum):
    """What a run comes to, the gravest first. What the audit of an interrupted run has proven is no less true."""

    BROKEN = "broken"
    INTERRUPTED = "interrupted"
    INVALID = "invalid"
    ABORTED = "aborted"
    THRESHOLD = "threshold"
    PASS = "pass"  # noqa: S105  A verdict is no password.

    @property
    def exit_code(self) -> int:
        """What `countermand load` exits with."""
        return _EXIT_CODES[self]


_EXIT_CODES: Final = {
    Verdict.BROKEN: exits.BROKEN,
    Verdict.INTERRUPTED: exits.INTERRUPTED,
    Verdict.INVALID: exits.INVALID,
    Verdict.ABORTED: exits.THRESHOLD,
    Verdict.THRESHOLD: exits.THRESHOLD,
    Verdict.PASS: exits.PASS,
}


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to. `data` is the document of docs/load-result.v1.schema.json."""

    data: Mapping[str, Any]

    @property
    def verdict(self) -> Verdict:
        """What it comes to."""
        return Verdict(self.data["verdict"])

    @property
    def exit_code(self) -> int:
        """What `countermand load` exits with."""
        return self.verdict.exit_code

    def document(self) -> dict[str, Any]:
        """The JSON of `countermand load --json`."""
        return dict(self.data)

    def write(self, path: Path) -> None:
        """Write the JSON document."""
        path.write_text(json.dumps(self.data, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, place: Path) -> Self:
        """Read a result's file, or that of a run's folder.

        Raises:
            ConfigurationError: it is not there, or is no such result.
        """
        path = place / FILE if place.is_dir() else place
        try:
            document: Any = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            msg = f"{path}: cannot be read: {error.strerror}"
            raise ConfigurationError(msg) from error
        except ValueError as error:
            msg = f"{path}: is no JSON document"
            raise ConfigurationError(msg) from error
        if not isinstance(document, dict) or cast("dict[str, Any]", document).get("schema") != SCHEMA:
            msg = f"{path}: is no result of `countermand load` that this version reads ({SCHEMA})"
            raise ConfigurationError(msg)
        return cls(cast("dict[str, Any]", document))


def judge(document: Mapping[str, Any]) -> tuple[Verdict, list[str]]:
    """The verdict on a document that has everything else, and why, in sentences; the gravest ones first."""
    found = {
        Verdict.BROKEN: _breaches(document),
        Verdict.INTERRUPTED: _interruptions(document),
        Verdict.INVALID: _doubts(document),
        Verdict.ABORTED: _aborts(document),
        Verdict.THRESHOLD: _misses(document),
    }
    verdict = next((verdict for verdict, reasons in found.items() if reasons), Verdict.PASS)
    return verdict, [reason for reasons in found.values() for reason in reasons]


def _interruptions(document: Mapping[str, Any]) -> list[str]:
    match document["stopped"]:
        case "interrupted":
            return ["The run was interrupted."]
        case str(text) if text == CUT_SHORT:
            return ["The run was cut short: its log has no end."]
        case _:
            return []


def _breaches(document: Mapping[str, Any]) -> list[str]:
    reasons = [
        f"{name} was violated {_times(line['violated'])}."
        for name, line in document["invariants"].items()
        if line["violated"]
    ]
    if lost := document["emails"]["lost"]:
        reasons.append(f"{counted(lost, 'promised email')} never arrived.")
    return reasons


def _doubts(document: Mapping[str, Any]) -> list[str]:
    flows, generator = document["flows"], document["generator"]
    reasons = list(_unseen(document))
    if not flows["started"]:
        reasons.append("No order was started.")
    if generator["late_share"] > LATE_SHARE_MAX:
        reasons.append(
            f"{generator['late_share']:.1%} of the starts were more than {LATE_S * 1e3:g} ms late, and {LATE_SHARE_MAX:.0%} "
            "may be: the generator was overloaded."
        )
    if generator["lost"]:
        reasons.append(f"{counted(generator['lost'], 'command')} of the generator could not be delivered.")
    if unlogged := generator["unlogged"]:
        reasons.append(f"{counted(unlogged, 'order')} started but missing from the log: a worker was lost.")
    reasons += _clocks(document)
    absent = flows["planned"] - flows["started"] - flows["shed"] - unlogged
    if document["stopped"] is None and absent > 0:
        reasons.append(f"{counted(absent, 'planned order')} neither started nor shed.")
    if document["stopped"] is None and not document["drained"]:
        owed = flows["started"] - min(flows["settled"], flows["completed"])
        what = f"{counted(owed, 'order')} not over" if owed else "The services not done"
        reasons.append(f"{what} when the wait for the last ones ended.")
    return reasons


def _unseen(document: Mapping[str, Any]) -> Iterator[str]:
    """What the audit does not vouch for. Of a run that was stopped, orders may not have reached the streams yet."""
    audited, started = document["audited"], document["flows"]["started"]
    if document["violations"] is None:
        yield "There was no audit, so nobody knows whether the orders came out right."
    elif audited is not None and audited < started and (document["drained"] or document["stopped"] is None):
        yield f"The audit saw {counted(audited, 'order')} of {started:,} that were started."


def _clocks(document: Mapping[str, Any]) -> Iterator[str]:
    """What makes every latency doubtful."""
    generator = document["generator"]
    spans = generator["lag_ms"]["count"] + sum(of["count"] for of in document["latency_ms"].values())
    if (negative := generator["negative_spans"]) > NEGATIVE_SHARE_MAX * spans:
        yield (
            f"{negative:,} of {counted(spans, 'span')} ended more than {BACKWARDS_S * 1e3:g} ms before they began, and "
            f"{NEGATIVE_SHARE_MAX:.1%} may: a clock was set."
        )
    drift_ms = generator["clock_drift_ms"]
    if document["latency_ms"] and drift_ms is not None and drift_ms > CLOCK_DRIFT_MS_MAX:
        yield f"The broker's clock and a worker's drifted {drift_ms:,.1f} ms apart, and {CLOCK_DRIFT_MS_MAX:g} ms may be."


def _aborts(document: Mapping[str, Any]) -> list[str]:
    stopped = document["stopped"]
    return [] if stopped in (None, INTERRUPTED, CUT_SHORT) else [f"The run was aborted: {stopped}."]


def _misses(document: Mapping[str, Any]) -> list[str]:
    return [f"{line['text']} does not hold: {_measured(line)}." for line in document["thresholds"] if not line["ok"]]


def _measured(line: Mapping[str, Any]) -> str:
    return "there is no such figure" if line["value"] is None else f"it is {line['value']:,.6g} {line['unit']}".rstrip()


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"
