"""Lines of 中文 break where a reader expects it."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from newsleopard_async.cli.display.line_breaks import WideConsole, WideText, wrapped_lines

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("寄出活動", ["寄出活動"]),
        ("寄出一個活動報表", ["寄出一個活", "動報表"]),
        # The full stop does not begin a line, so the letter before it goes with it.
        ("寄出一個活。", ["寄出一個", "活。"]),
        ("寄出一個「活動」", ["寄出一個", "「活動」"]),
        ("用 --column 指定", ["用", "--column", "指定"]),
        ("用 --at 指定時間", ["用 --at 指", "定時間"]),
        ("one two three", ["one two", "three"]),
        ("abcdefghijklmn", ["abcdefghij", "klmn"]),
        ("活 abcdefghijklmn", ["活", "abcdefghij", "klmn"]),
    ],
)
def test_line_breaks_between_letters_and_beside_words(text: str, lines: list[str]) -> None:
    """Wide letters have two columns, words stay whole, and punctuation stays with its word."""
    assert wrapped_lines(text, 10) == lines


@pytest.mark.parametrize("width", [2, 3, 20, 40, 80])
def test_no_line_is_too_wide_and_no_letter_is_lost(width: int) -> None:
    """Any width gets all letters, in lines that fit as far as punctuation allows it."""
    text = "寄件人 service@example.com 未通過驗證；請在後台驗證（寄件人驗證），或換一個寄件人。"

    lines = wrapped_lines(text, width)

    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert max(map(cell_len, lines)) <= max(width, 6)


def test_text_in_a_table_fills_its_lines() -> None:
    """A long Chinese sentence behind a word stays beside it; rich alone would break before it."""
    console = Console(width=20, color_system=None)
    table = Table.grid()
    table.add_row(WideText("檔案 members.csv 的第三行沒有電子郵件地址，請補上。", style="red"))

    with console.capture() as capture:
        console.print(table)

    assert [line.rstrip() for line in capture.get().splitlines()] == [
        "檔案 members.csv 的",
        "第三行沒有電子郵件地",
        "址，請補上。",
    ]


@pytest.mark.parametrize(
    "printed",
    [
        "檔案 members.csv 的第三行沒有電子郵件地址。",
        Text.assemble("檔案 ", ("members.csv", "red"), " 的第三行沒有電子郵件地址。"),
    ],
)
def test_text_that_is_printed_alone_fills_its_lines(printed: str | Text) -> None:
    """Rich makes a text of its own of it, which would break at spaces only."""
    console = WideConsole(width=20, color_system=None)

    with console.capture() as capture:
        console.print(printed, style="bold")

    assert [line.rstrip() for line in capture.get().splitlines()] == [
        "檔案 members.csv 的",
        "第三行沒有電子郵件地",
        "址。",
    ]


def test_text_for_a_pipe_stays_on_one_line() -> None:
    """A line of a file is not broken."""
    console = WideConsole(width=20, color_system=None)

    with console.capture() as capture:
        console.print("檔案 members.csv 的第三行沒有電子郵件地址。", soft_wrap=True)

    assert capture.get() == "檔案 members.csv 的第三行沒有電子郵件地址。\n"


def test_text_without_wide_letters_is_broken_by_rich() -> None:
    """English looks as before."""
    console, text = Console(width=20), "The third line of members.csv – no address"

    assert [str(line).rstrip() for line in WideText(text).wrap(console, 20)] == [
        "The third line of",
        "members.csv – no",
        "address",
    ]
