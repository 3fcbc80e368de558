"""A source that cannot be uploaded, or changes during the upload, is not imported."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from newsleopard_async import ImportSn, InvalidRequest, StorageError, UploadTicket
from newsleopard_async.transport.body import FileBody
from tests.clients import connected, csv_of, files_in, refused, scripted

pytestmark = pytest.mark.anyio

SOURCES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "empty bytes": (lambda folder: b"", "empty"),
    "empty file": (lambda folder: _write(folder / "empty.csv", b""), "empty"),
    "folder": (lambda folder: folder, "file"),
    "nothing there": (lambda folder: folder / "none.csv", "readable"),
    "text": (lambda folder: "EMAIL,NAME\n", "type"),
    "None": (lambda folder: None, "type"),
}


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", SOURCES)
async def test_bad_source_is_not_uploaded(name: str, tmp_path: Path) -> None:
    """What cannot be uploaded is refused before the storage hears of it."""
    build, rule = SOURCES[name]
    ticket = UploadTicket(import_sn=ImportSn("a"), url="https://storage.newsleopard.example/x")
    async with scripted() as script, refused(script.wire, ("source", rule)):
        await script.nl.contacts.upload(ticket, build(tmp_path))


async def test_ticket_that_was_stored_cannot_be_used() -> None:
    """A ticket read back from plain data has lost its authorisation, and is refused as that."""
    ticket = UploadTicket(import_sn=ImportSn("a"), url="https://storage.example/x?…")
    async with scripted() as script:
        with pytest.raises(StorageError):
            await script.nl.contacts.upload(ticket, b"EMAIL,NAME\n")

    assert script.wire.all_requests == 0


Change = Callable[[Path], object]
CHANGES: dict[str, Change] = {
    "vanishes": lambda file: file.unlink(),
    "grows": lambda file: file.write_bytes(file.read_bytes() + b"x"),
    "shrinks": lambda file: os.truncate(file, 5),
    "is replaced": lambda file: _write(file.with_suffix(".new"), file.read_bytes()).replace(file),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_file_that_changes_before_it_is_opened_is_not_imported(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was replaced after its check is refused, and nothing is imported."""
    file = _write(tmp_path / "a.csv", csv_of(200).encode())
    pieces = FileBody.pieces

    async def change_first(body: FileBody) -> AsyncIterator[bytes]:
        CHANGES[name](file)
        async for piece in pieces(body):
            yield piece

    monkeypatch.setattr(FileBody, "pieces", change_first)
    await _upload_is_refused(file)


@pytest.mark.parametrize("name", ["grows", "shrinks"])
async def test_file_that_changes_while_it_is_read_is_not_imported(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last piece goes only if the file is still the same."""
    file = _write(tmp_path / "a.csv", csv_of(80_000).encode())
    pieces = FileBody.pieces

    async def change_after_first(body: FileBody) -> AsyncIterator[bytes]:
        async for number, piece in _counted(pieces(body)):
            if number == 0:
                CHANGES[name](file)
            yield piece

    monkeypatch.setattr(FileBody, "pieces", change_after_first)
    await _upload_is_refused(file)


async def _counted(pieces: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes]]:
    number = 0
    async for piece in pieces:
        yield number, piece
        number += 1


async def _upload_is_refused(file: Path) -> None:
    async with connected() as bench:
        ticket = await bench.nl.contacts.start_file_import()
        with pytest.raises(InvalidRequest) as caught:
            await bench.nl.contacts.upload(ticket, file)
        await bench.clock.sleep(3_600)

    [problem] = caught.value.problems
    assert (problem.field, problem.rule) == ("source", "unchanged")
    assert file.name in problem.message
    assert bench.emulator.contacts == {}


async def test_nothing_is_downloaded_to_where_no_file_can_be(tmp_path: Path) -> None:
    """A folder in the file's place, or no folder around it, is named before anything is sent."""
    async with connected() as bench:
        sn = await bench.send()
        await bench.nl.reports.export(sn)
        await bench.clock.sleep(60)
        [link, *_] = await bench.nl.reports.get_links(sn)
        async with refused(bench.wire, ("path", "file")):
            await bench.nl.reports.download(link, tmp_path)
        async with refused(bench.wire, ("path", "folder")):
            await bench.nl.reports.download(link, tmp_path / "none" / "a.csv")

    assert files_in(tmp_path) == []
