"""A rehearsal stays in the process, and leaves nothing behind."""

from __future__ import annotations

import codecs
import os
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from newsleopard_async.rehearsal import rehearse
from tests.clients import csv_of, files_in
from tests.constants import AB_TESTS, CAMPAIGN
from tests.rehearsal.rehearsing import NOW

pytestmark = pytest.mark.anyio

BAD = csv_of(150) + "nowhere,無\n"


class SocketOpenedError(AssertionError):
    """A socket was opened."""


def _refuse(*args: object, **options: object) -> Any:
    raise SocketOpenedError


def _records() -> Iterator[dict[str, str]]:
    yield from ({"email": f"u{number}@example.com", "name": "王"} for number in range(150))


async def test_no_socket_is_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With sockets that cannot be made, all of it works: check, send, wait, report, files."""
    # The event loop has already opened its sockets.
    monkeypatch.setattr(socket, "socket", _refuse)
    monkeypatch.setattr(socket, "socketpair", _refuse)
    monkeypatch.setattr(socket, "create_connection", _refuse)
    monkeypatch.setattr(socket, "getaddrinfo", _refuse)

    shown = await rehearse(CAMPAIGN, BAD, now=NOW, max_rejected=None, folder=tmp_path)

    monkeypatch.undo()
    assert (shown.ok, shown.recipients, shown.rejected) == (True, 150, 1)


async def test_nothing_of_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key, the base URL and the proxies of the machine are not used."""
    monkeypatch.setenv("NEWSLEOPARD_API_KEY", "not a key \N{SNOWMAN}")
    monkeypatch.setenv("NEWSLEOPARD_BASE_URL", "no url")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("SSL_CERT_FILE", "/not/there")

    shown = await rehearse(CAMPAIGN, csv_of(120), now=NOW)

    assert shown.ok


async def test_nothing_is_left_behind(temporary: Path, tmp_path: Path) -> None:
    """The copies of the contacts and the report are removed at the end."""
    path = tmp_path / "members.csv"
    path.write_text(BAD, encoding="utf-8")

    await rehearse(CAMPAIGN, path, now=NOW, fix=["leave-out-bad-rows"])
    await rehearse(CAMPAIGN, _records(), now=NOW)

    assert files_in(temporary) == []
    assert files_in(tmp_path) == ["members.csv", "temporary"]


@pytest.mark.parametrize("option", [{"mails": -1}, {"polling": 3}, {"progress": 3}])
async def test_nothing_is_done_for_a_wrong_argument(option: dict[str, Any], tmp_path: Path) -> None:
    """A refused call creates no folder, and does not use up the contacts."""
    records = _records()

    with pytest.raises(ValueError, match=next(iter(option))):
        await rehearse(CAMPAIGN, records, folder=tmp_path / "new", **option)

    assert len(list(records)) == 150
    assert files_in(tmp_path) == []


async def test_contacts_in_a_read_only_folder_are_rehearsed(tmp_path: Path) -> None:
    """A read-only folder does not prevent a rehearsal."""
    folder = tmp_path / "locked"
    folder.mkdir()
    path = folder / "members.csv"
    path.write_text(BAD, encoding="utf-8")
    folder.chmod(0o500)

    try:
        shown = await rehearse(CAMPAIGN, path, now=NOW, fix=["leave-out-bad-rows"])
    finally:
        folder.chmod(0o700)

    assert (shown.ok, shown.contacts.left_out) == (True, 1)
    assert os.listdir(folder) == ["members.csv"]  # noqa: PTH208 - its rights may be odd


