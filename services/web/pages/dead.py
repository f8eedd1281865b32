"""Dead letters on the console: an operator replays or discards one, and says why."""

from http import HTTPStatus
from typing import Final, Literal

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from countermand.runtime.letters import DISCARD, REPLAY, Wish
from services.web.api.operator import operator_only
from services.web.commands import Away
from services.web.pages.forms import Form, FormError, Line, Values, text_of
from services.web.pages.orders import values_of
from services.web.pages.rendering import done, sheet
from services.web.parts import WebParts

dead: Final = APIRouter(prefix="/console/dead", dependencies=[Depends(operator_only)])

Kind = Literal["replay", "discard"]
"""As `REPLAY` and `DISCARD`."""

_BACK: Final = "/console"
_INTROS: Final = {
    REPLAY: "The service gets the message once more, with its id and its time; what was done of it is not done again.",
    DISCARD: "The letter is put aside for good. It stays in the stream, with who did it and why.",
}


@dead.get("/{sequence}/{kind}")
async def ask(request: Request, sequence: int, kind: Kind) -> Response:
    """Who does it, and why."""
    return _sheet(request, sequence, kind, {})


@dead.post("/{sequence}/{kind}")
async def act(request: Request, web: WebParts, sequence: int, kind: Kind) -> Response:
    """Do it."""
    values = await values_of(request)
    try:
        wish = Wish(kind, text_of(values, "actor", required=True), text_of(values, "reason", required=True))
    except FormError as error:
        return _sheet(request, sequence, kind, values, str(error))
    if web.away:
        raise Away
    outcome = await web.broker.carry_out(sequence, wish)
    if outcome.refused:
        return _sheet(request, sequence, kind, values, outcome.what)
    return done(request, _BACK)


def _sheet(request: Request, sequence: int, kind: Kind, values: Values, error: str = "") -> Response:
    form = Form(
        title=f"{kind.capitalize()} dead letter {sequence}?",
        intro=_INTROS[kind],
        fields=(Line("actor", "Your name", "operator"), Line("reason", "Why")),
        submit=kind.capitalize(),
        stop=kind == DISCARD,
    )
    status = HTTPStatus.CONFLICT if error else HTTPStatus.OK
    return sheet(
        request,
        form,
        values,
        error,
        status,
        back=_BACK,
        target=f"/console/dead/{sequence}/{kind}",
        section=_BACK,
    )
