"""The caller's files are written after its decision, and private files are deleted early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from newsleopard_async.contacts.contacts_options import ContactsOptions
from newsleopard_async.contacts.preparation import prepare_contacts
from tests.clients import files_in
from tests.contacts.examples import FORMS, clean_contacts, written

pytestmark = pytest.mark.anyio

BAD = "EMAIL,NAME\nming@example.com,王小明\nnowhere,誰\n"
LEFT_OUT = "EMAIL,NAME,LINE,REASON\nnowhere,誰,3,invalid-email\n"


def ours(temporary: Path) -> list[str]:
    """Return the contacts in the temporary folder."""
    [folder] = temporary.iterdir()
    return [each for each in files_in(folder) if each != ".owner"]


async def test_files_are_the_callers_once_published(tmp_path: Path, temporary: Path) -> None:
    """Until then an older one stays; the report names the file from the start."""
    clean = tmp_path / "clean.csv"
    beside = written(tmp_path, b"old", "bad.csv")
    options = ContactsOptions(fix="leave-out-bad-rows", left_out_to=beside, write_to=clean)

    async with prepare_contacts(BAD, options) as found:
        before = (clean.exists(), beside.read_bytes(), ours(temporary))
        await found.publish()
        after = ours(temporary)

    assert found.report.left_out_to == beside
    assert before == (False, b"old", ["contacts.csv", "left-out.csv"])
    assert clean.read_text(encoding="utf-8") == BAD.replace("nowhere,誰\n", "")
    assert beside.read_text(encoding="utf-8") == LEFT_OUT
    assert after == ["contacts.csv"]


@pytest.mark.parametrize("contacts", ["EMAIL,NAME\nnowhere,誰\n", b"PK\x03\x04" + bytes(9)])
async def test_nothing_is_published_of_unusable_contacts(
    contacts: Any, tmp_path: Path, temporary: Path
) -> None:
    """No missing file is named, an older one stays, and no private file remains."""
    beside = written(tmp_path, b"old", "bad.csv")
    clean = tmp_path / "clean.csv"
    options = ContactsOptions(fix="leave-out-bad-rows", left_out_to=beside, write_to=clean)

    async with prepare_contacts(contacts, options) as found:
        await found.publish()
        assert set(ours(temporary)) <= {"contacts.csv"}

    assert found.report.left_out_to is None
    assert (clean.exists(), beside.read_bytes()) == (False, b"old")


@pytest.mark.parametrize("form", FORMS)
async def test_only_the_clean_file_lives_as_long_as_the_context(
    form: str, tmp_path: Path, temporary: Path
) -> None:
    """A pipeline can take hours, so contacts are on the disk only once."""
    async with clean_contacts(FORMS[form](tmp_path)):
        assert ours(temporary) == ["contacts.csv"]
