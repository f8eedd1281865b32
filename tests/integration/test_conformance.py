"""Conformance: our seller keeps every clause, a foreign one can, and one that errs is told where."""

from typing import Final

import pytest

from countermand.runtime.settings import ConfigurationError
from lab.conformance import run
from lab.conformance.clause import Check
from lab.conformance.commands import document
from lab.conformance.form import FORMS
from lab.conformance.seller import CLAUSES
from services.notify.app import CARD as NOTIFY
from services.order.app import CARD as ORDER
from services.seller.app import CARD as SELLER
from tests.integration.conftest import Shop
from tests.support.foreign_seller import BUGS, ForeignSeller

WITHIN_S: Final = 20.0
"""A seller that does what it must takes milliseconds."""

ALL: Final = {clause.name for clause in CLAUSES} | set(FORMS) | {"audit"}


async def test_our_own_seller_keeps_every_clause(shop: Shop) -> None:
    async with shop.serving(ORDER, SELLER, NOTIFY):
        checks = await run.check_seller(shop.market, WITHIN_S)
    assert broken(checks) == {}
    assert {check.name for check in checks} == ALL
    assert document(checks)["verdict"] == "pass"


async def test_a_seller_of_somebody_elses_can_keep_every_clause(shop: Shop) -> None:
    async with shop.serving(ORDER, NOTIFY), ForeignSeller(shop.market).running():
        checks = await run.check_seller(shop.market, WITHIN_S)
    assert broken(checks) == {}


async def test_a_seller_that_errs_is_told_where(shop: Shop) -> None:
    """Every bug at once: each breaks its own clauses, and the others hold."""
    async with shop.serving(ORDER, NOTIFY), ForeignSeller(shop.market, set(BUGS)).running():
        checks = await run.check_seller(shop.market, 3.0)
    found = broken(checks)
    assert found.keys() == set[str]().union(*BUGS.values()), found
    assert found["holds"].startswith("the parcel was shipped all the same: SellerAccepted, ")
    assert document(checks)["verdict"] == "fail"


async def test_where_nobody_sells_nearly_every_clause_is_broken(shop: Shop) -> None:
    async with shop.serving(ORDER):
        checks = await run.check_seller(shop.market, 1.0)
    assert broken(checks).keys() == ALL - {"audit"}
    assert "AcceptCancel was not followed by SellerAccepted within 1 s" in broken(checks)["agrees"]


async def test_where_no_order_is_placed_nothing_is_said_of_the_seller(shop: Shop) -> None:
    with pytest.raises(ConfigurationError, match=r"no order was placed within 0\.5 s: does the service order run\?"):
        await run.check_seller(shop.market, 0.5)


def broken(checks: list[Check]) -> dict[str, str]:
    """What was seen of the clauses that do not hold."""
    return {check.name: check.seen for check in checks if not check.ok}
