"""The benchmarks compute their figures from arrivals correctly; nothing is measured here."""

from __future__ import annotations

import re

import pytest

from newsleopard_async import __version__

# The wheel does not contain them, and some tests run with only the wheel.
pytest.importorskip("benchmarks.quota")

from benchmarks.measuring import heading
from benchmarks.publish import COMMANDS, put
from benchmarks.quota.figures import contended, jain, overfull, use
from tests.constants import ROOT


def test_second_is_overfull_from_the_eleventh_arrival_on() -> None:
    """Each arrival begins a half-open second, in which ten may arrive."""
    ten = [0.1 * n for n in range(10)]

    assert overfull(ten) == []
    assert overfull([*ten, 1.0]) == []
    assert overfull([*ten, 0.999]) == [(0.0, 11)]


def test_overfull_second_is_found_wherever_it_begins() -> None:
    """No grid of seconds hides a burst, and the order of arrivals does not matter."""
    around_a_border = [0.90, 0.91, 0.92, 0.93, 0.94, 0.95, 1.05, 1.06, 1.07, 1.08, 1.09]

    assert overfull([5.0, *reversed(around_a_border)]) == [(0.90, 11)]


def test_use_leaves_out_the_first_ten() -> None:
    """Ten at once and then ten a second is all that the limit allows."""
    assert use([0.0] * 10 + [1.0] * 10 + [2.0] * 10) == 1.0
    assert use([0.0] * 10 + [2.0] * 10) == 0.5
    assert use([]) == 0.0


def test_jain_is_one_if_all_have_the_same() -> None:
    """If one of four has everything, the fairness is a quarter."""
    assert jain([7, 7, 7, 7]) == 1.0
    assert jain([28, 0, 0, 0]) == 0.25
    assert jain([0, 0]) == 1.0


def test_contention_ends_with_the_last_arrival_of_the_first_to_finish() -> None:
    """Requests after the first member's end, and excluded members, do not count."""
    arrivals = [(1.0, 0), (2.0, 1), (3.0, 0), (4.0, 1), (5.0, 1), (0.5, 2)]

    assert contended(arrivals, (0, 1)) == [2, 1]


def test_heading_names_date_machine_and_versions() -> None:
    """A published table can be compared only with the same machine and the same versions."""
    when, machine, versions = heading("pytest", "not-installed").splitlines()

    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC, load \d+\.\d", when)
    assert re.fullmatch(r".+, \d+ cores, \d+ GiB, \S+ \S+", machine)
    assert re.fullmatch(
        rf"Python 3\.\S+, newsleopard-async {re.escape(__version__)}, pytest {pytest.__version__}",
        versions,
    )


def test_output_replaces_the_one_of_the_same_benchmark() -> None:
    """A table is published without copying it by hand, and only into its own place."""
    place = "{0}\n<!-- measured: {0} -->\n```text\nold {0}\n```\n"
    page = place.format("call") + place.format("upload")

    published = put(page, "call", "new\n")

    assert published == page.replace("old call", "$ python -m benchmarks.call\nnew")
    with pytest.raises(ValueError, match="0 places"):
        put(page, "limiter", "new")


def test_page_has_a_place_for_each_benchmark() -> None:
    """No measurement is missing on the page, and each is repeated by a command that exists."""
    page = ROOT / "docs" / "performance.md"
    if not page.exists():
        pytest.skip("the documentation is not beside the tests")
    places = re.findall("<!-- measured: (.*) -->", page.read_text("utf-8"))

    modules = {each.stem for each in (ROOT / "benchmarks").glob("*.py")} | {"quota"}
    shared = {"measuring", "publish"}
    of_other_pages = {"allowance", "sources"}
    assert sorted(places) == sorted(COMMANDS)
    commands = {command[0].removeprefix("benchmarks.") for command in COMMANDS.values()}
    assert commands == modules - shared - of_other_pages
