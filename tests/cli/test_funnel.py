"""The funnel is counted from report files, whatever their columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsleopard_async.cli.funnel import Funnel, addresses_in, read_funnel


def report(folder: Path, name: str, text: str) -> Path:
    """Write a report file."""
    path = folder / f"{name}.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_recipient_who_opens_twice_counts_once(tmp_path: Path) -> None:
    """The funnel counts recipients, not events."""
    path = report(tmp_path, "open", "EMAIL,TIME\na@example.com,1\nA@example.com,2\n")

    assert list(addresses_in(path)) == ["a@example.com"]


def test_address_is_found_without_its_column_name(tmp_path: Path) -> None:
    """Report columns are not documented, so the shape of an address will do."""
    path = report(tmp_path, "open", "時間,信箱\n1,a@example.com\n2,–\n")

    assert list(addresses_in(path)) == ["a@example.com"]


@pytest.mark.parametrize("text", ["", "EMAIL\n", "\ufeffEMAIL,NAME\n", "TIME,EMAIL\n1\n"])
def test_file_without_addresses_counts_as_nobody(tmp_path: Path, text: str) -> None:
    """An empty file, or a row that is too short, is no recipient."""
    assert addresses_in(report(tmp_path, "open", text)) == {}


def test_missing_type_counts_as_nobody(tmp_path: Path) -> None:
    """The platform makes no file of a type that nothing happened of."""
    files = {"delivery": report(tmp_path, "delivery", "EMAIL\na@example.com\n")}

    funnel = read_funnel(files, recipients=2)

    assert (funnel.recipients, funnel.delivered, funnel.complained) == (2, 1, 0)


def test_rates_have_their_own_base() -> None:
    """Deliveries are a share of the recipients, openings of the deliveries."""
    funnel = Funnel(
        recipients=200,
        delivered=100,
        opened=50,
        clicked=10,
        bounced=100,
        unsubscribed=1,
        complained=0,
    )

    rates = {stage.title: stage.rate_percent for stage in funnel.stages}

    assert rates["Delivered"] == 50
    assert rates["Opened"] == 50
    assert rates["Complained"] == 0


def test_rate_of_nobody_is_unknown() -> None:
    """Nothing is divided by zero."""
    nobody = Funnel(
        recipients=0, delivered=0, opened=0, clicked=0, bounced=0, unsubscribed=0, complained=0
    )

    assert {stage.rate_percent for stage in nobody.stages} == {None}
