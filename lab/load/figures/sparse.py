"""Latencies in the cells of an HdrHistogram: three significant digits from a microsecond to a week, merged without loss.

Only cells that hold something are kept. The library's own histogram takes 250 KiB whatever it holds, and a run has one a
second, a flow, an outcome and a block; so the library writes and reads the format, and these count.
"""

import binascii
import zlib
from collections.abc import Iterable
from typing import Any, Final, Self

from hdrh.codec import HdrCookieException, HdrLengthException
from hdrh.histogram import HdrHistogram

LOWEST_US: Final = 1
HIGHEST_US: Final = 604_800_000_000
"""A week, as long as a run may be."""

DIGITS: Final = 3

QUANTILES: Final = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}

_EXACT_BITS: Final = 11
"""Below 2^11 µs every microsecond has a cell of its own: what three significant digits take."""

COARSE_BITS: Final = 8
"""For the thousands of histograms of a time series: less than a percent too high, and few cells each."""


class Spans:
    """Counts spans of time. `cells` maps the lowest microsecond of a cell to how many spans are in it.

    With fewer `bits` than usual it gives quantiles only: no document, and nothing to merge or encode.
    """

    __slots__ = ("_bits", "cells")

    def __init__(self, spans_s: Iterable[float] = (), bits: int = _EXACT_BITS) -> None:
        self._bits = bits
        self.cells: dict[int, int] = {}
        for span_s in spans_s:
            self.add(span_s)

    def add(self, span_s: float) -> None:
        """Count one, given in seconds; beyond a week counts as a week, below a microsecond as one."""
        span_us = min(max(round(span_s * 1e6), LOWEST_US), HIGHEST_US)
        shift = span_us.bit_length() - self._bits
        if shift > 0:
            span_us = span_us >> shift << shift
        self.cells[span_us] = self.cells.get(span_us, 0) + 1

    def merge(self, other: "Spans") -> None:
        """Count in what another one has."""
        for cell, number in other.cells.items():
            self.cells[cell] = self.cells.get(cell, 0) + number

    def quantiles_ms(self, percents: Iterable[float]) -> list[float | None]:
        """So many percent, given in rising order, are at most this long, in milliseconds; nothing if there are none."""
        if not self.cells:
            return [None for _ in percents]
        total = len(self)
        cells = iter(sorted(self.cells.items()))
        seen, cell, found = 0, 0, list[float | None]()
        for percent in percents:
            wanted = rank(percent, total)
            while seen < wanted:
                cell, number = next(cells)
                seen += number
            found.append(longest_of(cell, self._bits) / 1e3)
        return found

    def document(self) -> dict[str, float]:
        """`{count, p50, p90, p99, p999, max, mean}`, in milliseconds, all 0 if there are none."""
        total = len(self)
        quantiles = dict(zip(QUANTILES, self.quantiles_ms(QUANTILES.values()), strict=True))
        longest = longest_of(max(self.cells)) / 1e3 if total else 0.0
        mean = sum(_middle_of(cell) * number for cell, number in self.cells.items()) / total / 1e3 if total else 0.0
        return (
            {"count": total}
            | {name: at or 0.0 for name, at in quantiles.items()}
            | {"max": longest, "mean": round(mean, 3)}
        )

    def encoded(self) -> str:
        """Base64 of HdrHistogram's compressed V2 format, which its tools in every language read."""
        whole: Any = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
        for cell, number in self.cells.items():
            whole.record_value(cell, number)
        return whole.encode().decode()

    @classmethod
    def decoded(cls, text: str) -> Self:
        """The opposite of `encoded`, for histograms of the same three digits.

        Raises:
            ValueError: it is no such histogram.
        """
        try:
            whole: Any = HdrHistogram.decode(text.encode())
        except (HdrLengthException, HdrCookieException, zlib.error, binascii.Error) as error:
            msg = "no HdrHistogram in the V2 format"
            raise ValueError(msg) from error
        made = cls()
        made.cells = {whole.get_value_from_index(index): number for index, number in enumerate(whole.counts) if number}
        return made

    def __len__(self) -> int:
        return sum(self.cells.values())


def rank(percent: float, total: int) -> int:
    """The place, from 1, of the span that a percentile of so many names; rounded as HdrHistogram does it."""
    return min(max(int(percent * total / 100 + 0.5), 1), total)


def longest_of(cell: int, bits: int = _EXACT_BITS) -> int:
    """The longest span of a cell, in microseconds, which is what HdrHistogram gives as a percentile."""
    return cell + (1 << max(0, cell.bit_length() - bits)) - 1


def _middle_of(cell: int) -> int:
    return cell + (1 << max(0, cell.bit_length() - _EXACT_BITS) >> 1)
