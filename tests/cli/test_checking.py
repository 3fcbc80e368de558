"""``newsleopard check`` says what is wrong with a file of contacts, and by its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from newsleopard_async.cli.commands import newsleopard

CLEAN = "EMAIL,NAME,STORE\nming@example.com,王小明,台北店\n"
BAD = "EMAIL,NAME,STORE\nming@example.com,王小明,台北店\nnobody,李小華,台中店\n"
DOUBLE = "EMAIL,NAME,STORE\nming@example.com,王小明,台北店\nMing@example.com,王小明,台中店\n"


def check(folder: Path, content: str, *options: str, encoding: str = "utf-8") -> Result:
    """Run the command on a file of this content."""
    path = folder / "members.csv"
    path.write_text(content, encoding)
    return CliRunner().invoke(newsleopard, ["check", str(path), *options], env={"COLUMNS": "80"})


def test_clean_file_passes(tmp_path: Path) -> None:
    """A file without a fault is 0, and the reader learns what is in it."""
    result = check(tmp_path, CLEAN)

    assert result.exit_code == 0
    assert "EMAIL, NAME, STORE" in result.output
    assert "It can be sent." in result.output


def test_error_is_exit_status_1_and_names_the_line(tmp_path: Path) -> None:
    """A file with an error is 1; the table has the rule and the line, and no contact."""
    result = check(tmp_path, BAD)

    assert result.exit_code == 1
    assert "invalid-email" in result.output
    assert "line 3" in result.output
    assert "1 error to mend" in result.output
    assert "nobody" not in result.output


def test_warning_passes_unless_strict(tmp_path: Path) -> None:
    """A warning is 0, and 1 with --strict."""
    lenient, strict = check(tmp_path, DOUBLE), check(tmp_path, DOUBLE, "--strict")

    assert (lenient.exit_code, strict.exit_code) == (0, 1)
    assert "1 warning to look at" in lenient.output
    assert "1 warning to mend" in strict.output


def test_terminal_obeys_no_column_name(tmp_path: Path) -> None:
    """A name with an escape sequence is shown, and not carried out."""
    result = check(tmp_path, CLEAN.replace("STORE", "A\x1b[31mB"))

    assert "\x1b" not in result.output
    assert r"A\x1b[31mB" in result.output


def test_json_is_the_report(tmp_path: Path) -> None:
    """--json prints one JSON object for a program, and nothing else."""
    result = check(tmp_path, CLEAN, "--json", "--encoding", "big5", encoding="cp950")

    report = json.loads(result.output)
    assert (report["ok"], report["rows"], report["encoding"]) == (True, 1, "cp950")


def test_fixes_are_told_and_written(tmp_path: Path) -> None:
    """--fix leaves bad rows out into a file, --write-to has the rest, and both are told."""
    clean, left_out = tmp_path / "clean.csv", tmp_path / "bad.csv"

    result = check(
        tmp_path,
        BAD.replace("王小明", " 王小明") + "Ming@example.com,王小明,台中店\n",
        *("--fix", "leave-out-bad-rows", "--fix", "drop-duplicates", "--fix", "trim"),
        *("--write-to", str(clean), "--left-out-to", str(left_out)),
    )

    assert result.exit_code == 0, result.output
    assert clean.read_text("utf-8") == CLEAN
    assert "nobody" in left_out.read_text("utf-8")
    for told in ("Trimmed", "Dropped", "Left out"):
        assert told in result.output


@pytest.mark.parametrize("arguments", [["nowhere.csv"], ["--encoding", "klingon", "nowhere.csv"]])
def test_file_that_cannot_be_checked_is_exit_status_2(arguments: list[str]) -> None:
    """What could not be checked is neither passed nor failed, and one line says why."""
    result = CliRunner().invoke(newsleopard, ["check", *arguments])

    assert result.exit_code == 2
    assert "InvalidRequest" in result.output


@pytest.mark.parametrize("columns", [40, 60, 79, 80, 120])
def test_findings_fit_the_terminal(tmp_path: Path, columns: int) -> None:
    """No line is longer than the terminal, and the whole message is there."""
    (tmp_path / "members.csv").write_text(BAD, "utf-8")

    result = CliRunner().invoke(
        newsleopard, ["check", str(tmp_path / "members.csv")], env={"COLUMNS": str(columns)}
    )

    assert max(map(cell_len, result.output.splitlines())) <= columns
    assert "254" in result.output
