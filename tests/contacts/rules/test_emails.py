from __future__ import annotations

import sys

import pytest

from newsleopard_async.contacts.rules.checker import ContactsChecker
from newsleopard_async.contacts.rules.emails import is_address, load_deep_check
from newsleopard_async.errors import ConfigurationError
from tests.contacts.checking import check, csv_of, detect, found

LABEL = "x" * 63


@pytest.mark.parametrize(
    "address",
    [
        "a@b",
        "user@example.com",
        "first.last+tag@sub.example.com.tw",
        "!#$%&'*+/=?^_`{|}~-.@example.com",
        "..@example.com",
        f"{'x' * 64}@example.com",
        f"a@{LABEL}.{LABEL}.{LABEL}.{'x' * 60}",
        "a@xn--fiq228c.tw",
        "A@1-2.3",
    ],
)
def test_address_of_the_pattern_is_one(address: str) -> None:
    """The rules are those of browsers for forms."""
    assert is_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "@",
        "a@",
        "@b",
        "a@b@c",
        "a b@c",
        " a@b",
        "a@b\n",
        "a@.b",
        "a@b.",
        "a@b..c",
        "a@-b",
        "a@b-",
        "a@b_c",
        f"a@{LABEL}x",
        f"{'x' * 65}@b",
        f"a@{LABEL}.{LABEL}.{LABEL}.{'x' * 61}",
        "使用者@example.com",
        "a@電子豹.tw",
        "a＠example.com",
        '"a"@example.com',
        "a@[127.0.0.1]",
        "A <a@example.com>",
        "a@example.com,b@example.com",
    ],
)
def test_other_text_is_not_an_address(address: str) -> None:
    """An address that is too long for SMTP is not valid either."""
    assert not is_address(address)


def test_address_that_is_too_long_is_found_among_good_ones() -> None:
    """Its form is good, and so is each of its parts."""
    content = csv_of("a@example.com,甲", f"a@{LABEL}.{LABEL}.{LABEL}.{'x' * 61},乙")

    assert found(check(content), "invalid-email").places == (3,)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("a..b@example.com", "two periods in a row"),
        ("secret@nodot", "should have a period"),
        ("secret@x.invalid", "special-use"),
        ("secret@x.123", "top-level domain"),
        (".secret@example.com", "start with a period"),
        ("secret.@example.com", "immediately before"),
        ("secret@xn--a.com", "It does not follow the standards"),
    ],
)
def test_deep_check_finds_addresses_that_match_the_pattern(address: str, reason: str) -> None:
    """The message gives email-validator's reason, and never the address."""
    content = csv_of(f"{address},甲", "user@example.com,乙")
    assert check(content).report.ok

    error = found(check(content, deep=True), "invalid-email")

    assert (error.level, error.places) == ("error", (2,))
    assert reason in error.message
    assert "secret" not in error.message


def test_deep_check_counts_its_reasons() -> None:
    """Each reason once, with the number of its rows, even if they are left out."""
    rows = ["a@nodot,1", "b@nodot,2", "c..d@example.com,3", "none,4", ",5", "e@example.com,6"]

    for fix in ((), ("leave-out-bad-rows",)):
        message = found(check(csv_of(*rows), deep=True, fix=fix), "invalid-email").message

        assert "email-validator on 2 rows" in message
        assert "email-validator on 1 row:" in message


def test_deep_check_takes_good_addresses() -> None:
    """And still knows repetitions."""
    assert load_deep_check()("user@example.com") is None
    checked = check(csv_of("a@example.com,甲", "A@example.com,甲"), deep=True)

    assert checked.triples == [("warning", "duplicate-email", 1)]


