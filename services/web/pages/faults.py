"""Faults on the console: an operator breaks something for a while, and watches what becomes of it."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError
from starlette.responses import Response

from services.web.api.operator import operator_only
from services.web.faults import FOR_S_MAX, NO_PROCESSES, NOBODY, FaultBody, FaultRefused, NobodyStrikes
from services.web.pages.forms import Choice, Form, Line, Option, Values
from services.web.pages.orders import values_of
from services.web.pages.rendering import done, fragment, see_other, sheet, wants_fragment
from services.web.parts import Web, WebParts

faults: Final = APIRouter(prefix="/console/faults", dependencies=[Depends(operator_only)])

_BACK: Final = "/console#faults"

_PROCESSES: Final = {
    "order": "order service",
    "seller": "seller service",
    "dispute": "dispute service",
    "notify": "notify service",
    "nats": "message broker",
    "mailbox": "mailbox",
}
_MAIL: Final = {
    "451": "answers 451: try later",
    "550": "refuses every email for good",
    "slow": "is slow",
    "down": "is down",
}

_BOUNDS: Final = f"Please choose one of what is offered, for 1 to {FOR_S_MAX} seconds."


@dataclass(frozen=True, slots=True)
class Going:
    """A fault that goes on, in words."""

    text: str
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Board:
    """What the console shows of faults. `trouble`: why it cannot be told what goes on."""

    offered: bool
    going: tuple[Going, ...] = ()
    trouble: str = ""


async def board_of(web: Web) -> Board:
    """What goes on."""
    offered = bool(web.faults.offered)
    try:
        return Board(offered, tuple(Going(_goes_on(one.what), one.ends_at) for one in await web.faults.all()))
    except NobodyStrikes:
        return Board(offered, trouble=NOBODY)


@faults.get("")
async def listed(request: Request, web: WebParts) -> Response:
    """What goes on, for a module that follows."""
    return fragment("_faults.html", faults=await board_of(web)) if wants_fragment(request) else see_other(_BACK)


@faults.get("/new")
async def ask(request: Request, web: WebParts) -> Response:
    """What, and how long."""
    return _sheet(request, web)


@faults.post("/new")
async def start(request: Request, web: WebParts) -> Response:
    """Do it."""
    values = await values_of(request)
    try:
        await web.faults.start(FaultBody.model_validate({name: values.get(name, "") for name in ("what", "for_s")}))
    except ValidationError:
        return _sheet(request, web, values, _BOUNDS, HTTPStatus.UNPROCESSABLE_ENTITY)
    except FaultRefused as error:
        return _sheet(request, web, values, str(error), HTTPStatus.CONFLICT)
    return done(request, _BACK)


def _sheet(
    request: Request, web: Web, values: Values | None = None, error: str = "", status: HTTPStatus = HTTPStatus.OK
) -> Response:
    offered = tuple(Option(one, _asked(one)) for one in web.faults.offered)
    form = Form(
        title="Break something",
        intro="It is undone by itself, and nothing may be lost: watch what waits, and what comes again.",
        fields=(
            Choice("what", "What", offered, compact=True),
            Line("for_s", "Seconds", "10", f"1 to {FOR_S_MAX}", length_max=3),
        ),
        note="" if web.faults.strikes else NO_PROCESSES,
        submit="Break it",
        stop=True,
    )
    return sheet(
        request, form, values or {}, error, status, back=_BACK, target="/console/faults/new", section="/console"
    )


def _asked(what: str) -> str:
    kind, _, target = what.partition(":")
    if kind == "smtp":
        return f"The mail server {_MAIL[target]}"
    return f"{'Kill' if kind == 'kill' else 'Freeze'} the {_PROCESSES[target]}"


def _goes_on(what: str) -> str:
    kind, _, target = what.partition(":")
    if kind == "smtp":
        return f"The mail server {_MAIL[target]}"
    return f"The {_PROCESSES[target]} is {'killed' if kind == 'kill' else 'frozen'}"
