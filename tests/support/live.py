"""Errands run on a real system: the same buyers as in a simulation, in real time, at a clock rate."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from countermand.contracts.base import Owner
from countermand.contracts.order import OrderClosed
from countermand.kernel.terms import Clock
from lab.facts import Fact
from lab.market import Market
from lab.plan.errand import Errand
from lab.plan.persona import Act
from lab.plan.personas import buyer_of
from lab.simulate.life import BASE


class Runner:
    """Runs one errand: hears every event of its order, and does what its buyer does."""

    def __init__(self, market: Market, errand: Errand, rate: float) -> None:
        self.errand = errand
        self.outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._market = market
        self._buyer = buyer_of(errand)
        self._clock = Clock(epoch=BASE + errand.placed_after, started_at=datetime.now(UTC), rate=rate)
        self._acting: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Place the order."""
        self._plan(self._buyer.begin(self._clock), self._clock.epoch)

    def hear(self, fact: Fact) -> None:
        """An event of this order."""
        if isinstance(fact.body, OrderClosed) and not self.outcome.done():
            self.outcome.set_result(str(fact.body.outcome))
        if fact.owner is not Owner.NOTIFY:
            self._plan(self._buyer.hear(fact.body, fact.id), fact.simulated_at)

    def stop(self) -> None:
        """Do no more."""
        for task in self._acting:
            task.cancel()

    def _plan(self, acts: list[Act], thought_at: datetime) -> None:
        last: asyncio.Task[None] | None = None
        for act in acts:
            last = asyncio.create_task(self._do(act, thought_at, None if act.after else last))
            self._acting.add(last)
            last.add_done_callback(self._acting.discard)

    async def _do(self, act: Act, thought_at: datetime, after: "asyncio.Task[None] | None") -> None:
        if after is not None:
            await after  # What is done at once is done in its order.
        await asyncio.sleep((self._clock.real(thought_at + act.after) - datetime.now(UTC)).total_seconds())
        await self._market.send(self.errand.order_id, act.command, command_id=act.id)


async def outcomes(market: Market, errands: Sequence[Errand], rate: float, within_s: float) -> dict[int, str | None]:
    """Run errands side by side; by number, how each ended. None: not in time."""
    for policy in {errand.policy.hash: errand.policy for errand in errands}.values():
        await market.policies.put(policy)
    runners = {errand.order_id: Runner(market, errand, rate) for errand in errands}

    def hear(fact: Fact) -> None:
        if fact.order_id in runners:
            runners[fact.order_id].hear(fact)

    await market.watch(hear)
    for runner in runners.values():
        runner.begin()
    await asyncio.wait([runner.outcome for runner in runners.values()], timeout=within_s)
    for runner in runners.values():
        runner.stop()
    return {
        runner.errand.number: runner.outcome.result() if runner.outcome.done() else None for runner in runners.values()
    }
