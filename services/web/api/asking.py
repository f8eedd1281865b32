"""Every command takes the same way: sent once, then 202 at once, or after a wait 200 with its event or 409 with the reason."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Path
from starlette.responses import JSONResponse, Response

from countermand.contracts.base import Actor, Brief, Command, Role
from services.web.api.bodies import OrderId
from services.web.api.problems import documented, no_order, problem_response
from services.web.api.shapes import CommandOut, event_out
from services.web.commands import Away, Refusal, Sent
from services.web.parts import Web, WebParts

WAIT_S_MAX: Final = 60.0
"""A request waits no longer, whatever it prefers."""

_READ_S: Final = 2.0
"""How long an answer waits for the read model, so that who asks next finds the order changed."""

_WAIT: Final = re.compile(r"(?:^|[,;\s])wait=(\d{1,4})\b")

PLATFORM: Final = Actor(role=Role.PLATFORM, id="platform")

IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=200, description="the same key for the same order and request does it once"),
]
Prefer = Annotated[
    str | None,
    Header(max_length=200, description="`wait=5`: wait up to so many seconds for what follows", examples=["wait=5"]),
]

ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": CommandOut, "description": "the event that it led to, if it was waited for"},
    202: {
        "model": CommandOut,
        "description": "sent; nothing has followed yet",
        "headers": {"Location": {"schema": {"type": "string"}, "description": "where its fate can be asked for"}},
    },
    **documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request about one order, from somebody who may name who they are."""

    web: Web
    order_id: str
    brief: Brief
    wait_s: float
    key: str | None

    def buyer(self, actor: Actor | None) -> Actor:
        """Who asks; the order's buyer, if nobody is named."""
        return actor or Actor(role=Role.BUYER, id=self.brief.buyer.id)

    def seller(self, actor: Actor | None) -> Actor:
        """Who asks; the order's seller, if nobody is named."""
        return actor or Actor(role=Role.SELLER, id=self.brief.seller.id)

    async def ask(self, command: Command) -> Response:
        """Send a command and answer as the client prefers."""
        return await send(self.web, self.order_id, command, self.key, self.wait_s)


async def _asked(
    web: WebParts,
    order_id: Annotated[OrderId, Path()],
    prefer: Prefer = None,
    idempotency_key: IdempotencyKey = None,
) -> Asked:
    brief = await web.brief_of(order_id)
    if brief is None:
        if web.away:
            raise Away
        raise no_order(order_id)
    return Asked(web, order_id, brief, wait_of(prefer), idempotency_key)


AboutOrder = Annotated[Asked, Depends(_asked)]


def wait_of(prefer: str | None) -> float:
    """The seconds of `Prefer: wait=…` (RFC 7240)."""
    match = _WAIT.search(prefer or "")
    return min(float(match[1]), WAIT_S_MAX) if match else 0.0


async def send(web: Web, order_id: str, command: Command, key: str | None, wait_s: float) -> Response:
    """Send a command and answer: 202, or after a wait 200 or 409."""
    sent = await web.commands.send(order_id, command, key)
    if not wait_s:
        return pending(sent)
    found = await web.commands.answer(sent, wait_s)
    if found is None:
        return pending(sent)
    if isinstance(found, Refusal):
        return problem_response(HTTPStatus.CONFLICT, found.reason, found.detail, {"Location": location(sent)})
    await web.follower.reached(found.owner, found.sequence, _READ_S)
    done = CommandOut(command_id=sent.id, order_id=order_id, status="done", event=event_out(found))
    return JSONResponse(done.model_dump(mode="json"), headers={"Location": location(sent)})


def pending(sent: Sent) -> Response:
    """202: it is stored, and nothing has followed yet."""
    out = CommandOut(command_id=sent.id, order_id=sent.order_id, status="pending")
    return JSONResponse(out.model_dump(mode="json"), HTTPStatus.ACCEPTED, {"Location": location(sent)})


def location(sent: Sent) -> str:
    """Where the command's fate can be asked for."""
    return f"/api/commands/{sent.id}"
