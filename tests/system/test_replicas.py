"""Two replicas of every service share its consumers: the stories end as with one."""

import asyncio
import sys

from countermand.runtime.embedded import spawn
from lab.market import Market
from lab.stories import STORIES
from lab.stories.play import perform
from lab.stories.story import Story
from lab.system import CARDS, embedded

_STORIES = (
    "change-of-mind",
    "double-click",
    "message-reaches-the-seller",
    "a-message-alone",
    "the-parcel-was-faster",
    "accepted-and-held",
    "payment-crosses-the-request",
    "payment-after-the-cancellation",
    "withdrawal-meets-acceptance",
    "everything-twice",
    "offered-and-taken",
    "only-the-standing-offer",
    "reseller-in-time",
)

_BOUND_WITHIN_S = 20.0


async def test_x12_stories_end_right_on_two_replicas_of_every_service() -> None:
    async with embedded() as system:
        for card in CARDS:
            twin = await spawn(
                [sys.executable, "-m", f"services.{card.name}"],
                env=system.environment,
                log_path=system.data_dir / "logs" / f"{card.name}-2.log",
                name=f"{card.name}-2",
            )
            system.supervisor.add(twin)
            async with asyncio.timeout(_BOUND_WITHIN_S):
                while "service.started" not in twin.log_tail(50):  # noqa: ASYNC110  # A log tells nobody.
                    await asyncio.sleep(0.1)
        market = await Market.connect(system.nats_url)
        try:
            performance = await perform(
                [STORIES[name] for name in _STORIES],
                market,
                cards=CARDS,
                mailbox_url=system.mailbox_url,
                seed=11,
                run="replicas",
                progress=_say_nothing,
            )
        finally:
            await market.close()
    assert {verdict.story: verdict.wrong for verdict in performance.verdicts if verdict.wrong} == {}
    assert performance.report.violations == ()


def _say_nothing(_story: Story, _state: str) -> None:
    """Nobody watches."""
