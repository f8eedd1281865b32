"""Each rule is played, tested and proved, and docs/rules.md says so. Whether the proofs hold: `python -m tests.mutations`."""

import ast

import pytest

from lab.stories import STORIES
from tests.mutations.catalogue import MUTATIONS, Mutation
from tests.mutations.rules import ROOT, RULES, naming_tests, stories_of, table

TESTS = naming_tests()


def test_the_table_of_rules_is_current() -> None:
    """`python -m tests.mutations.rules docs/rules.md` writes it."""
    assert (ROOT / "docs/rules.md").read_text() == table()


def test_each_rule_has_one_mutation() -> None:
    assert [mutation.rule for mutation in MUTATIONS] == list(RULES)


def test_stories_and_tests_name_only_rules_that_exist() -> None:
    assert {rule for story in STORIES.values() for rule in story.rules} | TESTS.keys() == RULES.keys()


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_played_by_a_story_and_named_by_a_test(rule: str) -> None:
    assert stories_of(rule), f"no story plays {rule}"
    assert TESTS[rule], f"no test is named test_{rule.lower()}_…"


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.rule)
def test_each_mutation_applies_and_is_still_python(mutation: Mutation) -> None:
    source = (ROOT / mutation.file).read_text()
    mutated = mutation.apply(source)
    assert mutated != source
    ast.parse(mutated)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.rule)
def test_each_proof_is_a_story_or_a_test_of_the_rule(mutation: Mutation) -> None:
    if mutation.story:
        assert mutation.story in stories_of(mutation.rule)
    else:
        assert TESTS[mutation.rule][mutation.proof], f"{mutation.proof} has no test of {mutation.rule}"
