"""The options for reading contacts, and the files that the caller gets.

Such a file is complete, or does not exist.
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
    """Return one or several fixes as a tuple; any other object is refused as an unknown fix."""
    if isinstance(fix, str) or not isinstance(fix, Iterable):
        return (fix,)
    return tuple(fix)


@attrs.frozen(kw_only=True)
class ContactsOptions:
    """The caller's options for contacts.

    Attributes:
        encoding: The encoding of the contacts; None detects it.
        fix: The problems to put right.
        check_rows: Whether rows are checked; otherwise only problems that make the file unusable
            are found. A fix that removes rows checks them in any case.
        deep: Whether email-validator checks the addresses as well.
        left_out_to: A file for the rows that are left out.
        write_to: A file for the clean CSV.
        columns: The caller's names of columns, by the names in the file.
        skip: The addresses whose rows are left out: a path to a file, or an iterable.
        part_bytes: The largest size of a part of an import; None imports the file as a whole.

    Raises:
        InvalidRequest: an option has another type, or a fix is unknown.
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
                "drop-later-duplicates, which keeps the first; use one of them",
            )

    @property
    def checks_rows(self) -> bool:
        """Whether rows are checked."""
        return self.check_rows or any(each != "trim" for each in self.fix)

    @property
    def leaves_out(self) -> bool:
        """Whether bad rows are left out."""
        return _LEAVE_OUT in self.fix

    async def fitted(self, source: ContactsSource) -> ContactsOptions:
        """Return the options with the defaults that depend on the source.

        Raises:
            InvalidRequest: an option does not fit the source, or a file could not be written.
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
                    "encoding", "text", "is for bytes, and text and records have none; remove it"
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
            "must name a file for the rows that are left out, because the contacts are not a path",
        )


def _is_utf8(encoding: str) -> bool:
    try:
        return codecs.lookup(encoding).name in {_UTF8, "utf-8-sig"}
    except (LookupError, TypeError, ValueError):
        return False  # It is not the name of an encoding.


def _file_of(source: ContactsSource) -> object:
    match source:
        case PathSource():
            return source.path
        case BinaryFileSource():
            return source.file
        case _:
            return None


def left_out_beside(path: Path) -> Path:
    """Return the path for the rows that are left out of a file."""
    # These rows are written as CSV, even if the contacts are in a workbook.
    is_workbook = path.suffix.lower().startswith((".xls", ".ods"))
    suffix = path.suffix if path.suffix and not is_workbook else ".csv"
    return path.with_name(f"{path.stem}.left-out{suffix}")


async def check_output(field: str, path: Path, *others: object) -> None:
    """Refuse, before the contacts are read, a file that could not be written afterwards.

    Args:
        field: The name of the argument.
        path: The file.
        others: Paths and open files that it must not be; other objects are ignored.

    Raises:
        InvalidRequest: the path is a folder, or its folder does not exist, or it is one of the
            others.
    """
    problem = await in_thread(partial(_problem_of, path, others))
    if problem is not None:
        raise InvalidRequest.of(field, *problem)


def _problem_of(path: Path, others: tuple[object, ...]) -> tuple[str, str] | None:
    if any(_is_same(path, other) for other in others):
        return "same-file", f"{path} is an input or another output; name another file"
    if path.is_dir():
        return "file", f"{path} is a folder; name the file itself"
    if not path.parent.is_dir():
        return "folder", f"the folder {path.parent} does not exist; create it first"
    return None


def _is_same(path: Path, other: object) -> bool:
    """Return whether a path and another path or open file are the same file."""
    try:
        if isinstance(other, Path):
            return path.resolve() == other.resolve() or path.samefile(other)
        # An object that is not a file of the system has no number, and is not the same file.
        number = other.fileno()  # type: ignore[attr-defined]
        return os.path.samestat(path.stat(), os.fstat(number))
    except (AttributeError, OSError, TypeError, ValueError):
        return False


async def publish(field: str, source: Path, path: Path) -> None:
    """Copy a complete file to the caller's path, and replace the file there.

    Raises:
        InvalidRequest: the file cannot be written.
    """
    try:
        await in_thread(partial(copy_durably, source, path))
    except OSError as error:
        raise InvalidRequest.of(
            field, "writable", f"{path} cannot be written: {error.strerror}; name another file"
        ) from None
