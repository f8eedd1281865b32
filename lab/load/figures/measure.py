"""From the raw log of a run to its result: what every figure is made of. docs/load.md says what they mean."""

from collections.abc import Mapping
from typing import Any, Final

from lab.load.figures.metrics import ANSWER, EMAIL, START_LAG
from lab.load.figures.recovery import recoveries
from lab.load.figures.result import SCHEMA, Result, judge
from lab.load.figures.sparse import Spans
from lab.load.figures.tally import Tally, Window, step_of
from lab.load.figures.thresholds import Threshold
from lab.load.figures.usage import Meter, backlog, clock_drift_ms, in_flight, last_ticks, meters, total, waiting
from lab.load.plan import Arrivals
from lab.load.rawlog import RawLog

_PLANNED: Final = ("rate", "duration_s", "warmup_s", "arrivals", "clock_rate", "in_flight_max")
_SPECTRUM: Final = (50.0, 99.0)


def measure(log: RawLog) -> Result:
    """Everything that a run's log says, in one document.

    Raises:
        ConfigurationError: the log's file was changed meanwhile, or a threshold of it cannot be read.
    """
    plan, phases = log.run["plan"], {phase["name"]: phase for phase in log.phases}
    window = _window(plan, phases)
    step_s = step_of(_length_s(log, plan))
    tally = Tally(window, step_s)
    for order in log.orders():
        tally.add(order)
    audit: Mapping[str, Any] = log.end.get("audit") or {}
    spans = tally.overall()
    lag = spans.pop(START_LAG, Spans())
    processes = meters(log.samples, log.ticks, _ended(phases.get("drain")) or float("inf"), step_s)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "seed": plan["seed"],
        "run": plan["run"],
        "plan_hash": log.run["plan_hash"],
        "started_at": log.run["started_at"],
        "plan": _plan(log.run),
        "verdict": "",
        "reasons": [],
        "stopped": log.end.get("stopped"),
        "drained": bool(log.end.get("drained")),
        "flows": _flows(log, tally),
        "rate": _rate(plan, tally),
        "latency_ms": {name: of.document() for name, of in spans.items()},
        "by_flow": _grouped(tally.by_flow),
        "by_outcome": _grouped(tally.by_outcome),
        "outcomes": dict(sorted(tally.outcomes.items())),
        "audited": audit.get("orders"),
        "violations": _violations(audit),
        "invariants": dict(audit.get("invariants", {})),
        "emails": _emails(audit, tally),
        "generator": _generator(log, tally, lag),
        "backlog": _backlog(log, phases, window),
        "phases": {name: {"began": phase["began"], "ended": phase.get("ended")} for name, phase in phases.items()},
        "resources": {name: meter.document(tally.counts["started"]) for name, meter in processes.items()},
        "faults": recoveries(log.faults, log.orders, window),
        "thresholds": [],
        "series_step_s": step_s,
        "series": _series(log, tally),
        "usage": {name: _used(meter, step_s) for name, meter in processes.items()},
        "histograms": {name: of.encoded() for name, of in (*spans.items(), (START_LAG, lag)) if of.cells},
        "blocks": _blocks(tally),
        "environment": dict(log.run.get("environment", {})),
    }
    document["thresholds"] = [_checked(Threshold.parse(text), document) for text in log.run.get("thresholds", ())]
    verdict, reasons = judge(document)
    return Result(document | {"verdict": str(verdict), "reasons": reasons})


def _window(plan: Mapping[str, Any], phases: Mapping[str, Mapping[str, Any]]) -> Window:
    """Arrivals may have ended early; a generator that is late does not prolong them."""
    ended = _ended(phases.get("arrivals"))
    return Window(plan["warmup_s"], min(plan["duration_s"], plan["duration_s"] if ended is None else ended))


def _ended(phase: Mapping[str, Any] | None) -> float | None:
    return None if phase is None else phase.get("ended")


def _length_s(log: RawLog, plan: Mapping[str, Any]) -> float:
    """The last moment that anything is known of."""
    seconds = [line["second"] for line in (*log.ticks[-1:], *log.samples[-1:])]
    return max([plan["duration_s"], *seconds])


def _plan(run: Mapping[str, Any]) -> dict[str, Any]:
    plan = run["plan"]
    return {
        "mix": plan["mix"]["name"],
        **{name: plan[name] for name in _PLANNED},
        "workers": run["workers"],
        "embedded": run.get("embedded", False),
        "faults": list(run.get("faults", ())),
        "abort_on": list(run.get("abort_on", ())),
    }


def _flows(log: RawLog, tally: Tally) -> dict[str, int]:
    counts = tally.counts
    return {
        "planned": log.run["planned"],
        **{name: counts[name] for name in ("started", "completed", "settled", "late")},
        "shed": total(last_ticks(log.ticks), "shed"),
    }


