"""``newsleopard import``."""

from __future__ import annotations

import csv
import errno
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from newsleopard_async import StorageError, workflows
from newsleopard_async.cli.contacts import contacts_import
from newsleopard_async.workflows import Event
from tests.cli.interrupting import interrupt_at
from tests.cli.offices import Office, an_office
from tests.clients import csv_of
from tests.constants import KEY

CLEAN = "EMAIL,NAME,STORE\nming@example.com,王小明,台北店\nmei@example.com,李小美,台中店\n"
BAD = CLEAN + "nowhere@@example.com,陳小華,台南店\n"


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """An account, in a folder with contacts."""
    monkeypatch.chdir(tmp_path)
    Path("members.csv").write_text(CLEAN, "utf-8")
    return an_office(tmp_path, monkeypatch)


def test_import_prints_its_counts(office: Office) -> None:
    """Results on the standard output, steps on the standard error."""
    result = office.invoke("import", "members.csv", "--list-name", "會員")

    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["Rows", "2"] in lines
    assert ["Rejected", "0"] in lines
    assert "Create the list" in result.stderr
    assert "ming@example.com" in office.emulator.contacts


def test_json_is_the_report_alone(office: Office) -> None:
    """With --json nothing else is written."""
    result = office.invoke("import", "-", "--list-name", "會員", "--json", input=CLEAN)

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["result"]["inserted"] == 2
    assert result.stderr == ""


def test_rejected_rows_are_shown_and_written(office: Office) -> None:
    """The file has all columns, lines and reasons; the screen has no contact."""
    Path("bad.csv").write_text(BAD, "utf-8")

    result = office.invoke(
        "import", "bad.csv", "--list-name", "會員", "--rejected-to", "rejected.csv"
    )

    assert result.exit_code == 0, result.output
    assert "First rejected rows" in result.stdout
    assert "1 row in rejected.csv" in result.stdout
    assert "nowhere" not in result.output
    path = Path("rejected.csv")
    assert path.stat().st_mode & 0o077 == 0
    [row] = csv.DictReader(path.read_text("utf-8-sig").splitlines())
    assert (row["LINE"], row["EMAIL"], row["NAME"]) == ("4", "nowhere@@example.com", "陳小華")
    assert row["REASON"]


def test_warnings_are_shown_once_and_as_json(office: Office) -> None:
    """A warning is text for a person, and an object for a program."""
    Path("double.csv").write_text(CLEAN + "ming@example.com,王小明,台北店\n", "utf-8")

    text = office.invoke("import", "double.csv", "--list-name", "一")
    data = office.invoke("import", "double.csv", "--list-name", "二", "--json")
    strict = office.invoke("import", "double.csv", "--list-name", "三", "--strict")

    assert text.stderr.count("--fix drop-duplicates") == 1
    [line] = data.stderr.splitlines()
    assert "--fix drop-duplicates" in json.loads(line)["warning"]
    assert strict.exit_code == 1


@pytest.mark.parametrize("options", [(), ("--list-name", "會員", "--list", "L1")])
def test_import_without_one_list_is_a_usage_error(office: Office, options: tuple[str, ...]) -> None:
    """Neither, or both."""
    result = office.invoke("import", "members.csv", *options)

    assert result.exit_code == 2
    assert "--list-name" in result.stderr


def test_list_that_exists_is_used_only_if_wanted(office: Office) -> None:
    """By its name with --reuse-list, or by its code."""
    first = office.json("import", "members.csv", "--list-name", "會員")

    refused = office.invoke("import", "members.csv", "--list-name", "會員")
    again = office.json("import", "members.csv", "--list-name", "會員", "--reuse-list")
    by_code = office.json("import", "members.csv", "--list", first["list_sn"])

    assert refused.exit_code == 1
    assert "--reuse-list" in refused.stderr
    assert "if_list_exists" not in refused.stderr
    assert again["list_sn"] == by_code["list_sn"] == first["list_sn"]


