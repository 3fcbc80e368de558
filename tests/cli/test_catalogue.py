"""The catalogue of the command line has the 中文 of all its texts, and of click's."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator

import polib
import pytest

from tests import cli_texts
from tests.cli_texts import Text, marked_calls

pytestmark = [pytest.mark.quick, pytest.mark.source_tree]


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let click and the help show their own texts."""
    monkeypatch.setenv("LANGUAGE", "C")


def test_catalogue_has_the_chinese_of_all_texts() -> None:
    """No text is missing, fuzzy, left over or damaged; ``nox -s translate`` writes new ones."""
    assert cli_texts.problems(cli_texts.read()) == []


def test_compiled_catalogue_is_in_step() -> None:
    """The command line reads ``messages.mo``, which is made from ``messages.po``."""
    assert cli_texts.COMPILED.read_bytes() == cli_texts.read().to_binary()


def test_writing_the_catalogue_again_changes_nothing() -> None:
    """The catalogue is what its program writes, byte for byte."""
    written = str(cli_texts.updated(cli_texts.read()))

    assert cli_texts.CATALOGUE.read_text(encoding="utf-8") == f"{written}"


def test_texts_are_of_all_kinds() -> None:
    """The walk finds the texts of modules, the help with its placeholders and titles, and click."""
    found = cli_texts.texts()

    for text in (
        Text("The key is refused"),
        Text("Decide about a send that is held."),
        Text("Treat warnings as errors."),
        Text("integer range"),
        Text("[OPTIONS]"),
        Text("Prepare"),
        Text("Usage:"),
        Text("Missing argument"),
        Text("{value!r} is not {choice}.", "{value!r} is not one of {choices}."),
    ):
        assert text in found


def test_no_lookup_has_a_value_in_its_text() -> None:
    """A text with a value inside could not be found; the value is put in after the lookup."""
    found = [
        ast.unparse(call)
        for _path, tree in cli_texts.trees("cli")
        for call in marked_calls(tree)
        if any(isinstance(each, ast.JoinedStr | ast.BinOp) for each in call.args)
    ]

    assert found == []


SENTENCE = re.compile(r"(?!newsleopard )\b[A-Za-z]{2,} (?:[a-z]+ )*[a-z]{2,}")
"""Words with spaces between them that are not a command."""

NOT_TRANSLATED = {
    # Rules that reword messages of the library, which another catalogue translates.
    *("cli_messages.py", "run_notes.py"),
    # The notation of shapes, which goes into reports to the maintainers.
    "answer_shapes.py",
    # Markup.
    "report_html.py",
    # The mail of the demonstration.
    "demo.py",
    # A rule of the script for fish.
    "completion_command.py",
}


def test_every_sentence_is_marked() -> None:
    """A text that a person reads is looked up; names of styles and of outcomes are not texts."""
    found = [
        f"{path.name}:{line}: {text}"
        for path, tree in cli_texts.trees("cli")
        if path.name not in NOT_TRANSLATED
        for line, text in unmarked_sentences(tree)
    ]

    assert found == []


def unmarked_sentences(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the sentences of a module outside of docstrings, lookups and the help of options."""
    marked = {
        id(part)
        for node in ast.walk(tree)
        for text in marked_parts(node)
        for part in ast.walk(text)
    }
    for node in ast.walk(tree):
        if id(node) in marked or not isinstance(node, ast.Constant):
            continue
        text = str(node.value)
        if SENTENCE.search(text) and text not in known_texts():
            yield node.lineno, text


def marked_parts(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts of a module below a node that need no mark."""
    match node:
        case ast.Expr(value=ast.Constant()):
            yield node
        case ast.Call(func=ast.Name(id=name)) if name in {"ngettext", *cli_texts.MARKERS}:
            yield node
        case ast.Call():
            yield from (each.value for each in node.keywords if each.arg == "help")
        case _:
            pass


@functools.cache
def known_texts() -> set[str]:
    """Return the texts of the catalogue, and names that only look like texts."""
    styles = {"bold red", "bold green", "bold yellow", "not bold"}
    outcomes = {"already stopped", "never submitted", "too late"}
    # A command, and how messages of others begin.
    install, traceback = (
        'pip install "newsleopard-async[cli]"',
        "Traceback (most recent call last):",
    )
    foreign = {install, traceback, "the platform refused"}
    return styles | outcomes | foreign | {text.singular for text in cli_texts.texts()}


def test_no_function_hides_the_lookup() -> None:
    """A function that looks up texts has no variable ``_``, which would be called instead."""
    found = [
        f"{path.name}:{node.lineno}"
        for path, tree in cli_texts.trees("cli")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and hides_lookup(node)
    ]

    assert found == []


def hides_lookup(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a function calls ``_``, and also assigns to it."""
    inside = list(ast.walk(function))
    names = [each for each in inside if isinstance(each, ast.Name) and each.id == "_"]
    is_assigned = any(isinstance(each.ctx, ast.Store) for each in names)
    is_argument = any(isinstance(each, ast.arg) and each.arg == "_" for each in inside)
    calls = (each.func for each in inside if isinstance(each, ast.Call))
    return (is_assigned or is_argument) and any(each in names for each in calls)


@pytest.mark.parametrize(
    ("english", "chinese", "problem"),
    [
        ("{rows:,} rows", "", "not translated"),
        ("{rows:,} rows", "{rows} 列", "lost ['{rows:,}'], added ['{rows}']"),
        ("%(prog)s stops", "%(program)s 停止", "lost ['%(prog)s']"),
        ("Use --fix.", "使用 --fixed。", "lost ['--fix']"),
        (", 2 left", "， 2 列", "spaces or punctuation"),
        (" left", "剩餘", "other spaces at the ends"),
        ("A file", "檔案file", "spaces or punctuation"),
        ("A file.", "檔案.", "spaces or punctuation"),
        ("A file", "文件 ✓", "not in CP950: ['✓']"),
    ],
)
def test_damaged_translation_is_found(
    english: str, chinese: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kind of damage is reported with the translation."""
    monkeypatch.setattr(cli_texts, "texts", lambda: {Text(english): "cli"})
    catalogue = polib.POFile()
    catalogue.append(polib.POEntry(msgid=english, msgstr=chinese))

    [found] = cli_texts.problems(catalogue)

    assert problem in found


def test_missing_old_and_fuzzy_texts_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new text is missing, the text that it replaced is left over, and a guess is fuzzy."""
    monkeypatch.setattr(cli_texts, "texts", lambda: {Text("new"): "cli", Text("guess"): "cli"})
    catalogue = polib.POFile()
    catalogue.append(polib.POEntry(msgid="old", msgstr="舊"))
    catalogue.append(polib.POEntry(msgid="guess", msgstr="猜", flags=["fuzzy"]))
    catalogue.append(polib.POEntry(msgid="gone", msgstr="無", obsolete=True))

    assert cli_texts.problems(catalogue) == [
        "missing: Text(singular='new', plural='')",
        "left over: Text(singular='old', plural='')",
        "obsolete: gone",
        "fuzzy: guess",
    ]
