"""Text and JSON that have no effect on a terminal."""

from __future__ import annotations

import codecs
import json
import sys

import click
from rich.text import Text

from newsleopard_async.cli.display.line_breaks import WideText
from newsleopard_async.disclosure import shown

__all__ = ["safe_text", "write_json"]


def safe_text(text: str, style: str = "") -> Text:
    """Return a text without effect on the terminal: escape sequences and rich's markup are shown.

    All foreign text must be passed through this function: names and content of files, and answers
    of the server.
    """
    return WideText(shown(text), style=style)


def write_json(data: object) -> None:
    """Write data to the standard output as one line of JSON without effect on a terminal.

    It has readable characters if the output is UTF-8, and ASCII with escapes otherwise: a console
    in Taiwan writes files in CP950, and JSON must be UTF-8 (RFC 8259, 8.1).
    """
    is_utf8 = codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"
    text = json.dumps(data, ensure_ascii=not is_utf8)
    # Unprintable characters occur only in strings, in which JSON has an escape for each.
    safe = text if text.isprintable() else "".join(map(_json_character, text))
    click.echo(safe.encode() + b"\n", nl=False)


def _json_character(character: str) -> str:
    return character if shown(character) == character else json.dumps(character)[1:-1]
