"""The texts of the command line, and their 中文 in its catalogue.

``python -m tests.cli_texts`` writes new texts into ``messages.po``, removes those that are gone,
and writes ``messages.mo``, which the command line reads. ``nox -s translate`` runs it.
"""

from __future__ import annotations

import ast
import functools
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import click
import polib
from jinja2 import Environment
from jinja2.ext import extract_from_ast

from docs.catalogues import UNTIDY
from newsleopard_async.cli.command_line import newsleopard
from newsleopard_async.cli.display.help_format import paragraphs_of
from newsleopard_async.cli.translation import DOMAIN, LOCALES

CATALOGUE: Final = LOCALES / "zh_TW" / "LC_MESSAGES" / f"{DOMAIN}.po"
COMPILED: Final = CATALOGUE.with_suffix(".mo")

MARKERS: Final = {"_", "N_", "gettext", "translated"}
FOLDERS: Final = {"cli": LOCALES.parent, "click": Path(click.__file__).parent}
PLACEHOLDER: Final = re.compile(
    r"\{[^{}]*\}|%\(\w+\)[a-z]|--[a-z][a-z-]*|NEWSLEOPARD_[A-Z_]+|newsleopard [a-z]+"
    r"|https?://[A-Za-z0-9._:/@-]*[a-z0-9]"
)
"""What a translation must keep as it is: values, options, variables, commands and addresses."""

METADATA: Final = {
    "Project-Id-Version": "newsleopard-async",
    "Language": "zh_TW",
    "Plural-Forms": "nplurals=1; plural=0;",
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=UTF-8",
    "Content-Transfer-Encoding": "8bit",
}


@attrs.frozen(order=True)
class Text:
    """A text of the command line; ``plural`` is empty if it has no number."""

    singular: str
    plural: str = ""


@functools.cache
def texts() -> dict[Text, str]:
    """Return all texts and the package of each, ours before click's, in alphabetical order.

    The order does not depend on modules, so that moving one does not change the catalogue.
    """
    own = {*_texts_of_modules("cli"), *_texts_of_templates(), *_texts_of_help()} - {Text("")}
    others = {*_texts_of_modules("click")} - own
    return dict.fromkeys(sorted(own), "cli") | dict.fromkeys(sorted(others), "click")


@functools.cache
def trees(package: str) -> list[tuple[Path, ast.Module]]:
    """Parse all modules of a package."""
    paths = sorted(FOLDERS[package].rglob("*.py"))
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in paths]


def _texts_of_modules(package: str) -> Iterator[Text]:
    for _path, tree in trees(package):
        for call in marked_calls(tree):
            match call.args:
                case [ast.Constant(str(singular))]:
                    yield Text(singular)
                case [ast.Constant(str(singular)), ast.Constant(str(plural))]:
                    yield Text(singular, plural)
                case _:
                    # A text that is marked where it is written.
                    pass


def _texts_of_templates() -> Iterator[Text]:
    """Yield the texts of the templates of pages."""
    for path in sorted(FOLDERS["cli"].rglob("templates/*.html")):
        tree = Environment(autoescape=True).parse(path.read_text(encoding="utf-8"))
        for _line, _function, found in extract_from_ast(tree, ("_", "ngettext")):
            match found:
                case str(singular):
                    yield Text(singular)
                case (str(singular), str(plural), *_):
                    yield Text(singular, plural)
                case _:
                    # No text is looked up by a variable.
                    pass


