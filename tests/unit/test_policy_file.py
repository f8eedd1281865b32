"""Reading a policy file: what may be written, and what is said about everything else."""

from datetime import date
from pathlib import Path

import pytest

from countermand.kernel.policy import OnSilence, Policy, PromisedEmail, Span
from countermand.runtime.documents import MAX_BYTES
from countermand.runtime.policy_file import read_policy
from countermand.runtime.settings import ConfigurationError

_EMAILS = ", ".join(PromisedEmail)


def _beginning(text: str) -> str:
    return text[:40]


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "{}", "\ufeff"])
def test_an_empty_file_is_the_default_policy(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == Policy()


def test_what_is_written_counts_and_the_rest_keeps_its_default(tmp_path: Path) -> None:
    policy = read(
        tmp_path,
        """
        on_silence: "wait"
        dialog_lapses_after_min: 5
        counter_offers: false
        refund_transit_business_days:
          card: {low: 1, high: 2}
        calendar: {timezone: Europe/Berlin, holidays: [2026-12-25, "2026-12-26"]}
        emails:
          - cancelled
        """,
    )
    assert policy.on_silence is OnSilence.WAIT
    assert policy.refund_transit_business_days.card == Span(low=1, high=2)
    assert policy.refund_transit_business_days.bank == Span(low=7, high=15)
    assert policy.calendar.holidays == (date(2026, 12, 25), date(2026, 12, 26))
    assert policy.emails == (PromisedEmail.CANCELLED,)
    assert (policy.counter_offers, policy.seller_answers_within_h) == (False, 72)


def test_the_same_values_have_the_same_hash_however_they_are_written(tmp_path: Path) -> None:
    assert read(tmp_path, "dialog_lapses_after_min: 15\ncounter_offers: true").hash == Policy().hash
    assert read(tmp_path, "{counter_offers: true, dialog_lapses_after_min: 1.5e+1}").hash == Policy().hash


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# x\nseller_answer_within_h: 48", "2: there is no key 'seller_answer_within_h'; did you mean seller_answers_within_h?"),
        ("Counter-Offers: true", "1: there is no key 'Counter-Offers'; did you mean counter_offers?"),
        ("calendar:\n  timezone: UTC\n  holiday: []", "3: there is no key 'holiday' in calendar; did you mean holidays?"),
        ("calendar:\n  colour: red", "2: there is no key 'colour' in calendar; the keys there are timezone, holidays"),
        (
            "refund_transit_business_days:\n  card:\n    low: 1\n    hihg: 2",
            "4: there is no key 'hihg' in refund_transit_business_days.card; did you mean high?",
        ),
        (
            "refund_transit_business_days:\n  card:\n    low: 1",
            "2: refund_transit_business_days.card.high is missing",
        ),
        ("{<<: {on_silence: wait}, on_silence: cancel}", "1: there is no key '<<'; the keys there are dialog_lapses"),
    ],
    ids=_beginning,
)  # fmt: skip
def test_an_unknown_or_missing_key_is_named_with_its_line_and_a_suggestion(
    tmp_path: Path, text: str, said: str
) -> None:
    assert complaint(tmp_path, text).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\n\non_silence: cancl", "3: on_silence should be one of cancel, refuse, wait; found 'cancl'; did you mean cancel?"),
        ("on_silence:", "1: on_silence should be one of cancel, refuse, wait; found nothing"),
        ("on_silence: 3", "1: on_silence should be one of cancel, refuse, wait; found 3"),
        ("emails:\n  - cancelled\n  - refudned", f"3: item 2 of emails should be one of {_EMAILS}; found 'refudned'; did you mean refused?"),
        ("emails: cancelled", f"1: emails should be a list, each one of {_EMAILS}; found 'cancelled'"),
        ("seller_answers_within_h: 0", "1: seller_answers_within_h should be a whole number from 1 to 2160; found 0"),
        ("seller_answers_within_h: 72.5", "1: seller_answers_within_h should be a whole number from 1 to 2160; found 72.5"),
        ("seller_answers_within_h: '72'", "1: seller_answers_within_h should be a whole number from 1 to 2160; found '72'"),
        ("seller_answers_within_h: 72:00", "1: seller_answers_within_h should be a whole number from 1 to 2160; found '72:00'"),
        ("seller_answers_within_h: true", "1: seller_answers_within_h should be a whole number from 1 to 2160; found true"),
        ("dialog_lapses_after_min: .inf", "1: dialog_lapses_after_min should be a number from 0.01 to 1440; found '.inf'"),
        ("dialog_lapses_after_min: 1e999", "1: dialog_lapses_after_min should be a number from 0.01 to 1440; found 1e999"),
        ("counter_offers: yes", "1: counter_offers should be true or false; found 'yes'"),
        ("calendar: UTC", "1: calendar should be a mapping with the keys timezone, holidays; found 'UTC'"),
        ("calendar: {timezone: [UTC]}", "1: calendar.timezone should be a text; found a list"),
        ("calendar:\n  timezone: Mars", "2: calendar.timezone: 'Mars' is no time zone of the IANA database"),
        ("calendar:\n  holidays:\n    - 2026-02-30", "3: item 1 of calendar.holidays should be a date such as 2026-12-25; found '2026-02-30'"),
        (
            "refund_transit_business_days:\n  card: {low: 20, high: 3}",
            "2: refund_transit_business_days.card: low may not be more than high, but 20 is more than 3",
        ),
        ("- on_silence", "1: the file should be a mapping of keys to values; found a list"),
        ("wait", "1: the file should be a mapping of keys to values; found 'wait'"),
        ("counter_offers: 1\n#\non_silence: x", "1: counter_offers should be true or false; found 1"),
    ],
    ids=_beginning,
)  # fmt: skip
def test_a_wrong_value_is_told_with_its_line_what_was_expected_and_what_was_found(
    tmp_path: Path, text: str, said: str
) -> None:
    assert complaint(tmp_path, text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("on_silence: wait\n\non_silence: wait", "3: the key 'on_silence' stands twice, first in line 1"),
        ("calendar:\n  timezone: UTC\n  'timezone': UTC", "3: the key 'timezone' stands twice in calendar, first in line 2"),
        ("calendar: &c {timezone: UTC}", "1: 'c' is an anchor or an alias: write the value out"),
        ("on_silence: *c", "1: 'c' is an anchor or an alias: write the value out"),
        ("a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]", "1: 'a' is an anchor or an alias: write the value out"),
        ("\non_silence: !!str wait", "2: 'tag:yaml.org,2002:str' is a tag: write the plain value"),
        ("on_silence: !!python/object/apply:os.system [ls]", "1: 'tag:yaml.org,2002:python/object/apply:os.system' is a tag: write the plain value"),
        ("[" * 10_000, "1: is nested more than 20 levels deep"),
        ("a: [" + "x," * 20_000 + "]", "1: has more than 10000 keys and values"),
        ("calendar:\n\ttimezone: UTC", "2: is not YAML: while scanning for the next token, found character '\\t' that cannot start any token"),
        ("emails: [cancelled,\n\nx: 3", "3: is not YAML: while parsing a flow sequence that began in line 1, expected ',' or ']', but got '<stream end>'"),
        ("a: b: c", "1: is not YAML: mapping values are not allowed here"),
        ("on_silence: wait\n---\non_silence: wait", "2: is not YAML: expected a single document in the stream that began in line 1, but found another document"),
        ("on_silence: wait\n# \x00", "2: is not YAML: there is the control character '\\x00'"),
        ('on_silence: "\\ud800"', "1: '\\ud800' has half a character"),
        ("? [a]\n: b", "1: a key should be a word, not a list or a mapping"),
    ],
    ids=_beginning,
)  # fmt: skip
def test_what_is_not_our_yaml_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    assert complaint(tmp_path, text) == said


