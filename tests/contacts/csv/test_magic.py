from __future__ import annotations

import gzip
import io
import zipfile

import pytest

from tests.contacts.checking import check, csv_of, detect

TABLE = csv_of("a@example.com,x")
WORKBOOK = ("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml")


def zip_of(*names: str, first: bytes = b"<x/>") -> bytes:
    """Zip small files of these names."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for index, name in enumerate(names):
            stored = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            archive.writestr(name, first if index == 0 else b"<x/>", stored)
    return file.getvalue()


ODS = zip_of("mimetype", "content.xml", first=b"application/vnd.oasis.opendocument.spreadsheet")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (zip_of(*WORKBOOK), ".xlsx"),
        (zip_of("docProps/app.xml", "xl/workbook.xml"), ".xlsx"),
        (zip_of("xl/workbook.bin"), ".xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 1000, ".xls"),
        (ODS, ".ods"),
        (zip_of("Index/Document.iwa", "preview.jpg"), ".numbers"),
        (b'<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>', "XML"),
        (b"\xef\xbb\xbf\n<html><table>", "HTML"),
        (b"<!DOCTYPE html>", "HTML"),
        (b"<TABLE border=1>", "HTML"),
    ],
)
def test_spreadsheet_is_named_with_the_way_to_export_it(content: bytes, name: str) -> None:
    """For any file name, the message names the type and the way out."""
    checked = check(content)

    [finding] = checked.report
    assert (finding.level, finding.rule) == ("error", "spreadsheet-file")
    assert name in finding.message
    assert "CSV in UTF-8" in finding.message
    assert (checked.clean, checked.report.encoding) == (b"", None)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (zip_of("contacts.csv"), "zip archive"),
        (zip_of(), "zip archive"),
        (zip_of("[Content_Types].xml", "word/document.xml"), "Word"),
        (gzip.compress(TABLE, mtime=0), "gzip"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PNG"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG"),
        (b"SQLite format 3\0", "SQLite"),
        (b"{\\rtf1\\ansi", "RTF"),
        (b'{"message":"expired"}', "JSON"),
        (b"\xef\xbb\xbf {\n 'EMAIL' : 1}", "JSON"),
        (b'[{"EMAIL":"a@example.com"}]', "JSON"),
        (b'["EMAIL","NAME"]\n["a@example.com","x"]', "JSON"),
        (b"{}", "JSON"),
        (b"[ ]\n", "JSON"),
        (b"<Error><Code>AccessDenied</Code></Error>", "XML"),
        (b'\n<head lang="zh">\n<title>404</title></head>', "HTML"),
        (b"<!-- moved --><p>", "HTML"),
        (b"<Error/>", "XML"),
    ],
)
def test_other_file_is_named(content: bytes, name: str) -> None:
    """A zip renamed to .csv, an image, a document."""
    [finding] = check(content).report

    assert (finding.level, finding.rule) == ("error", "not-text")
    assert name in finding.message


@pytest.mark.parametrize(
    "header",
    ["[EMAIL],[NAME]", "{EMAIL},{NAME}", "<EMAIL>,<NAME>", '"{EMAIL}","[NAME]"', "{{EMAIL}},x"],
)
def test_names_in_brackets_are_a_table(header: str) -> None:
    """Databases and templates write them so; what is missing are the names."""
    [finding] = check(f"{header}\na@example.com,x\n".encode()).report

    assert finding.rule == "header-order"


def test_type_is_recognised_for_any_requested_encoding() -> None:
    """A workbook is reported even if the caller passes an encoding."""
    [finding] = detect([zip_of(*WORKBOOK)], "big5").findings

    assert finding.rule == "spreadsheet-file"


def test_type_is_recognised_in_small_pieces() -> None:
    """Small pieces are joined before the beginning is checked."""
    content = zip_of(*WORKBOOK)

    [finding] = detect(content[at : at + 1] for at in range(len(content))).findings

    assert finding.rule == "spreadsheet-file"


@pytest.mark.parametrize("header", ["PK,EMAIL,NAME", "BM,EMAIL,NAME", "MZ,EMAIL,NAME", "<EMAIL>"])
def test_text_that_only_begins_like_one_is_text(header: str) -> None:
    """Two letters are not a signature."""
    assert detect([header.encode()]).encoding == "utf-8"
