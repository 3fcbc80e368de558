"""The platform's codes: opaque, case-sensitive text, with one type for each.

A code becomes a segment of a URL's path, so a code that would change the path is refused before
anything is sent. Source: T12 and T16.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar, Final, NewType, TypeVar, cast

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
    "unique_codes",
]

ListSn = NewType("ListSn", str)
"""Code of a contact list (群組代碼)."""

ImportSn = NewType("ImportSn", str)
"""Code of an import (匯入代碼)."""

CampaignSn = NewType("CampaignSn", str)
"""Code of a campaign (活動代碼)."""

RESERVED_LIST_CODES: Final = frozenset({"file", "text", "result", "lists"})
"""Words that some paths have instead of a list's code."""

_LONGEST: Final = 200
"""Characters of a code. Chosen: six times the documented codes, and short enough for a log."""

_ORDINARY = re.compile(rf"[\w-]{{1,{_LONGEST}}}", re.ASCII)
"""Nearly all codes. For these characters, only the rule of reserved words applies."""

_DOTS = re.compile(r"\.+")
_NOT_IN_A_CODE = re.compile(r"[/\\?#\s\x00-\x1f\x7f]")
_WAY_OUT = "copy it from the answer that issued it"


def is_code(value: str, *, reserved: bool = False) -> bool:
    """Return whether a code can be a segment of a path; see `problems_of_code`."""
    if _ORDINARY.fullmatch(value):
        return not (reserved and value in RESERVED_LIST_CODES)
    return not any(problems_of_code("code", value, reserved=reserved))


def problems_of_code(field: str, value: object, *, reserved: bool = False) -> Iterator[Problem]:
    """Yield the problems that prevent a code from being a segment of a path.

    Args:
        reserved: Whether ``RESERVED_LIST_CODES`` are refused, as for the code of a list.
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
            field,
            "code",
            f"contains a slash, '?', '#', white space or control character; {_WAY_OUT}",
        )
    elif reserved and value in RESERVED_LIST_CODES:
        yield Problem(field, "reserved", f"is {value!r}, a word that the API reserves; {_WAY_OUT}")
    else:
        yield from problems_of_encoding(field, value)


def _is_garbled(value: str) -> bool:
    """Return whether a code contains invisible characters, except surrogates."""
    return not all(each.isprintable() or "\ud800" <= each <= "\udfff" for each in value)


def check_code(field: str, value: object) -> None:
    """Check the code of an import or a campaign, which becomes a segment of a path.

    Raises:
        InvalidRequest: it is empty, dots only, or contains a separator or white space.
    """
    raise_problems(problems_of_code(field, value))


def check_list_code(field: str, value: object) -> None:
    """Check the code of a list, which becomes a segment of a path.

    Raises:
        InvalidRequest: as for ``check_code``, or it is one of ``RESERVED_LIST_CODES``.
    """
    raise_problems(problems_of_code(field, value, reserved=True))


T = TypeVar("T", bound=str)


def unique_codes(codes: Iterable[T]) -> tuple[T, ...]:
    """Return the codes in order, without duplicates.

    A value of another type is returned unchanged, so that the check reports it.
    """
    if isinstance(codes, (str, bytes)) or not isinstance(codes, Iterable):
        return cast("tuple[T, ...]", codes)
    several = tuple(codes)
    return tuple(code for place, code in enumerate(several) if code not in several[:place])


class Token(str):
    """A word of the platform; equal to its text, and not limited to the known words."""

    __slots__ = ()

    known: ClassVar[frozenset[str]] = frozenset()

    @property
    def is_known(self) -> bool:
        """Whether this version of the library supports the word."""
        return self in self.known

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"
