"""`countermand simulate`: the same services in virtual time, deterministic, unkind, and judged by the audit."""

import gc
import json
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from lab.cli import app
from lab.plan import cast
from lab.plan.mix import built_in, errand, errands
from lab.simulate.exercised import RACES
from lab.simulate.faults import ALL, NONE, Faults
from lab.simulate.play import Lived, Player, Run, play_all
from lab.simulate.shrink import shrink
from tests.support.bugs import BUGS, Bug

AT_MOST = 20_000
"""Orders within which a bug must show."""


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """Handlers log misfortunes, of which there are thousands here."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.reset_defaults()


def simulated(mix: str, seed: int, orders: int, faults: Faults, replicas: int) -> Run:
    return play_all(islice(errands(built_in(mix), seed), orders), Player(seed, faults, replicas))


@pytest.fixture(scope="module")
def unkind() -> dict[tuple[str, int], Run]:
    """20 000 orders under every fault, with several seeds and mixes."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    plans = [("everyday", 1, 6_000), ("everyday", 2, 6_000), ("rush-sale", 3, 3_000), ("disputes", 4, 3_000)]
    plans += [("silent-sellers", 5, 2_000)]
    return {(mix, seed): simulated(mix, seed, orders, ALL, 2 + seed % 2) for mix, seed, orders in plans}


def test_every_invariant_holds_under_every_fault(unkind: dict[tuple[str, int], Run]) -> None:
    assert sum(run.orders for run in unkind.values()) == AT_MOST
    wrong = {plan: run.guilty[0].violations for plan, run in unkind.items() if run.violated}
    assert wrong == {}


def test_every_fault_struck_and_every_race_was_run(unkind: dict[tuple[str, int], Run]) -> None:
    """A fault that never struck, or a race that nobody ran, proves nothing."""
    sometimes = sum((run.sometimes for run in unkind.values()), Counter[str]())
    races = sum((run.races for run in unkind.values()), Counter[str]())
    places = ["before_append", "after_append", "before_ack", "after_arming", "after_smtp"]
    expected = [*Faults.model_fields, *(f"crash_{place}" for place in places), "conflict", "overtaken", "last_resort"]
    assert [name for name in expected if not sometimes[name]] == []
    assert [race for race in RACES if not races[race]] == []


def test_the_same_seed_gives_the_same_history_on_any_machine() -> None:
    """It changes only when the domain, the mixes or the wire do."""
    kind = simulated("everyday", 7, 300, NONE, 1)
    assert (kind.outcome_hash, kind.handled) == KIND
    unkind = simulated("everyday", 7, 300, ALL, 2)
    assert (unkind.outcome_hash, unkind.handled) == UNKIND


KIND = ("ee1255e26e3cfc8db38e20f5d5381f9e", 4_850)
UNKIND = ("9c95fec760cb40d6228c0dfc6c532ae3", 4_969)


def test_an_order_lives_alone_as_it_lives_among_others() -> None:
    """Else a replica mixes its orders up, and no order could be shown alone."""
    mix, player = built_in("everyday"), Player(3, ALL, 2)
    among = [player.play(one).digest for one in islice(errands(mix, 3), 60)]
    alone = [Player(3, ALL, 2).play(errand(mix, 3, number)).digest for number in range(60)]
    assert among == alone


