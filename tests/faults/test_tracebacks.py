"""No frame that an error or a cancellation has passed shows the key, a contact or a signed URL.

Reporters of errors print the variables of all frames. Left out are the tests' own.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, cast

import anyio
import pytest
from rich.console import Console
from rich.traceback import Traceback

from newsleopard_async import (
    CampaignSn,
    ImportSn,
    ListSn,
    NewsLeopard,
    Polling,
    ReportLink,
    ReportType,
    RetryPolicy,
    Timeouts,
    UploadTicket,
    check_contacts,
    from_plain,
    with_lists,
    workflows,
)
from newsleopard_async.models import ImportResult
from newsleopard_async.models.reports import RejectedRow
from tests.constants import CAMPAIGN, KEY
from tests.transport.loopback import Seen, http, serve

pytestmark = pytest.mark.anyio

CONTACT = "vic" + "tim"
SIGNATURE = "s3cr" + "3t"
SECRETS = (KEY, CONTACT, SIGNATURE)
_PATIENCE_S = 1.0
"""A hanging request is cancelled then; any other has failed long before."""
QUICK = Polling(first_s=0.01, max_s=0.02, deadline_s=2, grace_s=0.1, settle_s=0.1)
LISTED = with_lists(CAMPAIGN, [ListSn("L1")])


def csv_of(rows: int) -> str:
    """Write contacts."""
    return "EMAIL,NAME\n" + "".join(f"{CONTACT}{n}@example.com,{CONTACT}\n" for n in range(rows))


def records(rows: int) -> list[dict[str, str]]:
    """Build contacts as records."""
    return [{"EMAIL": f"{CONTACT}{n}@example.com", "NAME": CONTACT} for n in range(rows)]


async def records_later(rows: int) -> AsyncIterator[dict[str, str]]:
    """Give contacts as records, one after another."""
    for record in records(rows):
        yield record


def frames_shown(error: BaseException, *, by_rich: bool) -> list[str]:
    """Return the printed frames except frames of tests; rich reads the fields of objects."""
    found: list[str] = []
    left, seen = [error], set[int]()
    while left:
        each = left.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        plain = traceback.TracebackException.from_exception(each, capture_locals=True)
        found += [
            f"{frame.filename}:{frame.name}: {frame.locals}"
            for frame in plain.stack
            if "tests" not in Path(frame.filename).parts
        ]
        found += [repr(each), str(each.args), str(vars(each))]
        below = _below_tests(each.__traceback__)
        if by_rich and below is not None:
            screen = Console(file=io.StringIO(), width=300)
            screen.print(Traceback.from_exception(type(each), each, below, show_locals=True))
            found.append(screen.file.getvalue())  # type: ignore[attr-defined]  # a StringIO
        left += [other for other in (each.__cause__, each.__context__) if other is not None]
        left += getattr(each, "exceptions", ())
    return found


def _below_tests(frames: TracebackType | None) -> TracebackType | None:
    """Return the frames below the last one of a test."""
    below = frames
    while frames is not None:
        if "tests" in Path(frames.tb_frame.f_code.co_filename).parts:
            below = frames.tb_next
        frames = frames.tb_next
    return below


def check_hidden(error: BaseException, *, by_rich: bool = True) -> None:
    """Fail where a frame shows a secret."""
    for text in frames_shown(error, by_rich=by_rich):
        for secret in SECRETS:
            assert secret not in text, text[max(0, text.index(secret) - 200) :][:400]


class Platform:
    """Answers as the platform does, but for one kind of request."""

    url = ""

    def __init__(self, strange: str, answer: bytes | None, *, hangs: bool = False) -> None:
        self._strange = strange
        self._answer = answer
        self._hangs = hangs

    async def __call__(self, seen: Seen) -> bytes | None:
        """Answer a request."""
        path = seen.line.split(" ")[1].partition("?")[0]
        kind = "result" if "/result/" in path else path.rpartition("/")[2]
        if kind == self._strange:
            if self._hangs:
                await anyio.sleep_forever()
            return self._answer
        signed = f"{self.url}/up?X-Amz-Signature={SIGNATURE}"
        bodies: dict[str, object] = {
            "insert": {"sn": "L1"},
            "lists": [],
            "text": {"import_sn": "I1"},
            "file": {"import_sn": "I1", "url": signed},
            "result": {"import_sn": "I1", "status": "COMPLETE", "errorDownloadLink": signed},
            "submit": {"sn": "C1"},
            "once": {"sn": "C1", "url": signed},
            "link": [{"reportType": "open", "link": signed, "createdDate": None}],
        }
        return http(200, json.dumps(bodies[kind]).encode() if kind in bodies else b"")


FAILURES: dict[str, bytes | None] = {
    **{str(status): http(status, b'{"message":"no"}') for status in (400, 403, 429, 500)},
    "garbage": http(200, b"<html>"),
    "not HTTP": b"\0\0\0\0\r\n\r\n",
    "lost": None,
}

HOW_OFTEN: dict[str, Any] = {"500": (), "400": pytest.mark.matrix, "lost": pytest.mark.matrix}
"""The content of a frame depends little on the failure; other cases run in a soak test."""

Act = Callable[[NewsLeopard, str, Path], Awaitable[object]]


def signed_url(url: str) -> str:
    """Build a URL of the storage."""
    return f"{url}/up?X-Amz-Signature={SIGNATURE}"


async def import_of(nl: NewsLeopard, contacts: Any) -> object:
    """Import contacts into a list that is there."""
    return await workflows.import_contacts(nl, contacts, list_sn=ListSn("L1"), polling=QUICK)


def written(folder: Path, rows: int) -> Path:
    """Write contacts into a file."""
    path = folder / "members.csv"
    path.write_text(csv_of(rows))
    return path


async def rejected(nl: NewsLeopard, url: str, _: Path) -> object:
    """Read the rejected rows."""
    result = ImportResult(
        import_sn=ImportSn("I1"),
        status=workflows_status("COMPLETE"),
        errors=1,
        error_url=signed_url(url),
    )
    return [row async for row in workflows.rejected_rows(nl, result, contacts=csv_of(3).encode())]


def workflows_status(word: str) -> Any:
    """Build the state of an import."""
    return from_plain(ImportResult, {"import_sn": "I1", "status": word}).status


OPERATIONS: dict[str, tuple[str, Act]] = {
    "list_lists": ("lists", lambda nl, _, __: nl.contacts.list_lists()),
    "create_list": ("insert", lambda nl, _, __: nl.contacts.create_list("x")),
    "import_text": ("text", lambda nl, _, __: nl.contacts.import_text(csv_of(3))),
    "upload": (
        "up",
        lambda nl, url, _: nl.contacts.upload(
            UploadTicket(import_sn=ImportSn("i"), url=signed_url(url)), csv_of(3).encode()
        ),
    ),
    "download": (
        "up",
        lambda nl, url, folder: nl.reports.download(
            ReportLink(type=ReportType("open"), url=signed_url(url)), folder / "report.csv"
        ),
    ),
    "get_links": ("link", lambda nl, _, __: nl.reports.get_links(CampaignSn("C1"))),
    "submit": ("submit", lambda nl, _, __: nl.campaigns.submit(LISTED)),
    "small file": ("text", lambda nl, _, folder: import_of(nl, written(folder, 3))),
    "large file": ("up", lambda nl, _, folder: import_of(nl, written(folder, 300))),
    "bytes": ("text", lambda nl, _, __: import_of(nl, csv_of(3).encode())),
    "text": ("text", lambda nl, _, __: import_of(nl, csv_of(3))),
    "records": ("file", lambda nl, _, __: import_of(nl, records(300))),
    "records later": ("result", lambda nl, _, __: import_of(nl, records_later(3))),
    "send": (
        "submit",
        lambda nl, _, __: workflows.send_campaign(
            nl, CAMPAIGN, contacts=csv_of(3), list_name="x", polling=QUICK
        ),
    ),
    "export": (
        "up",
        lambda nl, _, folder: workflows.export_report(
            nl, CampaignSn("C1"), download_to=folder, polling=QUICK
        ),
    ),
    "rejected rows": ("up", rejected),
    "once": ("up", lambda nl, _, __: workflows.send_once(nl, CAMPAIGN, csv_of(3), polling=QUICK)),
    "event": ("event", lambda nl, _, __: workflows.trigger_automation(nl, "script", csv_of(3))),
    "test": (
        "submit",
        lambda nl, _, __: workflows.send_test(nl, CAMPAIGN, to=[f"{CONTACT}1@example.com"]),
    ),
}


async def fail_in(
    operation: str, platform: Callable[[str], Platform], folder: Path, *, by_rich: bool
) -> BaseException:
    """Run an operation against a platform, check how it fails, and return what the caller gets."""
    kind, act = OPERATIONS[operation]
    handler = platform(kind)
    async with serve(handler) as server:
        handler.url = server.url
        client = NewsLeopard(
            KEY,
            base_url=server.url,
            retry=RetryPolicy(max_attempts=1),
            timeouts=Timeouts(submit_s=0.3),
        )
        async with client as nl:
            try:
                with anyio.fail_after(_PATIENCE_S):
                    try:
                        await act(nl, server.url, folder)
                    except BaseException as error:
                        # A cancellation as well, before it becomes the caller's TimeoutError.
                        check_hidden(error, by_rich=by_rich)
                        raise
            except Exception as error:  # noqa: BLE001 - any error
                return error
    raise AssertionError("it did not fail")


@pytest.mark.parametrize(
    "failure",
    [pytest.param(each, marks=HOW_OFTEN.get(each, pytest.mark.soak)) for each in FAILURES],
)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_failed_call_shows_no_secret(operation: str, failure: str, tmp_path: Path) -> None:
    """This is true for all forms of contacts and for any answer."""
    if failure == "garbage" and OPERATIONS[operation][0] == "up":
        pytest.skip("it is a report like any other")

    def platform(kind: str) -> Platform:
        return Platform(kind, FAILURES[failure])

    # Asking rich takes long, and what a frame holds depends little on the failure.
    await fail_in(operation, platform, tmp_path, by_rich=failure == "400")


@pytest.mark.matrix
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_cancelled_call_shows_no_secret(operation: str, tmp_path: Path) -> None:
    """The caller's own timeout passes every frame down to the socket."""

    def platform(kind: str) -> Platform:
        return Platform(kind, None, hangs=True)

    error = await fail_in(operation, platform, tmp_path, by_rich=True)

    check_hidden(error, by_rich=False)


