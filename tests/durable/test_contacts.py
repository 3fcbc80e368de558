"""Contacts are kept by URL and hash, and are what they were when the send was started."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest

from newsleopard_async import InvalidRequest, workflows
from newsleopard_async.durable.contacts import (
    ContactsOpener,
    ContactsUnavailable,
)
from newsleopard_async.durable.spec import SendSpec
from newsleopard_async.workflows import Event
from tests.clients import connected, csv_of, refused
from tests.constants import CAMPAIGN
from tests.contacts.books import book

pytestmark = pytest.mark.anyio


CSV = (
    "EMAIL,NAME\nming@example.com,王小明\nmei@example.com,李小美\n"
    "ming@example.com,王小明\nnowhere,誰\n"
)
ROWS = [line.split(",") for line in CSV.splitlines()]
WAYS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "csv": (CSV.encode(), {}),
    "Big5": (CSV.encode("big5"), {}),
    "encoding": (CSV.encode("gb18030"), {"encoding": "gb18030"}),
    "workbook": (book(ROWS), {}),
    "fix": (CSV.encode(), {"fix": ("leave-out-bad-rows", "drop-duplicates")}),
    "columns": (CSV.replace("EMAIL", "郵件").encode(), {"columns": {"郵件": "EMAIL"}}),
    "parts": (csv_of(60).encode(), {"part_bytes": 700}),
    "skip": (CSV.encode(), {"skip": "EMAIL\nmei@example.com\n".encode("utf-16")}),
}


def sha256_of(content: bytes) -> str:
    """Compute what sha256sum prints."""
    return hashlib.sha256(content).hexdigest()


async def outcome_of(folder: Path, *, is_opened: bool, content: bytes, **options: Any) -> Any:
    """Send to the contacts of a file, by its path or as a worker does; return the outcome."""
    members, left, left_out = folder / "members", folder / "left.csv", folder / "left-out.csv"
    members.write_bytes(content)
    if (skip := options.pop("skip", None)) is not None:
        left.write_bytes(skip)
        options |= {"skip": str(left), "skip_sha256": sha256_of(skip)}
    spec = SendSpec(
        CAMPAIGN,
        contacts=str(members),
        contacts_sha256=sha256_of(content),
        list_name="會員",
        max_rejected=None,
        left_out_to=str(left_out),
        **options,
    )
    opener = ContactsOpener()
    async with connected() as bench, contextlib.AsyncExitStack() as stack:
        contacts: Any = members
        given: Any = spec.skip and left
        if is_opened:
            contacts = await opener.open(str(members), spec.contacts_sha256)
            if spec.skip is not None:
                given = await stack.enter_async_context(
                    opener.open_skip(spec.skip, spec.skip_sha256)
                )
        events: list[Event] = []
        outcome = await workflows.send_campaign(
            bench.nl,
            **spec.arguments(contacts, given),
            send_key=f"opened {is_opened}",
            progress=events.append,
        )
        await bench.clock.sleep(60)
        went = sorted((each.email, each.name) for each in bench.emulator.contacts.values())
        read = [each.result for each in events if each.step == "check_contacts"]
        report = outcome.import_report
        assert report is not None
        counts = [
            (each.file_count, each.inserted, each.duplicates, each.errors)
            for each in (report.result, *report.parts)
        ]
        assert bench.emulator.submitted == 1
        return went, counts, read[-1], left_out.exists() and left_out.read_text("utf-8")


@pytest.mark.parametrize("way", WAYS)
async def test_contacts_of_a_url_are_those_of_the_file(way: str, tmp_path: Path) -> None:
    """A worker sends as with the path, for any content of the file and any options."""
    content, options = WAYS[way]

    by_path = await outcome_of(tmp_path, is_opened=False, content=content, **options)
    (tmp_path / "left-out.csv").unlink(missing_ok=True)
    opened = await outcome_of(tmp_path, is_opened=True, content=content, **options)

    assert opened == by_path
    assert len(opened[0]) == {"parts": 60, "skip": 1}.get(way, 2)
    assert bool(opened[3]) == (way == "fix")


def no_file(_: str) -> bytes:
    """Fail like a client of a service, with a secret in the text."""
    raise RuntimeError("ming@example.com s3cret")


@attrs.frozen
class Broken:
    """A source whose connection breaks half-way."""

    async def csv_pieces(self) -> AsyncIterator[bytes]:
        """Give some, then fail."""
        yield CSV.encode()
        raise OSError(errno.ECONNRESET, "ming@example.com s3cret")


@pytest.mark.parametrize(
    ("opener", "why"),
    [
        (None, "No such file or directory"),
        (Path, "No such file or directory"),
        (no_file, "RuntimeError"),
        (lambda _: Broken(), "Connection reset by peer"),
        (lambda _: Unreadable(), "Input/output error"),
        (lambda _: next(iter(())), "RuntimeError"),
    ],
)
async def test_contacts_that_are_not_there_now_are_no_mistake(
    opener: Any, why: str, tmp_path: Path
) -> None:
    """A host may be down for a minute: the run tries again, and its reason shows no contact."""
    with pytest.raises(ContactsUnavailable, match=why) as caught:
        await ContactsOpener(opener=opener).digest(str(tmp_path / "missing.csv"))

    assert caught.value.field == "contacts"
    assert caught.value.__context__ is None
    assert not any(hidden in str(caught.value) for hidden in ("ming@", "s3cret"))


async def test_host_that_does_not_answer_keeps_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """What never comes is not waited for without an end."""
    monkeypatch.setattr("newsleopard_async.durable.contacts._LONGEST_WAIT_S", 0.01)

    async def no_answer(_: str) -> bytes:
        await anyio.sleep_forever()
        raise AssertionError

    with pytest.raises(
        ContactsUnavailable, match=r"s3://bucket/a.csv cannot be read: TimeoutError"
    ):
        await ContactsOpener(opener=no_answer).digest("s3://bucket/a.csv")


class Unreadable:
    """An open file of a disk that fails; it notes that it was closed."""

    is_closed = False

    def read(self, _: int) -> bytes:
        """Fail."""
        raise OSError(errno.EIO, "ming@example.com s3cret")

    def close(self) -> None:
        """Take note."""
        self.is_closed = True


async def test_what_was_opened_is_closed_and_opened_anew(tmp_path: Path) -> None:
    """No one else has the file that the opener returned; each reading has its own."""
    opened: list[Any] = []

    def opener(_: str) -> Any:
        opened.append(io.BytesIO(CSV.encode()) if opened else open_async(CSV.encode()))
        return opened[-1]

    source = await ContactsOpener(opener=opener).open("db:members", sha256_of(CSV.encode()))
    read = [b"".join([piece async for piece in source.csv_pieces()]) for _ in range(2)]
    failing = Unreadable()
    with pytest.raises(ContactsUnavailable):
        await ContactsOpener(opener=lambda _: failing).digest("db:members")

    assert read == [CSV.encode()] * 2
    assert [each.closed for each in opened] == [True, True]
    assert failing.is_closed


async def test_reading_that_ends_early_closes_what_was_opened() -> None:
    """A cancelled run leaves no connection behind, and has compared nothing."""
    file = open_async(csv_of(50_000).encode())
    source = await ContactsOpener(opener=lambda _: file).open("db:members", "0" * 64)

    async with contextlib.aclosing(source.csv_pieces()) as pieces:
        await anext(pieces)

    assert file.closed
    assert source.sha256 is None


async def test_run_without_its_contacts_leaves_no_trace(tmp_path: Path) -> None:
    """Nothing was begun, so a later attempt begins again, on any host."""
    async with connected() as bench:
        source = await ContactsOpener().open(str(tmp_path / "missing.csv"), "0" * 64)
        with pytest.raises(ContactsUnavailable):
            await workflows.send_campaign(
                bench.nl, CAMPAIGN, contacts=source, list_name="會員", send_key="later"
            )
        kept = await workflows.runs(bench.nl.store)

    assert bench.wire.all_requests == 0
    assert kept == ()


def open_async(content: bytes) -> Any:
    """Open an asynchronous file, for example of an upload."""

    class Later(io.BytesIO):
        async def read(self, size: int) -> bytes:  # type: ignore[override]  # async, on purpose
            return super().read(size)

        async def aclose(self) -> None:
            super().close()

    return Later(content)


@pytest.mark.parametrize(
    ("opened", "field", "rule"),
    [("members.csv", "contacts", "text"), (5, "contacts", "type"), ([5], "skip", "type")],
)
async def test_opener_that_gives_no_contacts_is_a_mistake(
    opened: Any, field: str, rule: str
) -> None:
    """No later attempt would succeed, so the send is failed."""
    with pytest.raises(InvalidRequest) as caught:
        await ContactsOpener(opener=lambda _: opened).digest("db:members", field=field)

    [problem] = caught.value.problems
    assert problem.field.startswith(field)
    assert problem.rule == rule


@pytest.mark.parametrize("opened", [CSV, [dict(zip(ROWS[0], ROWS[1], strict=True))]])
async def test_encoding_is_not_applied_to_text(opened: Any) -> None:
    """Text and records of an opener have none, as when they are given to the pipeline itself."""
    source = await ContactsOpener(opener=lambda _: opened).open("db:members", None)

    with pytest.raises(InvalidRequest, match="encoding: is for bytes"):
        await workflows.check_contacts(source, encoding="big5")


async def test_contacts_that_changed_are_not_sent_to(tmp_path: Path) -> None:
    """The new contacts were not in the file when the send was started."""
    members = tmp_path / "members.csv"
    members.write_text(CSV, "utf-8")
    opener = ContactsOpener()
    digest = await opener.digest(str(members))
    members.write_text(CSV + "eve@example.com,外人\n", "utf-8")

    async with connected() as bench, refused(bench.wire, ("contacts", "changed")):
        source = await opener.open(str(members), digest)
        await workflows.send_campaign(bench.nl, CAMPAIGN, contacts=source, list_name="會員")

    with pytest.raises(InvalidRequest) as caught:
        async with opener.open_skip(str(members), digest):
            pass
    assert [(each.field, each.rule) for each in caught.value.problems] == [("skip", "changed")]


async def test_file_of_one_host_is_refused_on_a_fleet(tmp_path: Path) -> None:
    """Only the shared folder has the same files everywhere; no link and no .. leads out of it."""
    shared, private = tmp_path / "shared", tmp_path / "private"
    for folder in (shared, private):
        folder.mkdir()
        (folder / "members.csv").write_text(CSV, "utf-8")
    (shared / "link.csv").symlink_to(private / "members.csv")
    (tmp_path / "alias").symlink_to(shared)
    fleet = ContactsOpener(is_fleet=True, shared_folder=shared)
    rules = []
    for opener in (
        fleet,
        ContactsOpener(is_fleet=True),
        ContactsOpener(is_fleet=True, opener=Path),
    ):
        for name in ("private/members.csv", "shared/../private/members.csv", "shared/link.csv"):
            with pytest.raises(InvalidRequest) as caught:
                await opener.digest(str(tmp_path / name))
            rules += [each.rule for each in caught.value.problems]

    assert rules == ["local-path"] * 9
    for name in ("shared/members.csv", "alias/members.csv", "private/../shared/members.csv"):
        assert await fleet.digest(str(tmp_path / name)) == sha256_of(CSV.encode())
    assert await fleet.digest((shared / "members.csv").as_uri()) == sha256_of(CSV.encode())


async def test_url_without_an_opener_is_refused() -> None:
    """The message names the way out; a folder does not count as a missing file."""
    with pytest.raises(InvalidRequest, match=r"contacts: s3://bucket/a.csv .* contacts=…"):
        await ContactsOpener().digest("s3://bucket/a.csv")
    with pytest.raises(InvalidRequest, match="is a folder"):
        await ContactsOpener().digest(tempfile.gettempdir())
