"""One order's story: the picture of what caused what, and the same in words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.web.commands import Away
from services.web.pages.cards import buyers_card
from services.web.pages.live import live_url
from services.web.pages.orders import detail_of
from services.web.pages.people import NEWCOMER, chosen
from services.web.pages.picture import Step, picture
from services.web.pages.rendering import fragment, page, short_moment, wants_fragment
from services.web.pages.wording import LIMITS
from services.web.parts import WebParts
from services.web.readmodel.timeline import Timeline, timeline

story: Final = APIRouter()

_KINDS: Final = {"refusal": "refused"}


@dataclass(frozen=True, slots=True)
class Line:
    """A step in words. `timer`: through which time limit it was caused."""

    number: int
    when: str
    who: str
    what: str
    because: int | None
    timer: str


@story.get("/orders/{order_id}")
async def order(request: Request, web: WebParts, order_id: str) -> Response:
    """The whole page, or its body for a module that follows."""
    detail = await detail_of(web, order_id)
    if web.away:
        raise Away
    told = await timeline(web.reader, web.names, order_id) or Timeline(order_id, (), ())
    steps = steps_of(told)
    brief = detail.view.order.brief if detail.view.order else None
    shown: dict[str, Any] = {
        "card": buyers_card(detail),
        "picture": picture(steps),
        "lines": lines_of(told, steps),
        "mine": brief is not None and brief.buyer.id == chosen(request, "buyer", NEWCOMER),
    }
    if wants_fragment(request):
        return fragment("_story.html", **shown)
    title = brief.item[:60] if brief else order_id
    return page(request, "order.html", title=title, section="/", events=live_url((detail.view,)), **shown)


def steps_of(told: Timeline) -> list[Step]:
    """The steps, numbered, each with the number of its cause and the time limits that it starts. Pure."""
    numbers = {step.id: number for number, step in enumerate(told.steps, 1)}
    limits: dict[str, list[str]] = {}
    for timer in told.timers:
        if timer.due > _set_at(told, timer.armed_by, timer.due):
            limits.setdefault(timer.armed_by, []).append(
                f"{LIMITS.get(timer.name, timer.name)} {short_moment(timer.due)}"
            )
    fired = {timer.id: timer.armed_by for timer in told.timers}
    found: list[Step] = []
    for number, step in enumerate(told.steps, 1):
        armed_by, _, _ = step.because.rpartition(":")
        by_timer = step.because in fired or (step.because not in numbers and armed_by in numbers)
        found.append(
            Step(
                number=number,
                lane="people" if step.kind == "command" else str(step.lane),
                kind=_KINDS.get(step.kind, step.kind),
                name=step.name,
                at=step.simulated_at,
                because=numbers.get(armed_by if by_timer else step.because),
                timer=by_timer,
                limits=tuple(limits.get(step.id, ())[:1]),
            )
        )
    return found


def lines_of(told: Timeline, steps: list[Step]) -> list[Line]:
    """The same in words. Pure."""
    return [
        Line(
            number=step.number,
            when=short_moment(one.simulated_at) if one.simulated_at else "",
            who=step.lane,
            what=one.text,
            because=step.because,
            timer=f"{one.because.rpartition(':')[2]} of " if step.timer and step.because else "",
        )
        for one, step in zip(told.steps, steps, strict=True)
    ]


def _set_at(told: Timeline, id_: str, default: datetime) -> datetime:
    """When the step of that id happened; a limit that is not later is none worth showing."""
    return next((step.simulated_at or default for step in told.steps if step.id == id_), default)
