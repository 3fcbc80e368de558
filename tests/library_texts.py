"""The texts of the library's errors and findings, and their 中文 in the catalogue.

The command line shows them in 中文 (`newsleopard_async.cli.library_messages`). A key of the
catalogue is a template with numbered fields: ``f"has {counted(n, 'row')} in {name}"`` is
``has {0} {row|rows} in {1}``. The templates come from the syntax trees of all modules.

``python -m tests.library_texts`` writes new templates into ``library.po``, removes those that are
gone, and writes ``library.mo``, which the command line reads. ``nox -s translate`` runs it.
"""

from __future__ import annotations

import ast
import functools
import re
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Final

import polib

from docs.catalogues import UNTIDY
from newsleopard_async.cli.cli_messages import (
    for_command_line,
    send_message_for_command_line,
)
from newsleopard_async.cli.run_commands import RunCommands
from newsleopard_async.cli.translation import LOCALES
from tests.cli_texts import METADATA
from tests.constants import ROOT

CATALOGUE: Final = LOCALES / "zh_TW" / "LC_MESSAGES" / "library.po"
COMPILED: Final = CATALOGUE.with_suffix(".mo")

PACKAGE = ROOT / "newsleopard_async"

_WITHOUT_MESSAGES: Final = (
    *("cli/", "emulator/", "testing/"),
    *("models/metrics.py", "plain/html.py", "rehearsal/model.py"),
    *("plain/schema.py", "telemetry.py"),
)
"""What has a catalogue of its own, tables for Python, and words for machines."""

_OF_EMULATOR: Final = tuple(
    f"emulator/{name}.py" for name in ("platform/webhooks", "server", "state", "switches")
)
"""Modules whose messages ``newsleopard emulator`` shows."""

_FIELD: Final = "\0"
"""A field of a template that has no number yet."""

_VALUE: Final = "31415926"
"""A number that occurs in no template, for the value of a field."""

_FIELD_OF_FORMAT: Final = re.compile(r"\{(?:[a-z_]+(?:\.[a-z_]+)+(?::[^{}]*)?)?\}")
_WORD: Final = re.compile(r"(?<![\w.\[])[a-z]{2,}(?![\w(.=])|\Aan? \w")
_CODE: Final = re.compile(
    r"\n|\(\?|\\[wsdbAZ]|%[sdr(.]|\A\(?\w+\([^)]|\A[<[|]|\Anewsleopard\b|\Aall:"
    r"|\A(?:CREATE|DELETE|INSERT|PRAGMA|SELECT|UPDATE|return) "
)
"""Regular expressions, SQL, Lua, markup, styles, formats of log lines, calls, names in storage."""

_OF_PROGRAMS: Final = frozenset(
    ("AssertionError", "AttributeError", "NotImplementedError", "RuntimeError", "TypeError")
)
"""Errors of a program that uses the library in a wrong way, which the command line does not."""

_CALLS: Final = frozenset(
    ("NewType", "ParamSpec", "Rule", "RuleInfo", "TypeVar", "_words", "cast", "compile")
)
"""Calls whose texts are types, patterns, words, or sentences of the documentation."""

_WARNINGS: Final = frozenset(("warning", "error", "exception"))
"""The methods for lines of the log that the command line shows."""

_CONVERSION: Final = re.compile(r"%(?:\.\d+)?[a-z]")

_OF_SYSTEM: Final = ("Disk quota exceeded", "Too many open files", "embedded null byte")
"""Reasons of the system and of Python, which have no place in the catalogue of the command line."""

_OF_A_WORD: Final = ("must be text", "must be text, not {0}")
"""Templates that end with a single word, which is not a template itself: it can be a name."""


@functools.cache
def templates() -> dict[str, str]:
    """Return all templates of the library, each with the module in which it is first."""
    found: dict[str, str] = dict.fromkeys(_OF_SYSTEM, "operating system") | dict.fromkeys(
        _OF_A_WORD, "models/validation.py"
    )
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name in _OF_EMULATOR or not name.startswith(_WITHOUT_MESSAGES):
            for template in templates_of(path.read_text("utf-8")):
                for form in shown_forms(template):
                    found.update((each, name) for each in _sentences(form) if each not in found)
    return found


def shown_forms(template: str) -> Iterator[str]:
    """Yield the forms of a template on the command line: with options, and with commands."""
    # Options are found by the form of their values; most of the values are numbers.
    text = for_command_line(re.sub(r"\{(\d+)\}", rf"{_VALUE}\1", template))
    commands = RunCommands(f"{_VALUE}{len(re.findall(_VALUE, text))}")
    sends = (
        send_message_for_command_line(text, commands, is_durable=each) for each in (False, True)
    )
    for shown in dict.fromkeys((text, *sends)):
        yield re.sub(rf"{_VALUE}(\d)", r"{\1}", shown)


