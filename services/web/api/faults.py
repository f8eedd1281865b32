"""Faults of an operator's: have something happen to a process or to the mail server, and see what goes on."""

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Depends

from services.web.api.operator import operator_only
from services.web.api.problems import documented
from services.web.faults import FaultBody, FaultOut
from services.web.parts import WebParts

faults: Final = APIRouter(prefix="/api/operator/faults", tags=["operator"], dependencies=[Depends(operator_only)])


@faults.post("", status_code=202, responses=documented(HTTPStatus.UNAUTHORIZED, HTTPStatus.CONFLICT))
async def start_fault(web: WebParts, body: FaultBody) -> FaultOut:
    """Kill or freeze a process for a while, one fault a process at a time, or have the mail server fail."""
    return await web.faults.start(body)


@faults.get("", responses=documented(HTTPStatus.UNAUTHORIZED))
async def list_faults(web: WebParts) -> tuple[FaultOut, ...]:
    """What goes on."""
    return await web.faults.all()
