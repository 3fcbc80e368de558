"""Helpers for the tests of workbooks: workbooks in the format of Excel."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

import xlsxwriter

__all__ = ["Rows", "book"]

Rows = list[list[Any]]


def book(sheets: dict[str, Rows] | Rows, prepare: Callable[[Any], object] | None = None) -> bytes:
    """Write a workbook; a test can add to it before it is closed."""
    file = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False}
    with xlsxwriter.Workbook(file, options) as workbook:
        formats = {
            date: workbook.add_format({"num_format": "yyyy-mm-dd"}),
            datetime: workbook.add_format({"num_format": "yyyy-mm-dd hh:mm"}),
            time: workbook.add_format({"num_format": "hh:mm"}),
            timedelta: workbook.add_format({"num_format": "[h]:mm:ss"}),
        }
        for name, rows in (sheets if isinstance(sheets, dict) else {"會員": sheets}).items():
            sheet = workbook.add_worksheet(name)
            for at, row in enumerate(rows):
                for place, value in enumerate(row):
                    sheet.write(at, place, value, formats.get(type(value)))
        if prepare is not None:
            prepare(workbook)
    return file.getvalue()
