"""``newsleopard timezones``."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner, Result

from newsleopard_async.cli.command_line import newsleopard
from newsleopard_async.cli.results.zones import find_zones

WINTER = datetime(2026, 1, 5, tzinfo=UTC)


def invoke(*arguments: str, width: int = 80) -> Result:
    """Run the command."""
    return CliRunner().invoke(newsleopard, ["timezones", *arguments], env={"COLUMNS": str(width)})


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("taipei", ["TAIPEI"]),
        ("Asia/Tai", ["TAIPEI"]),
        ("new york", ["NEW_YORK"]),
        ("8", ["SYDNEY"]),
        ("+9", ["SEOUL", "TOKYO"]),
        ("UTC+05:45", ["KATHMANDU"]),
        ("-3:30", ["ST_JOHNS"]),
        ("somewhere", []),
    ],
)
def test_zone_is_found_by_name_code_and_offset(search: str, names: list[str]) -> None:
    """A number without a sign is a code, because a code is not an offset."""
    assert [each.name for each in find_zones(search, WINTER)] == names


def test_all_zones_are_shown_with_the_warning() -> None:
    """Without a search, all 88 zones; no key is needed."""
    result = invoke()

    assert result.exit_code == 0, result.output
    assert "21 TAIPEI" in " ".join(result.stdout.split())
    assert "A code is not an offset: 8 is SYDNEY, not UTC+8." in result.stdout
    assert len(json.loads(invoke("--json").stdout)) == 88


@pytest.mark.parametrize("width", [40, 80, 120])
def test_table_fits_into_the_terminal(width: int) -> None:
    """No line is longer than the terminal is wide."""
    assert max(map(len, invoke("a", width=width).stdout.splitlines())) <= width


def test_json_has_the_offset() -> None:
    """Programs get code, name, zone and present offset."""
    [found] = json.loads(invoke("taipei", "--json").stdout)

    assert found == {
        "code": 21,
        "name": "TAIPEI",
        "zone": "Asia/Taipei",
        "utc_offset": "+08:00",
    }


def test_unknown_zone_has_exit_status_1() -> None:
    """A program sees that nothing was found; a negative offset is not an option."""
    result = invoke("-13")

    assert result.exit_code == 1
    assert result.stderr == "The platform lists no zone for '-13'.\n"
