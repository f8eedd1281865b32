"""The reports of a run, each made from its result alone."""

from pathlib import Path
from typing import Final

from lab.load.figures.result import FILE, Result
from lab.load.report import hlog, html, series

SERIES: Final = "series.csv"
HLOG: Final = "latency.hlog"
PAGE: Final = "report.html"


def write_all(result: Result, folder: Path) -> list[Path]:
    """Write every report into a run's folder, which is there already; the files, the most readable one first.

    Raises:
        OSError: one of them cannot be written.
    """
    writers = {PAGE: html.write, FILE: Result.write, SERIES: series.write, HLOG: hlog.write}
    for name, write in writers.items():
        write(result, folder / name)
    return [folder / name for name in writers]
