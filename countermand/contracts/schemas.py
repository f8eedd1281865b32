"""The published language as documents: a JSON Schema a message, and one AsyncAPI 3.0 document for the wire.

`python -m countermand.contracts.schemas docs/contracts` writes them. Everything but `main` is pure.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml
from pydantic.json_schema import GenerateJsonSchema

from countermand.contracts import COMMANDS, EVENTS, MESSAGES
from countermand.contracts.base import Message, Owner
from countermand.contracts.subjects import command_subject, due_subject, event_subject, refusal_subject, timer_subject
from countermand.kernel.ids import ORDER_ID

Document: TypeAlias = dict[str, Any]

REGENERATE: Final = "uv run python -m countermand.contracts.schemas docs/contracts"
"""The command that makes the committed documents current."""

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_USAGE_ERROR: Final = 2


def documents() -> dict[str, str]:
    """Every generated document's text, by its path below the folder of contracts."""
    schemas = {schema_path(message): _as_json(json_schema(message)) for message in MESSAGES.values()}
    return {**schemas, "asyncapi.yaml": _as_yaml(asyncapi())}


def schema_path(message: type[Message]) -> str:
    """Where a message's schema lies, below the folder of contracts."""
    return f"schemas/{_versioned(message)}.json"


def json_schema(message: type[Message]) -> Document:
    """The JSON Schema (2020-12) of a message's body, as a reader takes it: what has a default may be missing."""
    schema = message.model_json_schema(schema_generator=_Untitled)
    name = _versioned(message)
    return {"$schema": _DIALECT, "$id": f"urn:countermand:{name}", **schema, "title": name}


def asyncapi() -> Document:
    """The AsyncAPI 3.0 document: every subject of the wire, from the point of view of Countermand itself."""
    channels = _channels()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Countermand",
            "version": "1",
            "description": "The cancellation of marketplace orders as events over NATS JetStream. "
            "An installation may put a prefix before every subject.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"nats": {"host": "localhost:4222", "protocol": "nats", "description": "NATS with JetStream."}},
        "channels": channels,
        "operations": dict(_operations(channels)),
        "components": {"messages": _messages(), "schemas": _SCHEMAS},
    }


def main() -> None:
    """Write the documents into the folder named, and remove schemas of messages that are no more."""
    if len(sys.argv) != 2:  # noqa: PLR2004  # The program and the folder.
        sys.stderr.write(f"usage: {REGENERATE}\n")
        raise SystemExit(_USAGE_ERROR)
    folder = Path(sys.argv[1])
    texts = documents()
    for stale in set(folder.glob("schemas/*.json")) - {folder / path for path in texts}:
        stale.unlink()
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


