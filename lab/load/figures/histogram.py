"""Latencies in an HdrHistogram: three significant digits from a microsecond to a week, merged without loss."""

from collections.abc import Iterable
from typing import Any, Final, Self

from hdrh.histogram import HdrHistogram

LOWEST_US: Final = 1
HIGHEST_US: Final = 604_800_000_000
"""A week, as long as a run may be: by the hour it would cost a fourth less memory, and long waits would seem shorter."""

DIGITS: Final = 3

QUANTILES: Final = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}


class Histogram:
    """Counts spans of time given in seconds. Beyond a week counts as a week, and below a microsecond as one."""

    def __init__(self, spans_s: Iterable[float] = ()) -> None:
        self._hdr: Any = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
        for span_s in spans_s:
            self.add(span_s)

    def add(self, span_s: float) -> None:
        """Count one."""
        self._hdr.record_value(min(max(round(span_s * 1e6), LOWEST_US), HIGHEST_US))

    def merge(self, other: "Histogram | str") -> None:
        """Count in what another one has, or what `encoded` gave."""
        if isinstance(other, str):
            self._hdr.decode_and_add(other.encode())
        elif len(other):
            self._hdr.add(other.hdr)

    @classmethod
    def decoded(cls, text: str) -> Self:
        """The opposite of `encoded`."""
        made = cls()
        made.merge(text)
        return made

    @property
    def hdr(self) -> Any:
        """The library's own object."""
        return self._hdr

    def encoded(self) -> str:
        """Base64 of HdrHistogram's compressed V2 format, which its tools in every language read."""
        return self._hdr.encode().decode()

    def quantile_s(self, percent: float) -> float:
        """So many percent are at most this long, in seconds; 0 if there are none."""
        return self._hdr.get_value_at_percentile(percent) / 1e6 if len(self) else 0.0

    @property
    def max_s(self) -> float:
        """The longest."""
        return self._hdr.get_max_value() / 1e6 if len(self) else 0.0

    @property
    def mean_s(self) -> float:
        """The mean."""
        return self._hdr.get_mean_value() / 1e6 if len(self) else 0.0

    def buckets(self) -> list[tuple[float, int]]:
        """Every length that occurred, in seconds, and how often."""
        recorded = self._hdr.get_recorded_iterator()
        return [(item.value_iterated_to / 1e6, item.count_at_value_iterated_to) for item in recorded]

    def document(self) -> dict[str, float]:
        """`{count, p50, p90, p99, p999, max, mean}`, in milliseconds."""
        quantiles = {name: round(self.quantile_s(percent) * 1e3, 3) for name, percent in QUANTILES.items()}
        return (
            {"count": len(self)} | quantiles | {"max": round(self.max_s * 1e3, 3), "mean": round(self.mean_s * 1e3, 3)}
        )

    def __len__(self) -> int:
        return int(self._hdr.get_total_count())