def _sentences(template: str) -> Iterator[str]:
    """Divide a template into its sentences, because the command line can leave some out."""
    for sentence in re.split(r"\. (?=[A-Z])", template.removesuffix(".")):
        if _WORD.search(sentence):
            yield _renumbered(sentence)


def _renumbered(sentence: str) -> str:
    """Number the fields of a sentence by their first places; a field can occur repeatedly."""
    numbers = list(dict.fromkeys(re.findall(r"\{(\d+)\}", sentence)))
    return re.sub(r"\{(\d+)\}", lambda match: f"{{{numbers.index(match[1])}}}", sentence)


def templates_of(source: str) -> Iterator[str]:
    """Yield the templates of a module, in their order."""
    yield from _walk(_WithForms().visit(ast.parse(source)))


class _WithForms(ast.NodeTransformer):
    """Puts the forms of a word, which a variable of a function has, into the texts."""

    def __init__(self) -> None:
        self._known: dict[str, ast.expr] = {}

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        """Visit a function with its own variables."""
        before = self._known
        assigned = [each for each in ast.walk(node) if isinstance(each, ast.Assign)]
        names = Counter(_name(each.targets[0]) for each in assigned)
        self._known = {
            name: each.value
            for each in assigned
            if names[name := _name(each.targets[0])] == 1 and _forms(each.value) is not None
        }
        self.generic_visit(node)
        self._known = before
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """Visit it as any other function."""
        return self.visit_FunctionDef(node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        """Remove the assignment of a form, which no message has alone."""
        is_form = _name(node.targets[0]) in self._known and not _is_count(node.value)
        return None if is_form else self.generic_visit(node)

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.AST:
        """Replace a variable by its value."""
        node.value = self._known.get(_name(node.value), node.value)
        return self.generic_visit(node)


def _walk(node: ast.AST) -> Iterator[str]:
    """Yield the templates of a node."""
    if _is_for_programs(node):
        return
    if (notice := _notice(node)) is not None:
        yield _numbered(notice)
    text = _text(node)
    if text is None:
        for child in _children(node):
            yield from _walk(child)
    elif not _CODE.search(text):
        if _is_message(text):
            yield _numbered(text)
        for value in _values(node):
            yield from _walk(value)


def _is_for_programs(node: ast.AST) -> bool:
    """Return whether only programs read the texts of a node."""
    match node:
        case ast.Compare() | ast.Expr(value=ast.Constant()) | ast.FunctionDef(name="__repr__"):
            return True
        case ast.Raise(exc=ast.Call(func=called)):
            return _name(called) in _OF_PROGRAMS
        case ast.Call(func=ast.Attribute(value=ast.Name(id="_log"))):
            return not _is_shown(node)
        case ast.Call(func=called):
            return _name(called) in _CALLS
        case _:
            return False


def _notice(node: ast.AST) -> str | None:
    """Return the text of a line of the log that the command line shows; None if it shows none."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="_log")),
            args=[ast.Constant(value=str(text)), *_],
        ) if _is_shown(node) and _WORD.search(text):
            return _CONVERSION.sub(_FIELD, text)
        case _:
            return None


def _is_shown(call: ast.Call) -> bool:
    """Return whether a line of the log is a warning, or says how long a command waits."""
    values = (each.value for each in ast.walk(call) if isinstance(each, ast.Constant))
    return _name(call.func) in _WARNINGS or "nl_delay_s" in values


def _name(node: ast.AST) -> str:
    """Return the name of a class or function, without the object or module that has it."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the children of a node, without names for programs: annotations, keys, indices."""
    for name, value in ast.iter_fields(node):
        is_key = isinstance(node, ast.Dict) and name == "keys"
        is_test = isinstance(node, ast.IfExp) and name == "test"
        if is_key or is_test or name in {"annotation", "decorator_list", "returns", "slice"}:
            continue
        yield from (each for each in _listed(value) if isinstance(each, ast.AST))


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _text(node: ast.AST) -> str | None:
    """Return the text of an expression, with `_FIELD` for each value; None if it has none."""
    match node:
        case ast.Constant(value=str(text)):
            return _of_format(text)
        case ast.JoinedStr(values=values):
            return "".join(_text(each) or _FIELD for each in values)
        case ast.FormattedValue(value=value) if not isinstance(value, ast.BinOp):
            return _text(value)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            texts = (_text(left), _text(right))
            return None if texts == (None, None) else "".join(each or _FIELD for each in texts)
        case _:
            return _forms(node)


def _forms(node: ast.AST) -> str | None:
    """Return the forms of a word that depend on a number; None if it is another expression."""
    match node:
        case ast.Call(func=ast.Name(id="counted"), args=[_, ast.Constant(value=str(noun))]):
            return f"{_FIELD} {{{noun}|{noun}s}}"
        case ast.Call(
            func=ast.Name(id="either"),
            args=[_, ast.Constant(value=str(one)), ast.Constant(value=str(many))],
        ):
            return f"{{{one}|{many}}}"
        case ast.IfExp(body=ast.Constant(value=str(one)), orelse=ast.Constant(value=str(many))):
            return f"{{{one}|{many}}}" if many in (f"{one}s", f"{one}es") else None
        case _:
            return None


def _is_count(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _name(node.func) == "counted"


def _of_format(text: str) -> str:
    """Return the text of a constant, which is possibly a format: ``{on.rows:,} rows``."""
    if "{{" not in text and not _FIELD_OF_FORMAT.search(text):
        return text
    return _FIELD_OF_FORMAT.sub(_FIELD, text).replace("{{", "{").replace("}}", "}")


def _values(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the expressions that a text inserts."""
    match node:
        case ast.JoinedStr(values=parts):
            for part in parts:
                yield from _values(part)
        case ast.BinOp(left=left, right=right):
            yield from (*_values(left), *_values(right))
        case ast.FormattedValue(value=value) if _text(node) is None:
            yield value
        case ast.FormattedValue(value=value):
            yield from _values(value)
        case ast.expr() if _text(node) is None:
            yield node


def _is_message(text: str) -> bool:
    """Return whether a text has words for a reader; a single word can also be a name."""
    return _WORD.search(text) is not None and " " in text.strip()


def _numbered(text: str) -> str:
    """Number the fields of a text; fields without a text between them are one field."""
    parts = re.sub(f"{_FIELD}+", _FIELD, text).split(_FIELD)
    return "".join(
        part if index == 0 else f"{{{index - 1}}}{part}" for index, part in enumerate(parts)
    )


_KEPT: Final = re.compile(
    r"\{\d+\}|--[a-z][a-z-]*|\b[a-z_]+=|NEWSLEOPARD_[A-Z_]+|resolve\([^)]*\)|\$\{\w+\}"
    r"|https?://[\w.:/@-]*\w|pip install [a-z'\[\]{}0-9-]+"
)
"""What a translation must keep as it is: values, arguments, options, variables, addresses."""


def problems(catalogue: polib.POFile) -> list[str]:
    """Return what is wrong with a catalogue: nothing may be missing, left over or damaged."""
    known, wanted = {entry.msgid for entry in catalogue if not entry.obsolete}, templates()
    return [
        *(f"missing: {text}" for text in wanted if text not in known),
        *(f"left over: {text}" for text in known if text not in wanted),
        *(f"obsolete: {entry.msgid}" for entry in catalogue.obsolete_entries()),
        *(problem for entry in catalogue for problem in _problems_of(entry)),
    ]


def _problems_of(entry: polib.POEntry) -> Iterator[str]:
    english, chinese = entry.msgid, entry.msgstr
    if entry.fuzzy:
        yield f"fuzzy: {english}"
    if not chinese:
        yield f"not translated: {english}"
        return
    kept, found = Counter(_KEPT.findall(english)), Counter(_KEPT.findall(chinese))
    if kept != found:
        yield f"lost {sorted(kept - found)}, added {sorted(found - kept)}: {chinese}"
    if untidy := UNTIDY.search(re.sub(r"\{\d+\}", "〇", chinese)):
        yield f"spaces or punctuation at {untidy[0]!r}: {chinese}"
    if strange := "".join(each for each in chinese if not each.encode("cp950", "ignore")):
        yield f"not in CP950: {strange}: {chinese}"


def read() -> polib.POFile:
    """Read the catalogue."""
    return polib.pofile(str(CATALOGUE), encoding="utf-8", wrapwidth=10**6)


def updated(catalogue: polib.POFile) -> polib.POFile:
    """Return a catalogue of the present templates, with the translations of another."""
    translations = {entry.msgid: entry.msgstr for entry in catalogue}
    result = polib.POFile(encoding="utf-8", wrapwidth=10**6)
    result.header = "The 中文 of the library's messages: nox -s translate adds new ones."
    result.metadata = METADATA
    for template, place in templates().items():
        chinese = translations.get(template, "")
        result.append(polib.POEntry(msgid=template, msgstr=chinese, occurrences=[(place, "")]))
    return result


if __name__ == "__main__":
    written = updated(read())
    written.save(str(CATALOGUE))
    written.save_as_mofile(str(COMPILED))
    sys.stdout.writelines(f"{problem}\n" for problem in problems(written))