class _Untitled(GenerateJsonSchema):
    """Field titles would only repeat the fields' names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


_ID: Final = {"type": "string", "minLength": 1, "maxLength": 800}
_TIME: Final = {"type": "string", "format": "date-time"}
_EVENT_HEADERS: Final[dict[str, Document]] = {
    "ce-specversion": {"const": "1.0", "description": "CloudEvents, NATS protocol binding, binary content mode"},
    "ce-id": {**_ID, "description": "also Nats-Msg-Id; for an event `<id of its cause>:<command>`"},
    "ce-type": {"type": "string", "pattern": r"^[A-Za-z]+\.v[0-9]+$", "description": "name and version"},
    "ce-source": {"type": "string", "description": "who sent it, as `/countermand/order`"},
    "ce-time": {**_TIME, "description": "real time"},
    "ce-correlationid": {**_ID, "description": "the id of the message with which everything began"},
    "ce-causationid": {**_ID, "description": "the id of the message that caused this one"},
    "ce-simtime": {**_TIME, "description": "the order's simulated time"},
    "ce-terms": {"type": "string", "description": "the order's terms: `seed;policy;epoch;started_at;rate`"},
    "traceparent": {"type": "string", "description": "W3C trace context, handed on from cause to event"},
    "content-type": {"const": "application/json", "description": "the only one there is, so it may be left out"},
}
_MAY_BE_MISSING: Final = {"traceparent", "content-type"}
_OF_A_TIMER: Final = ("ce-specversion", "ce-id", "ce-type", "ce-source", "ce-causationid", "ce-simtime", "ce-terms")

_OF_AN_ACT: Final = {
    "dead-action": "`replay` or `discard`: not a letter, but what an operator did about one",
    "dead-actor": "who did it",
    "dead-action-reason": "and why",
}

_SCHEMAS: Final[dict[str, Document]] = {
    "CommandHeaders": {
        "type": "object",
        "description": "A command without an id gets it from its place in the stream. Terms are the order's, not the sender's.",
        "properties": {name: schema for name, schema in _EVENT_HEADERS.items() if name != "ce-terms"},
    },
    "EventHeaders": {
        "type": "object",
        "properties": _EVENT_HEADERS,
        "required": sorted(set(_EVENT_HEADERS) - _MAY_BE_MISSING),
    },
    "TimerHeaders": {
        "type": "object",
        "description": "`ce-simtime` is when it is due, `ce-causationid` the event that started it.",
        "properties": {name: _EVENT_HEADERS[name] for name in _OF_A_TIMER},
        "required": sorted(_OF_A_TIMER),
    },
    "RefusalHeaders": {
        "type": "object",
        "properties": {"ce-causationid": {**_ID, "description": "the id of the refused command"}},
        "required": ["ce-causationid"],
    },
    "DeadLetterHeaders": {
        "type": "object",
        "description": "The message's own headers, less those that would instruct JetStream, and where it came from.",
        "properties": {
            "dead-subject": {"type": "string"},
            "dead-stream": {"type": "string"},
            "dead-sequence": {"type": "string", "pattern": "^[0-9]+$"},
            "dead-time": {"type": "string", "format": "date-time", "description": "when the broker stored it"},
            "dead-deliveries": {"type": "string", "pattern": "^[0-9]+$"},
            "dead-reason": {"type": "string", "maxLength": 1000, "description": "one line, ASCII"},
            "dead-id": {**_ID, "description": "its `Nats-Msg-Id`, where that stood for `ce-id`"},
            "dead-size": {"type": "string", "pattern": "^[0-9]+$", "description": "of the whole body, if it was cut"},
            "dead-letter": {
                "type": "string",
                "pattern": "^[0-9]+$",
                "description": "the letter that was replayed when this failed; of an operator's act: the letter it is about",
            },
            **{name: {"type": "string", "description": what} for name, what in _OF_AN_ACT.items()},
        },
        "required": ["dead-sequence", "dead-stream", "dead-subject"],
    },
    "Refusal": {
        "type": "object",
        "properties": {
            "command": {"type": "string", "description": "its name"},
            "command_id": _ID,
            "reason": {"type": "string", "pattern": "^[a-z_]+$", "description": "a stable word for programs"},
            "detail": {"type": "string", "description": "a sentence for people"},
        },
        "required": ["command", "command_id", "detail", "reason"],
    },
    "Reminder": {
        "type": "object",
        "properties": {"deadline_id": {**_ID, "description": "the id of the event that started the deadline"}},
        "required": ["deadline_id"],
    },
    "Anything": {"description": "the message as it was, whatever that is"},
}

_PARAMETERS: Final[dict[str, Document]] = {
    "order_id": {"description": f"made by whoever places the order: `{ORDER_ID.pattern}`"},
    "service": {"description": "a service's name", "enum": [owner.value for owner in Owner]},
    "revision": {"description": "counts the order's events of this owner from 1; a timer's: that of the arming event"},
    "command_id": {"description": "the command's id, made into one token"},
    "deadline": {"description": "the deadline's name"},
    "consumer": {"description": "the durable consumer that could not handle it"},
}


def _channels() -> dict[str, Document]:
    channels: dict[str, Document] = {}
    for owner in Owner:
        commands = [name for name, message in COMMANDS.items() if message.owner is owner]
        events = [name for name, message in EVENTS.items() if message.owner is owner]
        if commands:
            address = command_subject(owner, "{order_id}", "{command}")
            channels[f"{owner}Commands"] = _channel(address, commands, {"command": commands}) | {
                "description": f"Stream COMMANDS. What {owner} is asked; anybody may publish here."
            }
        if events:
            address = event_subject(owner, "{order_id}", "{event}", 0).removesuffix("0") + "{revision}"
            channels[f"{owner}Events"] = _channel(address, events, {"event": events}) | {
                "description": f"Stream {owner.upper()}. What {owner} has recorded; nobody else may publish here."
            }
    timer = timer_subject("{service}", "{order_id}", "{deadline}", 0).removesuffix("0") + "{revision}"
    refusal = refusal_subject("{service}", "{order_id}", "").removesuffix("_") + "{command_id}"
    return channels | {
        "refusals": _channel(refusal, ["Refusal"])
        | {"description": "Stream REPLY, kept an hour. A user's command that makes no sense now; the history stays."},
        "timers": _channel(timer, ["Reminder"])
        | {"description": "Stream TIMERS. A JetStream message schedule (ADR-51) that a service arms for itself."},
        "dueTimers": _channel(due_subject(timer), ["Reminder"])
        | {"description": "Stream TIMERS. The schedule fired: a hint, which the service checks."},
        "deadLetters": _channel("dead.{service}.{consumer}", ["DeadLetter"])
        | {
            "description": "Stream DEAD. What nobody could handle, with the reason; or an operator's `discard` of such a letter."
        },
        "retries": _channel("retry.{service}.{consumer}", ["DeadLetter"])
        | {
            "description": "Stream DEAD. A dead letter that an operator sends back: handled as the message that failed, come again."
        },
    }


def _channel(address: str, messages: Iterable[str], names: Mapping[str, list[str]] | None = None) -> Document:
    known = _PARAMETERS | {
        name: {"description": "the message's name", "enum": sorted(e)} for name, e in (names or {}).items()
    }
    return {
        "address": address,
        "parameters": {name: known[name] for name in known if f"{{{name}}}" in address},
        "messages": {name: _ref("components", "messages", name) for name in messages},
    }


def _operations(channels: Mapping[str, Document]) -> Iterable[tuple[str, Document]]:
    for channel in channels:
        for action in _actions(channel):
            yield (
                f"{action}.{channel}",
                {
                    "action": action,
                    "channel": _ref("channels", channel),
                    "messages": [_ref("channels", channel, "messages", name) for name in channels[channel]["messages"]],
                },
            )


def _actions(channel: str) -> tuple[str, ...]:
    """What Countermand does on a channel. Its services hear each other's events, so those are sent and received."""
    if channel.endswith("Commands") or channel in {"retries", "dueTimers"}:
        return ("receive",)
    return ("send", "receive") if channel.endswith("Events") else ("send",)


