"""Mixes: what a file may say, and the errands that follow from it and a seed."""

from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from countermand.contracts.order import PaymentMethod
from countermand.kernel.ids import is_order_id
from countermand.kernel.policy import OnSilence, Policy
from countermand.runtime.settings import ConfigurationError
from lab.plan.choice import choice_of
from lab.plan.mix import BUILT_IN, Mix, built_in, errand, errands, load_mix, plan_hash
from lab.plan.personas import PERSONAS

_HEAD = "name: mine\ndescription: x\nflows:\n"
_TWO = (
    _HEAD
    + """
  - persona: keeps
    weight: 3
    sellers: {prompt: 9, never-ships: 1}
    methods: {wallet: 1}
  - persona: reseller
    weight: 1
    sellers: {slow: 1}
    policy: {on_silence: refuse, self_service_after_payment: true}
"""
)


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_built_in_mix_loads_under_its_own_name_and_says_what_it_is(name: str) -> None:
    mix = built_in(name)
    assert mix.name == name
    assert mix.description
    assert built_in(name) is mix


def test_the_list_of_built_in_mixes_is_complete() -> None:
    folder = Path(__file__).parents[2] / "lab/plan/mixes"
    assert {path.stem for path in folder.iterdir()} == set(BUILT_IN)


def test_everyday_has_every_persona_and_all_are_met_early() -> None:
    assert {flow.persona for flow in built_in("everyday").flows} == set(PERSONAS)
    met = {planned.persona for planned in islice(errands(built_in("everyday"), 1), 2_000)}
    assert met == set(PERSONAS)


def test_peer_is_one_paid_flow_with_one_email_and_standard_is_the_unpaid_path() -> None:
    peer = errand(built_in("peer"), 1, 0)
    assert (peer.persona, peer.method, peer.brief.seller.profile) == ("peer", PaymentMethod.WALLET, "prompt")
    assert (peer.policy.self_service_after_payment, len(peer.policy.emails)) == (True, 1)
    assert {(e.persona, e.brief.seller.profile) for e in islice(errands(built_in("standard"), 1), 50)} == {
        ("unpaid", "prompt")
    }


def test_an_errand_depends_on_the_mix_the_seed_and_its_number_alone() -> None:
    mix = built_in("everyday")
    planned = list(islice(errands(mix, 7), 40))
    assert planned == [errand(mix, 7, number) for number in range(40)]
    assert list(islice(errands(mix, 7, start=30), 10)) == planned[30:]
    assert [e.number for e in planned] == list(range(40))
    assert all(is_order_id(e.order_id) and e.seed == 7 for e in planned)
    other = {e.order_id for e in islice(errands(mix, 8), 40)} | {
        e.order_id for e in islice(errands(built_in("rush-sale"), 7), 40)
    }
    assert not other & {e.order_id for e in planned}


def test_weights_say_how_often(tmp_path: Path) -> None:
    planned = list(islice(errands(mix_of(tmp_path, _TWO), 1), 4_000))
    persona = Counter(e.persona for e in planned)
    assert persona["keeps"] == pytest.approx(3_000, abs=120)
    profile = Counter(e.brief.seller.profile for e in planned if e.persona == "keeps")
    assert profile["never-ships"] == pytest.approx(300, abs=60)
    method = Counter(e.method for e in planned if e.persona == "reseller")
    assert all(method[kind] == pytest.approx(333, abs=60) for kind in PaymentMethod), method
    assert {e.method for e in planned if e.persona == "keeps"} == {PaymentMethod.WALLET}


