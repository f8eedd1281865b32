"""The dispute desk: claims, evidence, offers, the clock, and the ruling with its explanation."""

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.web.api.problems import no_order
from services.web.pages.cases import Case, case_of
from services.web.pages.live import live_url
from services.web.pages.orders import detail_of
from services.web.pages.rendering import fragment, page, wants_fragment
from services.web.parts import Web, WebParts

disputes: Final = APIRouter(prefix="/disputes")

_SHOWN: Final = 30
"""Disputes of each list."""


@disputes.get("")
async def all_disputes(request: Request, web: WebParts) -> Response:
    """Open disputes, and those that were decided last."""
    shown: dict[str, Any] = {
        "open": await _cases(web, resolved=False),
        "decided": await _cases(web, resolved=True),
    }
    if wants_fragment(request):
        return fragment("_disputes.html", **shown)
    return page(request, "disputes.html", title="Disputes", section="/disputes", events=live_url(()), **shown)


@disputes.get("/{order_id}")
async def one_dispute(request: Request, web: WebParts, order_id: str) -> Response:
    """One dispute."""
    case = case_of(await detail_of(web, order_id))
    if case is None:
        raise no_order(order_id)
    if wants_fragment(request):
        return fragment("_dispute.html", case=case)
    return page(
        request,
        "dispute.html",
        title=f"Dispute: {_short(case)}",
        section="/disputes",
        case=case,
        events=live_url((case.view,)),
    )


async def _cases(web: Web, *, resolved: bool) -> list[Case]:
    found = await web.queries.disputes(resolved=resolved, limit=_SHOWN)
    return [case for detail in found.orders if (case := case_of(detail))]


def _short(case: Case) -> str:
    order = case.view.order
    return order.brief.item[:60] if order else ""
