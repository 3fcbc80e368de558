"""The names that a placeholder may have, and which of them somebody may have meant."""

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

_MEANT: Final[Mapping[str, str]] = {
    **dict.fromkeys(("姓名", "名字", "名稱", "稱呼", "fname", "firstname", "username"), "NAME"),
    **dict.fromkeys(("fullname", "lname", "lastname", "customername", "會員姓名"), "NAME"),
    **dict.fromkeys(("subscribername", "客戶姓名", "顧客姓名"), "NAME"),
    **dict.fromkeys(
        ("信箱", "電子郵件", "電子信箱", "郵件", "mail", "emailaddress", "mailaddress"), "EMAIL"
    ),
}
"""What other products and people call the two; written as `_loosely` leaves it."""

COMMON: Final = (
    r"(?:first|last|full|user|customer|subscriber)[ _.-]?name|[fl]name|e?mail[ _.-]?address"
    r"|(?:會員|客戶|顧客)?姓名"
)
"""The pattern of names that placeholders of other products have, whatever the contacts' columns."""

_DEFAULT: Final = re.compile(r"[|:.,!?=(\[]")
"""What begins a default or a filter, which the platform does not describe (T84)."""

_FILTER: Final = re.compile(r"[|,%?=(]")

_LOOSE: Final = re.compile(r"[\s_.-]+")
_SIMILAR: Final = 0.7

Kind = Literal["known", "case", "reserved", "unknown"]
"""What the name of a placeholder is to the contacts."""


def likely_name(columns: Iterable[str]) -> str:
    """Return the pattern of what is likely to be a name between marks that texts use too.

    Anything of ASCII that could be a variable; of the rest, only what is known to be a name,
    since "growth%與比重%" is no placeholder.
    """
    known = {*_MEANT, *map(str.strip, columns)}
    others = sorted(re.escape(name) for name in known if not name.isascii())
    return "|".join(["[A-Za-z_][A-Za-z0-9_.-]{0,40}", *others])


@attrs.frozen
class KnownNames:
    """The columns of the contacts, found by their name or by something near it.

    Attributes:
        exact: As a placeholder must write them.
        folded: The same by their name without regard to case.
        loose: The same by what is left of it without width, spaces and underscores.
    """

    exact: frozenset[str]
    folded: Mapping[str, str]
    loose: Mapping[str, str]

    @classmethod
    def of(cls, columns: Iterable[str]) -> KnownNames:
        """Build them from the columns of some contacts."""
        names = tuple(dict.fromkeys((*OBLIGATORY, *map(str.strip, columns))))
        return cls(
            frozenset(names),
            {name.casefold(): name for name in reversed(names)},
            {_loosely(name): name for name in reversed(names)},
        )

    def kind_of(self, name: str) -> Kind:
        """Tell what a name is, as it stands between the braces."""
        if name in self.exact:
            return "known"
        if self.same_but_for_case(name):
            return "case"
        return "reserved" if name.strip().casefold() in RESERVED_COLUMNS else "unknown"

    def same_but_for_case(self, name: str) -> str | None:
        """Return the column of that name without regard to case and surrounding spaces."""
        return self.folded.get(name.strip().casefold())

    def nearest(self, name: str) -> str | None:
        """Return the column that was probably meant."""
        whole = html.unescape(name).strip()
        head = _DEFAULT.split(whole, maxsplit=1)[0]
        # As in contact.FIRSTNAME, subscriber:firstname and MERGE_NAME.
        last = _FILTER.split(whole, maxsplit=1)[0].removeprefix("MERGE_").split(":")[-1]
        candidates = [_loosely(text) for text in (whole, head, last, last.rpartition(".")[2])]
        for candidate in candidates:
            if found := self.loose.get(candidate) or _MEANT.get(candidate):
                return found
        for candidate in candidates:
            if similar := difflib.get_close_matches(candidate, self.loose, 1, _SIMILAR):
                return self.loose[similar[0]]
        return None


def _loosely(name: str) -> str:
    """Return a name without what is easily mistaken in it."""
    return _LOOSE.sub("", unicodedata.normalize("NFKC", name)).casefold()
