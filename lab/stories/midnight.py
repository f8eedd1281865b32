"""The dispute-day rule: the calendar day of the carrier's first scan against the day on which the dispute was opened."""

from datetime import UTC, datetime

from countermand.contracts.dispute import ClaimGround
from countermand.contracts.order import RefusalGround
from countermand.kernel.policy import Policy
from lab.facts import Fact
from lab.stories.story import Stage, Story, check

_POLICY = Policy(seller_ships_within_business_days=60)
_A_MINUTE_A_SECOND = 60.0


async def _dispute_over_an_unscanned_parcel(stage: Stage) -> Fact:
    request = await stage.ask_seller()
    await stage.heard()
    await stage.refuse(request, RefusalGround.ALREADY_SHIPPED)
    await stage.until("CancelRefused")
    await stage.ask_for_tracking()
    await stage.provide_tracking("LX000000001CN")
    return await stage.open_dispute(ClaimGround.NOT_SENT)


async def _shipped_later(stage: Stage) -> None:
    await _dispute_over_an_unscanned_parcel(stage)
    await stage.pass_time(days=1, hours=2)
    await stage.ship()
    resolved = await stage.until("DisputeResolved")
    check(resolved.body.rule == "R19", "the parcel was handed over after the day of the dispute")
    await stage.closed()


async def _shipped_the_same_day(stage: Stage) -> None:
    dispute = await _dispute_over_an_unscanned_parcel(stage)
    await stage.ship()
    await stage.contest(dispute)
    resolved = await stage.until("DisputeResolved")
    check(resolved.body.rule == "R17", "the parcel left on the day of the dispute, and arrived: denied")
    await stage.closed()


async def _settled_before_midnight(stage: Stage) -> None:
    dispute = await _dispute_over_an_unscanned_parcel(stage)
    await stage.pass_until(minute=59)
    await stage.ship()
    scanned = await stage.until("ParcelScanned")
    check(_local_day(scanned) == _local_day(dispute), "a minute before midnight is the same day")
    await stage.accept_settlement(await stage.propose(dispute, 1_000))
    await stage.closed()


async def _after_midnight(stage: Stage) -> None:
    dispute = await _dispute_over_an_unscanned_parcel(stage)
    await stage.pass_until(minute=1)
    await stage.ship()
    resolved = await stage.until("DisputeResolved")
    check(resolved.body.rule == "R19", "a minute after midnight is a later day")
    scanned = await stage.until("ParcelScanned")
    check((scanned.body.scanned_at - dispute.body.opened_at).total_seconds() < 3_600, "though not an hour has passed")
    await stage.closed()


def _local_day(fact: Fact) -> object:
    at = getattr(fact.body, "scanned_at", None) or fact.body.opened_at
    return _POLICY.business_days.day(at)


_EMAILS = ("refused", "dispute_ruled", "refund_issued")

STORIES = (
    Story(
        name="shipped-after-the-dispute",
        title="The seller ships only after the dispute was opened",
        rules=("R19", "X5", "R17"),
        path="paid → refused (A) → dispute → shipped the next day → refund",
        outcomes=("dispute_refunded",),
        emails=_EMAILS,
        never=("OrderCancelled",),
        play=_shipped_later,
        seller="manual",
        paid=True,
        policy=_POLICY,
    ),
    Story(
        name="shipped-on-the-day-of-the-dispute",
        title="The seller ships on the very day of the dispute",
        rules=("X5", "R19", "P8"),
        path="paid → refused (A) → dispute → shipped the same day → denied",
        outcomes=("dispute_denied",),
        emails=("refused", "dispute_ruled"),
        never=("OrderCancelled", "RefundIssued"),
        play=_shipped_the_same_day,
        seller="manual",
        paid=True,
        policy=_POLICY,
        rate=28_800.0,
        # 01:00 in Los Angeles: the whole day lies ahead, a third of a day a second.
        epoch=datetime(2023, 3, 1, 9, tzinfo=UTC),
    ),
    Story(
        name="a-minute-before-midnight",
        title="Scanned a minute before midnight: the same day",
        rules=("X5", "R19", "P14"),
        path="23:52 → dispute → shipped 23:59 → settled",
        outcomes=("dispute_partial",),
        emails=_EMAILS,
        never=("DisputeEscalated", "OrderCancelled"),
        play=_settled_before_midnight,
        seller="manual",
        paid=True,
        policy=_POLICY,
        rate=_A_MINUTE_A_SECOND,
        epoch=datetime(2023, 3, 2, 7, 52, tzinfo=UTC),
    ),
    Story(
        name="a-minute-after-midnight",
        title="Scanned a minute after midnight: a later day",
        rules=("X5", "R19", "P14"),
        path="23:52 → dispute → shipped 00:01 → refund",
        outcomes=("dispute_refunded",),
        emails=_EMAILS,
        never=("OrderCancelled",),
        play=_after_midnight,
        seller="manual",
        paid=True,
        policy=_POLICY,
        rate=_A_MINUTE_A_SECOND,
        epoch=datetime(2023, 3, 2, 7, 52, tzinfo=UTC),
    ),
    Story(
        name="midnight-on-the-day-the-clocks-change",
        title="Midnight comes an hour earlier by UTC on the day of the change",
        rules=("X5", "R19", "P14"),
        path="23:52 summer time → dispute → shipped 00:01 → refund",
        outcomes=("dispute_refunded",),
        emails=_EMAILS,
        never=("OrderCancelled",),
        play=_after_midnight,
        seller="manual",
        paid=True,
        policy=_POLICY,
        rate=_A_MINUTE_A_SECOND,
        epoch=datetime(2023, 3, 13, 6, 52, tzinfo=UTC),
    ),
)
