"""Templates into pages: autoescaped, strict, and each page with what the frame around it needs."""

import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.web.pages.forms import Form, Values, refilled
from services.web.pages.static import StaticFiles
from services.web.pages.wording import METRICS
from services.web.parts import web_of

_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Controls and what overrides the direction of the text after it. Line breaks stay: the browser folds them."""

BROKER_AWAY: Final = (
    "The message broker does not answer. What you see may be old; this page goes on by itself when it is back."
)

STATIC: Final = StaticFiles.read()

_WORDS: Final = ((timedelta(days=2), "days", 86_400), (timedelta(hours=2), "h", 3_600))


def moment(at: datetime) -> str:
    """A moment of simulated time, as in `Thu 5 Mar 2026, 10:00`."""
    at = at.astimezone(UTC)
    return f"{at:%a} {at.day} {at:%b} {at.year}, {at:%H:%M}"


def short_moment(at: datetime) -> str:
    """The same without the year."""
    at = at.astimezone(UTC)
    return f"{at:%a} {at.day} {at:%b} {at:%H:%M}"


def left(real: datetime) -> str:
    """How long somebody has to wait until a real moment, in words. `clock.js` says the same every second."""
    return in_words(real - datetime.now(UTC))


def in_words(span: timedelta) -> str:
    """A span of real time: `in 2 min 10 s`, `in 3 h`, `now`."""
    seconds = int(span.total_seconds())
    if seconds <= 0:
        return "now"
    for least, unit, size in _WORDS:
        if span >= least:
            return f"in {seconds // size} {unit}"
    minutes, rest = divmod(seconds, 60)
    return f"in {minutes} min {rest} s" if minutes else f"in {rest} s"


def figure(value: float) -> str:
    """A measured figure with three digits, as in `12.4` or `1,230`."""
    if value >= 100:  # noqa: PLR2004  # Three digits stand before the point.
        return f"{value:,.0f}"
    return f"{value:.3g}"


def orders(count: int) -> str:
    """So many orders."""
    return "1 order" if count == 1 else f"{count:,} orders"


def metric(name: str) -> str:
    """What is measured, in words."""
    return METRICS.get(name, name)


def render(template: str, **shown: Any) -> str:
    """A template with these values."""
    return _TEMPLATES.get_template(template).render(shown)


def page(
    request: Request,
    template: str,
    *,
    title: str,
    section: str = "",
    status: HTTPStatus = HTTPStatus.OK,
    **shown: Any,
) -> HTMLResponse:
    """A whole page.

    Args:
        request: what it answers.
        template: of the page; it extends `base.html`.
        title: of the window.
        section: the path of the entry in the menu that it belongs to.
        status: of the answer.
        shown: what the template shows besides.
    """
    frame = {"title": title, "section": section, "trouble": _trouble(request), "events": "", "static": STATIC.path}
    return HTMLResponse(
        render(template, **(frame | shown)), status, {"Cache-Control": "no-store", "Vary": "X-Fragment"}
    )


def fragment(template: str, *, status: HTTPStatus = HTTPStatus.OK, **shown: Any) -> HTMLResponse:
    """A piece of a page, for a module that asked for it."""
    return HTMLResponse(render(template, **shown), status, {"Cache-Control": "no-store", "Vary": "X-Fragment"})


def sheet(
    request: Request,
    form: Form,
    values: Values,
    error: str = "",
    status: HTTPStatus = HTTPStatus.OK,
    *,
    back: str,
    target: str,
    section: str,
) -> HTMLResponse:
    """A form: in a dialog, for a module of ours, or as a page.

    Args:
        request: what it answers.
        form: what is asked.
        values: what somebody had filled in before it was refused.
        error: why it was.
        status: of the answer.
        back: where somebody goes who does not want to.
        target: where the form is sent to.
        section: as of `page`.
    """
    shown = {"form": refilled(form, values), "error": error, "back": back, "target": target}
    if wants_fragment(request):
        return fragment("_sheet.html", status=status, **shown)
    return page(request, "sheet.html", title=form.title, section=section, status=status, **shown)


def done(request: Request, back: str) -> Response:
    """A sheet has done what it was for."""
    return Response(status_code=HTTPStatus.NO_CONTENT) if wants_fragment(request) else see_other(back)


def wants_fragment(request: Request) -> bool:
    """Whether a module of ours asks, and not a person."""
    return "x-fragment" in request.headers


def see_other(path: str) -> Response:
    """Where somebody goes on after a form."""
    return Response(status_code=HTTPStatus.SEE_OTHER, headers={"Location": path})


def inside(path: str) -> str:
    """A path of this site; another one is nobody's business."""
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isascii() and path.isprintable()
    return path if safe else "/"


def error_page(request: Request, status: HTTPStatus, detail: str) -> HTMLResponse:
    """What went wrong, as a page; or as a sheet, for a module of ours."""
    title = _TITLES.get(status, status.phrase)
    if wants_fragment(request):
        return fragment("_trouble.html", status=status, title=title, detail=detail)
    return page(request, "error.html", title=title, status=status, code=status.value, detail=detail)


def _trouble(request: Request) -> str:
    """What the banner says when the page is made; nothing if all is well."""
    return BROKER_AWAY if web_of(request).away else ""


def _clean(value: object) -> object:
    if not isinstance(value, str) or value.isprintable() or hasattr(value, "__html__"):
        return value
    return _UNPRINTABLE.sub("�", value)


_TITLES: Final = {
    HTTPStatus.NOT_FOUND: "There is nothing here",
    HTTPStatus.CONFLICT: "This cannot be done",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not available right now",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something broke",
}

_TEMPLATES: Final = Environment(
    loader=PackageLoader("services.web"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_clean,
    auto_reload=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters.update(moment=moment, left=left, figure=figure, metric=metric, orders=orders)
