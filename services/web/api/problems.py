"""Problems: every refusal is `application/problem+json` (RFC 9457), with a stable word in `reason`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from countermand.runtime.direct import StoreReadError
from services.web.commands import Away, KeyReused, NoCommand
from services.web.faults import NOBODY, FaultRefused, NobodyStrikes
from services.web.hub import TooManyListeners
from services.web.load import NoLoad
from services.web.loads import LoadRuns
from services.web.readmodel.lists import BadCursor

_RETRY_AFTER_S: Final = "1"

_log = structlog.get_logger()


class Fault(BaseModel):
    """What is wrong with one field of a request."""

    where: str = Field(examples=["body.reason"])
    what: str = Field(examples=["Field required"])


class Problem(BaseModel):
    """Why a request failed (RFC 9457)."""

    type: str = Field(default="about:blank", examples=["about:blank"])
    title: str = Field(examples=["Conflict"])
    status: int = Field(examples=[409])
    detail: str = Field(examples=["The payment is confirmed: only the seller can cancel now. Contact the seller."])
    reason: str = Field(description="a stable word for programs", examples=["contact_the_seller"])
    errors: list[Fault] = Field(default_factory=list[Fault], description="the fields at fault, of a 422")


class ProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(self, status: HTTPStatus, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.reason, self.detail = status, reason, detail


def no_order(order_id: str) -> ProblemError:
    """404 for an order that nobody has placed."""
    return ProblemError(HTTPStatus.NOT_FOUND, "no_such_order", f"There is no order {order_id}.")


def problem_response(
    status: HTTPStatus,
    reason: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: list[Fault] | None = None,
) -> JSONResponse:
    """A problem as an answer."""
    problem = Problem(title=status.phrase, status=status, detail=detail, reason=reason, errors=errors or [])
    return JSONResponse(problem.model_dump(mode="json"), status, headers=headers, media_type="application/problem+json")


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """The problems of an endpoint, for its documentation; those that any request may meet are added."""
    anywhere = (
        HTTPStatus.FORBIDDEN,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.MISDIRECTED_REQUEST,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
    )
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        int(status): {"description": status.phrase, "content": {"application/problem+json": {"schema": schema}}}
        for status in sorted({*statuses, *anywhere})
    }


def add_problems(app: FastAPI) -> None:
    """Turn every failure into a problem."""
    app.add_exception_handler(ProblemError, _said)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(BadCursor, _bad_cursor)
    app.add_exception_handler(NoCommand, _no_command)
    app.add_exception_handler(KeyReused, _key_reused)
    app.add_exception_handler(TooManyListeners, _enough)
    app.add_exception_handler(LoadRuns, _load_runs)
    app.add_exception_handler(NoLoad, _no_load)
    app.add_exception_handler(FaultRefused, _fault_refused)
    app.add_exception_handler(NobodyStrikes, _nobody_strikes)
    app.add_exception_handler(MaxPayloadError, _too_long)
    for away in (Away, TimeoutError, NatsError, StoreReadError):
        app.add_exception_handler(away, _away)
    app.add_exception_handler(Exception, _ours)


async def _said(_: Request, error: Exception) -> Response:
    if not isinstance(error, ProblemError):
        raise error
    return problem_response(error.status, error.reason, error.detail)


async def _http(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    return problem_response(status, status.name.lower(), str(error.detail), error.headers)


async def _invalid(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    faults = [
        Fault(where=".".join(str(part) for part in one["loc"])[:200], what=one["msg"][:500]) for one in error.errors()
    ]
    detail = f"{faults[0].where}: {faults[0].what}" if faults else "The request is malformed."
    return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", detail, errors=faults[:20])


async def _bad_cursor(_: Request, error: Exception) -> Response:
    return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_cursor", str(error))


async def _no_command(_: Request, __: Exception) -> Response:
    return problem_response(HTTPStatus.NOT_FOUND, "no_such_command", "There is no command of that id.")


async def _key_reused(_: Request, __: Exception) -> Response:
    detail = "This Idempotency-Key came with another request."
    return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail)


async def _enough(_: Request, __: Exception) -> Response:
    return problem_response(
        HTTPStatus.SERVICE_UNAVAILABLE, "too_many_listeners", "Too many clients follow events.", _later()
    )


async def _load_runs(_: Request, error: Exception) -> Response:
    return problem_response(HTTPStatus.CONFLICT, "a_load_runs", str(error))


async def _no_load(_: Request, __: Exception) -> Response:
    return problem_response(HTTPStatus.NOT_FOUND, "no_such_load", "There is no such load, or it has no such report.")


async def _fault_refused(_: Request, error: Exception) -> Response:
    return problem_response(HTTPStatus.CONFLICT, "fault_refused", str(error))


async def _nobody_strikes(_: Request, error: Exception) -> Response:
    _log.warning("http.nobody_strikes", error=repr(error))
    return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, "nobody_strikes", NOBODY, _later())


async def _too_long(_: Request, __: Exception) -> Response:
    detail = "With all that goes with it this is longer than the broker takes."
    return problem_response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", detail)


async def _away(_: Request, error: Exception) -> Response:
    _log.warning("http.away", error=repr(error))
    detail = "The broker does not answer. Try again; with the same Idempotency-Key nothing is done twice."
    return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, "broker_away", detail, _later())


async def _ours(_: Request, error: Exception) -> Response:
    _log.error("http.failed", exc_info=error)
    return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, "failed", "Something went wrong here. It is in the log.")


def _later() -> dict[str, str]:
    return {"Retry-After": _RETRY_AFTER_S}
