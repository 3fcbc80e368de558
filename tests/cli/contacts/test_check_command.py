"""``newsleopard check`` reports the problems of contacts, and its exit status."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len
from rich.errors import MarkupError

from newsleopard_async.cli.command_line import newsleopard
from newsleopard_async.disclosure import shown

CLEAN = "EMAIL,NAME,STORE\nming@example.com,王小明,台北店\n"
BAD = "EMAIL,NAME,STORE\nming@example.com,王小明,台北店\nnowhere,李小華,台中店\n"
DOUBLE = "EMAIL,NAME,STORE\nming@example.com,王小明,台北店\nMing@example.com,王小明,台中店\n"


def check(folder: Path, content: str, *options: str, encoding: str = "utf-8") -> Result:
    """Run the command on a file of this content."""
    path = folder / "members.csv"
    path.write_text(content, encoding)
    return CliRunner().invoke(newsleopard, ["check", str(path), *options], env={"COLUMNS": "80"})


def test_clean_file_passes(tmp_path: Path) -> None:
    """The exit status of a file without problems is 0, and its facts are printed."""
    result = check(tmp_path, CLEAN)

    assert result.exit_code == 0
    assert "EMAIL, NAME, STORE" in result.output
    assert "It can be sent." in result.output


def test_error_is_exit_status_1_and_names_the_line(tmp_path: Path) -> None:
    """The exit status of an error is 1; the table has rule and line, and no contact."""
    result = check(tmp_path, BAD)

    assert result.exit_code == 1
    assert "invalid-email" in result.output
    assert "line 3" in " ".join(result.output.split())
    assert "1 error" in result.output
    assert "nowhere" not in result.output


def test_warning_passes_unless_strict(tmp_path: Path) -> None:
    """A warning is 0, and 1 with --strict."""
    lenient, strict = check(tmp_path, DOUBLE), check(tmp_path, DOUBLE, "--strict")

    assert (lenient.exit_code, strict.exit_code) == (0, 1)
    assert "It can be sent; check 1 warning" in lenient.output
    assert "Correct 1 warning" in strict.output


def test_column_name_has_no_effect_on_a_terminal(tmp_path: Path) -> None:
    """A name with an escape sequence is shown without effect."""
    result = check(tmp_path, CLEAN.replace("STORE", "A\x1b[31mB"))

    assert "\x1b" not in result.output
    assert r"A\x1b[31mB" in result.output


def test_json_is_the_report(tmp_path: Path) -> None:
    """--json prints one JSON object for a program, and nothing else."""
    result = check(tmp_path, CLEAN, "--json", "--encoding", "big5", encoding="cp950")

    report = json.loads(result.output)
    assert (report["ok"], report["rows"], report["encoding"]) == (True, 1, "cp950")


def test_fixes_are_reported_and_written(tmp_path: Path) -> None:
    """--fix writes bad rows to a file, --write-to the rest, and both are reported."""
    clean, left_out = tmp_path / "clean.csv", tmp_path / "bad.csv"

    result = check(
        tmp_path,
        BAD.replace("王小明", " 王小明")
        + "Ming@example.com,王小明,台中店\nming@example.com, 王小明,台北店\n",
        *("--fix", "leave-out-bad-rows", "--fix", "drop-duplicates", "--fix", "trim"),
        *("--write-to", str(clean), "--left-out-to", str(left_out)),
    )

    assert result.exit_code == 0, result.output
    assert clean.read_text("utf-8") == CLEAN
    assert "nowhere" in left_out.read_text("utf-8")
    for told in ("Trimmed", "Dropped", "Left out"):
        assert told in result.output


def test_columns_get_other_names(tmp_path: Path) -> None:
    """--column gives one a name, which may be in the file with an = in it."""
    content = CLEAN.replace("EMAIL,NAME", "電子郵件,a=b")

    result = check(tmp_path, content, "--column", "電子郵件=EMAIL", "--column", "a=b=NAME")
    refused = check(tmp_path, content, "--column", "電子郵件")
    twice = check(tmp_path, content, "--column", "a=b=NAME", "--column", "a=b=EMAIL")

    assert (result.exit_code, refused.exit_code, twice.exit_code) == (0, 2, 2)
    assert "EMAIL, NAME, STORE" in result.output
    assert "電子郵件=EMAIL" in refused.output
    assert "twice" in twice.output


def test_addresses_of_a_list_are_skipped(tmp_path: Path) -> None:
    """--skip leaves them out, and says how many rows."""
    (tmp_path / "skip.csv").write_text("ming@example.com\n")

    result = check(
        tmp_path, f"{CLEAN}mei@example.com,李小美,x\n", "--skip", str(tmp_path / "skip.csv")
    )
    refused = check(tmp_path, CLEAN, "--skip", str(tmp_path / "none.csv"))

    assert (result.exit_code, refused.exit_code) == (0, 1)
    assert "1 row with an address" in result.output
    assert "--skip" in refused.output


@pytest.mark.parametrize("arguments", [["nowhere.csv"], ["--encoding", "klingon", "nowhere.csv"]])
def test_file_that_cannot_be_checked_is_refused(arguments: list[str]) -> None:
    """If contacts could not be checked, the status is 1, and the first line has the reason."""
    result = CliRunner().invoke(newsleopard, ["check", *arguments])

    assert result.exit_code == 1
    assert result.output.startswith("Not valid: ")


@pytest.mark.parametrize("columns", [40, 60, 79, 80, 120])
def test_findings_fit_the_terminal(tmp_path: Path, columns: int) -> None:
    """No line is longer than the terminal, and the whole message is there."""
    (tmp_path / "members.csv").write_text(BAD, "utf-8")

    result = CliRunner().invoke(
        newsleopard, ["check", str(tmp_path / "members.csv")], env={"COLUMNS": str(columns)}
    )

    assert max(map(cell_len, result.output.splitlines())) <= columns
    assert "254" in result.output


NAMES = [
    "a\x1b]0;owned\x07\x1b[2J.csv",
    "a\x1b]8;;https:example.com\x1b\\b.csv",
    "a\rb\x08\x0bc\nd.csv",
    "a\x9b2J\u202evsc.\u2066x\u200b.csv",
    "[red]a[bold]b.csv",
    "[link=https:]a.csv",
    "[red]",
    "😀 :smile: ${x} `x`.csv",
]
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069]")


def printed(path: Path | str, *options: str, terminal: bool = False) -> str:
    """Run the command, and return all that it prints, but for the codes of rich's own."""
    environment = {"COLUMNS": "200", "TTY_COMPATIBLE": "1"} if terminal else {"COLUMNS": "200"}
    result = CliRunner().invoke(newsleopard, ["check", str(path), *options], env=environment)
    assert not isinstance(result.exception, (ValueError, LookupError, MarkupError))
    return re.sub(r"\x1b\[[0-9;?]*[A-GJKhlm]|\r", "", result.output) if terminal else result.output


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_file_name_has_no_effect_on_a_terminal(name: str, terminal: bool, tmp_path: Path) -> None:
    """Escape sequences and markup in file names and contents have no effect."""
    path = tmp_path / name
    path.write_text(CLEAN)

    for said in (
        printed(path, terminal=terminal),
        printed(tmp_path / f"missing{name}"),
        printed(path, "--write-to", str(tmp_path / "none" / name)),
        printed(path, "--encoding", name),
        printed(path, f"{name}-besides"),
        printed(path, "--fix", name),
        printed(path, f"--{name}"),
    ):
        assert not STEERING.search(said)
    assert shown(name) in printed(path)


