"""Mails as pages that a browser shows; the mail's own HTML stays as it is.

Two things are put in. Before everything but the doctype stands a policy that runs no script:
a mail program runs none either, and a contact's cell may hold one. After ``<body>`` stands a
block that says from whom, to whom, when and what about. The file begins with a byte order
mark, which goes before any charset that the mail declares.
"""

from __future__ import annotations

import html
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import attrs

from newsleopard_async.errors import InvalidRequest
from newsleopard_async.rehearsal.model import Rehearsal, RehearsedMail, aligned, show_both_times

__all__ = ["page_of", "write_pages"]

_POLICY: Final = (
    '<meta http-equiv="Content-Security-Policy" content="'
    "script-src 'none'; object-src 'none'; frame-src 'none'; form-action 'none'\">"
)
_STYLE: Final = (
    "all:initial!important;display:block!important;white-space:pre-wrap!important;"
    "font:13px/1.6 monospace!important;color:#222!important;background:#f3f3f3!important;"
    "padding:12px 16px!important;border-bottom:1px solid #bbb!important;text-align:left!important"
)
_OWN_NAME: Final = re.compile(r"mail-[1-9][0-9]*(-[ab])?\.html")
_PRIVATE: Final = 0o600
"""Only their owner may read mails, which are personal data; Windows has no such rights."""

_PIECE_CHARS: Final = 65_536
_MOST_CHARS: Final = 1_048_576
"""How far ``<body>`` is looked for."""


def write_pages(shown: Rehearsal, folder: Path) -> Rehearsal:
    """Write each mail into a folder, in place of those of an earlier rehearsal, and note its path.

    Raises:
        InvalidRequest: nothing can be written there.
    """
    _remove_old(folder)
    numbers = Counter[str]()
    mails = []
    for mail in shown.mails:
        numbers[mail.variant] += 1
        variant = mail.variant and f"-{mail.variant.lower()}"
        path = folder / f"mail-{numbers[mail.variant]}{variant}.html"
        _write(path, page_of(mail.html, _head_of(mail, shown)))
        mails.append(attrs.evolve(mail, path=path))
    return attrs.evolve(shown, mails=tuple(mails))


def _head_of(mail: RehearsedMail, shown: Rehearsal) -> str:
    fields = {
        "From": mail.sender,
        "To": f"{mail.name} <{mail.to}>",
        "Subject": mail.subject,
        "When": show_both_times(mail.sent_at, shown),
        "Variant": mail.variant,
    }
    return "\n".join(aligned((f"{name}:", text) for name, text in fields.items() if text))


def _remove_old(folder: Path) -> None:
    """Remove mails that would else pass for those of this rehearsal; any other file stays."""
    with _refusing(folder):
        for path in list(folder.iterdir()):
            if _OWN_NAME.fullmatch(path.name) and (path.is_symlink() or path.is_file()):
                path.unlink()


def _write(path: Path, page: str) -> None:
    with (
        _refusing(path),
        open(path, "wb", opener=partial(os.open, mode=_PRIVATE)) as file,
    ):
        file.write(page.encode("utf-8-sig"))


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Say of a file or folder that cannot be written that it is the caller's to change."""
    try:
        yield
    except OSError as error:
        reason = f"{path} cannot be written: {error.strerror}"
    else:
        return
    raise InvalidRequest.of("folder", "writable", reason)


def page_of(mail_html: str, head: str) -> str:
    """Put the policy and a block of text into a mail's HTML.

    Args:
        head: Plain text; it is escaped here.
    """
    places = _find_places(mail_html)
    block = f'<pre style="{_STYLE}">{html.escape(head)}</pre>'
    begin, body = mail_html[: places.policy], mail_html[places.policy : places.block]
    return f"{begin}{_POLICY}{body}{block}{mail_html[places.block :]}"


def _find_places(mail_html: str) -> _Places:
    places = _Places()
    # Piece by piece, since only the begin of a mail matters and some are very long.
    for start in range(0, min(len(mail_html), _MOST_CHARS), _PIECE_CHARS):
        places.feed(mail_html[start : start + _PIECE_CHARS])
        if places.is_done:
            break
    return places


class _Places(HTMLParser):
    """Finds where to put something in; comments and scripts do not confuse it.

    Attributes:
        policy: After the doctype, or the very begin.
        block: After ``<body>``; where there is none, after the last of doctype, ``<html>``
            and the whole head.
        is_done: Whether ``<body>`` was found.
    """

    def __init__(self) -> None:
        super().__init__()
        self.policy = 0
        self.block = 0
        self.is_done = False
        self._has_begun = False
        self._fed = ""

    def feed(self, data: str) -> None:
        """Read a piece."""
        self._fed += data
        super().feed(data)

    def handle_data(self, data: str) -> None:
        """Note text: a doctype after it is none."""
        self._has_begun = self._has_begun or bool(data.strip())

    def handle_decl(self, decl: str) -> None:
        """Note the end of the doctype."""
        if not self._has_begun and decl.lower().startswith("doctype"):
            self._has_begun = True
            self.policy = self.block = self._end()

    def handle_starttag(
        self,
        tag: str,
        attrs: list[tuple[str, str | None]],  # noqa: ARG002 - as the parser calls it
    ) -> None:
        """Note the end of ``<body>``, or of ``<html>`` until then."""
        self._has_begun = True
        if tag in {"html", "body"} and not self.is_done:
            self.block = self._end()
            self.is_done = tag == "body"

    def handle_endtag(self, tag: str) -> None:
        """Note the end of the head."""
        if tag == "head" and not self.is_done:
            self.block = self._end()

    def _end(self) -> int:
        """Return the place after the tag that is being read."""
        line, column = self.getpos()
        start = 0
        for _ in range(line - 1):
            start = self._fed.index("\n", start) + 1
        text = self.get_starttag_text() or ""
        if text and self._fed.startswith(text, start + column):
            return start + column + len(text)
        # A tag is reported once its end was read.
        return self._fed.find(">", start + column) + 1
