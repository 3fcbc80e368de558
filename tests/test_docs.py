"""The examples of the README and the documentation run unchanged."""

from __future__ import annotations

import configparser
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from opentelemetry import metrics, trace

import newsleopard_async
from newsleopard_async.emulator import Emulator, Switches
from newsleopard_async.testing import ManualClock
from tests.constants import ROOT
from tests.contacts.books import book

COPIES = {path for name in ("_build", "skills") for path in (ROOT / "docs" / name).rglob("*.md")}
"""What is made from the pages."""
PAGES = [ROOT / "README.md", *sorted({*(ROOT / "docs").rglob("*.md")} - COPIES)]
if not PAGES[0].exists():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)


TESTS = ROOT / "docs" / "testing.md"
"""Its examples are tests, and run as such: tests/testing/test_recipes.py."""


def _examples() -> Iterator[Any]:
    for page in PAGES:
        if page == TESTS:
            continue
        blocks = re.findall(
            r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
        )
        for number, code in enumerate(blocks, start=1):
            # Creating the tables of durable sends takes a second, and so does running a worker.
            marks = [pytest.mark.slow] if "Durable(" in code else []
            yield pytest.param(code, id=f"{page.name}-{number}", marks=marks)


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Emulator]:
    """Replace the platform by an emulator, and create the files that the examples read."""
    clock = ManualClock()
    emulator = Emulator(api_keys=["test-key"], clock=clock, switches=Switches(later_endpoints=True))
    emulator.add_template("範本", "<html><body>${NAME} 您好</body></html>")

    class Emulated(newsleopard_async.NewsLeopard):
        def __init__(self, api_key: str | None = None, **options: Any) -> None:
            super().__init__(
                api_key, **{"http_transport": emulator.transport(), "clock": clock, **options}
            )

    monkeypatch.setattr(newsleopard_async, "NewsLeopard", Emulated)
    monkeypatch.setenv("NEWSLEOPARD_API_KEY", "test-key")
    # An example can set OpenTelemetry up, which a program can do only once.
    for module, kind in ((trace, "tracer"), (metrics, "meter")):
        found = f"get_{kind}_provider"
        monkeypatch.setattr(module, found, getattr(module, found))
        monkeypatch.setattr(
            module,
            f"set_{kind}_provider",
            lambda made, module=module, found=found: setattr(module, found, lambda: made),
        )
    monkeypatch.chdir(tmp_path)
    Path("anniversary.html").write_text("<html><body>${NAME} 您好</body></html>", "utf-8")
    Path("members.csv").write_text("EMAIL,NAME\nming@example.com,王小明\n", "utf-8")
    Path("members.xlsx").write_bytes(book([["EMAIL", "NAME"], ["ming@example.com", "王小明"]]))
    logger = logging.getLogger("newsleopard_async")
    level = logger.level
    yield emulator
    logger.setLevel(level)


@pytest.mark.parametrize("code", list(_examples()))
def test_example_runs(code: str, emulator: Emulator) -> None:
    """Each example runs separately to its end, in a folder with the files that it names."""
    exec(compile(code, "<example>", "exec"), {"__name__": "__main__"})  # noqa: S102 - our own

    assert emulator.submitted <= 1


@pytest.mark.slow
@pytest.mark.asyncio
async def test_table_of_sources_shows_their_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every source of the page is tried with its library, with the result on the page."""
    from benchmarks.sources import table

    monkeypatch.chdir(tmp_path)
    # Postgres is in a package for Linux, and has a separate test.
    without_postgres = await table(but=("asyncpg",))

    page = (ROOT / "docs" / "sources.md").read_text("utf-8")
    printed = page.partition("<!-- sources -->\n")[2].partition("<!-- end -->")[0].splitlines()
    assert [line for line in printed if "| asyncpg |" not in line] == without_postgres


@pytest.mark.source_tree
def test_output_of_a_benchmark_replaces_only_its_own() -> None:
    """Also the first output of a new place, which is empty."""
    from benchmarks.publish import put

    place = "<!-- measured: {} -->\n```text\n{}```\n"
    page = place.format("call", "") + "\n" + place.format("quota", "old\n")

    new = put(page, "call", "1 ms\n")

    assert new == (
        place.format("call", "$ python -m benchmarks.call\n1 ms\n")
        + "\n"
        + place.format("quota", "old\n")
    )


@pytest.mark.slow
@pytest.mark.asyncio
async def test_table_of_allowed_sends_shows_the_counted_requests() -> None:
    """Every send of the page is tried, and takes the number of requests on the page."""
    from benchmarks.allowance import table

    page = (ROOT / "docs" / "durable.md").read_text("utf-8")
    printed = page.partition("<!-- allowance -->\n")[2].partition("<!-- end -->")[0].splitlines()
    assert printed == await table()


def test_files_for_running_workers_give_a_submit_the_time_to_end() -> None:
    """The stop timeouts are longer than a submit, and the health port is the same everywhere."""
    examples = ROOT / "docs" / "examples"
    # The same key can occur several times.
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read(examples / "newsleopard-worker.service", "utf-8")
    deployment = yaml.safe_load((examples / "newsleopard-worker.yaml").read_text("utf-8"))
    pod = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]
    needed_s = newsleopard_async.Timeouts().submit_s + 10

    assert int(unit["Service"]["TimeoutStopSec"]) > needed_s
    assert pod["terminationGracePeriodSeconds"] > needed_s
    assert container["command"][-1].endswith(f":{container['ports'][0]['containerPort']}")
    assert deployment["spec"]["selector"]["matchLabels"].items() <= (
        deployment["spec"]["template"]["metadata"]["labels"].items()
    )


def test_first_example_of_the_readme_submits_once(emulator: Emulator) -> None:
    """The README's first example is a whole campaign, and sends nothing when it is run again."""
    code = next(_examples()).values[0]

    for _ in range(2):
        exec(compile(code, "<example>", "exec"), {"__name__": "__main__"})  # noqa: S102 - our own

    assert emulator.submitted == 1
    assert len(emulator.contacts) == 1


def _anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.source_tree
@pytest.mark.parametrize("readme", sorted(ROOT.glob("README*.md")), ids=lambda path: path.name)
def test_links_of_the_readme_lead_to_headings_that_exist(readme: Path) -> None:
    """Each relative link leads to a file of the repository, and to a heading in it."""
    links = re.findall(r"\]\(([^)\s]+)\)", readme.read_text("utf-8"))
    relative = [link.partition("#") for link in links if not link.startswith("http")]

    lost = [
        path + hash_ + anchor
        for path, hash_, anchor in relative
        if not (page := ROOT / path if path else readme).exists()
        or (anchor and anchor not in _anchors(page))
    ]

    assert len(relative) > 10
    assert lost == []


@pytest.mark.parametrize("page", ["glossary", "words"])
def test_glossary_has_each_term_once_and_in_order(page: str) -> None:
    """One concept has one name."""
    table = (ROOT / "docs" / f"{page}.md").read_text("utf-8")

    _, _, *terms = re.findall(r"^\| ?([^|]+?) ?\|", table, re.MULTILINE)

    assert len(terms) > 30
    assert terms == sorted(set(terms), key=str.lower)
