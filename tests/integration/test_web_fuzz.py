"""Whatever is sent: no 500, and no answer that the API's description does not know."""

# pyright: reportUnknownVariableType=false
# schemathesis leaves its own annotations open.

import asyncio
from pathlib import Path
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.order.app import CARD as ORDER
from services.seller.app import CARD as SELLER
from services.web.api.application import documented_api
from tests.integration.conftest import Shop
from tests.support.web import TOKEN, a_mailbox, notify_to, open_site

pytestmark = pytest.mark.timeout(600)  # Hundreds of requests on a busy machine.

CHECKS: Final[list[Any]] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES: Final = 6
"""Of each operation, of which there are forty: what fits into a test run."""


async def test_no_request_fails_here_or_is_answered_in_an_undocumented_way(shop: Shop, tmp_path: Path) -> None:
    """Valid and invalid requests to every operation but the endless ones, about an order that exists."""
    async with (
        a_mailbox() as (smtp_url, mailbox_url),
        shop.serving(ORDER, SELLER, notify_to(smtp_url)),
        open_site(shop.settings.nats_url, tmp_path / "web.db", mailbox_url=mailbox_url) as site,
    ):
        order_id = await site.place(seller={"id": "hands", "profile": "manual"})
        tried = await asyncio.to_thread(_fuzz, site.url, order_id)
    assert len(tried) > 30
    assert all(tried.values())


def _fuzz(url: str, order_id: str) -> dict[str, int]:
    schema = schemathesis.openapi.from_dict(documented_api().openapi())
    tried: dict[str, int] = {}
    results: Any = schema.get_all_operations()
    for found in results:
        operation = found.ok()
        if not operation.path.endswith("/events"):
            tried[operation.label] = _try(operation, url, order_id)
    return tried


def _try(operation: Any, url: str, order_id: str) -> int:
    times = 0

    @seed(7)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(case=operation.as_strategy())
    def one(case: Any) -> None:
        nonlocal times
        times += 1
        if "order_id" in case.path_parameters and times % 3:
            case.path_parameters["order_id"] = order_id
        if "wait_for" in case.query:
            case.query["timeout_s"] = 0
        case.headers["Authorization"] = f"Bearer {TOKEN}"
        answer = case.call(base_url=url)
        case.validate_response(answer, checks=CHECKS)

    one()
    return times
