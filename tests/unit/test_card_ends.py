"""The reconciler leaves orders unread that have ended: it may, for they want no timer any more."""

from collections import Counter
from typing import Any

import pytest

from countermand.contracts.order import OrderPlaced
from countermand.kernel.policy import Policy
from countermand.kernel.terms import Terms
from countermand.runtime.facts import Fact
from lab.system import CARDS
from tests.support.lives import lives

ENDING = {card.name: card for card in CARDS if card.ends}
ORDERS = 150


@pytest.mark.parametrize("mix", ["everyday", "disputes", "silent-sellers"])
def test_an_order_that_has_ended_wants_no_timer(mix: str) -> None:
    ended: Counter[str] = Counter()
    for _, facts in lives(mix, 7, ORDERS):
        for owner, card in ENDING.items():
            names = {event.__name__ for event in card.ends}
            history = [fact for fact in facts if fact.owner is owner]
            lingering = {event.__name__ for event in card.lingers} & {fact.name for fact in history}
            state = _begin(card, facts)
            for fact in history:
                state = card.decider.evolve(state, fact.body, fact.id)
                if fact.name in names and not lingering:
                    ended[fact.name] += 1
                    assert card.decider.deadlines(state) == (), fact
    assert ended["OrderClosed"] > 0
    assert ended["DisputeResolved"] > 0 or mix != "disputes"


def _begin(card: Any, facts: list[Fact]) -> Any:
    placed = next(fact for fact in facts if isinstance(fact.event, OrderPlaced))
    ref = placed.body.terms
    return card.decider.initial(placed.order_id, Terms(seed=ref.seed, policy=Policy(), clock=ref.clock))
