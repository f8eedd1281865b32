"""The time series of a run as CSV: one row a second (or every few, in a run of hours), empty where nothing is known."""

import csv
from pathlib import Path

from lab.load.figures.result import Result


def write(result: Result, path: Path) -> None:
    """Write the rows of `series`, under the names of their fields."""
    rows = result.data["series"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if rows:
            writer.writerow(rows[0])
            writer.writerows(row.values() for row in rows)
