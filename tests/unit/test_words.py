"""What each event means."""

from countermand.contracts import EVENTS
from countermand.contracts.words import SENTENCES


def test_every_event_has_words() -> None:
    assert set(SENTENCES) == set(EVENTS)
