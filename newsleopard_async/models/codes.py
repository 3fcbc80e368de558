"""The platform's codes: opaque, case-sensitive text, one type each.

A code becomes a segment of a URL's path, so one that would change the path is refused
before anything is sent. Source: T12 and T16.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Final, NewType

from newsleopard_async.errors import Problem
from newsleopard_async.models.validation import problems_of_encoding, raise_problems, wrong_type

__all__ = [
    "RESERVED_LIST_CODES",
    "CampaignSn",
    "ImportSn",
    "ListSn",
    "Token",
    "check_code",
    "check_list_code",
    "is_code",
    "problems_of_code",
]

ListSn = NewType("ListSn", str)
"""Code of a contact list (群組代碼)."""

ImportSn = NewType("ImportSn", str)
"""Code of an import (匯入代碼)."""

CampaignSn = NewType("CampaignSn", str)
"""Code of a campaign (活動代碼)."""

RESERVED_LIST_CODES: Final = frozenset({"file", "text", "result", "lists"})
"""Words that stand in a path where a list's code may stand."""

_LONGEST: Final = 200
"""Chosen: six times the codes of the documentation, and short enough for any path and log."""

_ORDINARY = re.compile(rf"[\w-]{{1,{_LONGEST}}}", re.ASCII)
"""What nearly all codes are. No rule but that of reserved words is about these characters."""

_DOTS = re.compile(r"\.+")
_NOT_IN_A_CODE = re.compile(r"[/\\?#\s\x00-\x1f\x7f]")
_WAY_OUT = "copy it from the answer that issued it"


def is_code(value: str, *, reserved: bool = False) -> bool:
    """Return whether a code can stand in a path; see `problems_of_code`."""
    if _ORDINARY.fullmatch(value):
        return not (reserved and value in RESERVED_LIST_CODES)
    return not any(problems_of_code("code", value, reserved=reserved))


def problems_of_code(field: str, value: object, *, reserved: bool = False) -> Iterator[Problem]:
    """Yield what keeps a code out of a path: empty, too long, dots only, a separator, white space.

    Args:
        reserved: Whether ``RESERVED_LIST_CODES`` are refused too, as for the code of a list.
    """
    if not isinstance(value, str):
        yield wrong_type(field, value, "a code as text")
    elif not value:
        yield Problem(field, "required", f"is empty; {_WAY_OUT}")
    elif _DOTS.fullmatch(value):
        yield Problem(field, "code", f"consists of dots only; {_WAY_OUT}")
    elif len(value) > _LONGEST:
        yield Problem(field, "code", f"is longer than {_LONGEST} characters; {_WAY_OUT}")
    elif _NOT_IN_A_CODE.search(value) or _is_garbled(value):
        yield Problem(
            field, "code", f"holds a slash, '?', '#', white space or control character; {_WAY_OUT}"
        )
    elif reserved and value in RESERVED_LIST_CODES:
        yield Problem(field, "reserved", f"is the word {value!r} of a path; {_WAY_OUT}")
    else:
        yield from problems_of_encoding(field, value)


def _is_garbled(value: str) -> bool:
    """Say whether it holds characters without a look, half a surrogate pair aside."""
    return not all(each.isprintable() or "\ud800" <= each <= "\udfff" for each in value)


def check_code(field: str, value: object) -> None:
    """Refuse an import's or a campaign's code that cannot stand in a path.

    Raises:
        InvalidRequest: it is empty, dots only, or holds a separator or white space.
    """
    raise_problems(problems_of_code(field, value))


def check_list_code(field: str, value: object) -> None:
    """Refuse a list's code that cannot stand in a path.

    Raises:
        InvalidRequest: as for ``check_code``, or it is one of ``RESERVED_LIST_CODES``.
    """
    raise_problems(problems_of_code(field, value, reserved=True))


class Token(str):
    """A word of the platform: equal to its text, and not limited to the known words."""

    __slots__ = ()

    known: ClassVar[frozenset[str]] = frozenset()

    @property
    def is_known(self) -> bool:
        """Whether this version of the library knows the word."""
        return self in self.known

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"
