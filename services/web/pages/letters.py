"""The mailbox: emails as a person would see them. What they hold was written by strangers, so it is shown sandboxed."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from countermand.kernel.ids import is_order_id
from services.web.api.mail import ask_mailbox
from services.web.api.problems import ProblemError
from services.web.pages.live import live_url
from services.web.pages.orders import detail_of
from services.web.pages.rendering import fragment, page, render, wants_fragment
from services.web.parts import Web, WebParts

letters: Final = APIRouter()

_SHOWN: Final = 50
"""Emails in the list."""

_SANDBOX: Final = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
"""An email may have a look of its own, and nothing else: no script, no picture from elsewhere, no form."""

_HEADERS: Final = {"Content-Security-Policy": _SANDBOX, "Cache-Control": "no-store"}

_WHY: Final = {
    "no_mailbox": "This installation sends its emails to another mail server, so they cannot be read here.",
    "mailbox_away": "The mailbox does not answer. Please try again in a moment.",
}


@dataclass(frozen=True, slots=True)
class Letter:
    """An email of the list; one that is open has its parts."""

    id: int
    message_id: str
    order_id: str
    subject: str
    sender: str
    recipients: str
    received_at: datetime
    text: str | None = None
    html: str | None = None
    headers: str = ""

    @property
    def has_html(self) -> bool:
        """Whether there is more than text."""
        return self.html is not None


class _Unreadable(Exception):
    """The mailbox cannot be asked; the message is for people."""


@letters.get("/mail")
async def mailbox(request: Request, web: WebParts, order: str = "") -> Response:
    """Every email, or those about one order."""
    return await _page(request, web, order, None)


@letters.get("/mail/{number}")
async def letter(request: Request, web: WebParts, number: int, order: str = "") -> Response:
    """One email beside the list."""
    return await _page(request, web, order, number)


@letters.get("/mail/{number}/body")
async def body(web: WebParts, number: int) -> Response:
    """What one email shows, for the frame that it is shown in."""
    try:
        return _sandboxed(await _letter(web, number))
    except _Unreadable as error:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "mailbox_away", str(error)) from error


@letters.get("/orders/{order_id}/emails/{number}")
async def email_of_order(web: WebParts, order_id: str, number: int) -> Response:
    """What an email of an order shows; `number` counts the order's emails from 0."""
    detail = await detail_of(web, order_id)
    if not 0 <= number < len(detail.view.emails):
        raise ProblemError(HTTPStatus.NOT_FOUND, "no_such_email", "This order has no such email.")
    message_id = detail.view.emails[number].message_id
    try:
        found = [one for one in await _list(web, order_id) if one.message_id == message_id]
        if not found:
            return _plain("This email has left the mailbox, which keeps the newest ones only.")
        return _sandboxed(await _letter(web, found[0].id))
    except _Unreadable as error:
        return _plain(str(error))


async def _page(request: Request, web: Web, order: str, number: int | None) -> Response:
    order = order if is_order_id(order) else ""
    away, found, opened = "", list[Letter](), None
    try:
        found = await _list(web, order)
        opened = await _letter(web, number) if number is not None else None
    except _Unreadable as error:
        away = str(error)
    if away and wants_fragment(request):  # The list that is shown stays.
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "mailbox_away", away)
    path = f"/mail/{number}" if number is not None else "/mail"
    url = f"{path}?order={order}" if order else path
    shown: dict[str, Any] = {"letters": found, "letter": opened, "order": order, "list_url": url}
    if wants_fragment(request):
        return fragment("_letters.html", **shown)
    title = opened.subject[:60] if opened else "Mailbox"
    return page(request, "mail.html", title=title, section="/mail", away=away, events=live_url(()), **shown)


async def _list(web: Web, order: str) -> list[Letter]:
    """The newest first."""
    params: dict[str, str | int] = {"limit": _SHOWN} | ({"order": order} if order else {})
    rows: list[dict[str, Any]] = await _asked(web, "/messages", params)
    return [_read(row) for row in reversed(rows)]


async def _letter(web: Web, number: int) -> Letter:
    return _read(await _asked(web, f"/messages/{number}", {}))


async def _asked(web: Web, path: str, params: dict[str, str | int]) -> Any:
    try:
        return await ask_mailbox(web, path, params)
    except ProblemError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            raise
        raise _Unreadable(_WHY.get(error.reason, error.detail)) from error


def _read(row: dict[str, Any]) -> Letter:
    return Letter(
        id=row["id"],
        message_id=row["message_id"],
        order_id=row["order_id"],
        subject=row["subject"] or "(no subject)",
        sender=row["from"],
        recipients=row["to"],
        received_at=datetime.fromisoformat(row["received_at"]),
        text=row.get("text"),
        html=row.get("html"),
        headers=row.get("headers", ""),
    )


def _sandboxed(letter: Letter) -> Response:
    if letter.html is None:
        return _plain(letter.text or "")
    return HTMLResponse(letter.html, headers=_HEADERS)


def _plain(text: str) -> Response:
    return HTMLResponse(render("letter.html", text=text), headers=_HEADERS)
