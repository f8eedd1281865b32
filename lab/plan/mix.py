"""Mixes: how often which persona meets which seller, pays how, and under which policy; and the errands that follow."""

import json
from collections.abc import Iterator
from datetime import timedelta
from difflib import get_close_matches
from functools import cached_property, lru_cache
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from countermand.contracts.base import Brief, Contact
from countermand.contracts.order import PaymentMethod
from countermand.kernel.draw import draw, draw_between
from countermand.kernel.ids import order_id_from
from countermand.kernel.policy import Policy
from countermand.runtime.documents import read_document
from countermand.runtime.settings import ConfigurationError
from lab.plan import cast
from lab.plan.choice import Choice, choice_of
from lab.plan.errand import Errand
from lab.plan.names import WEIGHT_MAX, OneOf, Weights
from lab.plan.personas import PERSONAS, WITH_CUSTOMER
from services.seller.profiles import PROFILES

BUILT_IN: Final = ("peer", "standard", "everyday", "rush-sale", "disputes", "silent-sellers", "unhurried")
"""The mixes that come with Countermand, each a file of this package."""

_FOLDER: Final = Path(__file__).with_name("mixes")
_FLOWS_MAX: Final = 200
"""Ours have twenty at most."""

_YEAR_S: Final = 365 * 86_400
_SAMPLED: Final = 64
"""So many errands go into a plan's hash, so that it also tells two versions of this code apart."""


class Flow(BaseModel):
    """Orders of one kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    persona: Annotated[str, OneOf(PERSONAS)] = Field(description="what kind of buyer")
    weight: int = Field(ge=1, le=WEIGHT_MAX, description="how often, compared with the other flows")
    sellers: Annotated[dict[str, int], Weights(PROFILES)] = Field(description="profiles and how often each is met")
    methods: Annotated[dict[str, int], Weights(PaymentMethod)] = Field(
        default={method.value: 1 for method in PaymentMethod}, description="how often each method pays"
    )
    policy: Policy = Field(default=Policy(), description="fields that differ from the default policy")

    @cached_property
    def profiles(self) -> Choice[str]:
        """The choice among the profiles; the file's order does not matter."""
        return choice_of(sorted(self.sellers.items()))

    @cached_property
    def payments(self) -> Choice[PaymentMethod]:
        """The choice among the methods; the file's order does not matter."""
        return choice_of((PaymentMethod(name), weight) for name, weight in sorted(self.methods.items()))


def _in_number(flows: tuple[Flow, ...]) -> tuple[Flow, ...]:
    """Not by `Field(min_length)`: that also complains about a list whose only flow has a mistake of its own."""
    if not 1 <= len(flows) <= _FLOWS_MAX:
        msg = f"1 to {_FLOWS_MAX} flows are needed; there are {len(flows)}"
        raise ValueError(msg)
    return flows


class Mix(BaseModel):
    """A blend of flows. Orders of different mixes have different ids, by the mix's name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")
    description: str = Field(max_length=1_000)
    flows: Annotated[tuple[Flow, ...], AfterValidator(_in_number)]

    @cached_property
    def choice(self) -> Choice[Flow]:
        """The choice among the flows."""
        return choice_of((flow, flow.weight) for flow in self.flows)

    @cached_property
    def policies(self) -> tuple[Policy, ...]:
        """Every policy that its orders are placed under, each once."""
        return tuple({flow.policy.hash: flow.policy for flow in self.flows}.values())


@lru_cache(maxsize=len(BUILT_IN))
def built_in(name: str) -> Mix:
    """A mix that comes with Countermand.

    Raises:
        ConfigurationError: there is none of that name.
    """
    if name not in BUILT_IN:
        near = get_close_matches(name.lower().replace("_", "-"), BUILT_IN, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(BUILT_IN)}"
        msg = f"there is no mix {name!r}; {hint}"
        raise ConfigurationError(msg)
    return load_mix(_FOLDER / f"{name}.yaml")


def load_mix(path: Path) -> Mix:
    """Read a mix file.

    Raises:
        ConfigurationError: file, line, what was expected and what was found.
    """
    return read_document(path, Mix)


def errands(mix: Mix, seed: int, start: int = 0) -> Iterator[Errand]:
    """The errands of a plan from number `start` on, without end."""
    return (errand(mix, seed, number) for number in count(start))


def errand(mix: Mix, seed: int, number: int) -> Errand:
    """One errand of a plan: it depends on its arguments alone."""
    order_id = order_id_from("plan", mix.name, seed, number)
    flow = mix.choice.pick(draw(seed, order_id, "flow"))
    profile = flow.profiles.pick(draw(seed, order_id, "profile"))
    item, price = cast.GOODS[draw_between(0, len(cast.GOODS) - 1, seed, order_id, "item")]
    buyer_number = draw_between(0, cast.BUYERS - 1, seed, order_id, "buyer")
    seller_number = draw_between(0, cast.SELLERS_A_PROFILE - 1, seed, order_id, "seller")
    customer: Contact | None = cast.customer(buyer_number) if flow.persona in WITH_CUSTOMER else None
    return Errand(
        number=number,
        order_id=order_id,
        seed=seed,
        persona=flow.persona,
        brief=Brief(buyer=cast.buyer(buyer_number), seller=cast.seller(profile, seller_number), item=item, price=price),
        method=flow.payments.pick(draw(seed, order_id, "method")),
        policy=flow.policy,
        placed_after=timedelta(seconds=draw_between(0, _YEAR_S - 1, seed, order_id, "placed after")),
        customer=customer,
    )


def plan_hash(mix: Mix, seed: int, orders: int) -> str:
    """Sixteen hex digits that name a plan of so many orders: the same everywhere, whatever the mix says about itself."""
    sample = [_line(errand(mix, seed, number)) for number in range(min(orders, _SAMPLED))]
    plan = {
        "mix": mix.model_dump(mode="json", exclude={"description"}),
        "seed": seed,
        "orders": orders,
        "first": sample,
    }
    canonical = json.dumps(plan, sort_keys=True, separators=(",", ":"))
    return blake2b(canonical.encode(), digest_size=8).hexdigest()


def _line(planned: Errand) -> str:
    brief = planned.brief
    placed_after_s = planned.placed_after // timedelta(seconds=1)
    parts = (planned.order_id, planned.persona, brief.buyer.id, brief.seller.id, brief.item, brief.price)
    return " ".join(map(str, (*parts, planned.method.value, placed_after_s)))
