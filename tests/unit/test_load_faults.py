"""Faults as they are written on the command line."""

import pytest

from countermand.runtime.settings import ConfigurationError
from lab.load.play.faults import Fault, check


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
