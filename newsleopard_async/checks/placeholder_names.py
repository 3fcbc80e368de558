"""The names of columns in placeholders, and the column that an unknown name possibly means."""

from __future__ import annotations

import difflib
import html
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import attrs

from newsleopard_async.models.contacts import RESERVED_COLUMNS

__all__ = ["COMMON", "OBLIGATORY", "Kind", "KnownNames", "likely_name"]

OBLIGATORY: Final = ("EMAIL", "NAME")
"""The columns that all contacts have."""

_SYNONYMS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("姓名", "名字", "名稱", "稱呼", "fname", "firstname", "username"), "NAME"),
    **dict.fromkeys(("fullname", "lname", "lastname", "customername", "會員姓名"), "NAME"),
    **dict.fromkeys(("subscribername", "客戶姓名", "顧客姓名"), "NAME"),
    **dict.fromkeys(
        ("信箱", "電子郵件", "電子信箱", "郵件", "mail", "emailaddress", "mailaddress"), "EMAIL"
    ),
}
"""Other names of these two columns, in the form that `_loosely` returns."""

COMMON: Final = (
    r"(?:first|last|full|user|customer|subscriber)[ _.-]?name|[fl]name|e?mail[ _.-]?address"
    r"|(?:會員|客戶|顧客)?姓名"
)
"""The pattern of names in placeholders of other products, with any columns of the contacts."""

_DEFAULT: Final = re.compile(r"[|:.,!?=(\[]")
"""The sign before a default or a filter, which the platform does not describe (T84)."""

_FILTER: Final = re.compile(r"[|,%?=(]")

_LOOSE: Final = re.compile(r"[\s_.-]+")
_SIMILAR: Final = 0.7
"""Least similarity of a misspelt name. Chosen: one wrong letter in four is allowed."""

Kind = Literal["known", "case", "reserved", "unknown"]
"""How the name of a placeholder compares with the columns of the contacts."""


def likely_name(columns: Iterable[str]) -> str:
    """Return the pattern of likely names between marks that ordinary texts also use.

    ASCII names match if they could be a variable. Other names match only if they are known, because
    "growth%與比重%" is not a placeholder.
    """
    known = {*_SYNONYMS, *map(str.strip, columns)}
    others = sorted(re.escape(name) for name in known if not name.isascii())
    return "|".join(["[A-Za-z_][A-Za-z0-9_.-]{0,40}", *others])


@attrs.frozen
class KnownNames:
    """The columns of the contacts, found by their name or a similar name.

    Attributes:
        exact: The names as a placeholder must write them.
        folded: The names by their form without case.
        loose: The names by their form without case, width, spaces and underscores.
    """

    exact: frozenset[str]
    folded: Mapping[str, str]
    loose: Mapping[str, str]

    @classmethod
    def of(cls, columns: Iterable[str]) -> KnownNames:
        """Build the names from the columns of the contacts."""
        names = tuple(dict.fromkeys((*OBLIGATORY, *map(str.strip, columns))))
        return cls(
            frozenset(names),
            {name.casefold(): name for name in reversed(names)},
            {_loosely(name): name for name in reversed(names)},
        )

    def kind_of(self, name: str) -> Kind:
        """Return the kind of a name between the braces."""
        if name in self.exact:
            return "known"
        if self.same_but_for_case(name):
            return "case"
        return "reserved" if name.strip().casefold() in RESERVED_COLUMNS else "unknown"

    def same_but_for_case(self, name: str) -> str | None:
        """Return the column that differs from the name at most in case and surrounding spaces."""
        return self.folded.get(name.strip().casefold())

    def nearest(self, name: str) -> str | None:
        """Return the column that the name probably means."""
        whole = html.unescape(name).strip()
        head = _DEFAULT.split(whole, maxsplit=1)[0]
        # For example contact.FIRSTNAME, subscriber:firstname and MERGE_NAME.
        last = _FILTER.split(whole, maxsplit=1)[0].removeprefix("MERGE_").split(":")[-1]
        candidates = [_loosely(text) for text in (whole, head, last, last.rpartition(".")[2])]
        for candidate in candidates:
            if found := self.loose.get(candidate) or _SYNONYMS.get(candidate):
                return found
        for candidate in candidates:
            if similar := difflib.get_close_matches(candidate, self.loose, 1, _SIMILAR):
                return self.loose[similar[0]]
        return None


def _loosely(name: str) -> str:
    """Return a name without the details that are easily written differently."""
    return _LOOSE.sub("", unicodedata.normalize("NFKC", name)).casefold()
