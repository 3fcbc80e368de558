"""Recognises files that are not CSV by their first bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from newsleopard_async.models.findings import Finding

__all__ = ["finding_of_magic", "is_xlsx"]

_WAY_OUT: Final = (
    "open it in its program, choose “Save as” or “Export”, and save it as CSV in UTF-8 "
    "(Excel: “CSV UTF-8 (comma delimited)”)"
)

_BINARY: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"BZh", "a bzip2 archive; unpack it first"),
    (b"\xfd7zXZ\x00", "an xz archive; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it first"),
    (b"Rar!\x1a\x07", "a RAR archive; unpack it first"),
    (b"%PDF-", "a PDF; export the table from which it was made as CSV"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image; choose the file of contacts"),
    (b"\xff\xd8\xff", "a JPEG image; choose the file of contacts"),
    (b"GIF87a", "a GIF image; choose the file of contacts"),
    (b"GIF89a", "a GIF image; choose the file of contacts"),
    (b"II*\x00", "a TIFF image; choose the file of contacts"),
    (b"MM\x00*", "a TIFF image; choose the file of contacts"),
    (b"\x7fELF", "a program; choose the file of contacts"),
    (b"MZ\x90\x00", "a program; choose the file of contacts"),
    (b"SQLite format 3\x00", "an SQLite database; export the table as CSV"),
    (b"PAR1\x15", "a Parquet file; export the table as CSV"),
    (b"{\\rtf", "an RTF document; save its table as CSV"),
)
"""Signatures with which no text with a header begins."""

_OLE2: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_ZIP_ENTRY: Final = re.compile(rb"PK\x03\x04.{22}(.)(.)..", re.DOTALL)
_ODS: Final = b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet"
_XLSX: Final = "an Excel workbook (.xlsx)"
_MARKUP: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*<(?:(\?xml\b)|!doctype\s+html\b|html\b|table\b)", re.IGNORECASE
)

_JSON: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:\{\s*(?:[\"'][^\"'\n]*[\"']\s*:|\})|\[\s*[\[{\"\]])"
)
_ANY_MARKUP: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*<(?:!--|!doctype\b|[a-z][\w.:-]*(?:\s[^<>]*)?/>"
    rb"|([a-z][\w.:-]*)(?:\s[^<>]*)?>.*?</\1\s*>)",
    re.IGNORECASE | re.DOTALL,
)
"""For example an error page saved as a file; a header ``<EMAIL>,<NAME>`` has no closing tag."""


def finding_of_magic(head: bytes) -> Finding | None:
    """Return a finding about a file that is not CSV, or None.

    Args:
        head: The first bytes; 64 KiB distinguish the types of zip archives.
    """
    if head.startswith(_OLE2):
        # Excel also writes a workbook with a password as such a file.
        return _spreadsheet("an Excel workbook (.xls), or one with a password")
    if head.startswith(_ZIP):
        return _finding_of_zip(head)
    if markup := _MARKUP.match(head):
        kind = "XML" if markup[1] else "an HTML page, which some systems export under the name .xls"
        return _spreadsheet(kind)
    if _JSON.match(head):
        way_out = "export the rows as CSV, or pass json.loads() of it as records"
        return _finding("not-text", f"is not a CSV file but JSON; {way_out}")
    if _ANY_MARKUP.match(head):
        return _finding(
            "not-text", "is not a CSV file but HTML or XML; export the rows as CSV in UTF-8"
        )
    for signature, kind in _BINARY:
        if head.startswith(signature):
            return _finding("not-text", f"is not a CSV file but {kind}")
    return None


def is_xlsx(head: bytes) -> bool:
    """Return whether a file begins like an Excel workbook, including .xlsm and .xlsb."""
    return finding_of_magic(head) == _spreadsheet(_XLSX)


def _finding_of_zip(head: bytes) -> Finding:
    names = tuple(_names_in_zip(head))
    if _ODS in head[:200]:
        return _spreadsheet("an OpenDocument workbook (.ods)")
    if any(name.endswith((b".iwa", b"Index.zip")) for name in names):
        return _spreadsheet("a Numbers document (.numbers)")
    if any(name.startswith((b"word/", b"ppt/")) for name in names):
        return _finding(
            "not-text",
            "is not a CSV file but a Word or PowerPoint document; save its table as CSV",
        )
    if any(name.startswith((b"xl/", b"[Content_Types].xml", b"docProps/")) for name in names):
        return _spreadsheet(_XLSX)
    return _finding(
        "not-text", "is not a CSV file but a zip archive; unpack it, and use the file in it"
    )


def _names_in_zip(head: bytes) -> Iterator[bytes]:
    for entry in _ZIP_ENTRY.finditer(head):
        size_bytes = entry[1][0] + 256 * entry[2][0]
        yield head[entry.end() : entry.end() + size_bytes]


def _spreadsheet(kind: str) -> Finding:
    return _finding("spreadsheet-file", f"is not a CSV file but {kind}; {_WAY_OUT}")


def _finding(rule: str, message: str) -> Finding:
    return Finding(level="error", rule=rule, message=message)
