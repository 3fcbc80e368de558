"""Writes the rows of a report file as CSV in UTF-8, with the times in UTC."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Final

import click

from newsleopard_async.disclosure import shown
from newsleopard_async.files import replacing
from newsleopard_async.models import ReportRow
from newsleopard_async.workflows import CampaignReport

__all__ = ["TIME_COLUMN", "write_rows"]

TIME_COLUMN: Final = "TIME_UTC"
"""The column before those of the platform's file, whose times have any format."""

_BATCH: Final = 1_000
"""Chosen: rows that are written at once; a batch is a few hundred kilobytes at most."""


async def write_rows(report: CampaignReport, kind: str, to: str) -> int:
    """Write the rows of a type; return their number.

    Args:
        report: The report, whose files were downloaded.
        kind: The type of the rows.
        to: A path, or ``-`` for the standard output. A file is private, replaces another only as a
            whole, and begins with a mark by which Excel recognises UTF-8.

    Raises:
        InvalidRequest: as `CampaignReport.rows`.
        OSError: the file cannot be written.
    """
    if to == "-":
        return await _write(report, kind, _print)
    with replacing(Path(to)) as file:
        file.write("\ufeff".encode())
        return await _write(report, kind, file.write)


def _print(content: bytes) -> None:
    """Write UTF-8 into a file or a pipe, and text without effect to a terminal."""
    if sys.stdout.isatty():
        click.echo("\n".join(map(shown, content.decode().split("\n"))), nl=False)
    else:
        click.echo(content, nl=False)


async def _write(report: CampaignReport, kind: str, write: Callable[[bytes], object]) -> int:
    count, batch, columns = 0, list[Sequence[str]](), list[str]()
    async with aclosing(report.rows(kind)) as rows:
        async for row in rows:
            if not columns:
                columns = list(row.values)
                batch.append([TIME_COLUMN, *columns])
            batch.append(_cells(row, columns))
            count += 1
            if len(batch) >= _BATCH:
                write(_as_csv(batch))
                batch.clear()
    if not columns:
        batch.append([TIME_COLUMN, "EMAIL"])
    write(_as_csv(batch))
    return count


def _cells(row: ReportRow, columns: Sequence[str]) -> list[str]:
    time = "" if row.at is None else f"{row.at:%Y-%m-%dT%H:%M:%SZ}"
    return [time, *(row.values.get(name, "") for name in columns)]


def _as_csv(batch: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(batch)
    return text.getvalue().encode()
