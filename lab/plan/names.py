"""Names as a mix file may write them: one of a list, or several with their weights; anything else gets a suggestion."""

from collections.abc import Iterable
from typing import Any, Final

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

WEIGHT_MAX: Final = 1_000_000
"""Whole numbers up to here: their sums are exact everywhere."""


class OneOf:
    """Annotates a text that is one of these names."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(names)

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.literal_schema(self._names)


class Weights:
    """Annotates a mapping from some of these names to whole weights from 1."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(names)

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        weight = core_schema.typed_dict_field(core_schema.int_schema(ge=1, le=WEIGHT_MAX), required=False)
        known = core_schema.typed_dict_schema(dict.fromkeys(self._names, weight), extra_behavior="forbid")
        return core_schema.no_info_after_validator_function(_not_empty, known)


def _not_empty(weights: dict[str, int]) -> dict[str, int]:
    if not weights:
        msg = "at least one name with its weight is needed"
        raise ValueError(msg)
    return weights
