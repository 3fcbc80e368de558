"""Contacts in an Excel workbook (.xlsx, .xlsm), read by python-calamine, the extra ``xlsx``.

The first sheet that is visible and has a cell is read. Its rows become lines of a CSV, so that a
finding names the rows as Excel counts them.

python-calamine keeps a whole sheet in memory, and sets memory aside for all cells up to the last
one: a single cell at XFD1048576 would end the process. It also leaves the text of errors such as
``#N/A`` out. So the sheet is looked through first, in constant memory.
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

from newsleopard_async.contacts.csv.detection import Detected
from newsleopard_async.contacts.records import csv_row
from newsleopard_async.contacts.scalars import cell_of
from newsleopard_async.models.findings import Finding, Level, counted

__all__ = ["Sheet", "WorkbookError", "open_sheet", "unpack"]

_MOST_BYTES: Final = 1024**3
"""Of all that is packed. Chosen: a full sheet of ten columns has some 600 MB (54 bytes a cell)."""

_MOST_CELLS: Final = 12_000_000
"""Chosen: a full sheet (1,048,576 rows) of eleven columns. calamine took 30 to 85 bytes a cell."""

_MOST_INDEX_BYTES: Final = 1024 * 1024
"""Of what names the sheets. Chosen: far more than a thousand of them need."""

_PIECE_BYTES: Final = 1024 * 1024
_MOST_NAMED: Final = 5

_CELL: Final = re.compile(
    rb"""<(?:\w+:)?c(?=[\s>])(?:[^>]*?\sr\s*=\s*["']([A-Za-z]{1,3})(\d{1,9})["'])?[^>]*(?<!/)>"""
)
"""A cell that is not empty, with its place, which may be left out."""

_ERROR: Final = re.compile(
    rb"""<(?:\w+:)?c(?=\s[^>]*\bt\s*=\s*["']e["'])[^>]*?\sr\s*=\s*["']([A-Za-z]{1,3})(\d{1,9})["']"""
    rb"""[^>]*>.*?<(?:\w+:)?v>([^<]*)<""",
    re.DOTALL,
)
_HIDDEN: Final = re.compile(rb"""<(?:\w+:)?row\s[^>]*\bhidden\s*=\s*["'](?:1|true)["']""")
_ROW: Final = re.compile(rb"<(?:\w+:)?row[\s>]")


class WorkbookError(Exception):
    """A workbook that cannot be read; says why and the way out."""


def unpack(source: Path, target: Path) -> Detected:
    """Write the sheet of a workbook as a CSV in UTF-8, whose lines are its rows.

    Returns: How to read it; without an encoding, and with an error, if it cannot be read.
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
        finding = _finding("error", "spreadsheet-file", str(error))
        return Detected(encoding=None, findings=(finding,))
    return Detected(encoding="utf-8", findings=sheet.findings, continued=tuple(continued))


@attrs.frozen
class Sheet:
    """The sheet that is read.

    Attributes:
        findings: What there is to say of the workbook.
        rows: The number of each row that is not blank, and its cells.
    """

    findings: tuple[Finding, ...]
    rows: Iterator[tuple[int, list[str]]]


def open_sheet(file: IO[bytes]) -> Sheet:
    """Open the first sheet that is visible and has a cell.

    Raises:
        WorkbookError: there is none, or it cannot be read.
    """
    try:
        return _opened(file)
    except WorkbookError:
        raise
    except BaseException as error:
        # A damaged archive ends in a dozen kinds of errors, one of them a panic of calamine.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        why = type(error).__name__
    # Raised out here: the other error may hold contacts.
    raise WorkbookError(f"is a workbook that is damaged ({why}); save it again, or as CSV in UTF-8")


def _opened(file: IO[bytes]) -> Sheet:
    with zipfile.ZipFile(file) as archive:
        _check_sizes(archive)
        sheets = _visible_sheets(archive)
        full = [name for name, part in sheets if _has_cell(archive, part)]
        if not full:
            raise WorkbookError("is a workbook without a cell; fill in its first sheet")
        look = _look_through(archive, dict(sheets)[full[0]])
    return Sheet(tuple(_findings(full, look)), _rows(file, full[0], look))


def _check_sizes(archive: zipfile.ZipFile) -> None:
    """Refuse what would fill the memory, by what the archive says itself."""
    if sum(entry.file_size for entry in archive.infolist()) > _MOST_BYTES:
        raise WorkbookError(
            f"is a workbook of over {_MOST_BYTES:,} bytes when it is unpacked; save it as CSV in "
            "UTF-8"
        )


def _visible_sheets(archive: zipfile.ZipFile) -> list[tuple[str, str]]:
    """Return the names of the sheets and the parts of the archive that they are in."""
    if "xl/workbook.bin" in archive.NameToInfo:
        raise WorkbookError("is a binary workbook (.xlsb); save it as .xlsx, or as CSV in UTF-8")
    kinds = {
        relation.get("Id"): (relation.get("Type", ""), relation.get("Target", ""))
        for relation in _index(archive, "xl/_rels/workbook.xml.rels")
    }
    sheets = []
    for element in _index(archive, "xl/workbook.xml"):
        if _local(element.tag) == "sheet" and element.get("state", "visible") == "visible":
            [key] = [value for name, value in element.items() if _local(name) == "id"]
            kind, target = kinds[key]
            if kind.endswith("/worksheet"):
                part = posixpath.normpath(posixpath.join("/xl", target)).lstrip("/")
                sheets.append((element.get("name", ""), part))
    return sheets


def _index(archive: zipfile.ZipFile, part: str) -> Iterator[ET.Element]:
    content = b"".join(_pieces(archive, part, most_bytes=_MOST_INDEX_BYTES))
    # Its size is bounded, and expat bounds what its entities may become.
    return ET.fromstring(content).iter()  # noqa: S314


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _pieces(
    archive: zipfile.ZipFile, part: str, *, most_bytes: int = _MOST_BYTES
) -> Iterator[bytes]:
    """Unpack a part, and make sure that it is as large as the archive says and no larger."""
    entry = archive.getinfo(part)
    if entry.file_size > most_bytes:
        raise ValueError
    # A byte more is asked for: if there is one, the checksum of the whole cannot be right.
    entry.file_size += 1
    try:
        with archive.open(entry) as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece
    finally:
        entry.file_size -= 1


def _has_cell(archive: zipfile.ZipFile, part: str) -> bool:
    return any(_CELL.search(markup) for markup in _cells(archive, part))


def _cells(archive: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """Yield the markup of a sheet, cut between its rows."""
    rest = b""
    for piece in _pieces(archive, part):
        rest += piece
        end = max(rest.rfind(b"<row"), rest.rfind(b":row"))
        if end > 0:
            # The name of the element may have a prefix before it.
            end = rest.rfind(b"<", 0, end + 1)
            yield rest[:end]
            rest = rest[end:]
        elif len(rest) > 64 * _PIECE_BYTES:
            raise ValueError
    yield rest


@attrs.define
class _Look:
    """What was seen of a sheet.

    Attributes:
        height: The number of its last row.
        width: The number of its last column.
        hidden: How many rows are hidden.
        errors: The texts of its errors, by row and column.
    """

    height: int = 0
    width: int = 0
    hidden: int = 0
    errors: dict[tuple[int, int], str] = attrs.field(factory=dict)


def _look_through(archive: zipfile.ZipFile, part: str) -> _Look:
    look = _Look()
    begun = 0
    for markup in _cells(archive, part):
        places = _CELL.findall(markup)
        letters, numbers = {place[0] for place in places}, {place[1] for place in places}
        begun += markup.count(b"<row") + markup.count(b":row")
        if b"" in letters:
            # Cells may leave their places out; then they follow each other.
            look.height = max(look.height, begun)
            look.width = max(look.width, *(len(_CELL.findall(row)) for row in _ROW.split(markup)))
        look.width = max(look.width, *map(_column, letters), 0)
        look.height = max(look.height, *(int(number or 0) for number in numbers), 0)
        if look.height * look.width > _MOST_CELLS:
            raise WorkbookError(
                f"is a workbook whose sheet has cells up to row {look.height:,} and column "
                f"{look.width:,}; delete what is below and beside the contacts, or save it as CSV"
            )
        if b"hidden" in markup:
            look.hidden += len(_HIDDEN.findall(markup))
        if b'"e"' in markup or b"'e'" in markup:
            for column, row, text in _ERROR.findall(markup):
                look.errors[int(row), _column(column)] = text.decode()
    return look


def _column(letters: bytes) -> int:
    """Return 28 for ``AB``."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _findings(full: Sequence[str], look: _Look) -> Iterator[Finding]:
    if len(full) > 1:
        others = ", ".join(map(repr, full[1 : _MOST_NAMED + 1])) + (
            ", …" if len(full) > _MOST_NAMED + 1 else ""
        )
        yield _finding(
            "warning",
            "workbook",
            f"has several sheets with cells: {full[0]!r} was read, and not {others}; put the "
            "contacts on the first one",
        )
    if look.hidden:
        yield _finding(
            "warning",
            "workbook",
            f"has {counted(look.hidden, 'hidden row')}, by a filter for example, which are read "
            "like all others; delete them if they are not to be imported",
        )


def _finding(level: Level, rule: str, message: str) -> Finding:
    return Finding(level=level, rule=rule, message=message)


def _rows(file: IO[bytes], name: str, look: _Look) -> Iterator[tuple[int, list[str]]]:
    import python_calamine

    file.seek(0)
    sheet = python_calamine.CalamineWorkbook.from_filelike(file).get_sheet_by_name(name)
    left = (sheet.start or (0, 0))[1]
    return _rows_of(sheet.iter_rows(), left, look)


def _rows_of(
    rows: Iterator[Sequence[Any]], left: int, look: _Look
) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank; the columns begin at the first that is not."""
    rows_with_errors = {row for row, _ in look.errors}
    for number, row in enumerate(rows, 1):
        cells = [value if type(value) is str else _text_of(value) for value in row]
        if number in rows_with_errors:
            cells = [
                look.errors.get((number, left + place), cell) for place, cell in enumerate(cells, 1)
            ]
        if any(cells):
            yield number, cells


def _text_of(value: Any) -> str:
    """Write a cell; a sheet has no zones, so that its times are without."""
    match value:
        case float() if value.is_integer():
            # All numbers of a sheet are floats.
            return cell_of(int(value))
        case datetime() if value.time() != time.min:
            return value.isoformat()
        case time():
            return value.isoformat()
        case timedelta():
            minutes, seconds = divmod(round(value.total_seconds()), 60)
            return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
        case _:
            return cell_of(value)
