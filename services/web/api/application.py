"""The application: every router, every refusal, and the guard in front."""

from typing import Any, Final

from fastapi import FastAPI

from countermand.runtime.http import operational_routes
from services.web.api.buying import buying
from services.web.api.console import console
from services.web.api.faults import faults
from services.web.api.live import live
from services.web.api.loads import loads
from services.web.api.mail import mail
from services.web.api.operator import operator
from services.web.api.orders import orders
from services.web.api.problems import Problem, add_problems
from services.web.api.runs import runs
from services.web.api.selling import inboxes, selling
from services.web.gauges import SERVICE, Gauges
from services.web.pages import add_pages
from services.web.parts import Web
from services.web.safety import Guard

VERSION: Final = "1.0.0"

_ABOUT: Final = """Cancel marketplace orders over HTTP, and see what becomes of them.

Commands answer 202 with a `Location` where their fate can be asked for; with `Prefer: wait=5` they wait for the event (200)
or for the refusal (409). Whoever asks is named in the body as `actor`; nobody named means whoever may: this is a laboratory,
and buyers and sellers do not log in."""


def create_api(web: Web) -> FastAPI:
    """The application over running parts."""
    app = documented_api()
    app.state.web = web
    gauges = Gauges(web)
    app.router.routes.extend(operational_routes(SERVICE, gauges.registry, gauges.readiness))
    add_pages(app)
    app.add_middleware(Guard, hosts=web.settings.allowed_hosts(), requests_per_s=web.settings.web_requests_per_s)
    return app


def documented_api() -> FastAPI:
    """The application without its parts: what `openapi()` needs."""
    app = FastAPI(
        title="Countermand",
        version=VERSION,
        description=_ABOUT,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    for router in (orders, buying, inboxes, selling, live, mail, runs, console, operator, loads, faults):
        app.include_router(router)
    add_problems(app)
    described = app.openapi

    def openapi() -> dict[str, Any]:
        document = described()
        shapes = document["components"]["schemas"]
        shapes["Problem"], shapes["Fault"] = _schema_of_problems()
        return document

    app.openapi = openapi
    return app


def _schema_of_problems() -> tuple[dict[str, Any], dict[str, Any]]:
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    fault = schema.pop("$defs")["Fault"]
    return schema, fault
