"""A conformance run: every clause on an order of its own, then the form of all that was recorded, then the audit."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from countermand.contracts.base import Owner
from lab.audit import Options, audit
from lab.conformance.clause import Check, Clause
from lab.conformance.desk import Broken, Desk
from lab.conformance.form import FORMS, flaws
from lab.conformance.seller import CLAUSES
from lab.conformance.tape import rolling
from lab.market import Market

AUDIT: Final = "what the seller recorded breaks no invariant of the audit"


async def check_seller(market: Market, within_s: float) -> list[Check]:
    """Try everything, side by side.

    Args:
        within_s: how long the seller may take for anything.

    Raises:
        ConfigurationError: the service order does not run.
    """
    async with rolling(market) as tape:
        desks = {clause.name: Desk(market, tape, within_s) for clause in CLAUSES}
        await asyncio.gather(*(one.place() for one in desks.values()))
        checks = list(await asyncio.gather(*(_tried(clause, desks[clause.name]) for clause in CLAUSES)))
        await tape.read_on()
    checks += _form(list(desks.values()))
    report = await audit(market, Options(orders=tuple(one.order_id for one in desks.values()), grace_s=60))
    wrong = [f"{found.invariant}: {found.what} (order {found.order_id})" for found in report.violations]
    seen = _first(wrong) if wrong else f"{report.orders} orders, {report.events} events"
    return [*checks, Check("audit", AUDIT, not wrong, seen)]


async def _tried(clause: Clause, desk: Desk) -> Check:
    try:
        seen = await clause.play(desk)
    except Broken as broken:
        return Check(clause.name, clause.says, ok=False, seen=f"{broken} (order {desk.order_id})")
    return Check(clause.name, clause.says, ok=True, seen=seen)


def _form(desks: Sequence[Desk]) -> list[Check]:
    found: dict[str, list[str]] = {name: [] for name in FORMS}
    events = 0
    for desk in desks:
        told = desk.told()
        events += len(told)
        causes = _causes(desk)
        for name, what in flaws(desk.order_id, told, causes, desk.terms.header, desk.market.names.prefix):
            found[name].append(f"{what} (order {desk.order_id})")
    return [
        Check(
            name,
            says,
            ok=bool(events) and not found[name],
            seen=_first(found[name]) if found[name] else f"{events} events",
        )
        for name, says in FORMS.items()
    ]


def _causes(desk: Desk) -> Mapping[str, str]:
    """Everything that may have caused an event of the seller, and its correlation id."""
    known: dict[str, str] = {}
    for stored in desk.commands():
        headers = stored.headers
        own = (
            headers.get("ce-id")
            or headers.get("Nats-Msg-Id")
            or f"{desk.market.names.stream('COMMANDS')}-{stored.sequence}"
        )
        known[own] = headers.get("ce-correlationid") or own
    for owner in (Owner.ORDER, Owner.DISPUTE):
        for told in desk.told(owner):
            known[told.id] = told.stored.headers.get("ce-correlationid", "")
    return known


def _first(what: Sequence[str]) -> str:
    more = f"; and {len(what) - 1} more" if len(what) > 1 else ""
    return f"{what[0]}{more}"
