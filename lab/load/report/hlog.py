"""The latencies of a run in HdrHistogram's interval log format, which its tools plot and merge.

Each line is one metric, its tag, in one block of the measured window; histograms count microseconds.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from lab.load.figures.result import Result
from lab.load.figures.sparse import Spans, longest_of

_VERSION: Final = "1.3"
"""Of the format: the first with tags is 1.2, and readers of 1.3 read it too."""


def write(result: Result, path: Path) -> None:
    """Write the blocks' histograms."""
    path.write_text("".join(f"{line}\n" for line in _lines(result)), encoding="utf-8")


def _lines(result: Result) -> Iterator[str]:
    started_at = datetime.fromisoformat(result.data["started_at"])
    seconds = f"{started_at.timestamp():.3f} (seconds since epoch)"
    yield f"#[countermand load, run {result.data['run']}, latencies in microseconds, maxima in milliseconds]"
    yield f"#[Histogram log format version {_VERSION}]"
    yield f"#[StartTime: {seconds}, {started_at.isoformat()}]"
    yield f"#[BaseTime: {seconds}]"
    yield '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'
    for block in result.data["blocks"]:
        begins, length_s = block["from"], block["to"] - block["from"]
        for metric, histogram in block["histograms"].items():
            longest_ms = longest_of(max(Spans.decoded(histogram).cells)) / 1e3
            yield f"Tag={metric},{begins:.3f},{length_s:.3f},{longest_ms:.3f},{histogram}"