def _rate(plan: Mapping[str, Any], tally: Tally) -> dict[str, float]:
    """Per second of the measured window; a ramp's target is its mean over the window."""
    window, target = tally.window, float(plan["rate"])
    if plan["arrivals"] == Arrivals.RAMP:
        target *= (window.begins + window.ends) / 2 / plan["duration_s"]
    achieved = sum(tally.completions.values()) / window.length_s if window.length_s else 0.0
    return {"target": round(target, 3), "achieved": round(achieved, 3)}


def _grouped(groups: Mapping[str, Mapping[str, Spans]]) -> dict[str, dict[str, dict[str, float]]]:
    return {
        group: {name: spans.document() for name, spans in sorted(metrics.items())}
        for group, metrics in sorted(groups.items())
    }


def _violations(audit: Mapping[str, Any]) -> int | None:
    if not audit:
        return None
    return sum(line["violated"] for line in audit["invariants"].values())


def _emails(audit: Mapping[str, Any], tally: Tally) -> dict[str, int | None]:
    """As the audit found them; without one, what the run itself saw, which cannot tell a lost email from a late one."""
    if found := audit.get("emails"):
        return {name: found[name] for name in ("promised", "delivered", "duplicates", "lost")}
    return {
        "promised": tally.counts["promised"],
        "delivered": tally.counts["emails"],
        "duplicates": None,
        "lost": None,
    }


def _generator(log: RawLog, tally: Tally, lag: Spans) -> dict[str, Any]:
    ticks, started = last_ticks(log.ticks), tally.counts["started"]
    return {
        "late_share": round(tally.counts["late"] / started, 6) if started else 0.0,
        "lag_ms": lag.document(),
        **{name: total(ticks, name) for name in ("resent", "lost", "refused")},
        "unlogged": max(0, total(ticks, "started") - started),
        "negative_spans": tally.counts["backwards"],
        "clock_drift_ms": clock_drift_ms(log.ticks),
    }


def _backlog(log: RawLog, phases: Mapping[str, Mapping[str, Any]], window: Window) -> dict[str, float | None]:
    waits = waiting(log.samples)
    drain = phases.get("drain", {})
    took_s = drain["ended"] - drain["began"] if drain.get("ended") is not None else None
    return {
        "max": max((messages for _, messages in waits), default=None),
        "at_end": next((messages for second, messages in reversed(waits) if second <= window.ends), None),
        "drain_s": round(took_s, 3) if took_s is not None and log.end.get("drained") else None,
    }


def _series(log: RawLog, tally: Tally) -> list[dict[str, Any]]:
    """A row for every second (or every few, in a long run) in which anything happened, and those between."""
    step_s = tally.step_s
    sampled = (int(line["second"] // step_s) for line in log.samples if line.get("backlog") is not None)
    rows = 1 + max([*tally.started, *tally.completed, *tally.seconds, *sampled], default=-1)
    open_, waits = in_flight(log.ticks, rows, step_s), backlog(log.samples, rows, step_s)
    return [
        {
            "second": row * step_s,
            "started": tally.started[row],
            "completed": tally.completed[row],
            "in_flight": open_[row],
            "backlog": waits[row],
            **_quantiles(ANSWER, tally.seconds.get(row)),
            **_quantiles(EMAIL, tally.seconds.get(row)),
        }
        for row in range(rows)
    ]


def _quantiles(metric: str, spans: Mapping[str, Spans] | None) -> dict[str, float | None]:
    found = (spans or {}).get(metric, Spans()).quantiles_ms(_SPECTRUM)
    return {f"{metric}_p{percent:g}_ms": at for percent, at in zip(_SPECTRUM, found, strict=True)}


def _used(meter: Meter, step_s: int) -> dict[str, list[list[float]]]:
    """`[second, figure]` pairs, by second of the series."""
    return {
        "cores": [[row * step_s, round(cores, 4)] for row, cores in sorted(meter.cores.items())],
        "rss_mb": [[row * step_s, round(rss_bytes / 1e6, 1)] for row, rss_bytes in sorted(meter.rss_bytes.items())],
    }


def _blocks(tally: Tally) -> list[dict[str, Any]]:
    return [
        {
            "from": round(begins, 6),
            "to": round(ends, 6),
            "completed": tally.completions[place],
            "histograms": {name: spans.encoded() for name, spans in sorted(block.items()) if name != START_LAG},
        }
        for place, ((begins, ends), block) in enumerate(zip(tally.window.edges(), tally.blocks, strict=True))
    ]


def _checked(threshold: Threshold, document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "text": threshold.text,
        "value": threshold.value(document),
        "unit": threshold.unit,
        "ok": bool(threshold.holds(document)),
    }
