"""Documents of any model: what a mistake in a file is told as."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from countermand.runtime.documents import read_document
from countermand.runtime.settings import ConfigurationError


class Flow(BaseModel):
    """A part with every kind of limit."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern="^[a-z]+$")
    weight: float = Field(default=1, gt=0)
    steps: int = Field(default=1, ge=1)
    retries: int = Field(default=0, le=9)
    paid: bool | None = None
    kind: Literal["unpaid"] = "unpaid"


class Mix(BaseModel):
    """A document."""

    version: Literal["1"] = "1"
    flows: tuple[Flow, ...] = Field(default=(), max_length=2)
    seeds: tuple[int | str, ...] = ()


def test_a_document_becomes_its_model(tmp_path: Path) -> None:
    flow = Flow(name="everyday", weight=2, paid=None)
    assert read(tmp_path, "flows:\n  - {name: everyday, weight: 2, paid: null}") == Mix(flows=(flow,))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("flows:\n  - name: a\n  - weight: 2", "3: flows.2.name is missing"),
        ("flows:\n  - name: a\n    wieght: 2", "3: there is no key 'wieght' in item 1 of flows; did you mean weight?"),
        ("flows:\n  - {name: a, weight: 0}", "2: flows.1.weight should be a number more than 0; found 0"),
        ("flows:\n  - {name: a, steps: 0}", "2: flows.1.steps should be a whole number of at least 1; found 0"),
        ("flows:\n  - {name: a, retries: 10}", "2: flows.1.retries should be a whole number of at most 9; found 10"),
        ("flows:\n  - {name: a, kind: paid}", "2: flows.1.kind should be unpaid; found 'paid'"),
        ("flows:\n  - {name: A}", "2: flows.1.name should be a text like ^[a-z]+$; found 'A'"),
        ("flows: []\nseeds: 7", "2: seeds should be a list; found 7"),
        ("flows: [{name: a}, {name: b}, {name: c}]", "1: flows: Tuple should have at most 2 items after validation, not 3; found a list"),
        ("flows:\n  - {name: a, paid: perhaps}", "2: flows.1.paid: Input should be a valid boolean; found 'perhaps'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line_what_was_expected_and_what_was_found(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(tmp_path, text)
    assert str(refused.value) == f"{tmp_path / 'mix.yaml'}:{said}"


def read(folder: Path, text: str) -> Mix:
    path = folder / "mix.yaml"
    path.write_text(text, encoding="utf-8")
    return read_document(path, Mix)
