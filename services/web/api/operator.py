"""What only an operator may do: whoever has the token, as a header or as a cookie of this site."""

import secrets
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from countermand.contracts.base import Name
from countermand.runtime.letters import DISCARD, REPLAY, Letter, Outcome, Wish
from services.web.api.problems import ProblemError, documented
from services.web.commands import Away
from services.web.parts import Web, WebParts, web_of

_COOKIE: Final = "countermand_operator"

_DAY_S: Final = 86_400


class TokenBody(BaseModel):
    """What `countermand up` printed."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"token": "what countermand up has printed"}]}
    )

    token: str = Field(min_length=1, max_length=1_000)


class ActBody(BaseModel):
    """Who does it and why: it is kept beside the letter."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"actor": "anna", "reason": "the policy is stored now"}]}
    )

    actor: Name
    reason: Name
    dry_run: bool = Field(default=False, description="only say what would be done")


Sequence = Annotated[int, Path(ge=1, lt=2**53, description="the letter's place among the dead letters")]

_DONE: Final = documented(HTTPStatus.UNAUTHORIZED, HTTPStatus.CONFLICT)


def is_token(web: Web, given: str) -> bool:
    """Whether that is the operator's token; nothing is while operator actions are off."""
    return web.token is not None and secrets.compare_digest(given.encode(), web.token.encode())


def keep_token(answer: Response, token: str) -> None:
    """Have the browser keep the token in a cookie that only this site gets and no script can read."""
    answer.set_cookie(_COOKIE, token, max_age=_DAY_S, httponly=True, samesite="strict")


def is_operator(request: Request) -> bool:
    """Whether the request has the operator's token."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    given = given.strip() if scheme.lower() == "bearer" else request.cookies.get(_COOKIE, "")
    return is_token(web_of(request), given)


async def operator_only(request: Request) -> None:
    """As a dependency: anybody else is refused. On the event loop, as `WebParts` is."""
    if web_of(request).token is None:
        raise _off()
    if not is_operator(request):
        raise ProblemError(HTTPStatus.UNAUTHORIZED, "token_needed", "This needs the operator's token.")


def _off() -> ProblemError:
    return ProblemError(HTTPStatus.FORBIDDEN, "operator_off", "Operator actions are off: web has no WEB_TOKEN.")


operator: Final = APIRouter(prefix="/api/operator", tags=["operator"])
_GUARDED: Final = [Depends(operator_only)]


@operator.post("/session", status_code=204, responses=documented(HTTPStatus.UNAUTHORIZED))
async def open_session(web: WebParts, body: TokenBody, response: Response) -> None:
    """Keep the token in a cookie that only this site gets and no script can read."""
    if web.token is None:
        raise _off()
    if not is_token(web, body.token):
        raise ProblemError(HTTPStatus.UNAUTHORIZED, "wrong_token", "That is not the operator's token.")
    keep_token(response, body.token)


@operator.delete("/session", status_code=204, responses=documented())
async def close_session(response: Response) -> None:
    """Forget the token."""
    response.delete_cookie(_COOKIE, httponly=True, samesite="strict")


@operator.get("/dead", dependencies=_GUARDED, responses=documented(HTTPStatus.UNAUTHORIZED))
async def list_dead(
    web: WebParts,
    after: Annotated[int, Query(ge=0, lt=2**53, description="the last `sequence` of the list before")] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[Letter]:
    """Dead letters about which nothing has been done, the oldest first."""
    if not web.nc.is_connected:
        raise Away
    return await web.broker.dead_letters(after, limit)


@operator.post("/dead/{sequence}/replay", dependencies=_GUARDED, responses=_DONE)
async def replay_dead(web: WebParts, sequence: Sequence, body: ActBody) -> Outcome:
    """Let the service handle the message once more, with its id and its time; what was done of it is not done again."""
    return await _carry_out(web, sequence, Wish(REPLAY, body.actor, body.reason, body.dry_run))


@operator.post("/dead/{sequence}/discard", dependencies=_GUARDED, responses=_DONE)
async def discard_dead(web: WebParts, sequence: Sequence, body: ActBody) -> Outcome:
    """Put the letter aside for good. It stays in the stream, with who did it and why."""
    return await _carry_out(web, sequence, Wish(DISCARD, body.actor, body.reason, body.dry_run))


async def _carry_out(web: Web, sequence: int, wish: Wish) -> Outcome:
    if not web.nc.is_connected:
        raise Away
    outcome = await web.broker.carry_out(sequence, wish)
    if outcome.refused:
        raise ProblemError(HTTPStatus.CONFLICT, "cannot_be_done", outcome.what)
    return outcome
