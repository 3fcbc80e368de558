"""Contacts in an Excel workbook (.xlsx, .xlsm), read by python-calamine, the extra ``xlsx``.

The first visible sheet with a cell is read. Its rows become lines of a CSV, so that a finding
names the row numbers of Excel.

python-calamine reads a whole sheet into memory, and allocates memory for all cells up to the last
one: a single cell at XFD1048576 would end the process. It also drops the text of errors such as
``#N/A``. So the sheet is scanned first, in constant memory.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import IO, Any, Final
from xml.etree import ElementTree as ET

import attrs

from newsleopard_async.contacts.csv.detection import DetectedFormat
from newsleopard_async.contacts.records import csv_row
from newsleopard_async.contacts.scalars import cell_of
from newsleopard_async.models.findings import Finding, counted, listed

__all__ = ["Sheet", "WorkbookError", "open_sheet", "unpack"]

_MOST_BYTES: Final = 1024**3
"""Of the unpacked archive. Chosen: a full sheet of ten columns has 600 MB (54 bytes per cell)."""

_MOST_CELLS: Final = 12_000_000
"""Chosen: a full sheet of eleven columns. Measured: calamine took 30 to 85 bytes per cell."""

_MOST_INDEX_BYTES: Final = 1024 * 1024
"""Of a part that lists the sheets. Chosen: far more than the list of a thousand sheets needs."""

_PIECE_BYTES: Final = 1024 * 1024
"""Chosen: the same as `sources.PIECE_BYTES`; a scan needs little more memory."""


_CDATA: Final = b"<![CDATA["

_READ_WHOLE: Final = frozenset({"xl/sharedStrings.xml", "xl/styles.xml"})
"""The large parts that calamine unpacks in addition to the sheet and the list of sheets."""

_ATTRIBUTES: Final = rb"""(?:\s+[^\s=<>"']+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'))"""
_CELL: Final = re.compile(
    rb"""<(?:\w+:)?c(?:%b*?\s+r\s*=\s*["']([A-Za-z]*)([^"']*)["'])?%b*\s*(/?)>"""
    % (_ATTRIBUTES, _ATTRIBUTES)
)
"""A cell with its reference, which can be missing; an empty cell ends in a slash."""

_ROW: Final = re.compile(
    rb"""<(?:\w+:)?row(?:%b*?\s+r\s*=\s*["']([^"']*)["'])?%b*\s*/?>""" % (_ATTRIBUTES, _ATTRIBUTES)
)
_ANY_CELL: Final = re.compile(rb"<(?:\w+:)?c(?=[\s>/])")
_ANY_ROW: Final = re.compile(rb"<(?:\w+:)?row(?=[\s>/])")
_NUMBER: Final = re.compile(rb"[1-9][0-9]{0,6}")
_MOST_LETTERS: Final = 3
"""Source: the last column of Excel is XFD."""

_ERROR: Final = re.compile(
    rb"""<(?:\w+:)?c(?=\s[^>]*\bt\s*=\s*["']e["'])[^>]*?\sr\s*=\s*["']([A-Za-z]{1,3})(\d{1,9})["']"""
    # Not beyond its own cell: if it has no value, the next cell's value would match.
    rb"""[^>]*(?<!/)>(?:(?!</?(?:\w+:)?c[\s>]).)*?<(?:\w+:)?v>([^<]*)<""",
    re.DOTALL,
)
_UNCOMPUTED: Final = re.compile(
    # A formula with an empty text as its result has the type str.
    rb"""<(?:\w+:)?c(?![^>]*\st\s*=\s*["']str)[^>]*(?<!/)>\s*"""
    rb"""<(?:\w+:)?f(?:\s[^>]*)?(?:(?<=/)>|>[^<]*</(?:\w+:)?f>)\s*"""
    rb"""(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>|</(?:\w+:)?c>)"""
)
_HIDDEN: Final = re.compile(rb"""<(?:\w+:)?row\s[^>]*\bhidden\s*=\s*["'](?:1|true)["']""")


class WorkbookError(Exception):
    """A workbook that cannot be read; the message gives the reason and the way out."""


def unpack(source: Path, target: Path) -> DetectedFormat:
    """Write the sheet of a workbook as a CSV in UTF-8, with each row at its line number.

    Returns: How to read the CSV; it has no encoding, and an error, if the workbook is unreadable.
    """
    line = 0
    continued: list[int] = []
    try:
        with source.open("rb") as file, target.open("wb") as csv:
            sheet = open_sheet(file)
            for row, cells in sheet.rows:
                text = csv_row(cells)
                csv.write(b"\n" * (row + len(continued) - line - 1) + text.encode())
                line = row + len(continued)
                ends = range(line + 1, line + text.count("\n"))
                continued += ends
                line += len(ends)
    except WorkbookError as error:
        finding = Finding(level="error", rule="spreadsheet-file", message=str(error))
        return DetectedFormat(encoding=None, findings=(finding,))
    return DetectedFormat(encoding="utf-8", findings=sheet.findings, continued=tuple(continued))


@attrs.frozen
class Sheet:
    """The sheet that is read.

    Attributes:
        findings: The findings about the workbook.
        rows: The number and the cells of each row that is not blank.
    """

    findings: tuple[Finding, ...]
    rows: Iterator[tuple[int, list[str]]]


def open_sheet(file: IO[bytes]) -> Sheet:
    """Open the first visible sheet with a cell.

    Raises:
        WorkbookError: the sheet is missing, or cannot be read.
    """
    try:
        return _opened(file)
    except WorkbookError:
        raise
    except BaseException as error:
        # A damaged archive raises a dozen types of errors; one of them is a panic of calamine.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        why = type(error).__name__
    # Raised outside of the except block, because the other error can contain contacts.
    raise WorkbookError(f"is a workbook that is damaged ({why}); save it again, or as CSV in UTF-8")


def _opened(file: IO[bytes]) -> Sheet:
    with zipfile.ZipFile(file) as archive:
        _check(archive)
        sheets = _visible_sheets(archive)
        full = [name for name, part in sheets if _has_cell(archive, part)]
        if not full:
            raise WorkbookError("is a workbook without a cell; fill in its first sheet")
        scan = _scan_sheet(archive, dict(sheets)[full[0]])
    return Sheet(tuple(_findings(full, scan)), _rows(file, full[0], scan))


def _check(archive: zipfile.ZipFile) -> None:
    """Refuse an archive that would fill the memory, or that calamine can read differently.

    If two parts had the same name, calamine could read the one that was not scanned.
    """
    names = [name.lower() for name in archive.namelist()]
    if len(set(names)) < len(names) or any(".." in name or "\\" in name for name in names):
        raise ValueError
    if sum(entry.file_size for entry in archive.infolist()) > _MOST_BYTES:
        raise WorkbookError(
            f"is a workbook of over {_MOST_BYTES:,} bytes when it is unpacked; save it as CSV in "
            "UTF-8"
        )
    for part in archive.NameToInfo.keys() & _READ_WHOLE:
        # This also checks the size of the part. calamine would drop text in CDATA.
        for piece in _pieces(archive, part):
            if _CDATA in piece:
                raise ValueError


def _visible_sheets(archive: zipfile.ZipFile) -> list[tuple[str, str]]:
    """Return the names of the sheets and the parts of the archive that they are in."""
    if "xl/workbook.bin" in archive.NameToInfo:
        raise WorkbookError("is a binary workbook (.xlsb); save it as .xlsx, or as CSV in UTF-8")
    kinds = {
        relation.get("Id"): (relation.get("Type", ""), relation.get("Target", ""))
        for relation in _index(archive, "xl/_rels/workbook.xml.rels")
    }
    elements = [each for each in _index(archive, "xl/workbook.xml") if _local(each.tag) == "sheet"]
    if len({element.get("name") for element in elements}) < len(elements):
        # calamine finds a sheet by its name.
        raise ValueError
    sheets = []
    for element in elements:
        if element.get("state", "visible") == "visible":
            [key] = [value for name, value in element.items() if _local(name) == "id"]
            kind, target = kinds[key]
            if kind.endswith("/worksheet"):
                if target.startswith("xl/") or ".." in target:
                    raise ValueError
                part = posixpath.normpath(posixpath.join("/xl", target)).lstrip("/")
                sheets.append((element.get("name", ""), part))
    return sheets


def _index(archive: zipfile.ZipFile, part: str) -> Iterator[ET.Element]:
    content = b"".join(_pieces(archive, part, most_bytes=_MOST_INDEX_BYTES))
    # The size is limited, and expat limits the expansion of entities.
    return ET.fromstring(content).iter()  # noqa: S314


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _pieces(
    archive: zipfile.ZipFile, part: str, *, most_bytes: int = _MOST_BYTES
) -> Iterator[bytes]:
    """Unpack a part; fail if it is not exactly as large as the archive claims."""
    entry = archive.getinfo(part)
    if entry.file_size > most_bytes:
        raise ValueError
    # If there is one byte more than claimed, it is read, and the checksum fails.
    entry.file_size += 1
    try:
        with archive.open(entry) as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece
    finally:
        entry.file_size -= 1


def _has_cell(archive: zipfile.ZipFile, part: str) -> bool:
    # The markup of an empty cell ends in a slash.
    return any(not match[3] for markup in _cells(archive, part) for match in _CELL.finditer(markup))


def _cells(archive: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """Yield the markup of a sheet, cut between its rows."""
    rest = b""
    for piece in _pieces(archive, part):
        rest += piece
        end = max(rest.rfind(b"<row"), rest.rfind(b":row"))
        if end > 0:
            # The element's name can have a prefix.
            end = rest.rfind(b"<", 0, end + 1)
            yield rest[:end]
            rest = rest[end:]
        elif len(rest) > 64 * _PIECE_BYTES:
            raise ValueError
    yield rest


@attrs.define
class _SheetScan:
    """The results of the scan of a sheet.

    Attributes:
        height: The number of the last row.
        width: The number of the last column.
        hidden: The number of hidden rows.
        uncomputed: The number of formulas without a result.
        errors: The texts of errors, by row and column.
    """

    height: int = 0
    width: int = 0
    hidden: int = 0
    uncomputed: int = 0
    errors: dict[tuple[int, int], str] = attrs.field(factory=dict)


def _scan_sheet(archive: zipfile.ZipFile, part: str) -> _SheetScan:
    scan = _SheetScan()
    # A row or cell without a reference follows the one before it.
    more_rows = more_cells = last = 0
    for markup in _cells(archive, part):
        places, rows = _places(markup, _CELL, _ANY_CELL), _places(markup, _ROW, _ANY_ROW)
        last = _last(last, rows)
        letters = {letters for letters, _, slash in places if not slash}
        numbers = {number for _, number, slash in places if not slash} | set(rows)
        more_rows += rows.count(b"")
        if b"" in letters:
            most = max(len(_ANY_CELL.findall(row)) for row in _ANY_ROW.split(markup))
            more_cells = max(more_cells, most)
        elif len(set(places)) < len(places):
            # calamine would read only the last of two cells with the same reference.
            raise ValueError
        scan.width = max(scan.width, *map(_column, letters), 0)
        scan.height = max(scan.height, *map(_row, numbers), 0)
        height, width = scan.height + more_rows, scan.width + more_cells
        if height * width > _MOST_CELLS:
            raise WorkbookError(
                f"is a workbook whose sheet has cells up to row {height:,} and column "
                f"{width:,}; delete the cells below and to the right of the contacts, or save it "
                "as CSV"
            )
        _scan_cells(scan, markup)
    return scan


def _scan_cells(scan: _SheetScan, markup: bytes) -> None:
    if b"hidden" in markup:
        scan.hidden += len(_HIDDEN.findall(markup))
    if b"<f" in markup or b":f" in markup:
        scan.uncomputed += len(_UNCOMPUTED.findall(markup))
    if b'"e"' in markup or b"'e'" in markup:
        for column, row, text in _ERROR.findall(markup):
            scan.errors[int(row), _column(column)] = text.decode()


def _places(markup: bytes, pattern: re.Pattern[bytes], loose: re.Pattern[bytes]) -> list[Any]:
    """Find elements; refuse elements that only calamine's parser would find."""
    places = pattern.findall(markup)
    # calamine drops text in CDATA.
    if len(places) != len(loose.findall(markup)) or _CDATA in markup:
        raise ValueError
    return places


def _last(last: int, rows: Sequence[bytes]) -> int:
    """Return the number of the last row; fail if the numbers do not increase."""
    for number in filter(None, map(_row, rows)):
        if number <= last:
            raise ValueError
        last = number
    return last


def _row(number: bytes) -> int:
    """Return the number of a row; 0 if it has none."""
    if number and _NUMBER.fullmatch(number) is None:
        raise ValueError
    return int(number or 0)


def _column(letters: bytes) -> int:
    """Return 28 for ``AB``."""
    if len(letters) > _MOST_LETTERS:
        raise ValueError
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _findings(full: Sequence[str], scan: _SheetScan) -> Iterator[Finding]:
    if len(full) > 1:
        others = listed(list(map(repr, full[1:])))
        yield Finding(
            level="warning",
            rule="workbook",
            message=f"has several sheets with cells: only {full[0]!r} was read, and not {others}; "
            "move all contacts to the first sheet",
        )
    if scan.uncomputed:
        yield Finding(
            level="warning",
            rule="workbook",
            message=f"has {counted(scan.uncomputed, 'formula')} without a result, which are read "
            "as empty cells; open it in a spreadsheet program and save it again",
        )
    if scan.hidden:
        yield Finding(
            level="warning",
            rule="workbook",
            message=f"has {counted(scan.hidden, 'hidden row')}, for example by a filter, which "
            "are read like all other rows; delete them if they must not be imported",
        )


def _rows(file: IO[bytes], name: str, scan: _SheetScan) -> Iterator[tuple[int, list[str]]]:
    import python_calamine

    file.seek(0)
    sheet = python_calamine.CalamineWorkbook.from_filelike(file).get_sheet_by_name(name)
    left = (sheet.start or (0, 0))[1]
    return _rows_of(sheet.iter_rows(), left, scan)


def _rows_of(
    rows: Iterator[Sequence[Any]], left: int, scan: _SheetScan
) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, from the first column that is not blank."""
    rows_with_errors = {row for row, _ in scan.errors}
    for number, row in enumerate(rows, 1):
        cells = [value if type(value) is str else _text_of(value) for value in row]
        if number in rows_with_errors:
            cells = [
                scan.errors.get((number, left + place), cell) for place, cell in enumerate(cells, 1)
            ]
        if any(cells):
            yield number, cells


def _text_of(value: Any) -> str:
    """Return the text of a cell; times have no time zone, because a sheet has none."""
    match value:
        case float() if value.is_integer():
            # All numbers of a sheet are floats.
            return cell_of(int(value))
        case datetime() | time():
            # calamine returns midnight as a date.
            return value.isoformat()
        case timedelta():
            minutes, seconds = divmod(round(value.total_seconds()), 60)
            return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
        case _:
            return cell_of(value)