def test_orders_begin_on_every_weekday_and_at_every_hour_of_a_year() -> None:
    after = [e.placed_after for e in islice(errands(built_in("peer"), 3), 2_000)]
    assert {a.days % 7 for a in after} == set(range(7))
    assert {a.seconds // 3_600 for a in after} == set(range(24))
    assert max(after).days < 365
    assert max(after).days > 350


def test_orders_of_a_flow_share_their_policy_and_only_resellers_have_customers(tmp_path: Path) -> None:
    mix = mix_of(tmp_path, _TWO)
    planned = list(islice(errands(mix, 1), 100))
    assert {id(e.policy) for e in planned} == {id(flow.policy) for flow in mix.flows}
    assert all((e.customer is not None) == (e.persona == "reseller") for e in planned)
    changed = Policy(on_silence=OnSilence.REFUSE, self_service_after_payment=True)
    assert [policy.hash for policy in mix.policies] == [Policy().hash, changed.hash]


def test_a_choice_reaches_each_thing_and_no_further() -> None:
    choice = choice_of([("a", 1), ("b", 2), ("c", 1)])
    assert [choice.pick(share) for share in (0, 0.2499, 0.25, 0.7499, 0.75, 0.9999, 1.0)] == list("aabbccc")


def test_the_order_of_names_within_a_flow_does_not_matter(tmp_path: Path) -> None:
    turned = _TWO.replace("{prompt: 9, never-ships: 1}", "{never-ships: 1, prompt: 9}")
    assert errand(mix_of(tmp_path, turned), 1, 5) == errand(mix_of(tmp_path, _TWO), 1, 5)
    assert plan_hash(mix_of(tmp_path, turned), 1, 9) == plan_hash(mix_of(tmp_path, _TWO), 1, 9)


def test_a_plans_hash_is_the_same_everywhere_and_changes_with_whatever_changes_the_plan(tmp_path: Path) -> None:
    mix = mix_of(tmp_path, _TWO)
    known = plan_hash(mix, 1, 1_000)
    assert known == "59a5d1cdcdd2d7fc"
    assert plan_hash(mix_of(tmp_path, _TWO.replace("description: x", "description: y")), 1, 1_000) == known
    others = {
        plan_hash(mix, 2, 1_000),
        plan_hash(mix, 1, 1_001),
        plan_hash(mix_of(tmp_path, _TWO.replace("weight: 3", "weight: 4")), 1, 1_000),
        plan_hash(mix_of(tmp_path, _TWO.replace("refuse", "wait")), 1, 1_000),
    }
    assert len(others) == 4
    assert known not in others


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("  - persona: keps\n    weight: 1\n    sellers: {prompt: 1}", "4: flows.1.persona should be one of keeps, never-pays, "),
        ("  - persona: changes_mind\n    weight: 1\n    sellers: {prompt: 1}", "4: flows.1.persona should be one of "),
        ("  - persona: keeps\n    weight: 1\n    sellers:\n      promt: 1", "7: there is no key 'promt' in flows.1.sellers; did you mean prompt?"),
        ("  - persona: keeps\n    weight: 1\n    sellers:\n      prompt: 0.5", "7: flows.1.sellers.prompt should be a whole number from 1 to 1000000; found 0.5"),
        ("  - persona: keeps\n    weight: 1\n    sellers: {}", "6: flows.1.sellers: at least one name with its weight is needed"),
        ("  - persona: keeps\n    weight: 0\n    sellers: {prompt: 1}", "5: flows.1.weight should be a whole number from 1 to 1000000; found 0"),
        ("  - persona: keeps\n    wieght: 1\n    sellers: {prompt: 1}", "5: there is no key 'wieght' in item 1 of flows; did you mean weight?"),
        ("  - persona: keeps\n    weight: 1", "4: flows.1.sellers is missing"),
        ("  - persona: keeps\n    weight: 1\n    sellers: {prompt: 1}\n    methods: {cash: 1}", "7: there is no key 'cash' in flows.1.methods; "),
        (
            "  - persona: keeps\n    weight: 1\n    sellers: {prompt: 1}\n    policy:\n      on_silense: wait",
            "8: there is no key 'on_silense' in flows.1.policy; did you mean on_silence?",
        ),
        (
            "  - persona: keeps\n    weight: 1\n    sellers: {prompt: 1}\n    policy:\n      on_silence: wiat",
            "8: flows.1.policy.on_silence should be one of cancel, refuse, wait; found 'wiat'; did you mean wait?",
        ),
        ("  []", "3: flows: 1 to 200 flows are needed; there are 0"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line_and_a_suggestion(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        mix_of(tmp_path, _HEAD + text)
    assert str(refused.value).startswith(f"{tmp_path / 'mix.yaml'}:{said}")


def test_a_misspelt_persona_gets_the_nearest_one(tmp_path: Path) -> None:
    for wrong, right in (("keps", "keeps"), ("changes_mind", "changes-mind"), ("Double-Click", "double-clicks")):
        with pytest.raises(ConfigurationError, match=f"did you mean {right}\\?"):
            mix_of(tmp_path, _TWO.replace("persona: keeps", f"persona: {wrong}"))


def test_an_unknown_mix_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no mix 'rush_sales'; did you mean rush-sale\?"):
        built_in("rush_sales")
    with pytest.raises(ConfigurationError, match="no mix 'x'; there are peer, standard, everyday"):
        built_in("x")
    with pytest.raises(ConfigurationError, match="there is no such file"):
        load_mix(tmp_path / "x.yaml")


def mix_of(folder: Path, text: str) -> Mix:
    path = folder / "mix.yaml"
    path.write_text(text, encoding="utf-8")
    return load_mix(path)
