"""What every request passes first: who may call, from where, how much and how often; and what browsers are told."""

import time
from collections import OrderedDict
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.web.api.problems import problem_response

BODY_BYTES_MAX: Final = 64 * 1024
"""Of a request, as of a message at the broker."""

_BURST_S: Final = 2.0
"""A client may ask at once for as much as its rate gives in so many seconds."""

_CLIENTS_MAX: Final = 10_000
"""Addresses remembered; who is forgotten begins with a full bucket."""

_OF_OPERATIONS: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked for by whatever name a container has; they tell nothing of orders."""

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_TOLD: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""An answer that has one of these keeps its own."""


class Guard:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str], requests_per_s: float) -> None:
        self._app = app
        self._hosts = hosts
        self._buckets = Buckets(requests_per_s, requests_per_s * _BURST_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse at once, or pass on; either answer tells browsers what this site is."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _TOLD.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._why_not(scope)
        if refused is not None:
            await refused(scope, receive, tell)
        else:
            await self._app(scope, _bounded(receive), tell)

    def _why_not(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if _name_of(host) not in self._hosts and scope["path"] not in _OF_OPERATIONS:
            return problem_response(HTTPStatus.MISDIRECTED_REQUEST, "unknown_host", "This is not served by that name.")
        if scope["method"] not in _SAFE and not _is_ours(headers, host):
            detail = "A page of another origin may not ask for this."
            return problem_response(HTTPStatus.FORBIDDEN, "other_origin", detail)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
            return problem_response(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", f"At most {BODY_BYTES_MAX} bytes."
            )
        wait_s = self._buckets.take(scope["client"][0] if scope.get("client") else "")
        if wait_s > 0:
            return problem_response(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too_many_requests",
                "Too many requests from this address.",
                {"Retry-After": str(max(1, round(wait_s)))},
            )
        return None


class Buckets:
    """A token bucket for each client address."""

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = max(1.0, burst)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str, now: float | None = None) -> float:
        """Take one; 0.0, or how many seconds until there is one."""
        if not self._per_s:
            return 0.0
        now = time.monotonic() if now is None else now
        left, at = self._left.get(client, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_s)
        wait_s = 0.0 if left >= 1 else (1 - left) / self._per_s
        self._left[client] = (left if wait_s else left - 1), now
        self._left.move_to_end(client)
        if len(self._left) > _CLIENTS_MAX:
            self._left.popitem(last=False)
        return wait_s


def _is_ours(headers: Headers, host: str) -> bool:
    """Browsers say where a request comes from; programs do not, and carry no cookies."""
    if (site := headers.get("sec-fetch-site")) is not None:
        return site in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is None or origin.lower().partition("://")[2] == host


def _name_of(host: str) -> str:
    """A host without its port; `[::1]` keeps its brackets."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host


def _bounded(receive: Receive) -> Receive:
    """A body that says nothing of its length is counted while it comes."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > BODY_BYTES_MAX:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"At most {BODY_BYTES_MAX} bytes.")
        return message

    return counted
