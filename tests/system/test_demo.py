"""The main job: `countermand demo` plays every story, says what became of it, and the same seed says the same."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from countermand.kernel.ids import ORDER_ID
from lab import cli
from lab.audit import Options, Report, audit
from lab.audit.invariants import Invariant, Violation
from lab.market import Market
from lab.stories import STORIES
from tests.support import system as at
from tests.support.machine import WAITS_S, to_itself

pytestmark = pytest.mark.timeout(300 + WAITS_S)  # Minutes of waiting on a busy machine, not of a hanging test.

RACES: Final = {"withdrawal-meets-acceptance", "answer-meets-deadline"}
"""Stories that a true race ends, one way or the other."""

GRANTED: Final = 1
"""With this seed the wavering seller gives in to the buyer's first request."""

NEVER_GRANTED: Final = 5
"""With this one it says no three times."""

HEAD_START_S: Final = 3.0
"""So that four systems do not start at the same moment on two cores."""


@dataclass(frozen=True, slots=True)
class Played:
    """A command that has ended, and the document that it wrote."""

    ran: at.Ran
    document: dict[str, Any]

    @property
    def stories(self) -> dict[str, dict[str, Any]]:
        """The document's stories by name."""
        return {story["story"]: story for story in self.document["stories"]}


@dataclass(frozen=True, slots=True)
class Plays:
    """What the tests compare. They ran side by side: they wait for most of their time."""

    demo: Played
    again: Played
    granted: Played
    never_granted: Played


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plays(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Plays]:
    """Two demos with one seed, and one story with two."""
    folder = tmp_path_factory.mktemp("plays")
    with to_itself(tmp_path_factory):
        demo, again, granted, never_granted = await asyncio.gather(
            play(folder / "demo.json", 0, "demo"),
            play(folder / "again.json", 1, "demo"),
            play(folder / "granted.json", 3, "story", "bargaining", "--seed", str(GRANTED)),
            play(folder / "never.json", 2, "story", "bargaining", "--seed", str(NEVER_GRANTED)),
        )
    yield Plays(demo, again, granted, never_granted)


async def play(path: Path, turn: int, *command: str) -> Played:
    await asyncio.sleep(turn * HEAD_START_S)
    ran = await at.countermand(*command, "--json", str(path), within_s=2 * at.WITHIN_S)
    return Played(ran, document_in(path))


def document_in(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def test_every_story_of_the_demo_ends_as_it_is_told(plays: Plays) -> None:
    """Exit 0, a table for people, a document for programs."""
    demo = plays.demo
    assert (demo.ran.code, demo.ran.err) == (0, "")
    assert demo.document["schema"] == "https://countermand.example/schemas/stories.v1.json"
    assert (demo.document["seed"], demo.document["verdict"]) == (7, "pass")
    assert {line["violated"] for line in demo.document["invariants"].values()} == {0}
    assert list(demo.stories) == list(STORIES)
    assert len(demo.stories) >= 14
    for name, story in demo.stories.items():
        assert story.keys() >= {"story", "rules", "order_id", "outcome", "expected", "ok", "emails"}
        assert story["ok"], story
        assert ORDER_ID.match(story["order_id"])
        assert story["outcome"] in story["expected"].split("|")
        assert set(story["expected"].split("|")) == set(STORIES[name].outcomes)
        assert story["rules"] == list(STORIES[name].rules)
        for email in story["emails"]:
            assert email["to"] == f"robin+{name}@shop.example"
            assert email["kind"]
            assert "Desk lamp, brass" in email["subject"]
    assert len({story["order_id"] for story in demo.stories.values()}) == len(STORIES)


def test_the_demo_prints_each_story_with_its_outcome_and_the_sum(plays: Plays) -> None:
    """Without a terminal too."""
    out = plays.demo.ran.out
    for name, story in plays.demo.stories.items():
        assert any(name in line and story["outcome"] in line for line in out.splitlines()), name
    emails = sum(len(story["emails"]) for story in plays.demo.stories.values())
    total = len(STORIES)
    assert f"{total} of {total} stories right, {emails} emails, all invariants hold, seed 7" in out


def test_the_same_seed_gives_the_same_orders_and_outcomes(plays: Plays) -> None:
    """Whatever the timing; but who wins a race is the timing's."""
    assert {name for name, story in STORIES.items() if len(story.outcomes) > 1} == RACES | {"bargaining"}
    for name, first in plays.demo.stories.items():
        again = plays.again.stories[name]
        assert again["order_id"] == first["order_id"]
        if name not in RACES:
            assert again["outcome"] == first["outcome"]
            assert kinds(again) == kinds(first)


def test_another_seed_may_give_another_outcome(plays: Plays) -> None:
    """The seller's answers are drawn from the seed: one buyer gets its way, the other bargains in vain."""
    granted, never = plays.granted.stories["bargaining"], plays.never_granted.stories["bargaining"]
    assert (plays.granted.ran.code, plays.never_granted.ran.code) == (0, 0)
    assert (granted["outcome"], kinds(granted)) == ("cancelled_refunded", ["cancelled", "refund_issued"])
    assert (never["outcome"], kinds(never)) == ("completed", ["refused"] * 3)
    assert granted["order_id"] != never["order_id"]


def test_a_story_that_ends_wrongly_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 3, with what should have been and what was; the story beside it is right."""
    told = replace(STORIES["change-of-mind"], outcomes=("completed",), emails=("refused",))
    monkeypatch.setitem(STORIES, "change-of-mind", told)

    code = played_here(monkeypatch, "change-of-mind", "pocket-refund", "--json", str(tmp_path / "wrong.json"))

    out = capsys.readouterr().out
    assert code == 3
    assert "the outcome is cancelled_unpaid instead of completed" in out
    assert "the emails are cancelled instead of refused" in out
    assert "1 of 2 stories right" in out
    document = document_in(tmp_path / "wrong.json")
    assert document["verdict"] == "fail"
    assert [story["ok"] for story in document["stories"]] == [False, True]


def test_a_broken_invariant_is_a_failure_though_every_story_is_right(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 3, and which invariant of which order."""

    async def violated(market: Market, options: Options) -> Report:
        report = await audit(market, options)
        wrong = Violation(Invariant.I3, options.orders[0], "refunded 9980 of 4990 captured")
        return replace(report, lines=(replace(report.lines[0], violations=(wrong,)), *report.lines[1:]))

    monkeypatch.setattr("lab.stories.play.audit", violated)

    assert played_here(monkeypatch, "pocket-refund") == 3

    out = capsys.readouterr().out
    assert "refunded 9980 of 4990 captured" in out
    assert "1 of 1 stories right" in out
    assert "all invariants broken 1 times" in out


def played_here(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """The exit code of `countermand story` in this process, where its stories can be told otherwise."""
    monkeypatch.setattr("sys.argv", ["countermand", "story", *arguments])
    with pytest.raises(SystemExit) as ending:
        cli.main()
    return ending.value.code


def kinds(story: dict[str, Any]) -> list[str]:
    return sorted(email["kind"] for email in story["emails"])
