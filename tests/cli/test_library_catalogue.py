"""The catalogue has the 中文 of all messages of the library, and of what their parts are."""

from __future__ import annotations

import re

import polib
import pytest

from newsleopard_async.cli.library_messages import Catalogue, read_catalogue
from tests import library_texts
from tests.library_texts import templates_of

pytestmark = [pytest.mark.quick, pytest.mark.source_tree]

FIELD = re.compile(r"\{(\d+)\}")
FORMS = re.compile(r"\{([^{}|]*)\|[^{}]*\}")


def test_catalogue_has_the_chinese_of_all_templates() -> None:
    """No template is missing, left over or damaged; ``nox -s translate`` writes new ones."""
    assert library_texts.problems(library_texts.read()) == []


def test_compiled_catalogue_of_the_library_is_in_step() -> None:
    """The command line reads ``library.mo``, which is made from ``library.po``."""
    catalogue = library_texts.read()

    assert library_texts.COMPILED.read_bytes() == catalogue.to_binary()
    assert library_texts.CATALOGUE.read_text("utf-8") == str(library_texts.updated(catalogue))
    assert read_catalogue(library_texts.COMPILED) == {each.msgid: each.msgstr for each in catalogue}


def test_each_template_is_found_by_its_message() -> None:
    """No other template of the catalogue has more of a message."""
    entries = read_catalogue(library_texts.COMPILED)
    catalogue = Catalogue(entries)

    wrong = [
        (message, found)
        for english, chinese in entries.items()
        if english not in AMBIGUOUS
        for message in (filled(english),)
        if without_spaces(found := catalogue.translated(message)) != without_spaces(filled(chinese))
    ]

    assert wrong == []


AMBIGUOUS = {"column {0} {1}", "row {0} {1}"}
"""Their second value is always a sentence."""


def filled(template: str) -> str:
    """Put a value into each field of a template, and take the first form of each word."""
    return FIELD.sub(r"v\1w", FORMS.sub(r"\1", template))


def without_spaces(text: str) -> str:
    """Remove the spaces, which depend on the value beside them."""
    return text.replace(" ", "")


@pytest.mark.parametrize(
    ("source", "templates"),
    [
        ('raise ConfigurationError(f"no file {name!r}: {why}")', ["no file {0}: {1}"]),
        ('x = f\'has {n:,} {either(n, "row", "rows")} of it\'', ["has {0} {row|rows} of it"]),
        ("x = f'has {counted(n, \"cell\")} in it'", ["has {0} {cell|cells} in it"]),
        ('def f(n):\n it = either(n, "it", "them")\n g(f"name {it} now")', ["name {it|them} now"]),
        ('f"one{x}{y} two"', ["one{0} two"]),
        ('"a text, " + why + f" or {x}"', ["a text, {0} or {1}"]),
        ("f'either {a if b else \"this text\"} or'", ["either {0} or", "this text"]),
        ('{"key of it": "text of it"}', ["text of it"]),
        ('rest = "has {} more in ${{…}}"', ["has {0} more in ${…}"]),
        ('_log.warning("%s failed after %.1f s", name, s)', ["{0} failed after {1} s"]),
        ('_log.info("it has begun")', []),
        ('def __repr__(self):\n return "a thing of it"', []),
        ('raise TypeError("call it with one")', []),
        ('def f():\n """Do it now."""', []),
        ('re.compile("a or b")', []),
        ('if x == "this and that": pass', []),
        ('def f(x: Literal["a or b"]) -> "c or d": pass', []),
        ('_log.info("waits %d s", s, extra={"nl_delay_s": s})', ["waits {0} s"]),
        ('"SELECT a FROM b"', []),
        ('x = "word"', []),
    ],
)
def test_templates_are_what_a_person_reads(source: str, templates: list[str]) -> None:
    """Messages and their parts are found by rule; log lines, reprs and types are left out."""
    assert list(templates_of(source)) == templates


def test_templates_have_the_options_and_commands_of_the_command_line() -> None:
    """The message is translated as it is shown."""
    [english] = templates_of("f'If {a} has fix=: await error.checkpoint.resolve(\"sent\")'")

    assert list(library_texts.shown_forms(english)) == [
        'If {0} has --fix: await error.checkpoint.resolve("sent")',
        "If {0} has --fix: newsleopard resolve {1} sent",
    ]


@pytest.mark.parametrize(
    ("english", "chinese", "problem"),
    [
        ("has {0} and {1}", "有 {0}", "lost ['{1}']"),
        ("use --fix now", "請使用", "lost ['--fix']"),
        ("is gone now", "", "not translated"),
        ("is gone now", "不見了,請看", "spaces or punctuation"),
        ("is gone now", "不见了", "not in CP950: 见"),
    ],
)
def test_damaged_entry_is_found(
    monkeypatch: pytest.MonkeyPatch, english: str, chinese: str, problem: str
) -> None:
    """A translation has the fields and options of its template, and Taiwanese letters and signs."""
    monkeypatch.setattr(library_texts, "templates", lambda: {english: "x.py", "one more": "x.py"})
    catalogue = polib.POFile()
    catalogue.append(polib.POEntry(msgid=english, msgstr=chinese))
    catalogue.append(polib.POEntry(msgid="an old one", msgstr="舊的"))

    missing, stale, found = library_texts.problems(catalogue)

    assert (missing, stale) == ("missing: one more", "left over: an old one")
    assert problem in found