def _messages() -> dict[str, Document]:
    published = {
        name: {
            "name": name,
            "title": _versioned(message),
            "summary": (message.__doc__ or name).strip().splitlines()[0],
            "contentType": "application/json",
            "headers": _ref("components", "schemas", "CommandHeaders" if name in COMMANDS else "EventHeaders"),
            "payload": {
                "schemaFormat": "application/schema+json;version=2020-12",
                "schema": {"$ref": f"./{schema_path(message)}"},
            },
        }
        for name, message in MESSAGES.items()
    }
    return published | {
        "Refusal": _plain("Refusal", "RefusalHeaders", "Why a command was refused."),
        "Reminder": _plain("Reminder", "TimerHeaders", "A deadline, armed or passed."),
        "DeadLetter": _plain("Anything", "DeadLetterHeaders", "A message that nobody could handle."),
    }


def _plain(payload: str, headers: str, summary: str) -> Document:
    return {
        "summary": summary,
        "headers": _ref("components", "schemas", headers),
        "payload": _ref("components", "schemas", payload),
    }


def _versioned(message: type[Message]) -> str:
    return f"{message.__name__}.v{message.version}"


def _ref(*path: str) -> Document:
    return {"$ref": "#/" + "/".join(path)}


def _as_json(document: Document) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


class _Plain(yaml.SafeDumper):
    """Writes a part that occurs twice twice: anchors and aliases are hard to read."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _as_yaml(document: Document) -> str:
    heading = f"# Generated from the code: {REGENERATE}\n"
    return heading + yaml.dump(document, Dumper=_Plain, sort_keys=True, allow_unicode=True, width=120)


if __name__ == "__main__":
    main()
