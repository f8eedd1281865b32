"""Lives of orders out of the simulation, as facts that a reader of the streams would see."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from countermand.contracts import EVENTS
from countermand.contracts.base import Owner
from countermand.runtime.facts import Fact
from lab.audit.fact import COMMANDS
from lab.plan.errand import Errand
from lab.plan.mix import built_in, errands
from lab.simulate.faults import ALL
from lab.simulate.play import Player

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def lives(mix: str, seed: int, orders: int) -> Iterator[tuple[Errand, list[Fact]]]:
    """Orders of a mix, under every fault, with all that was recorded of each."""
    player = Player(seed, ALL, 2)
    for errand in islice(errands(built_in(mix), seed), orders):
        lived = player.play(errand)
        facts = [
            Fact(
                id=fact.id,
                owner=Owner(fact.owner),
                order_id=fact.order_id,
                name=fact.name,
                revision=fact.revision,
                sequence=fact.sequence,
                caused_by=fact.cause,
                at=_EPOCH + timedelta(microseconds=fact.at // 1_000),
                simulated_at=datetime.fromisoformat(fact.simulated),
                body=EVENTS[fact.name].model_validate(fact.body),
            )
            for fact in lived.facts
            if fact.owner != COMMANDS
        ]
        yield errand, facts
