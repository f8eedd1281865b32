"""A parent to kill: starts a broker and a child, tells their pids as a line of JSON, and waits.

`python embedded_parent.py DATA_DIR asyncio|uvloop`
"""

import asyncio
import json
import sys
from pathlib import Path

import uvloop

from countermand.runtime.embedded import spawn, start_nats


async def main(data_dir: Path) -> None:
    server = await start_nats(data_dir)
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    child = await spawn(sleeper, log_path=data_dir / "child.log", name="child")
    sys.stdout.write(json.dumps([server.pid, child.pid]) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    run = {"asyncio": asyncio.run, "uvloop": uvloop.run}[sys.argv[2]]
    run(main(Path(sys.argv[1])))