def marked_calls(tree: ast.Module) -> Iterator[ast.Call]:
    """Yield the calls of a module that mark or look up a text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "ngettext":
                # The number is not a part of the text.
                yield ast.Call(node.func, node.args[:2], [])
            elif node.func.id in MARKERS:
                yield ast.Call(node.func, node.args[:1], [])


def _texts_of_help() -> Iterator[Text]:
    context = click.Context(newsleopard)
    for text in _texts_of_command(newsleopard, context):
        yield Text(text)
    for title in newsleopard.titles():
        yield Text(title)


def _texts_of_command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield from paragraphs_of(command.help or "")
    yield command.options_metavar or ""
    for parameter in command.get_params(context):
        yield parameter.metavar or ""
        yield _name_of(parameter.type)
        yield getattr(parameter, "help", None) or ""
    if isinstance(command, click.Group):
        yield command.subcommand_metavar
        for name in command.list_commands(context):
            each = command.get_command(context, name)
            assert each is not None
            yield from _texts_of_command(each, context)


def _name_of(kind: click.ParamType[Any]) -> str:
    """Return the name of a type in English; click translates one of a path when it is made."""
    match kind:
        case click.Path(file_okay=True, dir_okay=False):
            return "file"
        case click.Path(file_okay=False, dir_okay=True):
            return "directory"
        case click.Path():
            return "path"
        case _:
            return kind.name


def problems(catalogue: polib.POFile) -> list[str]:
    """Return what is wrong with a catalogue: nothing may be missing, left over or damaged."""
    entries = [entry for entry in catalogue if not entry.obsolete]
    known, wanted = {_text_of(entry) for entry in entries}, texts()
    return [
        *(f"missing: {text}" for text in wanted if text not in known),
        *(f"left over: {text}" for text in known if text not in wanted),
        *(f"obsolete: {entry.msgid}" for entry in catalogue.obsolete_entries()),
        *(problem for entry in entries for problem in _problems_of(entry)),
    ]


def _problems_of(entry: polib.POEntry) -> Iterator[str]:
    original, translation = entry.msgid_plural or entry.msgid, _translation_of(entry)
    if entry.fuzzy:
        yield f"fuzzy: {entry.msgid}"
    if not translation:
        yield f"not translated: {entry.msgid}"
        return
    if parts(original) != parts(translation):
        lost, added = parts(original) - parts(translation), parts(translation) - parts(original)
        yield f"lost {sorted(lost)}, added {sorted(added)}: {translation}"
    if _outer_space(original) != _outer_space(translation):
        yield f"other spaces at the ends: {translation}"
    if untidy := UNTIDY.search(_prose(translation)):
        yield f"spaces or punctuation at {untidy[0]!r}: {translation}"
    if strange := [each for each in translation if not _is_in_cp950(each)]:
        yield f"not in CP950: {strange}: {translation}"


def parts(text: str) -> Counter[str]:
    """Count what a translation must keep."""
    return Counter(PLACEHOLDER.findall(text))


def _outer_space(text: str) -> tuple[bool, bool]:
    return text[:1].isspace(), text[-1:].isspace()


def _prose(text: str) -> str:
    """Return a text with a line break for a wide space, and a circle for each value.

    A value can be Latin or 中文, so a space beside it is right or wrong.
    """
    return re.sub(r"\s*\n\s*|\s{2,}", "\n", re.sub(r"\{[^{}]*\}|%\(\w+\)[a-z]", "〇", text))


def _is_in_cp950(character: str) -> bool:
    try:
        character.encode("cp950")
    except UnicodeEncodeError:
        return False
    return True


def _text_of(entry: polib.POEntry) -> Text:
    return Text(entry.msgid, entry.msgid_plural or "")


def _translation_of(entry: polib.POEntry) -> str:
    return str(entry.msgstr_plural.get(0, "")) if entry.msgid_plural else str(entry.msgstr)


def read() -> polib.POFile:
    """Read the catalogue."""
    return polib.pofile(str(CATALOGUE), encoding="utf-8", wrapwidth=10**6)


def updated(catalogue: polib.POFile) -> polib.POFile:
    """Return a catalogue of the present texts, with the translations of another."""
    translations = {_text_of(entry): _translation_of(entry) for entry in catalogue}
    result = polib.POFile(encoding="utf-8", wrapwidth=10**6)
    result.header = "The 中文 of the command line: nox -s translate adds new texts."
    result.metadata = METADATA
    for text, package in texts().items():
        translation = translations.get(text, "")
        entry = polib.POEntry(msgid=text.singular, occurrences=[(package, "")])
        if text.plural:
            entry.msgid_plural, entry.msgstr_plural = text.plural, {0: translation}
        else:
            entry.msgstr = translation
        result.append(entry)
    return result


if __name__ == "__main__":
    for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        os.environ.pop(variable, None)
    written = updated(read())
    written.save(str(CATALOGUE))
    written.save_as_mofile(str(COMPILED))
    sys.stdout.writelines(f"{problem}\n" for problem in problems(written))
