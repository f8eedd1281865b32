"""The simulation is no model of its own: the same orders end in the same way on the real system."""

from itertools import islice
from typing import Final

import pytest

from lab.plan.mix import built_in, errand, errands
from lab.simulate.play import Player
from lab.stories.story import DAY_A_SECOND
from lab.system import embedded
from tests.support import system as at
from tests.support.live import outcomes
from tests.support.machine import WAITS_S, to_itself

ORDERS: Final = 200
SEED: Final = 11
WITHIN_S: Final = 150.0
"""The longest order takes some eighty simulated days."""


@pytest.mark.asyncio
@pytest.mark.timeout(WAITS_S)
async def test_orders_in_which_nobody_hurries_end_alike_in_both_worlds(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Between people and deadlines lie six simulated hours, which are a quarter of a real second: a busy machine may miss it.

    So what ended otherwise is run once more, by itself and on other services.
    """
    mix = built_in("unhurried")
    player = Player(SEED)
    simulated = {one.number: player.play(one).outcome for one in islice(errands(mix, SEED), ORDERS)}

    with to_itself(tmp_path_factory):
        odd = await _differing(list(range(ORDERS)), simulated)
        assert len(odd) <= ORDERS / 10, odd
        assert not odd or await _differing(list(odd), simulated) == {}


async def _differing(
    numbers: list[int], simulated: dict[int, str | None]
) -> dict[int, tuple[str, str | None, str | None]]:
    mix = built_in("unhurried")
    planned = [errand(mix, SEED, number) for number in numbers]
    async with embedded() as system, at.connected(system.nats_url) as market:
        real = await outcomes(market, planned, DAY_A_SECOND, WITHIN_S)
    return {
        one.number: (one.persona, simulated[one.number], real[one.number])
        for one in planned
        if real[one.number] != simulated[one.number]
    }
