"""I10: draws follow from their arguments, and spread as they should."""

from hypothesis import given
from hypothesis import strategies as st

from countermand.kernel.draw import draw, draw_between
from tests.support.orders import ORDER_ID


def test_the_same_question_has_the_same_answer_everywhere_and_for_ever() -> None:
    """A recorded run replays only as long as these stay."""
    assert draw(7, ORDER_ID, "P11") == draw(7, ORDER_ID, "P11") == 0.14929033373197773
    assert draw_between(3, 20, 7, ORDER_ID, "P11") == 5


def test_another_seed_order_or_question_has_another_answer() -> None:
    draws = {
        draw(7, ORDER_ID, "P11"),
        draw(8, ORDER_ID, "P11"),
        draw(7, ORDER_ID[::-1], "P11"),
        draw(7, ORDER_ID, "P7"),
    }
    assert len(draws) == 4


@given(st.integers(), st.text(), st.text(), st.integers(-100, 100), st.integers(0, 100))
def test_draws_stay_in_their_bounds(seed: int, order_id: str, question: str, low: int, width: int) -> None:
    assert 0 <= draw(seed, order_id, question) < 1
    assert low <= draw_between(low, low + width, seed, order_id, question) <= low + width


def test_every_number_of_a_span_is_drawn_about_equally_often() -> None:
    """18 numbers, 18 000 draws: each 1000 times, give or take five standard deviations."""
    counts = [0] * 21
    for seed in range(18_000):
        counts[draw_between(3, 20, seed, ORDER_ID, "P11")] += 1
    assert counts[:3] == [0, 0, 0]
    assert all(840 < count < 1160 for count in counts[3:]), counts
