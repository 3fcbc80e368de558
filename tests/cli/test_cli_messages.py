"""Messages of the command line name its options, and no arguments of Python."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import newsleopard_async
from newsleopard_async.cli.cli_messages import (
    OPTIONS,
    for_command_line,
    send_message_for_command_line,
)
from newsleopard_async.cli.command_line import newsleopard
from newsleopard_async.cli.commands.check_command import check
from newsleopard_async.cli.run_commands import RunCommands

PACKAGE = Path(newsleopard_async.__file__).parent
SETTING = re.compile(r"\b[a-z_]+=(?!=)")
OPTION = re.compile(r"--[a-z][a-z-]*")


@pytest.mark.parametrize(
    ("message", "on_the_command_line"),
    [
        ("let fix='trim' do it", "let --fix trim do it"),
        ('say encoding="big5", or', "say --encoding big5, or"),
        ("name it by encoding=", "name it by --encoding"),
        ("deep=True needs it", "--deep needs it"),
        ("left_out_to: must name a file", "--left-out-to: must name a file"),
        ("a: b; write_to: is a folder", "a: b; --write-to: is a folder"),
        ("say columns={'姓名': 'NAME'}", "say --column 姓名=NAME"),
        ("say columns={'姓 名': 'NAME'}", "say --column '姓 名=NAME'"),
        ("columns={'a': 'EMAIL', 'b': 'NAME'};", "--column a=EMAIL --column b=NAME;"),
        ("say columns={'a\\': 'EMAIL'}", "say --column"),
        ("do it (part_bytes=1) now", "do it now"),
        ("part_bytes: is too small", "--part-bytes: is too small"),
        ("wait: hours, such as timedelta(hours=4)", "wait: hours, such as 4h"),
        ("column prefix='x' of a text", "column prefix='x' of a text"),
        ("list_name: exists; pass if_list_exists='reuse'", "--list-name: exists; add --reuse-list"),
        ("a, b have it; pass list_sn", "a, b have it; give its code by --list"),
        ("more than max_rejected=0.5; raise it", "more than --max-rejected 0.5; raise it"),
        (
            "in parts, by part_bytes= of import_contacts or send_campaign",
            "in parts, by --part-bytes",
        ),
        ("send to it without contacts=", "send to it without --contacts"),
        ("to use it, pass allow_http=True or set X=1", "to use it, set X=1"),
    ],
)
def test_arguments_become_options(message: str, on_the_command_line: str) -> None:
    """With their values, as a shell takes them."""
    assert for_command_line(message) == on_the_command_line


def texts_of_the_check() -> Iterator[str]:
    """Yield every text of the check's source except docstrings; values are ``'x'``."""
    rooms = (PACKAGE / "contacts" / room for room in ("csv", "rules"))
    for path in (
        PACKAGE / "contacts" / "contacts_options.py",
        *(each for room in rooms for each in room.glob("*.py")),
    ):
        tree = ast.parse(path.read_text("utf-8"))
        docs = {
            id(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        parts: set[int] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts |= set(map(id, node.values))
                yield "".join(
                    str(each.value) if isinstance(each, ast.Constant) else "'x'"
                    for each in node.values
                )
            elif isinstance(node, ast.Constant) and id(node) not in docs | parts:
                yield str(node.value)


def test_no_message_of_the_check_names_an_argument() -> None:
    """Each text of the check that names one is worded by the command line."""
    texts = [text for text in texts_of_the_check() if " " in text]

    assert sum(bool(SETTING.search(text)) for text in texts) > 5
    assert [text for text in map(for_command_line, texts) if SETTING.search(text)] == []


def test_every_option_that_is_named_exists() -> None:
    """In the texts of the check, and in the table of options."""
    known = {option for parameter in check.params for option in parameter.opts}
    named = {
        option for text in texts_of_the_check() for option in OPTION.findall(for_command_line(text))
    }

    assert named <= known
    assert set(OPTIONS.values()) <= known


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("EMAIL,NAME\na@example.com,王\n".encode("utf-16-le"), "--encoding utf-16-le"),
        (b"EMAIL,NAME\na@example.com,A\na@example.com,B\n", "--fix drop-duplicates"),
        ("EMAIL,NAME\na@example.com,陳大文\n".encode("cp950"), "--encoding cp950"),
        (b'[{"EMAIL": "a@example.com"}]', "is not a CSV file but JSON; export the rows as CSV"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_findings_name_options(
    content: bytes, named: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    """In the table, and in JSON."""
    path = tmp_path / "members.csv"
    path.write_bytes(content)

    result = CliRunner().invoke(newsleopard, ["check", str(path), *options], env={"COLUMNS": "400"})

    assert named in result.output
    assert not SETTING.search(result.output)
    assert "json.loads" not in result.output


def test_way_out_of_a_run_is_a_command() -> None:
    """Who sends by a command cannot run a call again; a durable send continues automatically."""
    message = "Decide. Then run the same call again with the same send key or checkpoint."

    commands = RunCommands("spring sale")
    assert send_message_for_command_line(message, commands, is_durable=False) == (
        "Decide. Then run newsleopard resume 'spring sale'."
    )
    assert "automatically" in send_message_for_command_line(message, commands, is_durable=True)