async def test_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A file instead of the folder is reported before the pipeline runs."""
    (tmp_path / "file").write_text("")

    with pytest.raises(ValueError, match="folder"):
        await rehearse(CAMPAIGN, csv_of(1), now=NOW, folder=tmp_path / "file" / "mails")


async def test_mails_are_files_to_open(tmp_path: Path) -> None:
    """Each mail is a page with its header above it, in a folder that is made."""
    folder = tmp_path / "new" / "folder"

    shown = await rehearse(CAMPAIGN, csv_of(9), now=NOW, folder=folder)

    assert files_in(folder) == ["mail-1.html", "mail-2.html", "mail-3.html"]
    assert [mail.path for mail in shown.mails] == [folder / name for name in files_in(folder)]
    page = (folder / "mail-2.html").read_text(encoding="utf-8-sig")
    assert page.endswith("</pre><p>會員1</p>")
    assert "From:     電子豹 &lt;service@example.com&gt;\n" in page
    assert "To:       會員1 &lt;user1@example.com&gt;\n" in page
    assert "Subject:  會員1，您的專屬優惠\n" in page
    assert "When:     2026-06-01 09:00 Asia/Taipei (2026-06-01 01:00 UTC)" in page
    assert str(folder / "mail-1.html") in str(shown)


async def test_charset_that_the_mail_declares_does_not_garble_its_page(tmp_path: Path) -> None:
    """The file begins with the UTF-8 mark, which has priority over the mail's own charset."""
    html = '<html><head><meta charset="big5"></head><body>${NAME}</body></html>'
    campaign = attrs.evolve(CAMPAIGN, html=html)

    await rehearse(campaign, csv_of(1), now=NOW, folder=tmp_path)

    assert (tmp_path / "mail-1.html").read_bytes().startswith(codecs.BOM_UTF8)


async def test_mails_of_a_test_are_named_by_variant(tmp_path: Path) -> None:
    """An A/B test has files of A and of B."""
    await rehearse(AB_TESTS[1], csv_of(20), now=NOW, folder=tmp_path, mails=2)

    assert files_in(tmp_path) == [
        "mail-1-a.html",
        "mail-1-b.html",
        "mail-2-a.html",
        "mail-2-b.html",
    ]
    page = (tmp_path / "mail-1-b.html").read_text(encoding="utf-8-sig")
    assert "Variant:  B" in page
    assert "&lt;news@example.com&gt;" in page


async def test_mails_of_an_earlier_rehearsal_are_removed(tmp_path: Path) -> None:
    """After a rehearsal the folder contains only its own mails."""
    await rehearse(AB_TESTS[1], csv_of(20), now=NOW, folder=tmp_path)
    await rehearse(CAMPAIGN, csv_of(12), now=NOW, folder=tmp_path, mails=12)

    await rehearse(CAMPAIGN, csv_of(1), now=NOW, folder=tmp_path)

    assert files_in(tmp_path) == ["mail-1.html"]


async def test_mails_of_an_earlier_rehearsal_are_removed_if_none_is_sent(
    tmp_path: Path,
) -> None:
    """A rehearsal without mails leaves no mails of an earlier one."""
    await rehearse(CAMPAIGN, csv_of(3), now=NOW, folder=tmp_path)

    await rehearse(CAMPAIGN, "", now=NOW, folder=tmp_path)

    assert files_in(tmp_path) == []


async def test_other_files_of_the_folder_stay(tmp_path: Path) -> None:
    """Only files of exactly the names that mails get are removed."""
    others = ["mail-0.html", "mail-01.html", "mail-2-c.html", "mail-2.html.bak", "mail.html"]
    for name in [*others, "mail-2.html"]:
        (tmp_path / name).write_text("mine")
    (tmp_path / "mail-3.html").mkdir()

    await rehearse(CAMPAIGN, csv_of(1), now=NOW, folder=tmp_path)

    assert files_in(tmp_path) == sorted([*others, "mail-1.html", "mail-3.html"])


@pytest.mark.skipif(sys.platform == "win32", reason="its files have no such rights")
async def test_mails_are_for_their_owner_alone(tmp_path: Path) -> None:
    """A mail shows a contact, so other users cannot read it, even in a public folder."""
    (tmp_path / "mail-1.html").write_text("an old one")
    (tmp_path / "mail-1.html").chmod(0o644)

    await rehearse(CAMPAIGN, csv_of(2), now=NOW, folder=tmp_path)

    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in files_in(tmp_path)}
    assert modes == {0o600}


async def test_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A folder instead of a file is an error of the caller."""
    (tmp_path / "mail-1.html").mkdir()

    with pytest.raises(ValueError, match=r"mail-1\.html cannot be written"):
        await rehearse(CAMPAIGN, csv_of(1), now=NOW, folder=tmp_path)
