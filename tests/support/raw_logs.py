"""Raw logs of runs that never were: each moment is given, so that every figure is known beforehand."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lab.load.figures.measure import measure
from lab.load.figures.result import Result
from lab.load.rawlog import SCHEMA, RawLog, RawLogWriter

SECONDS = 20.0
WARMUP_S = 5.0
AUDIT: dict[str, Any] = {
    "invariants": {
        "I1": {"checked": 10, "pending": 0, "violated": 0, "violations": []},
        "I4": {"checked": 12, "pending": 1, "violated": 0, "violations": []},
    },
    "emails": {"promised": 9, "delivered": 9, "failed": 0, "duplicates": 1, "lost": 0},
}
"""Without the number of orders that it saw: `write` adds that of a run that has no other `end`."""
BROKEN_AUDIT: dict[str, Any] = AUDIT | {
    "invariants": {
        "I4": {
            "checked": 12,
            "pending": 1,
            "violated": 1,
            "violations": [{"order_id": "o7", "what": "<b>no email</b>"}],
        }
    }
}


def request(
    due: float, answer_ms: float = 20.0, email_ms: float | None = 30.0, **moments: float | None
) -> dict[str, Any]:
    """A request that was answered and mailed so many milliseconds after its scheduled send; without `email_ms`, not mailed."""
    known = {
        "due": due,
        "sent": due + 0.001,
        "recorded": due + 0.002,
        "seller": due + 0.004,
        "answer": "OrderCancelled",
        "fact": "fact",
        "answered": due + answer_ms / 1e3,
        "emailed": None if email_ms is None else due + email_ms / 1e3,
    }
    return {name: moment for name, moment in (known | moments).items() if moment is not None}


def order(due: float, *requests: Mapping[str, Any], sent: float | None = None, **changes: Any) -> dict[str, Any]:
    """An order that was closed half a second after its scheduled arrival, with an email for each request that has one."""
    mails = sum("emailed" in one for one in requests)
    return {
        "n": round(due * 1e3),
        "order": f"{round(due * 1e6):020d}",
        "flow": "decided/prompt",
        "due": due,
        "sent": due if sent is None else sent,
        "outcome": "cancelled_refunded",
        "closed": due + 0.5,
        "completed": True,
        "promised": mails,
        "emails": mails,
        "requests": list(requests),
    } | changes


def plain(second: float, **moments: Any) -> dict[str, Any]:
    """An order with one request of its own second."""
    return order(second, request(second, **moments))


def write(
    folder: Path,
    orders: Iterable[Mapping[str, Any]],
    *,
    lines: Iterable[tuple[str, Mapping[str, Any]]] = (),
    end: Mapping[str, Any] | None = None,
    plan: Mapping[str, Any] | None = None,
    **header: Any,
) -> Path:
    """Write the log of a run of `SECONDS`; `lines` are further ones, each with its type."""
    planned: dict[str, Any] = {
        "run": "r1",
        "mix": {"name": "everyday", "description": "", "flows": []},
        "seed": 7,
        "rate": 1.0,
        "duration_s": SECONDS,
        "warmup_s": WARMUP_S,
        "arrivals": "constant",
        "clock_rate": 3600.0,
        "in_flight_max": 1000,
    }
    orders = list(orders)
    run: dict[str, Any] = {
        "schema": SCHEMA,
        "run": "r1",
        "plan": planned | dict(plan or {}),
        "plan_hash": "0123456789abcdef",
        "planned": len(orders),
        "started_at": "2026-03-02T08:00:00+00:00",
        "workers": 1,
        "embedded": True,
        "environment": {"python": "3.11"},
        "faults": [],
        "thresholds": [],
        "abort_on": [],
    }
    log = RawLogWriter(folder)
    log.write("run", run | header)
    for one in orders:
        log.write("order", one)
    for kind, line in lines:
        log.write(kind, line)
    for name, began, ended in (("arrivals", 0.0, SECONDS), ("drain", SECONDS, SECONDS + 1.5)):
        log.write("phase", {"name": name, "began": began, "ended": ended})
    log.write(
        "end", {"stopped": None, "drained": True, "audit": AUDIT | {"orders": len(orders)}} if end is None else end
    )
    log.close()
    return log.path


def measured(folder: Path, orders: Iterable[Mapping[str, Any]], **log: Any) -> Result:
    """The result of such a run."""
    return measure(RawLog.read(write(folder, orders, **log)))


def tick(second: float, index: int = 0, **counts: Any) -> tuple[str, dict[str, Any]]:
    """What a worker told of itself."""
    known = dict.fromkeys(
        ("started", "late", "shed", "open", "settled", "completed", "unacked", "resent", "lost", "refused"), 0
    )
    return "tick", {
        "index": index,
        "second": second,
        **known,
        "lag_s": 0.0,
        "cpu_s": second,
        "rss_bytes": 1_000_000,
        **counts,
    }


def sample(second: float, waiting: int, **processes: tuple[float, float]) -> tuple[str, dict[str, Any]]:
    """What the system looked like; processes are given as CPU seconds and bytes."""
    used = {name: {"cpu_s": cpu_s, "rss_bytes": rss} for name, (cpu_s, rss) in processes.items()}
    return "sample", {"second": second, "backlog": {"order": waiting, "notify": 1}, "processes": used}


def fault(text: str, began: float, ended: float) -> tuple[str, dict[str, Any]]:
    """What was done to the system."""
    return "fault", {"text": text, "what": text.partition("@")[0], "began": began, "ended": ended}
