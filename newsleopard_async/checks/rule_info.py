"""What the documentation says of a rule: a row of its table."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

__all__ = ["RuleInfo", "rules_table"]


@attrs.frozen
class RuleInfo:
    """One rule of a check.

    Attributes:
        name: As it stands in `Finding.rule`.
        level: As it stands in `Finding.level`; where it depends, all of them.
        says: What it finds, in a clause.
    """

    name: str
    level: str
    says: str


def rules_table(rules: Iterable[RuleInfo]) -> str:
    """Write rules as the table that the documentation prints."""
    rows = [f"| `{rule.name}` | {rule.level} | {rule.says} |" for rule in rules]
    return "\n".join(["| rule | level | what it finds |", "|---|---|---|", *rows])
