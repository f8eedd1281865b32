"""The first line of a raw log: all that is known of a run before its first order."""

import os
import platform
from importlib.metadata import version
from typing import Any

from nats.aio.client import ServerVersion

from lab.load.options import Options, Target
from lab.load.rawlog import SCHEMA


def header_of(options: Options, target: Target, planned: int, server: ServerVersion) -> dict[str, Any]:
    """The line, but for `started_at`, which nobody knows yet.

    Args:
        planned: how many orders will arrive.
        server: of the broker.
    """
    plan = options.plan
    return {
        "schema": SCHEMA,
        "run": plan.run,
        "plan": plan.model_dump(mode="json"),
        "plan_hash": plan.hash,
        "planned": planned,
        "workers": options.crew,
        "embedded": target.system is not None,
        "environment": {
            "countermand": version("countermand"),
            "python": platform.python_version(),
            "nats_server": f"{server.major}.{server.minor}.{server.patch}",
            "cpus": os.cpu_count(),
            "platform": platform.platform(),
        },
        "faults": [fault.text for fault in options.faults],
        "thresholds": [threshold.text for threshold in options.thresholds],
        "abort_on": [condition.text for condition in options.abort_on],
    }
