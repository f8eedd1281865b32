"""Faults as they are written on the command line, and what a run is told of those that strike."""

from typing import Any, cast, get_args

import pytest

from countermand.runtime.embedded import StartError
from countermand.runtime.settings import ConfigurationError
from lab.load.play.faults import TARGETS, Fault, check, strike
from lab.system import System
from services.web.faults import OfMail, OfProcess


@pytest.mark.parametrize(
    ("text", "what", "at_s", "lasts_s"),
    [
        ("kill:order@20s", "kill:order", 20, 0),
        ("kill:nats@1.5m+500ms", "kill:nats", 90, 0.5),
        ("pause:nats@30s+5s", "pause:nats", 30, 5),
        ("pause:mailbox@1s+1s", "pause:mailbox", 1, 1),
        ("smtp:451@10s+20s", "smtp:451", 10, 20),
        (" smtp:down@10s+20s ", "smtp:down", 10, 20),
    ],
)
def test_a_fault_says_what_when_and_how_long(text: str, what: str, at_s: float, lasts_s: float) -> None:
    """What is killed is started again at once, unless it says otherwise."""
    fault = Fault.parse(text)
    assert (fault.text, fault.what, fault.at_s, fault.lasts_s) == (text.strip(), what, at_s, lasts_s)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected KIND:TARGET@START"),
        ("kill:order", "expected KIND:TARGET@START"),
        ("kill@20s", "expected KIND:TARGET@START"),
        ("kil:order@20s", "did you mean kill"),
        ("kill:ordr@20s", "did you mean order"),
        ("kill:web@20s", "there are order, seller, dispute, notify, nats"),
        ("kill:mailbox@20s", "forgets its mail"),
        ("smtp:452@1s+1s", "did you mean 451"),
        ("kill:order@20", "'20' is no span"),
        ("kill:order@20s+", "'' is no span"),
        ("pause:order@20s", "how long"),
        ("smtp:550@20s+0s", "how long"),
    ],
)
def test_what_is_no_fault_is_refused_with_what_was_expected(text: str, says: str) -> None:
    """One line."""
    with pytest.raises(ConfigurationError) as refused:
        Fault.parse(text)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_fault_must_strike_while_orders_arrive() -> None:
    """Else it would silently test nothing."""
    faults = (Fault.parse("kill:order@4s"), Fault.parse("kill:seller@10s"))
    check(faults, 11)
    with pytest.raises(ConfigurationError, match="kill:seller@10s: begins at 10 s"):
        check(faults, 10)


@pytest.mark.parametrize(
    ("faults", "says"),
    [
        (
            "kill:order@4s+3s pause:order@6s+1s",
            "pause:order@6s+1s: begins while kill:order@4s+3s still has hold of order",
        ),
        ("pause:order@6s+1s kill:order@4s+3s", "pause:order@6s+1s: begins while"),
        ("smtp:451@1s+5s smtp:slow@5s+1s", "smtp:slow@5s+1s: begins while smtp:451@1s+5s still has hold of mailbox"),
        ("smtp:451@1s+5s pause:mailbox@6s+1s", "one after the other"),
        ("kill:nats@2s kill:nats@2s", "one after the other"),
    ],
)
def test_faults_of_one_process_come_one_after_the_other(faults: str, says: str) -> None:
    """What one undoes, the other would still want done."""
    with pytest.raises(ConfigurationError, match=says.replace("+", r"\+")):
        check(tuple(map(Fault.parse, faults.split())), 60)


def test_faults_of_different_processes_may_strike_together() -> None:
    """And those of one process after each other."""
    check(tuple(map(Fault.parse, ["kill:order@4s+3s", "pause:nats@5s+1s", "smtp:451@4s+9s", "kill:order@8s"])), 60)


@pytest.mark.parametrize("text", ["smtp:451@1s+1s", "smtp:down@1s+1s", "pause:mailbox@1s+1s"])
def test_a_mailbox_that_nobody_writes_to_is_not_struck(text: str) -> None:
    """It would test nothing, and the result would call it survived."""
    with pytest.raises(ConfigurationError, match="SMTP_URL sends the emails elsewhere"):
        check((Fault.parse(text),), 60, mail_is_ours=False)
    check((Fault.parse("kill:notify@1s"),), 60, mail_is_ours=False)


class Stubborn:
    """A child that does not end, or does not start again."""

    def __init__(self, refuses: str) -> None:
        self.refuses = refuses

    async def kill(self) -> None:
        """Perhaps."""
        self._do("kill")

    async def start(self) -> None:
        """Perhaps."""
        self._do("start")

    def _do(self, what: str) -> None:
        if self.refuses == what:
            raise StartError(what)


class Embedded:
    """As much of a system as a fault touches."""

    def __init__(self, refuses: str) -> None:
        self.nats = self.mailbox = None
        self.services = {"order": Stubborn(refuses)}


@pytest.mark.parametrize(("refuses", "struck"), [("kill", []), ("start", ["kill:order"])])
async def test_only_a_fault_that_began_is_told(refuses: str, struck: list[str]) -> None:
    """What could not be done is an error of the run, and what could not be undone too."""
    told: list[dict[str, Any]] = []
    system = cast("System", Embedded(refuses))
    with pytest.raises(ConfigurationError, match=f"fault kill:order@0s: {refuses}"):
        await strike(Fault.parse("kill:order@0s"), system, lambda: 1.5, told.append)
    assert [line["what"] for line in told] == struck
    assert all((line["began"], line["ended"]) == (1.5, 1.5) for line in told)


def test_the_console_offers_what_a_load_knows() -> None:
    known = {f"{kind}:{target}" for kind, targets in TARGETS.items() for target in targets}
    assert {*get_args(OfProcess), *get_args(OfMail)} == known
