"""What a simulation leaves as JSON; `--replay` reads it back."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from lab.audit.report import report_of
from lab.simulate.exercised import RACES
from lab.simulate.options import Options
from lab.simulate.play import Run

SCHEMA: Final = "https://countermand.example/schemas/simulate.v1.json"


class Recorded(BaseModel):
    """What it takes to play it again."""

    schema_: Literal["https://countermand.example/schemas/simulate.v1.json"] = Field(alias="schema")
    orders: int = Field(ge=1, le=100_000_000)
    seed: int = Field(ge=0, le=2**63)
    mix: str
    faults: str
    replicas: int = Field(ge=1, le=9)
    plan_hash: str
    outcome_hash: str


def document(result: Run, asked: Options, plan: str, runs: Mapping[str, Run]) -> dict[str, Any]:
    """The JSON of `countermand simulate --json`."""
    report = report_of(result.totals, result.seconds).document()
    return {
        "schema": SCHEMA,
        "seed": asked.seed,
        "verdict": "fail" if any(played.violated for played in runs.values()) else "pass",
        "orders": asked.orders,
        "mix": asked.mix,
        "plan_hash": plan,
        "faults": asked.faults,
        "replicas": asked.replicas,
        "outcome_hash": result.outcome_hash,
        "messages": result.handled,
        "messages_per_order": round(result.handled / max(1, result.orders), 2),
        "messages_per_s": round(result.handled / result.seconds) if result.seconds else 0,
        "seconds": round(result.seconds, 3),
        "events_per_order": report["events_per_order"],
        "outcomes": dict(sorted(result.outcomes.items())),
        "invariants": report["invariants"],
        "emails": report["emails"],
        "sometimes": dict(sorted(result.sometimes.items())),
        "races": {race: result.races[race] for race in RACES},
        "refusals": dict(sorted(result.refusals.items())),
        "policies": {
            name: {"outcomes": dict(sorted(played.outcomes.items())), "outcome_hash": played.outcome_hash}
            | played.figures.document()
            for name, played in runs.items()
        },
    }
