"""Writes docs/policy.md and deploy/policies/default.yaml: `python -m lab.policy.page`."""

from pathlib import Path
from typing import Final

from countermand.kernel.policy import Policy
from lab.policy.show import flow, show
from lab.policy.values import Value, values

_ROOT: Final = Path(__file__).parents[2]

_HEAD: Final = """\
# Policies

<!-- Written by `python -m lab.policy.page`; edit the descriptions in countermand/kernel/policy.py instead. -->

A policy is what an operator may decide about cancellations: who may do what, and by when. It is a YAML file with the
keys below; a key that is not named keeps its default, and an empty file is the default policy. Times are simulated,
except P1's. Dotted keys are nested:

```yaml
seller_answers_within_h: 48
calendar:
  timezone: Europe/Berlin
  holidays: [2026-12-25]
```

**An order keeps the policy it was placed under.** Its terms name the policy by its hash, and they never change: another
policy concerns the orders placed afterwards only, and orders under different policies live side by side on one system.

| command | does |
|---|---|
| `countermand policy show [FILE]` | prints the default policy, or a file's, with every value explained and the changed ones marked; the output is itself a policy file |
| `countermand policy check FILE` | prints the hash, or which line is wrong and exits with 2 |
| `countermand policy put FILE --nats URL` | stores the policy in a running system, so that orders may name its hash |

Unknown keys, keys given twice, anchors, aliases and tags are refused. `true` and `false` are the only booleans. Examples
are in [deploy/policies](../deploy/policies).

## Values

| id | key | default | unit | meaning | allowed |
|---|---|---|---|---|---|
"""


def page() -> str:
    """docs/policy.md."""
    return _HEAD + "".join(f"{_row(value)}\n" for value in values())


def files() -> dict[Path, str]:
    """What is generated, by its path."""
    return {_ROOT / "docs/policy.md": page(), _ROOT / "deploy/policies/default.yaml": show(Policy())}


def _row(value: Value) -> str:
    default = flow(value.of(Policy()))
    return f"| {value.rule} | `{value.key}` | `{default}` | {value.unit or '—'} | {value.meaning} | {value.allowed} |"


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
