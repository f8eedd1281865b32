"""The mailbox over HTTP: what arrived, and how to fail."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from http import HTTPStatus
from itertools import islice
from json import dumps
from typing import Annotated, Any, Final, TypeVar

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from countermand.kernel.ids import ORDER_ID
from countermand.kernel.policy import PromisedEmail
from countermand.runtime.health import Check
from countermand.runtime.http import operational_routes
from countermand.runtime.registry import process_registry
from services.mailbox.smtp import Fault, SmtpServer
from services.mailbox.store import Store, Summary

SERVICE: Final = "mailbox"

_LIMIT: Final = 100
_LIMIT_MAX: Final = 1_000
"""Messages in one answer."""

_BODY_BYTES_MAX: Final = 10_000
"""Of a request: a fault has 50."""

_IDS_A_CHUNK: Final = 1_000
"""Message-IDs written at a time: a million are not put together in memory."""

_Model = TypeVar("_Model", bound=BaseModel)


_OrderId = Annotated[str, Field(pattern=ORDER_ID.pattern)]


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Which(_Query):
    order: _OrderId | None = None
    kind: PromisedEmail | None = None
    limit: int = Field(default=_LIMIT, ge=1, le=_LIMIT_MAX)


class _OfOrder(_Query):
    order: _OrderId | None = None


def create_app(store: Store, server: SmtpServer) -> Starlette:
    """The application over one mailbox. Errors are `application/problem+json`."""
    mailbox = _Mailbox(store, server)
    return Starlette(
        routes=[
            Route("/messages", mailbox.messages, methods=["GET"]),
            Route("/messages", mailbox.clear, methods=["DELETE"]),
            Route("/messages/{id:int}", mailbox.message, methods=["GET"]),
            Route("/message-ids", mailbox.message_ids, methods=["GET"]),
            Route("/arrivals", mailbox.arrivals, methods=["GET"]),
            Route("/count", mailbox.count, methods=["GET"]),
            Route("/mode", mailbox.mode, methods=["GET"]),
            Route("/mode", mailbox.change_mode, methods=["PUT"]),
            *operational_routes(SERVICE, _registry(store), mailbox.readiness),
        ],
        exception_handlers={HTTPException: _problem},
    )


class _Mailbox:
    def __init__(self, store: Store, server: SmtpServer) -> None:
        self._store = store
        self._server = server

    async def messages(self, request: Request) -> Response:
        which = _checked(_Which, dict(request.query_params))
        newest = self._store.newest(order_id=which.order, kind=which.kind, limit=which.limit)
        return JSONResponse([_summary(one) for one in newest])

    async def message(self, request: Request) -> Response:
        found = self._store.message(request.path_params["id"])
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "no such message, or it was too old to keep")
        summary, body = found
        return JSONResponse(_summary(summary) | asdict(body))

    async def message_ids(self, request: Request) -> Response:
        which = _checked(_OfOrder, dict(request.query_params))
        return StreamingResponse(_written(self._store.message_ids(which.order)), media_type="application/json")

    async def arrivals(self, _request: Request) -> Response:
        return StreamingResponse(_written(self._store.arrivals()), media_type="application/json")

    async def count(self, _request: Request) -> Response:
        received, distinct = self._store.received, self._store.distinct
        return JSONResponse({"received": received, "distinct": distinct, "duplicates": received - distinct})

    async def clear(self, _request: Request) -> Response:
        self._store.clear()
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def mode(self, _request: Request) -> Response:
        faults = self._server.faults
        fault = faults.fault
        return JSONResponse({"mode": fault.mode, "delay_s": fault.delay_s, "remaining_s": faults.remaining_s})

    async def change_mode(self, request: Request) -> Response:
        self._server.behave(_checked(Fault, await _body(request)))
        return await self.mode(request)

    async def readiness(self) -> list[Check]:
        """It is ready once it answers. That it was told to fail is told, for people who wonder."""
        mode = self._server.faults.fault.mode
        return [Check("smtp", mode == "ok", f"mode {mode}", vital=False)]


def _registry(store: Store) -> CollectorRegistry:
    registry = process_registry(SERVICE)
    registry.register(_Counts(store))
    return registry


class _Counts(Collector):
    """What the store has counted."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        """Both counters."""
        received, distinct = self._store.received, self._store.distinct
        yield _counter("countermand_mailbox_messages", "Emails taken.", received)
        yield _counter(
            "countermand_mailbox_duplicates", "Of these, with a Message-ID known before.", received - distinct
        )


def _counter(name: str, about: str, value: int) -> CounterMetricFamily:
    counter = CounterMetricFamily(name, about, labels=["service"])
    counter.add_metric([SERVICE], value)
    return counter


async def _written(ids: Iterator[tuple[str, float]]) -> AsyncIterator[str]:
    """By Message-ID a number, as one JSON object, a piece at a time."""
    lead = "{"
    while chunk := list(islice(ids, _IDS_A_CHUNK)):
        yield lead + ",".join(f"{dumps(message_id)}:{number}" for message_id, number in chunk)
        lead = ","
    yield "{}" if lead == "{" else "}"


def _summary(one: Summary) -> dict[str, Any]:
    row = asdict(one)
    return row | {"from": row.pop("sender"), "to": row.pop("recipients")}


def _checked(model: type[_Model], value: dict[str, str] | bytes) -> _Model:
    try:
        return model.model_validate_json(value) if isinstance(value, bytes) else model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"{where}: {first['msg']}") from error


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_BYTES_MAX:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {_BODY_BYTES_MAX} bytes")
    return body


async def _problem(_request: Request, error: Exception) -> Response:
    """RFC 9457."""
    status = HTTPStatus(error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR)
    detail = error.detail if isinstance(error, HTTPException) else str(error)
    problem = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
    headers = error.headers if isinstance(error, HTTPException) else None
    return JSONResponse(problem, status, headers, media_type="application/problem+json")
