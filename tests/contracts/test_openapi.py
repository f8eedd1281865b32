"""The HTTP API's description: current, complete, and its examples are what the API takes."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from services.web.api.openapi import REGENERATE, text

COMMITTED: Final = Path(__file__).parents[2] / "docs" / "contracts" / "openapi.json"
DOCUMENT: Final[dict[str, Any]] = json.loads(text())
SHAPES: Final[dict[str, Any]] = DOCUMENT["components"]["schemas"]
OPERATIONS: Final = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
BODIES: Final = {
    operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    for operation in OPERATIONS.values()
    if "requestBody" in operation
}


def test_the_committed_document_is_current() -> None:
    assert COMMITTED.exists(), f"missing: run `{REGENERATE}`"
    assert COMMITTED.read_text(encoding="utf-8") == text(), f"out of date: run `{REGENERATE}`"


def test_it_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_says_what_it_does_and_how_it_fails(name: str) -> None:
    """A sentence, and problem+json for what any request may meet."""
    operation = OPERATIONS[name]
    assert operation.get("description", "").strip()
    for status in ("403", "413", "421", "422", "429", "503"):
        assert set(operation["responses"][status]["content"]) == {"application/problem+json"}


@pytest.mark.parametrize("body", sorted(BODIES))
def test_every_body_has_an_example_that_is_valid(body: str) -> None:
    validator = Draft202012Validator({**SHAPES[body], "components": {"schemas": SHAPES}})
    assert SHAPES[body]["examples"]
    for example in SHAPES[body]["examples"]:
        validator.validate(example)
