"""Who looks: nobody signs in, so anybody may be any buyer and sit at any seller's desk. A cookie remembers the choice."""

import re
from typing import Final
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response

from countermand.contracts.base import Contact
from services.web.parts import Web
from services.web.readmodel.answers import Found
from services.web.readmodel.lists import Which

NEWCOMER: Final = "bea"
YOUR_SHOP: Final = "your-shop"
"""Whom somebody is who has not chosen yet."""

_NAMES: Final = {NEWCOMER: "Bea Buyer"}
_ID_MAX: Final = 200
_MAILBOX_MAX: Final = 60
_NOT_IN_MAILBOXES: Final = re.compile(r"[^a-z0-9]+")
_YEAR_S: Final = 365 * 86_400


def chosen(request: Request, role: str, default: str) -> str:
    """The id that the address names, else the one that the browser remembers, else the default."""
    named = request.query_params.get(role) or unquote(request.cookies.get(role, ""))
    return named.strip()[:_ID_MAX] or default


def remember(answer: Response, role: str, id_: str) -> None:
    """Have the browser remember a choice."""
    answer.set_cookie(role, quote(id_, safe=""), max_age=_YEAR_S, samesite="lax", httponly=True)


async def last_as(web: Web, id_: str) -> Contact:
    """The buyer of that id, with the name under which they ordered last."""
    return buyer(id_, await web.queries.orders(Which.buyer(id_), limit=1))


def buyer(id_: str, last: Found) -> Contact:
    """The buyer of that id, as the newest of their orders calls them."""
    name = last.orders[0].view.placed.brief.buyer.name if last.orders else _NAMES.get(id_, id_)
    mailbox = _NOT_IN_MAILBOXES.sub("-", id_.lower()).strip("-")[:_MAILBOX_MAX] or "buyer"
    return Contact(id=id_, name=name, email=f"{mailbox}@buyers.example")
