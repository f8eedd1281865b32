"""HTTP of every process: alive, ready, and what it has counted. A service with more to say adds routes of its own."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Generator, Sequence
from http import HTTPStatus
from typing import Final

import uvicorn
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Gauge, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from countermand.runtime.health import Check, Readiness
from countermand.runtime.settings import ConfigurationError

_STOP_S: Final = 2
"""What requests get to end when the process stops."""

_BACKLOG: Final = 128


def operational_routes(service: str, registry: CollectorRegistry, readiness: Readiness) -> list[Route]:
    """`/healthz`, `/readyz` and `/metrics`, among which are the checks."""
    ready = Gauge("countermand_ready", "Whether all vital checks hold.", ["service"], registry=registry)
    check_ok = Gauge(
        "countermand_check_ok", "Whether a check of /readyz holds.", ["service", "check"], registry=registry
    )

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        checks = await readiness()
        is_ready = _all_vital(checks)
        found = {one.name: {"ok": one.ok, "vital": one.vital, "detail": one.detail} for one in checks}
        body = {"status": "ready" if is_ready else "unready", "checks": found}
        return JSONResponse(body, HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE)

    async def metrics(_request: Request) -> Response:
        checks = await readiness()
        ready.labels(service).set(_all_vital(checks))
        for one in checks:
            check_ok.labels(service, one.name).set(one.ok)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


@contextlib.asynccontextmanager
async def listening(app: Starlette, host: str, port: int) -> AsyncGenerator[str]:
    """Serve `app` while the block runs; its URL. Port 0 lets the system choose.

    Raises:
        ConfigurationError: the address cannot be listened on.
    """
    # A socket of our own: uvicorn would end the process over a port in use.
    listener = _listener(host, port)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", ws="none", timeout_graceful_shutdown=_STOP_S
    )
    server = _Uvicorn(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield url("http", host, listener.getsockname()[1])
    finally:
        server.should_exit = True
        await serving


def url(scheme: str, host: str, port: int) -> str:
    """An address as people write it."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


class _Uvicorn(uvicorn.Server):
    """Uvicorn within a program that has an end of its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Signals are the program's."""
        yield


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        # Python adds the address, which is said already.
        reason = (error.strerror or str(error)).partition(" (while")[0]
        msg = f"cannot listen on {url('http', host, port)}: {reason}"
        raise ConfigurationError(msg) from error


def _all_vital(checks: Sequence[Check]) -> bool:
    return all(one.ok for one in checks if one.vital)
