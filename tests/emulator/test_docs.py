"""The documentation names everything that a user may set."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

from newsleopard_async.cli.commands.emulator_command import emulator as emulator_command
from newsleopard_async.emulator import OPERATIONS, Emulator, Switches
from newsleopard_async.emulator.controls import Controls
from newsleopard_async.emulator.inspection import Inspection
from newsleopard_async.emulator.platform.reports import COLUMNS

pytestmark = pytest.mark.source_tree

DOCS = Path(__file__).parents[2] / "docs"
USING = (DOCS / "emulator.md").read_text(encoding="utf-8")
REFERENCE = (DOCS / "emulator-reference.md").read_text(encoding="utf-8")
MENTIONED = set(re.findall(r"`(\w+)", USING + REFERENCE))


def _public(*classes: type) -> list[str]:
    return sorted(name for kind in classes for name in vars(kind) if not name.startswith("_"))


@pytest.mark.parametrize("name", [field.name for field in attrs.fields(Switches)])
def test_switch_is_documented(name: str) -> None:
    """Every switch stands in the table."""
    assert name in MENTIONED


@pytest.mark.parametrize("name", _public(Controls, Inspection))
def test_fault_and_fact_are_documented(name: str) -> None:
    """Every fault, and everything that a test can look at, is named."""
    assert name in MENTIONED


@pytest.mark.parametrize("name", [*OPERATIONS, *sum(COLUMNS.values(), ())])
def test_operation_and_column_are_documented(name: str) -> None:
    """Operations and columns are named as they are."""
    assert name in MENTIONED


def test_every_switch_is_described_where_it_is_defined() -> None:
    """The class says of each of its options what it does."""
    text = Switches.__doc__ or ""

    assert [f.name for f in attrs.fields(Switches) if f"{f.name}:" not in text] == []


def test_switch_can_be_set_at_any_time() -> None:
    """The emulator takes changes by name, and refuses names that it does not know."""
    emulator = Emulator()

    emulator.switch(lists_as_array=True)

    assert emulator.switches == Switches(lists_as_array=True)
    with pytest.raises(TypeError):
        emulator.switch(lists_as_arrays=True)


def test_keys_are_not_a_text() -> None:
    """Each letter would be a key, and the key itself would be refused."""
    with pytest.raises(ValueError, match=r"api_keys: .* write"):
        Emulator(api_keys="test-key")


def test_option_of_the_command_is_documented() -> None:
    """Each option stands in the table, and the table has no other."""
    text = USING.partition("## As a server\n")[2].partition("\n### ")[0]
    table = "".join(line.split("|")[1] for line in text.splitlines() if line.startswith("|"))
    options = {name for each in emulator_command.params for name in each.opts}

    assert set(re.findall(r"--[a-z-]+", table)) - {"---"} == options - {"--help", "--switch"}
