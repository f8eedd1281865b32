"""Plays stories side by side on one system, waits until everything has settled, and judges each."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from countermand.kernel.ids import order_id_from
from countermand.runtime.card import Card
from countermand.runtime.settings import ConfigurationError
from lab.audit import Options, Report, audit
from lab.audit.mailbox import told_by
from lab.facts import Fact, history
from lab.market import Market
from lab.stories.story import Stage, Story, Wrong

SCHEMA: Final = "https://countermand.example/schemas/stories.v1.json"

_DRAIN_WITHIN_S: Final = 30.0
"""How long the last messages and emails may take once every story has ended."""

_POLL_S: Final = 0.1
_QUIET_ROUNDS: Final = 2


@dataclass(frozen=True, slots=True)
class Email:
    """An email as the mailbox received it."""

    kind: str
    to: str
    subject: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a story's order. `wrong` says everything that is not as the story tells it."""

    story: str
    title: str
    rules: tuple[str, ...]
    path: str
    order_id: str
    outcome: str | None
    expected: tuple[str, ...]
    emails: tuple[Email, ...]
    wrong: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the story went as its rules say."""
        return not self.wrong


@dataclass(frozen=True, slots=True)
class Performance:
    """All stories of one run."""

    seed: int
    verdicts: tuple[Verdict, ...]
    report: Report
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether every story and every invariant held."""
        return self.report.ok and all(verdict.ok for verdict in self.verdicts)

    def document(self) -> dict[str, Any]:
        """The JSON of `countermand story --json`."""
        return {
            "schema": SCHEMA,
            "seed": self.seed,
            "verdict": "pass" if self.ok else "fail",
            "seconds": round(self.seconds, 1),
            "stories": [
                {
                    "story": verdict.story,
                    "rules": list(verdict.rules),
                    "order_id": verdict.order_id,
                    "outcome": verdict.outcome,
                    "expected": "|".join(verdict.expected),
                    "ok": verdict.ok,
                    "wrong": list(verdict.wrong),
                    "emails": [asdict(email) for email in verdict.emails],
                }
                for verdict in self.verdicts
            ],
            "invariants": self.report.document()["invariants"],
        }


async def perform(
    stories: Sequence[Story],
    market: Market,
    *,
    cards: Sequence[Card[Any, Any, Any]],
    mailbox_url: str | None,
    seed: int,
    run: str,
    progress: Callable[[Story, str], None],
) -> Performance:
    """Play the stories at once, on orders whose ids follow from `run`, the seed and the story.

    Args:
        mailbox_url: where the emails can be read; without it, `EmailSent` stands for them.
        progress: told of each story when it starts ("playing") and when its people are done ("settling").

    Raises:
        ConfigurationError: a story's order exists already.
    """
    started = time.monotonic()
    await market.watch()
    stages = [Stage(market, story, order_id_from("story", run, seed, story.name), seed) for story in stories]
    await _none_exists(market, stages)
    faults = await asyncio.gather(*(_play(stage, run, progress) for stage in stages))
    await _drain(market, cards)
    histories = [await history(market.reader, market.names, stage.order_id) for stage in stages]
    emails = [await _emails(mailbox_url, stage.order_id, facts) for stage, facts in zip(stages, histories, strict=True)]
    verdicts = tuple(
        _judge(stage, facts, mails, fault)
        for stage, facts, mails, fault in zip(stages, histories, emails, faults, strict=True)
    )
    orders = tuple(stage.order_id for stage in stages)
    report = await audit(market, Options(orders=orders, drained=True, mailbox_url=mailbox_url))
    return Performance(seed, verdicts, report, time.monotonic() - started)


def write(performance: Performance, path: Path) -> None:
    """Write the JSON document."""
    path.write_text(json.dumps(performance.document(), indent=2) + "\n")


async def _play(stage: Stage, run: str, progress: Callable[[Story, str], None]) -> str | None:
    progress(stage.story, "playing")
    try:
        await stage.place(run_id=run)
        await stage.story.play(stage)
        fault = None
    except (Wrong, TimeoutError) as error:
        fault = str(error)
    progress(stage.story, "settling")
    return fault


def _judge(stage: Stage, facts: Sequence[Fact], emails: Sequence[Email], fault: str | None) -> Verdict:
    story = stage.story
    names = [fact.name for fact in facts]
    outcome = next((str(fact.body.outcome) for fact in facts if fact.name == "OrderClosed"), None)
    wrong = [fault] if fault else []
    if outcome not in story.outcomes:
        wrong.append(f"the outcome is {outcome or 'missing'} instead of {' or '.join(story.outcomes)}")
    wrong += [f"{name} may not happen" for name in story.never if name in names]
    expected, got = story.emails_given(names), sorted(email.kind for email in emails)
    if got != expected:
        wrong.append(f"the emails are {', '.join(got) or 'none'} instead of {', '.join(expected) or 'none'}")
    return Verdict(
        story.name,
        story.title,
        story.rules,
        story.path,
        stage.order_id,
        outcome,
        story.outcomes,
        tuple(emails),
        tuple(wrong),
    )


async def _none_exists(market: Market, stages: Sequence[Stage]) -> None:
    for stage in stages:
        if await history(market.reader, market.names, stage.order_id):
            msg = f"story {stage.story.name} was played on this system with this seed before: choose another --seed"
            raise ConfigurationError(msg)


async def _drain(market: Market, cards: Sequence[Card[Any, Any, Any]]) -> None:
    """Wait until no consumer has anything left to do, looked at twice: what one finishes may be another's beginning."""
    quiet = 0
    # Others may keep a shared system busy for ever: what is missing then is told story by story.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_WITHIN_S):
            while quiet < _QUIET_ROUNDS:
                busy = [card.name for card in cards if await _is_busy(market, card)]
                quiet = 0 if busy else quiet + 1
                await asyncio.sleep(_POLL_S)


async def _is_busy(market: Market, card: Card[Any, Any, Any]) -> bool:
    for subscription in card.subscriptions():
        stream = market.names.stream(subscription.stream)
        info = await market.js.consumer_info(stream, market.names.consumer(card.name, subscription.stream))
        if info.num_pending or info.num_ack_pending:
            return True
    return False


async def _emails(mailbox_url: str | None, order_id: str, facts: Sequence[Fact]) -> list[Email]:
    if mailbox_url is None:
        sent = [fact.body for fact in facts if fact.name == "EmailSent"]
        return [Email(str(body.kind), body.to, body.subject) for body in sent]
    found: list[dict[str, Any]] = await told_by(mailbox_url, "messages", {"order": order_id})
    return [Email(mail["kind"], _one(mail["to"]), mail["subject"]) for mail in found]


def _one(address: str | list[str]) -> str:
    return address if isinstance(address, str) else ", ".join(address)