def test_faults_move_the_course_of_an_order_and_not_its_end_where_nobody_hurries() -> None:
    """People here act hours apart: what is delayed by minutes at most ends as it would have."""
    harmless = Faults(duplicate=0.05, drop=0.05, crash=0.02, lost_ack=0.05, race=0.05, lost_append_ack=0.02)
    mix = built_in("unhurried")
    kind, unkind = Player(1), Player(1, harmless, 2)
    pairs = [(kind.play(one), unkind.play(one)) for one in islice(errands(mix, 1), 400)]
    # Whoever sends everything at once is told so when a command overtakes its order or its dialog.
    heard = [pair for pair in pairs if pair[1].refusals == pair[0].refusals]
    assert len(heard) > 350
    assert [(a.errand.number, a.outcome, b.outcome) for a, b in heard if a.outcome != b.outcome] == []


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_deliberate_bug_is_seen(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        bug.break_it(patch)
        player = Player(7, ALL, 2)
        lives = map(player.play, islice(errands(built_in(bug.mix), 7), AT_MOST))
        seen = next((lived for lived in lives if bug.found_as & {v.invariant.value for v in lived.violations}), None)
    if seen is not None:
        assert not Player(7, ALL, 2).play(seen.errand).violations, "it is the bug that is seen"
        return
    pytest.fail(f"{AT_MOST} orders went right")


def test_an_order_at_fault_is_shrunk_to_the_faults_that_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    bug = next(bug for bug in BUGS if bug.name == "no look at the leader")
    bug.break_it(monkeypatch)
    player = Player(7, ALL, 2)
    lives = map(player.play, islice(errands(built_in("everyday"), 7), AT_MOST))
    guilty = next(lived for lived in lives if lived.violations and len(lived.struck) > 2)

    def again(strikes: frozenset[int]) -> Lived:
        return player.play(guilty.errand, strikes)

    fewest = shrink(guilty, again)

    assert len(fewest.struck) <= 1 < len(guilty.struck)
    assert {violation.invariant for violation in fewest.violations} & {v.invariant for v in guilty.violations}
    numbers = frozenset(strike.number for strike in fewest.struck)
    assert again(numbers).digest == fewest.digest, "it can be seen again"


def test_a_duplicate_that_a_lagging_read_does_not_show_is_no_poison() -> None:
    """JetStream knew the event's id, the replica that read did not lead: the service took its own event for a stranger's."""
    lagging = Faults(lost_append_ack=0.3, stale_read=0.9, duplicate=0.1)
    run = simulated("everyday", 7, 300, lagging, 2)
    assert run.sometimes["stale_read"] > 100
    assert [violation.what for lived in run.guilty for violation in lived.violations] == []


def test_a_read_that_lags_behind_a_delivery_is_waited_for() -> None:
    """An event was delivered before any read showed it: its timers were looked up in a history that ended before it."""
    run = simulated("everyday", 7, 300, Faults(stale_read=0.9, race=0.2, lost_append_ack=0.2), 3)
    assert run.sometimes["stale_read"] > 100
    assert [violation.what for lived in run.guilty for violation in lived.violations] == []


def test_the_hash_is_of_what_happened_and_not_of_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    before = simulated("peer", 7, 20, NONE, 1).outcome_hash
    dearer = tuple(
        (item, price.model_copy(update={"amount_minor": price.amount_minor + 1})) for item, price in cast.GOODS
    )
    monkeypatch.setattr(cast, "GOODS", dearer)
    assert simulated("peer", 7, 20, NONE, 1).outcome_hash != before


def test_memory_does_not_follow_the_orders_that_have_ended() -> None:
    player, plan = Player(1, ALL, 2), errands(built_in("everyday"), 1)
    run = play_all(islice(plan, 300), player)
    before = _blocks()
    run = play_all(islice(plan, 900), player)
    assert run.orders == 900
    assert _blocks() - before < 20_000, "900 orders would leave some millions"


def _blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()


# The command


def simulate(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["simulate", *words], standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.return_value, result.output  # pyright: ignore[reportReturnType]


def test_the_command_prints_a_verdict_and_writes_json(tmp_path: Path) -> None:
    to = tmp_path / "run.json"
    code, said = simulate("--orders", "40", "--faults", "all", "--seed", "3", "--json", str(to))
    document = json.loads(to.read_text())
    assert code == 0
    assert f"every invariant holds, seed 3, outcome hash {document['outcome_hash']}" in said
    assert (document["orders"], document["verdict"]) == (40, "pass")
    assert document["messages_per_order"] >= 12
    assert sum(document["outcomes"].values()) == 40
    assert set(document["invariants"]) == {f"I{number}" for number in range(1, 11)}


def test_an_earlier_run_is_replayed_under_another_policy(tmp_path: Path) -> None:
    """What if every order were refunded when the seller says nothing for a day?"""
    run, policy, to = tmp_path / "run.json", tmp_path / "impatient.yaml", tmp_path / "both.json"
    simulate("--orders", "80", "--mix", "silent-sellers", "--json", str(run))
    policy.write_text("seller_answers_within_h: 24\non_silence: cancel\n")
    code, said = simulate("--replay", str(run), "--policy", str(policy), "--json", str(to))
    document = json.loads(to.read_text())
    planned, impatient = document["policies"]["as planned"], document["policies"][str(policy)]
    assert code == 0
    assert "impatient" in said
    assert planned["outcome_hash"] == json.loads(run.read_text())["outcome_hash"]
    assert impatient["days_to_answer"]["p90"] <= 1.5 < planned["days_to_answer"]["p90"]


@pytest.mark.parametrize("options", [["--faults", "all"], ["--replicas", "3", "--mix", "rush-sale", "--orders", "300"]])
def test_a_violation_names_the_command_that_shows_it_alone(monkeypatch: pytest.MonkeyPatch, options: list[str]) -> None:
    next(bug for bug in BUGS if bug.name == "no look at the leader").break_it(monkeypatch)
    code, said = simulate("--orders", "100", *options)
    assert code == 3
    command = next(line for line in said.splitlines() if line.startswith("again, alone: ")).split()
    words = command[command.index("simulate") + 1 :]
    code, alone = simulate(*words)
    assert code == 3
    assert "I1: " in alone or "I9: " in alone


def test_one_order_is_told_whole() -> None:
    code, said = simulate("--order", "5")
    assert code == 0
    assert "outcome: " in said
    assert "buyer " in said


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--faults", "nosuch.yaml"], "nosuch.yaml: there is no such file"),
        (["--mix", "everyda"], "everyda"),
        (["--strikes", "1,x", "--order", "1", "--faults", "all"], "'1,x' is no list of numbers"),
        (["--replay", "nosuch.json"], "nosuch.json: cannot be read"),
        (["--replay", "run.json", "--seed", "3"], "--replay plays what its file says: leave out --seed"),
        (["--strikes", "1"], "--strikes belongs to one order and its faults"),
        (["--order", "1", "--json", "/dev/null"], "--order tells one order's story"),
    ],
)
def test_a_mistake_gets_one_clear_line(words: list[str], complaint: str) -> None:
    with pytest.raises(Exception, match=complaint) as caught:
        simulate(*words)
    assert type(caught.value).__name__ == "ConfigurationError"


def test_a_file_of_faults_says_where_it_is_wrong(tmp_path: Path) -> None:
    faults = tmp_path / "faults.yaml"
    faults.write_text("duplicate: 0.1\ncrush: 0.1\n")
    with pytest.raises(Exception, match=r"faults.yaml:2: .*crash"):
        simulate("--faults", str(faults))
    faults.write_text("duplicate: 0.9\ndrop: 0.2\n")
    with pytest.raises(Exception, match=r"together they may be 1 at most"):
        simulate("--faults", str(faults))


def test_a_mix_that_has_changed_is_not_replayed(tmp_path: Path) -> None:
    mix, run = tmp_path / "mine.yaml", tmp_path / "run.json"
    flow = "name: mine\ndescription: ours\nflows:\n  - {persona: keeps, weight: 1, sellers: {prompt: 1, slow: %d}}\n"
    mix.write_text(flow % 1)
    simulate("--orders", "5", "--mix", str(mix), "--json", str(run))
    mix.write_text(flow % 9)
    with pytest.raises(Exception, match="is not what it was"):
        simulate("--replay", str(run))
