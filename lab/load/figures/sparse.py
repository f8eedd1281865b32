"""Many small histograms: the cells of an HdrHistogram, of which only those are kept that hold something.

A full one takes 250 KiB whatever it holds; a run has one a second, a flow, an outcome and a block.
"""

import zlib
from base64 import b64decode
from collections.abc import Iterable, Iterator
from typing import Any, Final, Self

from lab.load.figures.histogram import HIGHEST_US, LOWEST_US, QUANTILES, Histogram

_EXACT_BITS: Final = 11
"""Below 2^11 µs every microsecond has a cell of its own: what three significant digits take."""

COARSE_BITS: Final = 8
"""For the thousands of histograms of a time series: less than a percent too high, and few cells each."""

_HALF: Final = 1 << (_EXACT_BITS - 1)
_ENVELOPE_BYTES: Final = 8
_HEADER_BYTES: Final = 40
_MORE: Final = 0x80
_VARINT_BYTES_MAX: Final = 9
"""The ninth byte of a number has eight bits, and no more follow."""


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
        """Base64 of HdrHistogram's compressed V2 format."""
        whole = Histogram()
        hdr: Any = whole.hdr
        for cell, number in self.cells.items():
            hdr.record_value(cell, number)
        return whole.encoded()

    @classmethod
    def decoded(cls, text: str) -> Self:
        """The opposite of `encoded`, for histograms of the same three digits.

        Raises:
            ValueError: it is no such histogram.
        """
        try:
            counts = zlib.decompress(b64decode(text, validate=True)[_ENVELOPE_BYTES:])[_HEADER_BYTES:]
            made, index = cls(), 0
            for number in _numbers(counts):
                if number > 0:
                    made.cells[_cell(index)] = number
                    index += 1
                else:  # So many cells in a row that hold nothing.
                    index -= number
        except (zlib.error, IndexError) as error:
            msg = "no HdrHistogram in the V2 format"
            raise ValueError(msg) from error
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


def _cell(index: int) -> int:
    """The lowest microsecond of a cell, by its place among all of them."""
    if index < 2 * _HALF:
        return index
    return (index % _HALF + _HALF) << (index // _HALF - 1)


def _numbers(data: bytes) -> Iterator[int]:
    """Integers as ZigZag LEB128: seven bits a byte, the lowest first, the sign in the lowest bit of all."""
    at = 0
    while at < len(data):
        number = shift = 0
        for place in range(_VARINT_BYTES_MAX):
            byte = data[at]
            at += 1
            if place == _VARINT_BYTES_MAX - 1:
                number |= byte << shift
                break
            number |= (byte & ~_MORE) << shift
            shift += 7
            if byte < _MORE:
                break
        yield (number >> 1) ^ -(number & 1)
