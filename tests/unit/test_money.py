"""Money and the ledger of one order (I3)."""

import pytest
from pydantic import ValidationError

from countermand.kernel.money import Ledger, Money, Refund


def test_money_is_written_in_major_units() -> None:
    assert str(Money(amount_minor=1999, currency="USD")) == "19.99 USD"


@pytest.mark.parametrize(("amount_minor", "currency"), [(-1, "USD"), (10**12 + 1, "USD"), (1, "usd"), (1, "DOLLARS")])
def test_what_is_no_amount_is_refused(amount_minor: int, currency: str) -> None:
    with pytest.raises(ValidationError):
        Money(amount_minor=amount_minor, currency=currency)


def test_a_ledger_owes_what_came_in_and_has_not_gone_back() -> None:
    ledger = Ledger().capture(1999)
    assert (ledger.owed_minor, ledger.refunded_minor, ledger.all_received) == (1999, 0, True)
    partly = ledger.issue(Refund("r1", 500))
    assert (partly.owed_minor, partly.refunded_minor, partly.all_received) == (1499, 500, False)
    both = partly.issue(Refund("r2", 1499)).receive("r1")
    assert (both.owed_minor, both.refunded_minor, both.all_received) == (0, 1999, False)
    assert both.receive("r2").all_received


def test_a_refund_is_found_by_its_id() -> None:
    ledger = Ledger(1999, (Refund("r1", 500), Refund("r2", 1499, received=True)))
    assert ledger.refund("r2") == Refund("r2", 1499, received=True)
    assert ledger.refund("r3") is None
    assert ledger.receive("r3") == ledger


def test_a_ledger_never_owes_less_than_nothing() -> None:
    """Even if more went back than came in, which the audit would report."""
    assert Ledger(100).issue(Refund("r1", 500)).owed_minor == 0