def test_deep_check_without_its_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is read."""
    monkeypatch.setitem(sys.modules, "email_validator", None)

    with pytest.raises(ConfigurationError, match=r"newsleopard-async\[check\]"):
        ContactsChecker(detect([csv_of()]), deep=True)


@pytest.mark.parametrize("address", ["secret@gmail", "secret@gmail.c", "a@1-2.3", " secret@gmail "])
def test_address_that_cannot_exist_on_the_internet_is_a_warning(address: str) -> None:
    """It can exist only in a local network; its row is written and counted."""
    content = csv_of("b@example.com,乙", f"{address},甲", "secret@example.tw,丙")

    checked = check(content, fix="leave-out-bad-rows")

    warning = found(checked, "invalid-email")
    assert checked.triples == [("warning", "invalid-email", 1)]
    assert (warning.places, warning.column) == ((3,), "EMAIL")
    assert "cannot exist on the internet" in warning.message
    assert "secret" not in warning.message
    assert (checked.report.bad_rows, checked.report.unique) == (0, 3)
    assert checked.clean.decode().splitlines()[2] == f"{address.strip()},甲"


def test_warning_of_addresses_appears_beside_the_error() -> None:
    """The rule has a finding of each level."""
    checked = check(csv_of("none,甲", "a@gmail,乙", "b@gmail,丙"))

    assert found(checked, "invalid-email", level="error").places == (2,)
    assert found(checked, "invalid-email", level="warning").places == (3, 4)


@pytest.mark.parametrize(("fix", "count"), [((), 2), ("drop-duplicates", 1)])
def test_warning_of_addresses_counts_written_rows(fix: str, count: int) -> None:
    """A repeated row that is dropped has no other findings."""
    checked = check(csv_of("a@gmail,甲", "a@gmail,甲"), fix=fix)

    assert found(checked, "invalid-email").count == count


@pytest.mark.parametrize("check_rows", [True, False])
@pytest.mark.parametrize(
    "address", ["\ufeffa@example.com", "a@example.com\u200b", "\u2060a@example.com\u202c"]
)
def test_address_is_written_without_invisible_characters(address: str, check_rows: bool) -> None:
    """They are removed like blanks, and counted; the visible address remains."""
    checked = check(csv_of(f"{address},甲", "b@example.com,乙"), check_rows=check_rows)

    assert checked.triples == []
    assert (checked.report.trimmed, checked.report.unique) == (1, 2)
    assert checked.clean == csv_of("a@example.com,甲", "b@example.com,乙")


@pytest.mark.parametrize("character", "\xa0\u3000\u2009\x85\x7f\x1a\x07")
def test_unusual_blank_or_control_inside_an_address_is_reported(character: str) -> None:
    """Both look like nothing, or like a usual blank."""
    error = found(check(csv_of(f"a{character}b@example.com,甲")), "invalid-email")

    assert "1 row (line 2) with an invisible character" in error.message


def test_invisible_character_inside_an_address_is_reported() -> None:
    """It looks like an address, so the message names the character."""
    checked = check(csv_of("a\u200b@example.com,甲", "none,乙", "b@exam\u00adple.com,丙"))

    error = found(checked, "invalid-email")
    assert (error.level, error.places) == ("error", (2, 3, 4))
    assert "2 rows (lines 2, 4) with an invisible character" in error.message
    assert "invisible" not in found(check(csv_of("none,乙")), "invalid-email").message


@pytest.mark.parametrize("row", ['"\'a@example.com"', "'a@example.com"])
def test_apostrophe_before_an_address_is_removed_with_a_warning(row: str) -> None:
    """A spreadsheet marks text by it; no mail would arrive."""
    rows = [f"{row},甲", "a@example.com,乙", "o'neil@example.com,丙", "x"]

    checked = check(csv_of(*rows, "' b@example.com ,丁"))

    warning = found(checked, "text-apostrophe")
    assert (warning.level, warning.places, warning.column) == ("warning", (2, 6), "EMAIL")
    assert found(checked, "duplicate-email").places == (3,)
    assert (checked.report.unique, checked.report.trimmed) == (3, 2)
    assert checked.clean.decode().splitlines()[1::4] == ["a@example.com,甲", "b@example.com,丁"]


def test_apostrophe_of_a_row_left_out_is_not_reported() -> None:
    """This includes an apostrophe that a fix removes."""
    left_out = csv_of('\'a@example.com,"甲\n乙"', "b@example.com,丙")

    assert check(left_out, fix="leave-out-bad-rows").triples == [("note", "line-break", 1)]
    assert check(csv_of("'a@example.com,甲"), fix="trim").triples == []
    assert check(csv_of("'a@example.com,甲"), check_rows=False).triples == []
