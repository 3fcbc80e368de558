"""The help of a command fits the terminal, in letters of one column and of two."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from newsleopard_async.cli.command_line import newsleopard
from newsleopard_async.cli.display.help_format import in_users_language

pytestmark = pytest.mark.quick


HELP = """
檢查會員檔案後寄出一個活動，並顯示收件人數。

檔案可以是 CSV
或 XLSX。

\b
0  完成
1  被拒絕
"""


@in_users_language
@click.command("send", help=HELP)
@click.argument("file", metavar="檔案")
@click.option("--sender", metavar="寄件人", help="寄件人的名稱與地址，例如「電子豹 <a@b.tw>」。")
@click.option("--a-very-long-option-with-many-words", is_flag=True, help="Do not ask.")
def chinese(**_: object) -> None:
    """Do nothing."""


def help_of(command: click.Command, *arguments: str, columns: int) -> list[str]:
    """Return the lines of a help on a terminal of so many columns."""
    runner = CliRunner(env={"COLUMNS": str(columns), "LC_ALL": "C"})
    return runner.invoke(command, [*arguments, "--help"]).output.splitlines()


def test_columns_of_wide_letters_are_aligned() -> None:
    """The help of all options begins in one column, and paragraphs are filled."""
    assert help_of(chinese, columns=60) == [
        "Usage: send [OPTIONS] 檔案",
        "",
        "  檢查會員檔案後寄出一個活動，並顯示收件人數。",
        "",
        "  檔案可以是 CSV 或 XLSX。",
        "",
        "  0  完成",
        "  1  被拒絕",
        "",
        "Options:",
        "  --sender 寄件人",
        "      寄件人的名稱與地址，例如「電子豹 <a@b.tw>」。",
        "  --a-very-long-option-with-many-words",
        "      Do not ask.",
        "  --help",
        "      Show this message and exit.",
    ]


def test_help_is_beside_the_options_on_a_wide_terminal() -> None:
    """An option that is too long for its column has its help below it."""
    assert help_of(chinese, columns=80)[10:] == [
        "  --sender 寄件人                 寄件人的名稱與地址，例如「電子豹",
        "                                  <a@b.tw>」。",
        "  --a-very-long-option-with-many-words",
        "                                  Do not ask.",
        "  --help                          Show this message and exit.",
    ]


@pytest.mark.parametrize("columns", [40, 80, 120])
@pytest.mark.parametrize("command", [(), ("check",), ("worker",)])
def test_help_is_not_wider_than_the_terminal(command: tuple[str, ...], columns: int) -> None:
    """No line of English help is too long, except a choice, which is one word."""
    lines = help_of(newsleopard, *command, columns=columns)

    assert [line for line in lines if cell_len(line) > columns and "|" not in line] == []
