"""The command line has the user's language: 中文 or English."""

from __future__ import annotations

import gettext
import json
import os
import re

import click
import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from newsleopard_async.cli.command_line import newsleopard
from newsleopard_async.cli.translation import DOMAIN, language, users_language

pytestmark = pytest.mark.quick

VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


def set_locale(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """Set the variables of the locale to the given ones only."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in (pair.split("=") for pair in given.split()):
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    "given",
    [
        *("LANG=zh_TW.UTF-8", "LANG=zh_TW.Big5", "LANG=zh_HK.UTF-8", "LANG=zh_Hant_TW.UTF-8"),
        *("LANG=zh-Hant", "LC_MESSAGES=zh_TW LANG=en_US.UTF-8", "LC_ALL=zh_MO LANG=C"),
        *("LANGUAGE=zh_TW:zh LANG=en_US.UTF-8", "LANGUAGE=de:zh_TW LANG=C.UTF-8"),
        "LANGUAGE=zh_TW",
    ],
)
def test_traditional_chinese_of_any_region_is_chinese(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables are read in the order of gettext; the encoding does not matter."""
    set_locale(monkeypatch, given)

    assert language() == "zh_TW"


@pytest.mark.parametrize(
    "given",
    [
        *("", "LANG=C", "LANG=C.UTF-8", "LANG=en_US.UTF-8", "LANG=de_DE", "LANG=zh_CN.UTF-8"),
        *("LC_ALL=C LANG=zh_TW.UTF-8", "LC_ALL=C LANGUAGE=zh_TW LANG=zh_TW.UTF-8"),
        *("LANGUAGE=en:zh_TW LANG=zh_TW.UTF-8", "LC_ALL=en_US LANG=zh_TW"),
    ],
)
def test_all_else_is_english(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """English is for all without Traditional Chinese, and for those who prefer English."""
    set_locale(monkeypatch, given)

    assert language() == "en"


def test_language_of_a_run_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that runs the command line keeps its own environment."""
    set_locale(monkeypatch, "LANG=zh_HK.UTF-8")

    with users_language():
        inside = os.environ["LANGUAGE"]

    assert inside == "zh_TW"
    assert "LANGUAGE" not in os.environ


def test_english_has_no_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of languages with Chinese behind English is English; gettext alone would find it."""
    set_locale(monkeypatch, "LANGUAGE=en:zh_TW LANG=zh_TW.UTF-8")

    with users_language():
        assert gettext.find(DOMAIN, gettext.bindtextdomain(DOMAIN)) is None


ENGLISH = re.compile(r"(?!newsleopard )\b[A-Za-z][a-z]+ [a-z]+ [a-z]+")
"""Three words in a row that are not a command."""


def invoke(*arguments: str, **variables: str) -> Result:
    """Run a command in the locale of Taiwan."""
    locale = {"LANGUAGE": None, "LC_ALL": None, "LC_MESSAGES": None, "LANG": "zh_TW.UTF-8"}
    return CliRunner(env=locale | variables).invoke(newsleopard, arguments)


def commands() -> list[tuple[str, ...]]:
    """Return all commands, as they are named on the command line."""
    context = click.Context(newsleopard)
    found: list[tuple[str, ...]] = [()]
    for name in newsleopard.list_commands(context):
        command = newsleopard.get_command(context, name)
        found.append((name,))
        if isinstance(command, click.Group):
            found += [(name, each) for each in command.list_commands(context)]
    return found


def test_texts_for_programs_are_english() -> None:
    """One object has one language, and it does not depend on the locale."""
    result = invoke("status", "nope", "--json", LANGUAGE="zh_TW")

    error = json.loads(result.stderr)["error"]
    assert result.stderr.isascii()
    assert error["advice"].startswith("Nothing was sent by this command.")


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_help_is_chinese(command: tuple[str, ...]) -> None:
    """The usage, the help of the command and of its options, and click's own words are 中文."""
    result = invoke(*command, "--help", COLUMNS="80")

    assert result.exit_code == 0
    assert result.output.startswith("用法：")
    assert "  -h, --help" in result.output
    assert ENGLISH.findall(result.output) == []
    assert max(map(cell_len, result.output.splitlines())) <= 96  # the choices of --fix


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("chekc",), "指令不完整：沒有指令 'chekc'。（是不是 'check'？）"),
        (("resolve", "k1"), "指令不完整：缺少參數 'sent|resubmit|abandon'。"),
        (("emulator", "--port", "x"), "指令不完整：'--port' 的值不正確：'x' 不是正確的整數。"),
        (
            ("emulator", "--control-token", "x"),
            "指令不完整：'--control-token'（環境變數：'NEWSLEOPARD_EMULATOR_TOKEN'）的值不正確：權杖",
        ),
        (
            ("emulator", "--set", "first_page=1", "--set", "open_share=2"),
            "指令不完整：'--set' / '--switch' 的值不正確：open_share：2.0 不是 0 到 1 的比例",
        ),
        (("check", "--strict=1"), "指令不完整：選項 '--strict' 不需要值。"),
    ],
)
def test_errors_of_click_are_chinese(arguments: tuple[str, ...], error: str) -> None:
    """A wrong argument is explained in 中文, with a full stop of full width."""
    result = invoke(*arguments)

    assert result.exit_code == 2
    assert result.stderr.startswith(error)


def test_language_of_one_run_does_not_stay_for_the_next() -> None:
    """A test or a program can run the command line in both languages."""
    chinese = invoke("--help").output
    english = invoke("--help", LC_ALL="C").output

    assert "顯示這個說明。" in chinese
    assert "Show this message and exit." in english
    assert "電子豹" in english
