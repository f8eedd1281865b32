"""What each event means."""

from countermand.contracts import EVENTS
from countermand.contracts.order import DisputeNoted
from countermand.contracts.words import SENTENCES, in_words


def test_every_event_has_words() -> None:
    assert set(SENTENCES) == set(EVENTS)


def test_a_moot_dispute_is_not_waited_for() -> None:
    waits, moot = (in_words("DisputeNoted", DisputeNoted(dispute_id="d", moot=moot)) for moot in (False, True))
    assert waits == "the order waits for the dispute"
    assert "had ended before" in moot