def test_interrupted_import_names_the_command_that_continues(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was done is said, and the contacts can go into the list that exists now."""
    interrupt_at(office, monkeypatch, "get_import")

    result = office.invoke("import", "members.csv", "--list-name", "會員")

    [found] = office.emulator.lists
    assert result.exit_code == 130
    assert f"Done: the list {found.sn} was created." in result.stderr
    assert "The import continues at the platform." in result.stderr
    assert f"newsleopard import members.csv --list {found.sn}" in result.stderr


def test_interrupted_import_continues_with_its_checkpoint(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command does what is missing, and no list is created twice."""
    command = ("import", "members.csv", "--list-name", "會員", "--checkpoint", "run.json")
    interrupt_at(office, monkeypatch, "get_import")

    interrupted = office.invoke(*command)
    resumed = office.invoke(*command)

    assert "Run the same command again: it continues, by the file run.json." in interrupted.stderr
    assert resumed.exit_code == 0, resumed.output
    assert "done by an earlier run" in resumed.stderr
    assert len(office.emulator.lists) == 1


def test_interrupt_of_a_new_list_says_where_to_look(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command would be refused if the list was created."""
    interrupt_at(office, monkeypatch, "create_list", after=True)

    result = office.invoke("import", "members.csv", "--list-name", "會員")

    assert result.exit_code == 130
    assert "No contacts were imported.\n" in result.stderr
    assert "newsleopard lists --search 會員" in result.stderr or "--list " in result.stderr
    assert "run the same command again" not in result.stderr


def test_interrupt_before_anything_was_sent_says_so(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first change at the platform."""
    interrupt_at(office, monkeypatch, "list_lists")

    result = office.invoke("import", "members.csv", "--list-name", "會員")

    assert result.exit_code == 130
    assert "No contacts were imported" in result.stderr
    assert "run the same command again" in result.stderr


def test_lost_reply_to_the_creation_of_a_list_is_unknown(office: Office) -> None:
    """The status is 3, and the command that looks for the list is named."""
    office.emulator.switch(list_delay_s=3_600.0)
    office.emulator.lose_reply_to("create_list")

    result = office.invoke("import", "members.csv", "--list-name", "會員")

    assert result.exit_code == 3
    assert "newsleopard lists --search 會員" in result.stderr


def test_import_in_parts_shows_each_part(office: Office) -> None:
    """Parts go one after the other."""
    Path("many.csv").write_text(csv_of(300), "utf-8")

    result = office.invoke("import", "many.csv", "--list-name", "會員", "--part-bytes", "5000")

    assert result.exit_code == 0, result.output
    assert "part 2/" in result.stderr
    assert KEY not in result.output


def test_file_that_could_not_be_written_is_refused_before_the_import(office: Office) -> None:
    """A missing folder, a file that is an input; nothing is sent."""
    for path, text in (
        ("nowhere/rejected.csv", "the folder nowhere does not exist; create it first"),
        ("members.csv", "members.csv is an input or another output"),
    ):
        result = office.invoke(
            "import", "members.csv", "--list-name", "會員", "--rejected-to", path
        )

        assert result.exit_code == 1
        assert f"--rejected-to: {text}" in result.stderr
    assert office.emulator.requests == ()


def test_rejected_rows_that_cannot_be_written_do_not_fail_the_import(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report and the first rows are printed; a warning names the file of the user."""
    Path("bad.csv").write_text(BAD, "utf-8")

    def refuse(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", f"{path}.part")

    monkeypatch.setattr(contacts_import, "replacing", refuse)
    command = ("import", "bad.csv", "--rejected-to", "rejected.csv", "--list-name")
    text = office.invoke(*command, "一")
    data = office.invoke(*command, "二", "--json")

    assert (text.exit_code, data.exit_code) == (0, 0), text.output
    assert "rejected.csv cannot be written: No space left on device" in text.stderr
    assert "First rejected rows" in text.stdout
    assert "in rejected.csv" not in text.stdout
    assert json.loads(data.stdout)["result"]["inserted"] == 2
    warnings = [json.loads(line)["warning"] for line in data.stderr.splitlines()]
    assert warnings[-1] == "rejected.csv cannot be written: No space left on device"


def test_rejected_rows_that_cannot_be_read_do_not_fail_the_import(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report is printed, and the reason is in the language of the user."""
    Path("bad.csv").write_text(BAD, "utf-8")
    monkeypatch.setenv("LC_ALL", "zh_TW.UTF-8")
    monkeypatch.delenv("LANGUAGE", raising=False)

    async def refuse(*_: object, **__: object) -> AsyncIterator[object]:
        raise StorageError("the download cannot be written: No space left on device")
        yield

    monkeypatch.setattr(workflows, "rejected_rows", refuse)
    result = office.invoke(
        "import", "bad.csv", "--list-name", "會員", "--rejected-to", "rejected.csv"
    )

    assert result.exit_code == 0, result.output
    assert "無法讀取被拒絕的列：無法寫入下載的檔案：" in result.stderr
    assert "rejected.csv" not in result.stdout


def test_error_of_the_system_says_what_was_done(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk in the middle of an import: the list exists, and the import can be repeated."""

    async def fail(*_: object, progress: Callable[[Event], None], **__: object) -> None:
        made: Any = {"step": "create_list", "state": "finished", "result": "L1"}
        progress(Event(pipeline="import_contacts", elapsed_s=0.0, **made))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(workflows, "import_contacts", fail)
    result = office.invoke("import", "members.csv", "--list-name", "會員")

    assert result.exit_code == 2
    assert result.stderr.splitlines()[-3:] == [
        "The system refused it: No space left on device",
        "Done: the list L1 was created.",
        "Repeating an import is safe: newsleopard import members.csv --list L1",
    ]
