"""Loads on the console: an operator starts one, watches it, stops it, and reads its report."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, get_args

from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError
from starlette.responses import HTMLResponse, Response

from services.web.api.loads import LoadId, loads_of
from services.web.api.operator import operator_only
from services.web.load import DURATION_S_MAX, DURATION_S_MIN, RATE_MAX, LoadBody, LoadOut, Mix
from services.web.loads import LoadRuns
from services.web.pages.forms import Choice, Form, Line, Option, Values
from services.web.pages.orders import values_of
from services.web.pages.rendering import done, fragment, see_other, sheet, wants_fragment
from services.web.pages.state import State
from services.web.parts import Web, WebParts

loads: Final = APIRouter(prefix="/console/loads", dependencies=[Depends(operator_only)])

_FORM: Final = Form(
    title="Start a load",
    intro="Buyers arrive at random moments, and a simulated day takes a second. At the end every order is audited.",
    fields=(
        Line("rate", "Orders a second", "20", f"1 to {RATE_MAX}", length_max=3),
        Line(
            "duration_s",
            "Seconds",
            "30",
            f"{DURATION_S_MIN} to {DURATION_S_MAX}; then the last orders end",
            length_max=3,
        ),
        Choice("mix", "Mix", tuple(Option(one, one) for one in get_args(Mix)), "everyday", compact=True),
        Line("seed", "Seed", hint="The same seed, the same orders, once a system. Nothing: a new one.", required=False),
    ),
    submit="Start",
)

_BACK: Final = "/console#loads"

_FIELDS: Final = ("rate", "duration_s", "mix", "seed")

_BOUNDS: Final = (
    f"Please choose 1 to {RATE_MAX} orders a second, {DURATION_S_MIN} to {DURATION_S_MAX} seconds, "
    "a mix that is offered, and as seed a whole number or nothing."
)

_ALONE: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
}
"""A report has a look of its own, and nothing else."""

_VERDICTS: Final = {
    "pass": State("good", "pass", "All came out right."),
    "threshold": State("bad", "threshold missed", ""),
    "aborted": State("bad", "aborted", ""),
    "invalid": State("waiting", "invalid", "The figures say nothing."),
    "interrupted": State("ended", "stopped", ""),
    "broken": State("bad", "broken", ""),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A load in the table."""

    load: LoadOut
    state: State


def rows_of(web: Web) -> tuple[Row, ...]:
    """The loads as the console shows them; none where none may be started."""
    return tuple(Row(one, _state(one)) for one in web.loads.all()) if web.loads else ()


@loads.get("")
async def listed(request: Request, web: WebParts) -> Response:
    """The loads and how they go, for a module that follows."""
    loads_of(web)
    return fragment("_loads.html", loads=rows_of(web)) if wants_fragment(request) else see_other(_BACK)


@loads.get("/new")
async def ask(request: Request, web: WebParts) -> Response:
    """How much, how long, by whom."""
    loads_of(web)
    return _sheet(request, {})


@loads.post("/new")
async def start(request: Request, web: WebParts) -> Response:
    """Start one."""
    values = await values_of(request)
    wished = {name: value for name in _FIELDS if (value := values.get(name, "").strip())}
    try:
        loads_of(web).start(LoadBody.model_validate(wished))
    except ValidationError:
        return _sheet(request, values, _BOUNDS, HTTPStatus.UNPROCESSABLE_ENTITY)
    except LoadRuns as error:
        return _sheet(request, values, str(error), HTTPStatus.CONFLICT)
    return done(request, _BACK)


@loads.post("/{load_id}/stop")
async def stop(request: Request, web: WebParts, load_id: LoadId) -> Response:
    """Stop one."""
    loads_of(web).stop(load_id)
    return done(request, _BACK)


@loads.get("/{load_id}/report")
async def report(web: WebParts, load_id: LoadId) -> Response:
    """The page that the run has written about itself."""
    return HTMLResponse(await loads_of(web).load(load_id).file("report.html"), headers=_ALONE)


@loads.get("/{load_id}/result.json")
async def result(web: WebParts, load_id: LoadId) -> Response:
    """The run's figures."""
    found = await loads_of(web).load(load_id).file("result.json")
    return Response(found, media_type="application/json", headers={"Cache-Control": "no-store"})


def _sheet(request: Request, values: Values, error: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
    return sheet(request, _FORM, values, error, status, back=_BACK, target="/console/loads/new", section="/console")


def _state(load: LoadOut) -> State:
    if load.state == "running":
        return State("moving", "running", load.line or "Starting …")
    if load.state == "stopping":
        return State("moving", "stopping", load.line)
    if load.verdict is None:
        return State("bad", "not played", load.line)
    verdict = _VERDICTS[load.verdict]
    return State(verdict.tone, verdict.title, " ".join(load.reasons) or verdict.text)
