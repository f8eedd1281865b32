"""Whether the process lives, and whether it is of use."""

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from services.web.api.problems import documented
from services.web.parts import WebParts

health: Final = APIRouter(tags=["health"])


@health.get("/healthz", responses=documented())
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@health.get("/readyz", responses=documented())
async def readyz(web: WebParts) -> Response:
    """The broker answers, and the read model follows the streams."""
    if web.away:
        return JSONResponse({"status": "the broker is away"}, HTTPStatus.SERVICE_UNAVAILABLE)
    return JSONResponse({"status": "ok"})