def test_what_was_found_is_repeated_only_in_part(tmp_path: Path) -> None:
    assert complaint(tmp_path, f"on_silence: {'x' * 9_000}").endswith(f"found '{'x' * 60}…'")
    assert complaint(tmp_path, f"seller_answers_within_h: {'9' * 9_000}").endswith(f"found {'9' * 60}…")
    assert len(complaint(tmp_path, f"calendar: {{timezone: {'x' * 9_000}}}")) < 250


def test_a_file_that_is_not_text_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_bytes(b"on_silence: wait\nemails: \xff\n")
    assert refusal(path) == f"{path}:2: is not UTF-8 text"


def test_a_file_that_is_not_there_or_not_a_file_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.yaml") == f"{tmp_path / 'no.yaml'}: there is no such file"
    assert refusal(tmp_path) == f"{tmp_path}: cannot be read: Is a directory"


def test_a_file_of_more_than_a_mebibyte_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_bytes(b"#" * MAX_BYTES)
    assert read_policy(path) == Policy()
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    assert refusal(path) == f"{path}: is larger than 1048576 bytes"


def read(folder: Path, text: str) -> Policy:
    path = folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return read_policy(path)


def complaint(folder: Path, text: str) -> str:
    """What is said after the name of the file."""
    path = folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    said = refusal(path)
    assert said.startswith(f"{path}:")
    return said.removeprefix(f"{path}:")


def refusal(path: Path) -> str:
    with pytest.raises(ConfigurationError) as refused:
        read_policy(path)
    assert "\n" not in str(refused.value)
    return str(refused.value)
