"""The pages: what people see. Rendered on the server; a few plain modules make them live.

`rendering` templates into answers · `static` what they refer to · `people` who looks · `cards`, `cases`, `state`, `wording` an order in words (pure) · `forms`,
`sheets`, `asks` what is asked, and the command that it becomes (pure) · `picture`, `charts` drawings (pure) ·
the rest: a file a page.
"""

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from services.web.pages.console import console
from services.web.pages.dead import dead
from services.web.pages.desk import desk
from services.web.pages.disputes import disputes
from services.web.pages.faults import faults
from services.web.pages.letters import letters
from services.web.pages.live import live
from services.web.pages.loads import loads
from services.web.pages.orders import orders
from services.web.pages.rendering import STATIC, error_page, wants_fragment
from services.web.pages.story import story


def add_pages(app: FastAPI) -> None:
    """Add the pages to an application that has its problems already: people get them as pages."""
    pages = APIRouter(include_in_schema=False)
    for one in (
        letters,
        orders,
        desk,
        disputes,
        console,
        dead,
        loads,
        faults,
        live,
        story,
    ):  # The narrower addresses first.
        pages.include_router(one)
    app.include_router(pages)
    app.router.routes.append(STATIC.route())
    for error, handler in list(app.exception_handlers.items()):
        app.exception_handlers[error] = _for_people(handler)


def _for_people(handler: Callable[..., Any]) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handle(request: Request, error: Exception) -> Response:
        answer: Response = await handler(request, error)
        wanted = wants_fragment(request) or "text/html" in request.headers.get("accept", "")
        is_problem = answer.headers.get("content-type", "").startswith("application/problem+json")
        if not wanted or not is_problem or request.url.path.startswith("/api/"):
            return answer
        problem: dict[str, Any] = json.loads(bytes(answer.body))
        return error_page(request, HTTPStatus(answer.status_code), problem["detail"])

    return handle
