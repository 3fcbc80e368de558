"""Mails as pages for a browser; the HTML of the mail is not changed.

Two things are inserted. The first, before everything except the doctype, is a policy that prevents
scripts: mail programs run none either, and a contact's cell can contain one. The second, after
``<body>``, is a block with sender, recipient, time and subject. The file begins with a byte order
mark, which has priority over any charset that the mail declares.
"""

from __future__ import annotations

import html
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import attrs

from newsleopard_async.checks.html_tokens import (
    Comment,
    Doctype,
    EndTag,
    StartTag,
    Text,
    Token,
    tokens_of,
)
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
"""Only the owner can read mails, because they are personal data; Windows has no such rights."""

_MOST_CHARS: Final = 1_048_576
"""How far to search for ``<body>``. Chosen: a head of more than 1 MB is not usual in a mail."""


def write_pages(shown: Rehearsal, folder: Path) -> Rehearsal:
    """Write each mail into a folder, replacing the mails of an earlier rehearsal; set their paths.

    Raises:
        InvalidRequest: the folder cannot be written.
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
        "Preheader": mail.preheader,
        "When": show_both_times(mail.sent_at, shown),
        "Variant": mail.variant,
    }
    return "\n".join(aligned((f"{name}:", text) for name, text in fields.items() if text))


def _remove_old(folder: Path) -> None:
    """Remove mails of an earlier rehearsal; any other file stays."""
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
    """Raise InvalidRequest for a file or folder that cannot be written."""
    try:
        yield
    except OSError as error:
        reason = f"{path} cannot be written: {error.strerror}"
    else:
        return
    raise InvalidRequest.of("folder", "writable", reason)


def page_of(mail_html: str, head: str) -> str:
    """Insert the policy and a block of text into a mail's HTML.

    Args:
        head: Plain text; it is escaped here.
    """
    policy, place = _find_places(mail_html[:_MOST_CHARS])
    block = f'<pre style="{_STYLE}">{html.escape(head)}</pre>'
    return f"{mail_html[:policy]}{_POLICY}{mail_html[policy:place]}{block}{mail_html[place:]}"


def _find_places(mail_html: str) -> tuple[int, int]:
    """Find where to insert; comments and scripts are skipped.

    Returns: The position of the policy, which is after the doctype or at the beginning; and of the
        block, which is after ``<body>``, or after the last of doctype, ``<html>`` and the whole
        head without a ``<body>``.
    """
    policy = place = 0
    has_begun = False
    for token in tokens_of(mail_html):
        if isinstance(token, Doctype) and not has_begun:
            policy = place = token.end
        if isinstance(token, StartTag) and token.name == "body":
            return policy, token.end
        if _ends_head(token):
            place = token.end
        # A doctype counts only at the beginning, after comments and blanks.
        has_begun = has_begun or not (isinstance(token, Comment) or _is_blank(token))
    return policy, place


def _ends_head(token: Token) -> bool:
    if isinstance(token, StartTag):
        return token.name == "html"
    return isinstance(token, EndTag) and token.name == "head"


def _is_blank(token: Token) -> bool:
    return isinstance(token, Text) and token.text.isspace()
