"""``newsleopard lists`` and ``newsleopard balance``."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsleopard_async import NewsLeopard
from tests.cli.offices import Office, an_office

LONG_NAME = "週年慶會員" * 12


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """An account of the vendor's notes with three lists."""
    office = an_office(tmp_path, monkeypatch, profile="vendor-2026")

    async def fill(nl: NewsLeopard) -> None:
        sn = await nl.contacts.create_list("VIP 會員")
        await nl.contacts.import_text("EMAIL,NAME\na@example.com,甲\nb@example.com,乙\n", sn)
        await nl.contacts.create_list(LONG_NAME)
        await nl.contacts.create_list("[red]電子報")
        await nl.clock.sleep(60)

    office.do(fill)
    return office


def test_lists_are_shown_with_codes_and_counts(office: Office) -> None:
    """A name has no effect on the terminal."""
    result = office.invoke("lists")

    assert result.exit_code == 0, result.output
    vip = next(each for each in office.emulator.lists if each.name == "VIP 會員")
    line = next(line for line in result.stdout.splitlines() if "VIP 會員" in line)
    assert line.split()[:4] == [vip.sn, "VIP", "會員", "2"]
    assert "[red]電子報" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("width", [40, 80, 120])
def test_code_can_be_copied_at_any_width(office: Office, width: int) -> None:
    """The code is on one line; no line is wider than the terminal."""
    lines = office.invoke("lists", width=width).stdout.splitlines()

    for each in office.emulator.lists:
        assert any(each.sn in line for line in lines)
    assert max(map(len, lines)) <= width


def test_search_ignores_case_and_width(office: Office) -> None:
    """``ｖｉｐ`` finds ``VIP``; the code of a list finds it, too."""
    [found] = office.json("lists", "--search", "ｖｉｐ")

    assert (found["name"], found["subscribed_count"]) == ("VIP 會員", 2)
    assert office.json("lists", "--search", found["sn"]) == [found]
    assert "No list has '無' in its name." in office.invoke("lists", "--search", "無").stderr


def test_only_the_first_lists_are_shown(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning says so, in JSON, too; all are shown on request."""
    monkeypatch.setattr("newsleopard_async.cli.commands.lists_command.FIRST_LISTS", 2)

    few = office.invoke("lists", "--json")

    assert few.stderr == "Only the first 2 lists are shown; --all shows all.\n"
    assert len(office.json("lists", "--all")) == 3


def test_balance_is_shown(office: Office) -> None:
    """Numbers have commas between the thousands."""
    assert "Mails          1,000,000" in office.invoke("balance").stdout
    assert office.json("balance")["mails"] == 1_000_000


def test_account_without_a_balance_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The documented platform has no balance; the message says where it is."""
    result = an_office(tmp_path, monkeypatch).invoke("balance")

    assert result.exit_code == 1
    assert "Use the console for it." in result.stderr
