"""Loads of an operator's: start one, see how it goes, stop it."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Response

from services.web.api.operator import operator_only
from services.web.api.problems import ProblemError, documented
from services.web.load import LoadBody, LoadOut
from services.web.loads import Loads
from services.web.parts import Web, WebParts

OFF: Final = (
    "Loads cannot be started here: web has no WEB_LOADS. With Docker Compose: docker compose run --rm load "
    "--rate 20 --duration 30s"
)

loads: Final = APIRouter(prefix="/api/operator/loads", tags=["operator"], dependencies=[Depends(operator_only)])

LoadId = Annotated[str, Path(pattern="^[0-9a-f]{8}$", examples=["0a1b2c3d"])]


def loads_of(web: Web) -> Loads:
    """Web's loads.

    Raises:
        ProblemError: it may start none.
    """
    if web.loads is None:
        raise ProblemError(HTTPStatus.FORBIDDEN, "loads_off", OFF)
    return web.loads


@loads.post("", status_code=202, responses=documented(HTTPStatus.UNAUTHORIZED, HTTPStatus.CONFLICT))
async def start_load(web: WebParts, body: LoadBody, response: Response) -> LoadOut:
    """Put a load on this system. One runs at a time; `Location` is where it can be watched."""
    response.headers["Location"] = str(loads.prefix)
    return loads_of(web).start(body)


@loads.get("", responses=documented(HTTPStatus.UNAUTHORIZED))
async def list_loads(web: WebParts) -> list[LoadOut]:
    """The last five loads and how they go, the newest first."""
    return loads_of(web).all()


@loads.post("/{load_id}/stop", status_code=202, responses=documented(HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND))
async def stop_load(web: WebParts, load_id: LoadId) -> LoadOut:
    """End a load; what there is will be reported. Nothing happens to one that has ended."""
    return loads_of(web).stop(load_id)
