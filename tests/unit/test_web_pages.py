"""What the pages say and ask: words for everything, forms that become commands, drawings that add up."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise

import pytest

from countermand.contracts.base import Actor, Role
from countermand.contracts.dispute import ClaimGround, Resolution, Stance
from countermand.contracts.order import CancelGround, CancelReason, Outcome, PaymentMethod, RefundCause, RefusalGround
from countermand.kernel.money import Money
from countermand.kernel.policy import Policy
from services.seller.profiles import PROFILES
from services.web.pages import wording
from services.web.pages.asks import command_of
from services.web.pages.cards import buyers_card, sellers_card
from services.web.pages.cases import case_of
from services.web.pages.charts import chart
from services.web.pages.forms import Amount, Area, Check, Choice, Form, FormError, Hidden, Line, money_of
from services.web.pages.picture import LANES, Step, picture
from services.web.pages.rendering import in_words, inside, render
from services.web.pages.sheets import AT_ONCE, sheet_of
from services.web.readmodel.allowed import Action
from services.web.readmodel.answers import OrderDetail, detail_of
from services.web.readmodel.projection import project
from services.web.readmodel.timeline import DEADLINES
from services.web.readmodel.view import View
from services.web.readmodel.waits import Waits
from tests.support.lives import lives

SPOKEN: dict[type[StrEnum], dict[str, str]] = {
    CancelReason: wording.REASONS,
    PaymentMethod: wording.METHODS,
    RefusalGround: wording.REFUSALS,
    CancelGround: wording.GROUNDS,
    Outcome: wording.OUTCOMES,
    RefundCause: wording.REFUND_CAUSES,
    ClaimGround: wording.CLAIMS,
    Stance: wording.STANCES,
    Resolution: wording.RESOLUTIONS,
    Waits: wording.WAITS,
    Action: wording.ACTIONS,
}


@pytest.mark.parametrize(("kind", "words"), SPOKEN.items(), ids=lambda one: getattr(one, "__name__", ""))
def test_there_are_words_for_everything(kind: type[StrEnum], words: dict[str, str]) -> None:
    assert set(words) == set(kind)


def test_every_wait_says_what_its_limit_is_for() -> None:
    assert set(wording.UNTIL) == set(Waits)


def test_every_seller_can_be_chosen() -> None:
    """R25: the profiles that a buyer may order from are those that there are."""
    assert set(wording.PROFILES) == set(PROFILES)


def test_every_timer_is_called_something() -> None:
    assert set(wording.LIMITS) == set(DEADLINES.values())


@pytest.mark.parametrize("mix", ["everyday", "disputes", "unhurried"])
def test_every_state_of_every_life_can_be_shown_and_asked_about(mix: str) -> None:
    """Each card can be drawn for each side; what is offered has a form, and the form as it is offered is a command."""
    asked: set[Action] = set()
    for _, facts in lives(mix, seed=5, orders=12):
        view = View(facts[0].order_id)
        for fact in facts:
            view = project(view, fact)
            if view.order is not None:
                asked |= shown_and_asked(detail_of(view, Policy(), view.order.terms.clock.real(fact.simulated_at)))
    assert len(asked) >= 8, "these lives come to much of what there is"


def shown_and_asked(detail: OrderDetail) -> set[Action]:
    """Draw the order, and fill in the form of everything that may be asked for."""
    assert detail.view.order is not None
    card, desk = buyers_card(detail), sellers_card(detail)
    assert detail.view.order_id in render("_card.html", card=card)
    assert detail.view.order_id in render("_desk.html", card=desk)
    if case := case_of(detail):
        assert render("_dispute.html", case=case)
    offers = {"offer_id": detail.view.order.offer.id} if detail.view.order.offer else {}
    sides = {Role.BUYER: detail.buyer_may, Role.SELLER: detail.seller_may}
    for side, actions in sides.items():
        for action in actions:
            form = sheet_of(action, detail.view, side)
            assert (form is None) == (action in AT_ONCE)
            if form is not None:
                assert render("_sheet.html", form=form, error="", target="/", back="/")
            command = command_of(action, detail.view, Actor(role=side, id="somebody"), filled_in(form) or offers)
            assert command.actor.role in {side, Role.PLATFORM}
    return {*detail.buyer_may, *detail.seller_may}


def filled_in(form: Form | None) -> dict[str, str]:
    """What a browser sends if somebody changes nothing, and chooses the first of what has to be chosen."""
    values: dict[str, str] = {}
    for field in form.fields if form else ():
        match field:
            case Choice(name=name, value=value, options=options):
                values[name] = value or options[0].value
            case Check():
                pass
            case Line(name=name, value=value, required=required) | Area(name=name, value=value, required=required):
                values[name] = value or ("LX1" if required else "")
            case Amount(name=name, value=value) | Hidden(name=name, value=value):
                values[name] = value
    return values


@pytest.mark.parametrize(("typed", "minor"), [("19.99", 1999), ("19,99", 1999), (" 20 ", 2000), ("0.1", 10), ("0", 0)])
def test_money_is_read_as_people_write_it(typed: str, minor: int) -> None:
    assert money_of({"amount": typed}, "amount", "USD") == Money(amount_minor=minor, currency="USD")
    assert money_of({"amount": "1250"}, "amount", "JPY") == Money(amount_minor=1250, currency="JPY")


@pytest.mark.parametrize("typed", ["", "-1", "1.999", "a lot", "1e30", "NaN", "Infinity", "9" * 30, "1,234.50"])
def test_what_is_no_money_is_refused(typed: str) -> None:
    with pytest.raises(FormError):
        money_of({"amount": typed}, "amount", "USD")


@pytest.mark.parametrize(
    "path", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere", "javascript:1", "/a\nb", "/é"]
)
def test_nobody_is_sent_elsewhere(path: str) -> None:
    """Where a form goes back to is a path of this site."""
    assert inside(path) == "/"
    assert inside("/seller?seller=a#d-1") == "/seller?seller=a#d-1"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "now"), (0, "now"), (59, "in 59 s"), (130, "in 2 min 10 s"), (7_200, "in 2 h"), (200_000, "in 2 days")],
)
def test_a_wait_is_said_in_words(seconds: int, words: str) -> None:
    assert in_words(timedelta(seconds=seconds)) == words


def test_a_picture_has_a_row_a_step_and_an_arrow_a_cause() -> None:
    """Time goes down, each step is in its lane, a pause is said, and a cause that is not shown has no arrow."""
    at = datetime(2026, 3, 5, 10, tzinfo=UTC)
    steps = [
        Step(1, "people", "command", "PlaceOrder", None, None, timer=False, limits=()),
        Step(2, "order", "event", "OrderPlaced", at, 1, timer=False, limits=("to be paid by then",)),
        Step(3, "order", "event", "OrderCancelled", at + timedelta(days=20), 2, timer=True, limits=()),
        Step(4, "notify", "email", "EmailSent", at + timedelta(days=20), 99, timer=False, limits=()),
    ]
    drawn = picture(steps)
    assert all(one.y < other.y for one, other in pairwise(drawn.nodes))
    assert [node.x for node in drawn.nodes] == [dict(drawn.lanes)[step.lane] for step in steps]
    assert [node.gap for node in drawn.nodes] == ["", "", "20 days later", ""]
    assert [(arrow.cause, arrow.effect, arrow.timer) for arrow in drawn.arrows] == [(1, 2, False), (2, 3, True)]
    assert [name for name, _ in drawn.lanes] == list(LANES)
    assert picture([]).nodes == ()


@pytest.mark.parametrize(("highest", "top"), [(0, 1), (4, 4), (5, 6), (17, 20), (999, 1000)])
def test_a_chart_reaches_a_little_above_its_highest_value(highest: int, top: int) -> None:
    drawn = chart({"placed": (0, highest, 0)}, ("first",))
    assert drawn.lines[-1][1] == top
    assert len(drawn.series[0].points.split()) == 3
