"""Policies as an operator writes them: YAML with the fields of `Policy`; what is not named keeps its default."""

from pathlib import Path

from countermand.kernel.policy import Policy
from countermand.runtime.documents import read_document


def read_policy(path: Path) -> Policy:
    """Read a policy file; an empty one is the default policy.

    Raises:
        ConfigurationError: file, line, what was expected and what was found.
    """
    return read_document(path, Policy)