def test_left_out_file_of_a_strange_name_is_shown(tmp_path: Path) -> None:
    """The output names the file of the rows."""
    path = tmp_path / "a\x1b[2J[red].csv"
    path.write_text(BAD)

    said = printed(path, "--fix", "leave-out-bad-rows")

    assert "a\\x1b[2J[red].left-out.csv" in said.replace("\n", "")
    assert not STEERING.search(said)


def test_json_is_valid_and_steers_no_terminal(tmp_path: Path) -> None:
    """Names are unchanged; C1 controls, which JSON allows, are written as escapes."""
    name = "A\x9b2J\u202e\u2028😀中\U000e0041"
    path = tmp_path / "a\x1b.csv"
    path.write_text(CLEAN.replace("STORE", name) + "nowhere,x,y\n")

    said = printed(path, "--json", "--fix", "leave-out-bad-rows")

    assert not STEERING.search(said)
    assert "😀中" in said
    data = json.loads(said)
    assert name in data["columns"]
    assert data["left_out_to"] == str(tmp_path / "a\x1b.left-out.csv")


@pytest.mark.parametrize("name", ["門市", "堃🎉", "Größe"])
@pytest.mark.parametrize("console", ["utf-8", "cp950", "cp1252", "ascii"])
def test_json_is_json_in_every_console(console: str, name: str, tmp_path: Path) -> None:
    """It is UTF-8 or ASCII, for any encoding of the console."""
    path = tmp_path / "members.csv"
    path.write_text(CLEAN.replace("STORE", name), "utf-8")

    result = CliRunner(charset=console).invoke(newsleopard, ["check", str(path), "--json"])

    assert json.loads(result.stdout_bytes.decode("utf-8"))["columns"][2] == name
    assert result.stdout_bytes.isascii() == (console != "utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("console", ["cp950", "ascii"])
def test_console_shows_what_it_cannot_encode_as_escapes(console: str, tmp_path: Path) -> None:
    """It neither fails nor loses a character of a name."""
    path = tmp_path / "members.csv"
    path.write_text(CLEAN.replace("STORE", "堃🎉"), "utf-8")

    run = subprocess.run(
        [sys.executable, "-m", "newsleopard_async.cli", "check", str(path)],
        check=False,
        capture_output=True,
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": console, "PYTHONUTF8": "0"},
    )

    assert run.returncode == 0, run.stderr
    assert r"\u5803\U0001f389" in run.stdout.decode(console)


def test_unusable_file_has_no_size_to_upload(tmp_path: Path) -> None:
    """Without a column of addresses, their number is unknown, and 0 would be wrong."""
    result = check(tmp_path, "電子郵件,姓名\na@example.com,王\n")

    assert result.exit_code == 1
    assert "0 different" not in result.output
    assert "To upload" not in result.output
    assert "Requests" not in result.output


def test_campaign_is_checked_with_its_contacts(tmp_path: Path) -> None:
    """A placeholder that the contacts do not have is found before anything is sent."""
    (tmp_path / "mail.toml").write_text(
        'name = "n"\nsubject = "${POINTS}"\nsender = "A <a@example.com>"\nhtml = "<p>x</p>"'
    )

    both = check(tmp_path, CLEAN, "--campaign", str(tmp_path / "mail.toml"))
    alone = CliRunner().invoke(
        newsleopard, ["check", "--campaign", str(tmp_path / "mail.toml"), "--json"]
    )

    assert both.exit_code == 1
    assert "POINTS" in both.output
    found = json.loads(alone.output)
    assert (found["contacts"], found["campaign"]["ok"]) == (None, True)


def test_check_of_nothing_is_a_usage_error() -> None:
    """Neither contacts nor a campaign."""
    result = CliRunner().invoke(newsleopard, ["check"])

    assert result.exit_code == 2
    assert "--campaign" in result.output
