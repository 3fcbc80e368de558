"""How contacts are to be read, and what is to be made of them; the files that the caller gets.

Such a file is there whole, or not at all.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final, get_args

import attrs

from newsleopard_async.aio import in_thread
from newsleopard_async.contacts.rules.renaming import problems_of_columns
from newsleopard_async.contacts.skip_list import Skip, problem_of_skip
from newsleopard_async.contacts.sources import (
    BinaryFileSource,
    ContactsSource,
    PathSource,
    is_decoded,
)
from newsleopard_async.errors import InvalidRequest, Problem
from newsleopard_async.files import PATH_TYPES, AnyPath, as_path, copy_durably
from newsleopard_async.models.findings import Fix
from newsleopard_async.models.validation import problems_of_count, problems_of_type, raise_problems

__all__ = ["ContactsOptions", "as_fixes", "check_output", "left_out_beside", "publish"]

_LEAVE_OUT: Final = "leave-out-bad-rows"
_FIXES: Final = get_args(Fix)
_UTF8: Final = "utf-8"


def _as_path(path: AnyPath | None) -> Path | None:
    return as_path(path) if isinstance(path, PATH_TYPES) else path


def as_fixes(fix: Fix | Iterable[Fix]) -> tuple[Fix, ...]:
    """Take one or several; whatever else it is, is refused as a fix that there is not."""
    if isinstance(fix, str) or not isinstance(fix, Iterable):
        return (fix,)
    return tuple(fix)


@attrs.frozen(kw_only=True)
class ContactsOptions:
    """What the caller may say of contacts, beyond where they are.

    Attributes:
        encoding: What they are encoded in; None finds it out.
        fix: What is to be made good.
        judge: Whether rows are judged, or only what makes a file unusable is looked for; to
            put them right, they are judged in any case.
        deep: Whether addresses are judged by email-validator as well.
        left_out_to: A file for the rows that are left out.
        write_to: A file for the clean CSV.
        columns: The caller's names of columns, by those of the file.
        skip: Addresses whose rows do not go out: a path to a file of them, or an iterable.
        part_bytes: The largest part that they are imported in; None imports them whole.

    Raises:
        InvalidRequest: one of them is of another type, or no such thing can be made good.
    """

    encoding: str | None = None
    fix: tuple[Fix, ...] = attrs.field(default=(), converter=as_fixes)
    check_rows: bool = True
    deep: bool = False
    left_out_to: Path | None = attrs.field(default=None, converter=_as_path)
    write_to: Path | None = attrs.field(default=None, converter=_as_path)
    columns: Mapping[str, str] | None = None
    skip: Skip | None = attrs.field(default=None, repr=False)
    part_bytes: int | None = None

    def __attrs_post_init__(self) -> None:
        raise_problems(self._problems())

    def _problems(self) -> Iterator[Problem]:
        yield from problems_of_type("deep", self.deep, bool, "True or False")
        for name in ("left_out_to", "write_to"):
            if (path := getattr(self, name)) is not None:
                yield from problems_of_type(name, path, Path, "a path")
        if self.columns is not None:
            yield from problems_of_columns(self.columns)
        if self.part_bytes is not None:
            yield from problems_of_count("part_bytes", self.part_bytes, low=1)
        if self.skip is not None and (reason := problem_of_skip(self.skip)) is not None:
            yield Problem("skip", "type", reason)
        if any(each not in _FIXES for each in self.fix):
            yield Problem("fix", "choice", f"must be some of {', '.join(_FIXES)}")
        elif {"drop-duplicates", "drop-later-duplicates"}.issubset(self.fix):
            yield Problem(
                "fix",
                "choice",
                "has both drop-duplicates, which keeps the last row of each address, and "
                "drop-later-duplicates, which keeps the first; give one of them",
            )

    @property
    def checks_rows(self) -> bool:
        """Whether rows are judged."""
        return self.check_rows or any(each != "trim" for each in self.fix)

    @property
    def leaves_out(self) -> bool:
        """Whether bad rows are left out."""
        return _LEAVE_OUT in self.fix

    async def fitted(self, source: ContactsSource) -> ContactsOptions:
        """Return what is left open decided for a source.

        Raises:
            InvalidRequest: they do not go with it, or a file could not be written.
        """
        left_out_to = self._left_out_to(source) if self.leaves_out else None
        read = _file_of(source)
        if self.write_to is not None:
            await check_output("write_to", self.write_to, read)
        if left_out_to is not None:
            await check_output("left_out_to", left_out_to, read, self.write_to)
        encoding = self.encoding
        if is_decoded(source):
            if encoding is not None and not _is_utf8(encoding):
                raise InvalidRequest.of(
                    "encoding", "text", "is for bytes, and text and records have none; leave it out"
                )
            encoding = _UTF8
        return attrs.evolve(self, left_out_to=left_out_to, encoding=encoding)

    def _left_out_to(self, source: ContactsSource) -> Path:
        if self.left_out_to is not None:
            return self.left_out_to
        if isinstance(source, PathSource):
            return left_out_beside(source.path)
        raise InvalidRequest.of(
            "left_out_to",
            "required",
            "must name a file for the rows that are left out, since the contacts are not a path",
        )


def _is_utf8(encoding: str) -> bool:
    try:
        return codecs.lookup(encoding).name in {_UTF8, "utf-8-sig"}
    except (LookupError, TypeError, ValueError):
        # No name at all, or that of nothing.
        return False


def _file_of(source: ContactsSource) -> object:
    match source:
        case PathSource():
            return source.path
        case BinaryFileSource():
            return source.file
        case _:
            return None


def left_out_beside(path: Path) -> Path:
    """Name the file for the rows that are left out of a file."""
    # It is a CSV, whatever they are in.
    is_workbook = path.suffix.lower().startswith((".xls", ".ods"))
    suffix = path.suffix if path.suffix and not is_workbook else ".csv"
    return path.with_name(f"{path.stem}.left-out{suffix}")


async def check_output(field: str, path: Path, *others: object) -> None:
    """Refuse, before anything is read, a file that could not be written in the end.

    Args:
        field: What the caller calls it.
        path: The file.
        others: Paths and open files that it must not be; whatever else is passed over.

    Raises:
        InvalidRequest: it is a folder, or in none, or one of the others.
    """
    problem = await in_thread(partial(_problem_of, path, others))
    if problem is not None:
        raise InvalidRequest.of(field, *problem)


def _problem_of(path: Path, others: tuple[object, ...]) -> tuple[str, str] | None:
    if any(_is_same(path, other) for other in others):
        return "same-file", f"{path} is what is read, or another output; name another file"
    if path.is_dir():
        return "file", f"{path} is a folder; name the file itself"
    if not path.parent.is_dir():
        return "folder", f"there is no folder {path.parent}; make it first"
    return None


def _is_same(path: Path, other: object) -> bool:
    """Tell whether a path leads to another's file, whatever it is called there."""
    try:
        if isinstance(other, Path):
            return path.resolve() == other.resolve() or path.samefile(other)
        # An open file knows its number, unless it is none of the system's.
        number = other.fileno()  # type: ignore[attr-defined]  # whatever has none is refused below
        return os.path.samestat(path.stat(), os.fstat(number))
    except (AttributeError, OSError, TypeError, ValueError):
        return False


async def publish(field: str, source: Path, path: Path) -> None:
    """Copy a file that is complete to where the caller wants it, replacing what is there.

    Raises:
        InvalidRequest: it cannot be written.
    """
    try:
        await in_thread(partial(copy_durably, source, path))
    except OSError as error:
        raise InvalidRequest.of(
            field, "writable", f"{path} cannot be written: {error.strerror}; name another file"
        ) from None
