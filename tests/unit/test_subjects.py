"""Subjects and ids: what is written can be read back, and nothing else can."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from countermand.contracts import COMMANDS, EVENTS
from countermand.contracts.base import Owner
from countermand.contracts.order import ConfirmCancel, OrderCancelled
from countermand.contracts.subjects import (
    Address,
    command_subject,
    due_subject,
    event_subject,
    events_of,
    every,
    read,
    refusal_subject,
    timer_subject,
    token,
)
from countermand.kernel.ids import event_id, is_order_id, order_id_from
from tests.support.orders import ORDER_ID

order_ids = st.from_regex(r"[0-9a-z]{20,32}", fullmatch=True)
owners = st.sampled_from(Owner)
names = st.sampled_from(sorted(COMMANDS | EVENTS))
revisions = st.integers(1, 10_000)


@given(owners, order_ids, names)
def test_a_commands_subject_reads_back(owner: str, order_id: str, name: str) -> None:
    assert read(command_subject(owner, order_id, name)) == Address("cmd", owner, order_id, name, None)


@given(owners, order_ids, names, revisions)
def test_an_events_subject_reads_back(owner: str, order_id: str, name: str, revision: int) -> None:
    assert read(event_subject(owner, order_id, name, revision)) == Address("event", owner, order_id, name, revision)


@given(owners, order_ids, names, revisions)
def test_a_fired_timers_subject_reads_back(owner: str, order_id: str, name: str, revision: int) -> None:
    """Its schedule lies elsewhere, where no consumer mistakes it for a fired one."""
    timer = timer_subject(owner, order_id, name, revision)
    assert timer.startswith("timer.")
    assert read(due_subject(timer)) == Address("due", owner, order_id, name, revision)
    with pytest.raises(ValueError, match="no subject"):
        read(timer)


def test_subjects_are_spelt_as_the_contract_says() -> None:
    assert command_subject("order", ORDER_ID, "ConfirmCancel") == f"cmd.order.{ORDER_ID}.ConfirmCancel"
    assert event_subject("order", ORDER_ID, "OrderCancelled", 7) == f"order.{ORDER_ID}.OrderCancelled.7"
    assert events_of("order", ORDER_ID) == f"order.{ORDER_ID}.>"
    assert timer_subject("order", ORDER_ID, "AnswerDue", 3) == f"timer.order.{ORDER_ID}.AnswerDue.3"
    assert due_subject(f"timer.order.{ORDER_ID}.AnswerDue.3") == f"due.order.{ORDER_ID}.AnswerDue.3"
    assert refusal_subject("order", ORDER_ID, "c1") == f"reply.order.{ORDER_ID}.c1"


def test_one_filter_finds_all_messages_of_a_type() -> None:
    assert every(OrderCancelled) == "order.*.OrderCancelled.*"
    assert every(ConfirmCancel) == "cmd.order.*.ConfirmCancel"


@pytest.mark.parametrize(
    "subject",
    [
        "",
        ".",
        "cmd",
        "cmd.order",
        f"cmd.order.{ORDER_ID}",
        f"cmd.order.{ORDER_ID}.ConfirmCancel.1",
        "cmd.order.p2.ConfirmCancel",
        f"cmd.order.{ORDER_ID.upper()}.ConfirmCancel",
        f"cmd.order.{ORDER_ID * 2}.ConfirmCancel",
        "cmd.order.*.ConfirmCancel",
        f"order.{ORDER_ID}.OrderCancelled",
        f"order.{ORDER_ID}.OrderCancelled.",
        f"order.{ORDER_ID}.OrderCancelled.seven",
        f"order.{ORDER_ID}.OrderCancelled.-1",
        f"order.{ORDER_ID}.OrderCancelled.²",
        f"order.{ORDER_ID}.OrderCancelled.1.1",
        f"mallory.{ORDER_ID}.OrderCancelled.1",
        f"due.order.{ORDER_ID}.AnswerDue",
        f"due.order.{ORDER_ID}.AnswerDue.x",
        f"timer.order.{ORDER_ID}.AnswerDue.1",
        f"reply.order.{ORDER_ID}.c1",
        "timer.order.cancelled",
    ],
)
def test_what_is_no_subject_of_ours_is_refused(subject: str) -> None:
    """Anybody may publish below `cmd.`."""
    with pytest.raises(ValueError, match="is no"):
        read(subject)


@given(
    st.text(max_size=80)
    | st.lists(
        st.sampled_from(["cmd", "due", "order", "seller", ORDER_ID, "ConfirmCancel", "1", "٣", "²", "*", ">", ""]),
        max_size=7,
    ).map(".".join)
)
@example(f"order.{ORDER_ID}.OrderCancelled.٣")
def test_reading_any_text_gives_an_address_or_a_value_error(subject: str) -> None:
    """Nothing else gets out, and every address names an order."""
    try:
        address = read(subject)
    except ValueError:
        return
    assert re.fullmatch(r"[0-9a-z]{20,32}", address.order_id)
    assert address.kind in {"cmd", "event", "due"}
    assert (address.revision is None) == (address.kind == "cmd")


@given(st.text(max_size=60))
def test_any_id_becomes_one_token(text: str) -> None:
    """It neither splits the subject nor is a wildcard."""
    made = token(text)
    assert made
    assert not set(made) & set(". *>\r\n\t\0")
    assert token(made) == made


def test_an_events_id_follows_from_its_cause() -> None:
    assert event_id("c1", "ConfirmCancel") == "c1:ConfirmCancel"
    assert refusal_subject("order", ORDER_ID, "c1:Con firm.Cancel") == f"reply.order.{ORDER_ID}.c1:Con_firm_Cancel"


def test_the_same_parts_make_the_same_order_id() -> None:
    assert order_id_from("run", 7, 42) == order_id_from("run", 7, 42) == "06a89b9yc92v17wf5i6ampbl"
    assert order_id_from("run", 7, 43) != order_id_from("run", 7, 42)


@given(st.lists(st.text() | st.integers(), max_size=5))
def test_every_made_order_id_is_one(parts: list[object]) -> None:
    assert is_order_id(order_id_from(*parts))


@pytest.mark.parametrize("text", ["", "a" * 19, "a" * 33, "A" * 24, "a" * 23 + ".", "é" * 24, "٣" * 24])
def test_what_looks_otherwise_is_no_order_id(text: str) -> None:
    assert not is_order_id(text)


def test_a_line_break_ends_no_order_id() -> None:
    assert not is_order_id(ORDER_ID + "\n")
