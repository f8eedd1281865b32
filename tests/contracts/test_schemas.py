"""The published documents: current, valid, and true of every message's example."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeGuard

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError
from pydantic import ValidationError as Malformed

from countermand.contracts import COMMANDS, EVENTS, MESSAGES, schemas
from countermand.contracts.base import Message, Owner
from countermand.contracts.order import OrderCancelled, PlaceOrder
from countermand.contracts.schemas import REGENERATE, asyncapi, documents, json_schema, main, schema_path
from countermand.contracts.subjects import (
    command_subject,
    due_subject,
    event_subject,
    refusal_subject,
    timer_subject,
)
from tests.support.orders import ORDER_ID

ROOT: Final = Path(__file__).parents[2]
CONTRACTS: Final = ROOT / "docs" / "contracts"
GOLDEN: Final = Path(__file__).parent / "golden"

DOCUMENTS: Final = documents()

every_message = pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)


def example(message: type[Message]) -> dict[str, Any]:
    return json.loads((GOLDEN / Path(schema_path(message)).name).read_text(encoding="utf-8"))


# The documents


@pytest.mark.parametrize("path", DOCUMENTS)
def test_the_committed_document_is_current(path: str) -> None:
    """Made from the code; nobody edits it by hand."""
    committed = CONTRACTS / path
    assert committed.exists(), f"missing: run `{REGENERATE}`"
    assert committed.read_text(encoding="utf-8") == DOCUMENTS[path], f"out of date: run `{REGENERATE}`"


def test_no_schema_is_left_of_a_message_that_is_no_more() -> None:
    committed = {str(path.relative_to(CONTRACTS)) for path in CONTRACTS.glob("schemas/*")}
    assert committed == set(DOCUMENTS) - {"asyncapi.yaml"}, f"run `{REGENERATE}`"


def test_the_documents_are_the_same_at_every_run() -> None:
    assert documents() == DOCUMENTS


def test_the_program_writes_them_and_removes_what_is_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = tmp_path / "schemas" / "OrderForgotten.v1.json"
    stale.parent.mkdir()
    stale.write_text("{}", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["schemas", str(tmp_path)])
    main()
    written = {
        str(path.relative_to(tmp_path)): path.read_text(encoding="utf-8")
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert written == DOCUMENTS


def test_the_program_needs_a_folder(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["schemas"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err == f"usage: {REGENERATE}\n"


# Examples


@every_message
def test_the_schema_is_valid_json_schema(message: type[Message]) -> None:
    Draft202012Validator.check_schema(json_schema(message))


@every_message
def test_the_example_fits_the_schema(message: type[Message]) -> None:
    Draft202012Validator(json_schema(message)).validate(example(message))


@every_message
def test_the_example_is_read_and_written_unchanged(message: type[Message]) -> None:
    """What one service writes, another reads as the same."""
    read = message.model_validate_json(json.dumps(example(message)))
    assert json.loads(read.model_dump_json()) == example(message)


@every_message
def test_readers_ignore_fields_that_they_do_not_know(message: type[Message]) -> None:
    """On every level, so that a newer writer does not break an older reader."""
    newer = _with_news(example(message))
    Draft202012Validator(json_schema(message)).validate(newer)
    assert json.loads(message.model_validate(newer).model_dump_json()) == example(message)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        pytest.param(message, field, id=f"{name}.{field}")
        for name, message in MESSAGES.items()
        for field, info in message.model_fields.items()
        if info.is_required()
    ],
)
def test_a_message_without_a_required_field_is_refused(message: type[Message], field: str) -> None:
    """By the schema and by the code alike."""
    lacking = {name: value for name, value in example(message).items() if name != field}
    with pytest.raises(ValidationError, match=f"'{field}' is a required property"):
        Draft202012Validator(json_schema(message)).validate(lacking)
    with pytest.raises(Malformed, match=field):
        message.model_validate(lacking)


def test_there_is_one_example_a_message() -> None:
    assert {path.name for path in GOLDEN.glob("*")} == {
        Path(schema_path(message)).name for message in MESSAGES.values()
    }


def test_the_schema_knows_the_limits_of_the_code() -> None:
    """Patterns, bounds and enumerations reach the readers of the documents."""
    validator = Draft202012Validator(json_schema(PlaceOrder))
    for path, wrong in [
        (("brief", "price", "amount_minor"), -1),
        (("brief", "price", "currency"), "dollars"),
        (("brief", "buyer", "email"), "nobody"),
        (("brief", "item"), ""),
        (("payment_method",), "cash"),
        (("terms", "policy"), "default"),
        (("actor", "role"), "king"),
    ]:
        broken = example(PlaceOrder)
        inner = broken
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = wrong
        assert not validator.is_valid(broken), path
        with pytest.raises(Malformed):
            PlaceOrder.model_validate(broken)


# The AsyncAPI document. No package brings the official schema of 3.0, so its rules are checked one by one.


ASYNCAPI: Final = asyncapi()
CHANNELS: Final[dict[str, Any]] = ASYNCAPI["channels"]


def test_the_asyncapi_document_has_the_parts_that_the_standard_asks_for() -> None:
    assert ASYNCAPI["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(ASYNCAPI["info"])
    allowed = {"asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations", "components"}
    assert set(ASYNCAPI) <= allowed
    assert all({"host", "protocol"} <= set(server) for server in ASYNCAPI["servers"].values())
    for message in ASYNCAPI["components"]["messages"].values():
        assert set(message) <= {"name", "title", "summary", "contentType", "headers", "payload"}
    for schema in ASYNCAPI["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere() -> None:
    """Inside the document, and to the schemas beside it."""
    references = list(_references(ASYNCAPI))
    assert len(references) > 3 * len(MESSAGES)
    for reference in references:
        if reference.startswith("#/"):
            target: Any = ASYNCAPI
            for step in reference.removeprefix("#/").split("/"):
                target = target[step]
        else:
            assert reference.removeprefix("./") in DOCUMENTS, reference


@pytest.mark.parametrize("name", CHANNELS)
def test_a_channel_describes_exactly_the_parameters_of_its_address(name: str) -> None:
    channel = CHANNELS[name]
    assert set(channel) == {"address", "description", "messages", "parameters"}
    in_address = {part.strip("{}") for part in channel["address"].split(".") if part.startswith("{")}
    assert set(channel["parameters"]) == in_address
    for parameter in channel["parameters"].values():
        assert set(parameter) <= {"description", "enum"}


@pytest.mark.parametrize("name", ASYNCAPI["operations"])
def test_an_operation_names_a_channel_and_messages_of_it(name: str) -> None:
    operation = ASYNCAPI["operations"][name]
    assert set(operation) == {"action", "channel", "messages"}
    assert operation["action"] in {"send", "receive"}
    channel = operation["channel"]["$ref"].removeprefix("#/channels/")
    prefix = f"#/channels/{channel}/messages/"
    assert [message["$ref"] for message in operation["messages"]] == [prefix + m for m in CHANNELS[channel]["messages"]]


def test_every_message_travels_on_the_channel_of_its_owner() -> None:
    for name, message in MESSAGES.items():
        kind = "Commands" if name in COMMANDS else "Events"
        assert [c for c, channel in CHANNELS.items() if name in channel["messages"]] == [f"{message.owner}{kind}"]


def test_every_channel_is_used_and_everything_that_is_published_is_heard() -> None:
    used = {operation["channel"]["$ref"].removeprefix("#/channels/") for operation in ASYNCAPI["operations"].values()}
    assert used == set(CHANNELS)


def test_the_addresses_are_the_subjects_of_the_code() -> None:
    """The wire table: who publishes where."""
    addresses = {name: channel["address"] for name, channel in CHANNELS.items()}
    for owner in Owner:
        if f"{owner}Commands" in addresses:
            assert _fill(addresses.pop(f"{owner}Commands")) == command_subject(owner, ORDER_ID, "Name")
        if f"{owner}Events" in addresses:
            assert _fill(addresses.pop(f"{owner}Events")) == event_subject(owner, ORDER_ID, "Name", 7)
    timer = timer_subject("order", ORDER_ID, "Name", 7)
    assert {name: _fill(address) for name, address in addresses.items()} == {
        "refusals": refusal_subject("order", ORDER_ID, "c1"),
        "timers": timer,
        "dueTimers": due_subject(timer),
        "deadLetters": "dead.order.order-seller",
        "retries": "retry.order.order-seller",
    }


def test_the_headers_are_those_of_the_cloudevents_binding() -> None:
    headers = ASYNCAPI["components"]["schemas"]["EventHeaders"]["properties"]
    assert set(headers) == {
        *("ce-id", "ce-type", "ce-source", "ce-time", "ce-specversion"),
        *("ce-correlationid", "ce-causationid", "ce-simtime", "ce-terms"),
        *("traceparent", "content-type"),
    }


def test_the_document_is_plain_sorted_yaml() -> None:
    text = DOCUMENTS["asyncapi.yaml"]
    assert yaml.safe_load(text) == ASYNCAPI
    assert "&id" not in text
    keys = [line.split(":")[0] for line in text.splitlines() if line[:1].isalpha()]
    assert keys == sorted(keys)


def test_a_new_message_appears_in_the_documents_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entering it into the table of its owner is all there is to do."""

    class OrderFramed(OrderCancelled):
        """The order hangs on a wall."""

        version = 2

    monkeypatch.setattr(schemas, "MESSAGES", {"OrderFramed": OrderFramed})
    monkeypatch.setattr(schemas, "EVENTS", {**EVENTS, "OrderFramed": OrderFramed})
    assert set(documents()) == {"schemas/OrderFramed.v2.json", "asyncapi.yaml"}
    assert "OrderFramed" in asyncapi()["channels"]["orderEvents"]["messages"]
    assert asyncapi()["components"]["messages"]["OrderFramed"]["summary"] == "The order hangs on a wall."


def _fill(address: str) -> str:
    values = {
        "service": "order",
        "order_id": ORDER_ID,
        "command": "Name",
        "event": "Name",
        "deadline": "Name",
        "revision": "7",
        "command_id": "c1",
        "consumer": "order-seller",
    }
    return address.format_map(values)


def _with_news(document: Any) -> Any:
    if not _is_object(document):
        return document
    return {**{name: _with_news(value) for name, value in document.items()}, "added_later": {"by": "a newer writer"}}


def _references(document: Any) -> Iterator[str]:
    if _is_object(document):
        for name, value in document.items():
            yield from [value] if name == "$ref" else _references(value)
    elif _is_array(document):
        for value in document:
            yield from _references(value)


def _is_object(document: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(document, dict)


def _is_array(document: Any) -> TypeGuard[list[Any]]:
    return isinstance(document, list)
