"""The operator's console: what goes on, what waits, what failed; and, with the token, what an operator may do."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.web.api.console import ConsoleOut, console_of
from services.web.api.operator import is_operator, is_token, keep_token
from services.web.broker import DeadLetter
from services.web.pages.charts import Chart, chart
from services.web.pages.faults import board_of
from services.web.pages.live import live_url
from services.web.pages.loads import rows_of
from services.web.pages.orders import values_of
from services.web.pages.rendering import fragment, page, see_other, wants_fragment
from services.web.pages.wording import OUTCOMES, RATES, WAITS
from services.web.parts import Web, WebParts

console: Final = APIRouter(prefix="/console")

_RECENT_S: Final = 300
"""Latencies are those of the last five minutes."""

_LETTERS_SHOWN: Final = 20
_KINDS: Final = ("first", "second", "third")


@dataclass(frozen=True, slots=True)
class Share:
    """A line of a list with a bar: how many there are of something, and of how many."""

    name: str
    count: int
    of: int


@dataclass(frozen=True, slots=True)
class Board:
    """All that the console shows."""

    figures: ConsoleOut
    rates: Chart
    waits: tuple[Share, ...]
    outcomes: tuple[Share, ...]
    letters: tuple[DeadLetter, ...]
    operator: bool
    tokens: bool


@console.get("")
async def board(request: Request, web: WebParts) -> Response:
    """The whole console, or its body for a module that follows."""
    return await _shown(request, web)


@console.post("/session")
async def sign_in(request: Request, web: WebParts) -> Response:
    """Keep the operator's token in a cookie."""
    given = (await values_of(request)).get("token", "")
    if not is_token(web, given):
        return await _shown(request, web, "That is not the operator's token.", HTTPStatus.FORBIDDEN)
    answer = see_other("/console")
    keep_token(answer, given)
    return answer


async def _shown(request: Request, web: Web, error: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
    shown = await _board(request, web)
    if wants_fragment(request):
        return fragment("_console.html", board=shown, status=status)
    return page(
        request,
        "console.html",
        title="Console",
        section="/console",
        status=status,
        board=shown,
        error=error,
        loads=rows_of(web) if shown.operator else (),
        may_load=web.loads is not None,
        faults=await board_of(web) if shown.operator else None,
        events=live_url(()),
    )


async def _board(request: Request, web: Web) -> Board:
    figures = await console_of(web, _RECENT_S)
    operator = is_operator(request)
    letters = await web.broker.dead_letters(limit=_LETTERS_SHOWN) if operator and figures.dead_letters else []
    rates = {label: figures.rates.per_second.get(name, ()) for name, label in RATES.items()}
    return Board(
        figures=figures,
        rates=chart(rates, _KINDS),
        waits=_shares(figures.counts.by_waits, WAITS),
        outcomes=_shares(figures.counts.by_outcome, OUTCOMES),
        letters=tuple(letters),
        operator=operator,
        tokens=web.token is not None,
    )


def _shares(counts: dict[str, int], words: dict[str, str]) -> tuple[Share, ...]:
    """The largest first."""
    of = max(1, sum(counts.values()))
    rows = sorted(counts.items(), key=lambda one: -one[1])
    return tuple(Share(words.get(name, name), count, of) for name, count in rows if count)