class Walking(logging.Handler):
    """Reports every line of a log with the variables of the frames that run, as Sentry can."""

    def __init__(self) -> None:
        super().__init__(0)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the variables of our own frames."""
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            if "newsleopard_async" in Path(frame.f_code.co_filename).parts:
                self.seen.append(f"{frame.f_code.co_name}: {frame.f_locals}")
            frame = frame.f_back


@pytest.mark.parametrize("operation", sorted(set(OPERATIONS) - {"rejected rows"}))
async def test_running_frames_show_no_secret(operation: str, tmp_path: Path) -> None:
    """Log records, including those of httpcore, can be reported together with frames."""
    walking, root = Walking(), logging.getLogger("httpcore")
    root.addHandler(walking)
    root.setLevel(logging.DEBUG)

    def platform(kind: str) -> Platform:
        return Platform(kind, http(400, b'{"message":"no"}'))

    try:
        await fail_in(operation, platform, tmp_path, by_rich=False)
    finally:
        root.setLevel(logging.NOTSET)
        root.removeHandler(walking)

    assert walking.seen
    for text in walking.seen:
        assert not any(secret in text for secret in SECRETS), text[:400]


class Raising:
    """A source that fails after a piece."""

    async def csv_pieces(self) -> AsyncIterator[bytes]:
        """Give contacts, then fail."""
        piece = csv_of(3).encode()
        yield piece
        raise LookupError(len(piece))


async def bad_records_later() -> AsyncIterator[Any]:
    """Give contacts, then something else."""
    for record in records(3):
        yield record
    yield {"EMAIL": [CONTACT], "NAME": CONTACT}


REFUSED: dict[str, Callable[[NewsLeopard], Any]] = {
    "text of one line": lambda _: check_contacts(f"{CONTACT}@example.com"),
    "half a surrogate pair": lambda _: check_contacts(f"EMAIL,NAME\n{CONTACT}\ud800,x\n"),
    "bad record": lambda _: check_contacts(cast("Any", [*records(3), {"EMAIL": [CONTACT]}])),
    "bad record later": lambda _: check_contacts(bad_records_later()),
    "failing source": lambda _: check_contacts(Raising()),
    "bad option": lambda _: check_contacts(csv_of(3), fix="nothing"),  # type: ignore[arg-type]
    "unknown argument": lambda _: check_contacts(csv_of(3), nothing=1),  # type: ignore[call-arg]
    "no list": lambda nl: workflows.import_contacts(nl, csv_of(3)),
    "unusable": lambda nl: workflows.import_contacts(
        nl, csv_of(3).replace("EMAIL", "X"), list_name="x"
    ),
    "bad max_rejected": lambda nl: workflows.send_campaign(
        nl, CAMPAIGN, contacts=csv_of(3), list_name="x", max_rejected=-1
    ),
    "bad text": lambda nl: nl.contacts.import_text(csv_of(3).replace("EMAIL", "X")),
    "bad upload": lambda nl: nl.contacts.upload(
        UploadTicket(import_sn=ImportSn("i"), url=f"ftp://x?{SIGNATURE}"), csv_of(3).encode()
    ),
    "bad link": lambda nl: nl.reports.download(
        ReportLink(type=ReportType("open"), url=f"https://[x?{SIGNATURE}"), Path("report.csv")
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_refused_argument_is_in_no_frame(name: str) -> None:
    """What is refused, or fails before anything is sent, is often the contacts themselves."""
    async with NewsLeopard(KEY, base_url="http://127.0.0.1:9") as nl:
        with pytest.raises((ValueError, LookupError, TypeError, Exception)) as caught:
            await REFUSED[name](nl)

    check_hidden(caught.value)


def test_refused_plain_data_is_in_no_frame() -> None:
    """Stored data may hold contacts and signed URLs."""
    for cls, data in (
        (RejectedRow, {"email": CONTACT, "line": "x"}),
        (ImportResult, {"import_sn": "I1", "status": 1, "error_url": f"https://x?{SIGNATURE}"}),
    ):
        with pytest.raises(ValueError, match="must be") as caught:
            from_plain(cls, data)

        check_hidden(caught.value)


async def test_refused_report_is_in_no_frame() -> None:
    """A function that gives an iterator refuses at once."""
    async with NewsLeopard(KEY, base_url="http://127.0.0.1:9") as nl:
        for contacts in (csv_of(3), f"{CONTACT}@example.com"):
            with pytest.raises(ValueError, match="report") as caught:
                workflows.rejected_rows(nl, None, contacts=contacts)  # type: ignore[arg-type]  # refused

            check_hidden(caught.value)


async def test_cancelled_reading_shows_no_contact() -> None:
    """What has been gathered of records waits in a frame while the next one is awaited."""

    async def slow() -> AsyncIterator[dict[str, str]]:
        for record in records(3):
            yield record
        await anyio.sleep_forever()

    async def check() -> None:
        try:
            await check_contacts(slow())
        except BaseException as error:
            check_hidden(error)
            raise

    with anyio.move_on_after(0.1) as scope:
        await check()
    assert scope.cancelled_caught


async def test_secrets_are_seen() -> None:
    """The check above finds them in a frame that is not a frame of a test."""
    namespace: dict[str, Any] = {}
    source = "def fail(secret):\n    raise ValueError\n"
    exec(compile(source, "/elsewhere.py", "exec"), namespace)  # noqa: S102 - the source above
    for secret in SECRETS:
        with pytest.raises(ValueError, match=r"^$") as caught:
            namespace["fail"](secret)
        with pytest.raises(AssertionError):
            check_hidden(caught.value)
