"""The command line has the user's language: 中文 or English."""

from __future__ import annotations

import gettext
import os

import pytest

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
