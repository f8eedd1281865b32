"""An audit from beginning to end: cut the streams, read them once, judge every order, look again at what seems wrong."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from nats.errors import Error as NatsError

from countermand.kernel.terms import Clock, TermsRef
from countermand.runtime import collector
from countermand.runtime.direct import StoreReadError
from countermand.runtime.policies import UnknownPolicy
from countermand.runtime.settings import ConfigurationError
from lab.audit.auditor import LINGER_NS, Auditor
from lab.audit.cut import Cut, take_cut
from lab.audit.drained import busy_consumers
from lab.audit.fact import Fact, nanoseconds
from lab.audit.histories import history
from lab.audit.invariants import Invariant, Violation
from lab.audit.judge import Judge
from lab.audit.mailbox import compare, count_mail, note_emails, received
from lab.audit.merging import merged
from lab.audit.options import Options
from lab.audit.reading import ReadError, opened
from lab.audit.record import NS
from lab.audit.report import Report, report_of
from lab.market import Market

_A_MOMENT_S: Final = 0.5
"""What was under way at the first look has arrived at the second."""

_LOOKS: Final = 4

_ANY_CLOCK: Final = Clock(epoch=datetime(2023, 1, 1, tzinfo=UTC), started_at=datetime(2023, 1, 1, tzinfo=UTC), rate=1)
"""Policies are asked for as a part of terms, of which a clock is another."""

_SIDE_BY_SIDE: Final = 20
"""Orders looked up at a time."""

Progress = Callable[[int], None]


async def audit(market: Market, options: Options, progress: Progress | None = None) -> Report:
    """Audit a system.

    Args:
        progress: told now and then how many messages have been read.

    Raises:
        ConfigurationError: a stream, an order or the mailbox is missing, or the broker stops answering.
    """
    try:
        return await _audit(market, options, progress)
    except (ReadError, StoreReadError, TimeoutError, NatsError) as error:
        msg = f"the broker does not answer as it should: {error or type(error).__name__}"
        raise ConfigurationError(msg) from error


async def _audit(market: Market, options: Options, progress: Progress | None) -> Report:
    started = time.perf_counter()
    before = await _mailbox(options, None)
    cut = await take_cut(market)
    judge = Judge(now=cut.now, grace=int(options.grace_s * NS), drained=options.drained)
    since = nanoseconds(options.since) if options.since else 0
    auditor = Auditor(judge, run=options.run, since=since, linger_ns=LINGER_NS)
    recorded: dict[str, str] = {}
    if options.orders:
        before = await _look_at(market, options, auditor, recorded)
    else:
        await read(market, options, cut, auditor, recorded, progress)
    await _verify(market, auditor)
    if options.drained:
        await _stuck(market, auditor)
    if options.mailbox_url:
        after = before if options.orders else await _mailbox(options, None)
        count_mail(compare(recorded, before if options.is_whole else {}, after), auditor, drained=options.drained)
    return report_of(auditor.totals, time.perf_counter() - started)


async def read(
    market: Market,
    options: Options,
    cut: Cut,
    auditor: Auditor,
    recorded: dict[str, str],
    progress: Progress | None,
) -> None:
    """Read every stream once, up to the cut, and let the auditor judge every order."""
    messages = 0
    async with opened(market, cut.last, options.since) as feeds:
        with collector.seldom():  # A third of the time, otherwise.
            async for facts in merged(feeds):
                await _take(market, auditor, facts)
                if options.mailbox_url:
                    note_emails(facts, auditor, recorded)
                auditor.let_go(facts[-1].at)
                messages += len(facts)
                if progress:
                    progress(messages)
    auditor.finish()


async def _take(market: Market, auditor: Auditor, facts: Sequence[Fact]) -> None:
    """One round: fold, and look up what was let go of too early."""
    auditor.hear(facts)
    for order_id, facts_of_it in await look_up(market, list(auditor.late)):
        auditor.reopen(order_id, facts_of_it)
    await _learn_policies(market, auditor)


async def _look_at(market: Market, options: Options, auditor: Auditor, recorded: dict[str, str]) -> dict[str, int]:
    """Judge single orders by their whole histories. What the mailbox got of them comes back."""
    mails: dict[str, int] = {}
    for order_id in options.orders:
        facts = await history(market, order_id)
        if not facts:
            msg = f"no order {order_id} is known here"
            raise ConfigurationError(msg)
        auditor.want_policies(facts)
        await _learn_policies(market, auditor)
        auditor.judge_alone(order_id, facts)
        recorded |= {fact.body.get("message_id", ""): order_id for fact in facts if fact.name == "EmailSent"}
        mails |= await _mailbox(options, order_id)
    return mails


async def _verify(market: Market, auditor: Auditor) -> None:
    """Read the histories of orders at fault again: what seemed to be missing may have been just beyond the cut."""
    if auditor.suspects:
        await asyncio.sleep(_A_MOMENT_S)
    for order_id, facts in await look_up(market, list(auditor.suspects)):
        auditor.judge_alone(order_id, facts, again=True)


async def look_up(market: Market, order_ids: Sequence[str]) -> list[tuple[str, list[Fact]]]:
    """The histories of these orders as they are now."""
    found: list[tuple[str, list[Fact]]] = []
    for start in range(0, len(order_ids), _SIDE_BY_SIDE):
        some = order_ids[start : start + _SIDE_BY_SIDE]
        found += zip(some, await asyncio.gather(*(history(market, order_id) for order_id in some)), strict=True)
    return found


async def _learn_policies(market: Market, auditor: Auditor) -> None:
    while auditor.wanted:
        policy = auditor.wanted.pop()
        try:
            terms = await market.policies.terms(TermsRef(seed=0, policy=policy, clock=_ANY_CLOCK))
        except (UnknownPolicy, ValueError):  # A hash may be none: it comes out of a stranger's message.
            auditor.policies[policy] = None
        else:
            auditor.policies[policy] = terms.policy


async def _stuck(market: Market, auditor: Auditor) -> None:
    """I9: a consumer with work at every look. A timer of an order that is still open may fire at any time."""
    looks = [await busy_consumers(market)]
    while any(looks[-1].values()) and len(looks) < _LOOKS:
        await asyncio.sleep(_A_MOMENT_S)
        looks.append(await busy_consumers(market))
    auditor.totals.counts["I9.checked"] = len(looks[-1])
    for name, what in looks[-1].items():
        if all(look.get(name) for look in looks):
            auditor.totals.blame(Violation(Invariant.I9, "", what))


async def _mailbox(options: Options, order_id: str | None) -> dict[str, int]:
    if options.mailbox_url is None or (order_id is None and options.orders):
        return {}
    return await received(options.mailbox_url, order_id)
