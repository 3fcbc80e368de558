"""Rewritten answers of the platform, one by one, and the outcome of a mailing for each.

They are rewritten before the client receives them, so they can have forms that the emulator cannot
produce. ``python -m tests.workflows.rewrites`` prints the table; with a name, the whole message.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import anyio
import attrs
import httpx

from newsleopard_async import NewsLeopard, NewsLeopardError, OutcomeUnknown, workflows
from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.platform.gateway import operation_of
from newsleopard_async.testing import ManualClock
from tests.clients import csv_of
from tests.constants import CAMPAIGN, KEY, LIST_NAME

__all__ = ["REWRITES", "Rewrite", "outcome_of", "printed"]

ROWS: Final = 1_200
"""Contacts: they go as a file, and their number is grouped as 1,200."""

PASSES: Final = "passes"


@attrs.frozen
class Answer:
    """An answer to the client.

    Attributes:
        data: The JSON; bytes are used as the body unchanged.
        number: How many answers of the operation came before.
    """

    data: Any = b""
    status: int = 200
    number: int = 0


Ask = Callable[[httpx.Request], httpx.Request | Answer]
Change = Callable[[Answer], Answer]


@attrs.frozen
class Rewrite:
    """One way to change an answer.

    Attributes:
        name: The change.
        operations: The operations with the changed answers, separated by blanks.
        change: Rewrites an answer.
        ask: Rewrites the request, or answers instead of the emulator.
        wanted: The expected outcome of a mailing: ``passes``, or the beginning of the error.
        is_lost: Whether the reply to the submit is lost, and the campaign is searched for.
    """

    name: str
    operations: str
    change: Change = lambda answer: answer
    ask: Ask = lambda request: request
    wanted: str = PASSES
    is_lost: bool = False


class Rewriting(httpx.AsyncBaseTransport):
    """Rewrites the answers."""

    def __init__(self, inner: httpx.AsyncBaseTransport, rewrite: Rewrite) -> None:
        self._inner = inner
        self._rewrite = rewrite
        self._numbers: dict[str, int] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on, and its answer back."""
        operation = operation_of(request.method, request.url.path) or ""
        if operation not in self._rewrite.operations.split():
            return await self._inner.handle_async_request(request)
        await request.aread()
        asked = self._rewrite.ask(request)
        if asked is not request:
            # The client notices that its own request is sent.
            assert isinstance(request.stream, httpx.AsyncByteStream)
            async for _ in request.stream:
                pass
        if isinstance(asked, Answer):
            return _response(asked)
        response = await self._inner.handle_async_request(asked)
        body = await response.aread()
        number = self._numbers.get(operation, 0)
        self._numbers[operation] = number + 1
        if response.status_code != 200:
            return httpx.Response(response.status_code, content=body)
        return _response(self._rewrite.change(Answer(json.loads(body or b"null"), 200, number)))


def _response(answer: Answer) -> httpx.Response:
    raw = isinstance(answer.data, bytes)
    body = answer.data if raw else json.dumps(answer.data, ensure_ascii=False).encode()
    return httpx.Response(answer.status, content=body)


async def outcome_of(rewrite: Rewrite, folder: Path) -> str:
    """Return the outcome of a mailing: ``passes``, or the error's class and message."""
    clock = ManualClock()
    emulator = Emulator(api_keys=(KEY,), clock=clock)
    transport = Rewriting(emulator.transport(), rewrite)
    async with NewsLeopard(KEY, http_transport=transport, clock=clock) as nl:
        try:
            await _mail(nl, emulator, clock, folder, is_lost=rewrite.is_lost)
        except NewsLeopardError as error:
            return f"{type(error).__name__}: {error}"
    made = [len(each.members) for each in emulator.lists if each.name == LIST_NAME]
    mails = [item.name for item in emulator.campaigns]
    if made == [ROWS] and len(mails) == 1 and len(emulator.outbox) == ROWS:
        return PASSES
    return f"wrong: {len(made)} lists of the name, {len(mails)} campaigns"


async def _mail(
    nl: NewsLeopard, emulator: Emulator, clock: ManualClock, folder: Path, *, is_lost: bool
) -> None:
    """Import a text into a new list, send to a file of contacts in the same list, and report."""
    for _ in range(3):
        emulator.add_sample_lists()
    await workflows.import_contacts(nl, csv_of(3), list_name=LIST_NAME)
    for _ in range(3):
        emulator.add_sample_lists()
    await clock.sleep(600)
    options: dict[str, Any] = {
        "contacts": csv_of(ROWS),
        "list_name": LIST_NAME,
        "if_list_exists": "reuse",
        "checkpoint": folder / "mailing.json",
    }
    if is_lost:
        emulator.lose_reply_to("submit_campaign")
        try:
            await workflows.send_campaign(nl, CAMPAIGN, **options)
        except OutcomeUnknown:
            await clock.sleep(86_400)
    outcome = await workflows.send_campaign(nl, CAMPAIGN, **options)
    await clock.sleep(86_400)
    report = await workflows.export_report(nl, outcome.campaign_sn, download_to=folder)
    assert report.files


def _data(change: Callable[[Any], Any]) -> Change:
    return lambda answer: attrs.evolve(answer, data=change(answer.data))


def _rows(change: Callable[[list[Any]], Any]) -> Change:
    """Rewrite the rows of an answer, without the data around them."""

    def changed(data: Any) -> Any:
        return change(data if isinstance(data, list) else next(iter(data.values())))

    return _data(changed)


def _fields(**changes: Callable[[Any], Any]) -> Change:
    """Rewrite fields at any depth."""

    def changed(data: Any) -> Any:
        if isinstance(data, list):
            return [changed(each) for each in data]
        if not isinstance(data, dict):
            return data
        return {
            name: changes[name](value) if name in changes else changed(value)
            for name, value in data.items()
        }

    return _data(changed)


def _named(**names: str) -> Change:
    """Give fields other names."""

    def changed(data: Any) -> Any:
        if isinstance(data, list):
            return [changed(each) for each in data]
        if not isinstance(data, dict):
            return data
        return {names.get(name, name): changed(value) for name, value in data.items()}

    return _data(changed)


def _without(*names: str) -> Change:
    return _data(lambda data: {key: value for key, value in data.items() if key not in names})


def _before(answer: Answer) -> Change:
    """Answer in this way until there are links."""
    return lambda real: real if real.data["Reports"] else answer


def _at_first(answer: Answer) -> Change:
    """Answer so twice, and then as usual."""
    return lambda real: answer if real.number < 2 else real


DATES: Final = ("createDate", "updateDate", "completedDate", "createdDate")
SENT: Final = ("sentBeginDate", "sentEndDate")
DATED: Final = "list_lists get_import get_links"


def _dates(change: Callable[[str], Any]) -> Change:
    def changed(text: str | None) -> Any:
        return None if text is None else change(text)

    return _fields(**dict.fromkeys((*DATES, *SENT), changed))


def _epoch_s(text: str) -> int:
    return int(datetime.fromisoformat(f"{text[:19]}+00:00").timestamp())


def _counts(change: Callable[[int], Any]) -> Change:
    names = ("fileCnt", "insertCnt", "duplicateCnt", "errCnt", "subscribedCnt", "excludeCnt")
    return _fields(**dict.fromkeys(names, lambda value: change(int(value))))


class _Numbers:
    """Codes as JSON numbers in answers, and as digits in requests."""

    def __init__(self) -> None:
        self._codes: dict[str, str] = {}

    def change(self, answer: Answer) -> Answer:
        """Write the codes as numbers."""
        names = ("sn", "import_sn")
        return _fields(**dict.fromkeys(names, self._number))(answer)

    def _number(self, code: str) -> int:
        for number, known in self._codes.items():
            if known == code:
                return int(number)
        number = str(70_000_000 + len(self._codes))
        self._codes[number] = code
        return int(number)

    def ask(self, request: httpx.Request) -> httpx.Request:
        """Write the digits as codes."""
        url, body = str(request.url), request.content.decode()
        for number, code in self._codes.items():
            url, body = url.replace(number, code), body.replace(number, code)
        return _request(request, url, body)


def _request(request: httpx.Request, url: str, body: str = "") -> httpx.Request:
    headers = [(name, value) for name, value in request.headers.items() if name != "content-length"]
    return httpx.Request(
        request.method, url, headers=headers, content=body, extensions=request.extensions
    )


def _pages(
    *, first: int = 0, before: Answer | None = None, most: int = 100, one: bool = False
) -> Ask:
    """Number the pages, cap them, or have one alone."""

    def ask(request: httpx.Request) -> httpx.Request | Answer:
        page, size = int(request.url.params["page"]), int(request.url.params["size"])
        if page < first and before is not None:
            return before
        page = 0 if one else max(page - first, 0)
        url = request.url.copy_merge_params({"page": str(page), "size": str(min(size, most))})
        return _request(request, str(url))

    return ask


def _refused(data: Any, status: int = 400) -> Ask:
    return lambda _: Answer(data, status)


ALL: Final = (
    "create_list import_text start_file_import get_import list_lists submit_campaign "
    "list_campaigns export_report get_links"
)
MADE: Final = "create_list import_text start_file_import submit_campaign"
NO_LIST: Final = Answer({"Lists": []})
PAGE: Final = {"code": "40001", "invalidFields": {"page": ["Min"]}}


COUNTS: Final[dict[str, Callable[[int], Any]]] = {
    "counts as text": str,
    "counts as `1,200`": "{:,}".format,
    "counts as `1200.0`": float,
    "counts as ` 1200 `": " {} ".format,
    "empty counts": lambda _: "",
    "counts in words": lambda _: "many",
    "counts below 0": lambda _: -1,
}


def _rewrites() -> list[Rewrite]:
    """Build the table; counted codes must start again each time."""
    numbers = _Numbers()
    numbered = _Numbers()
    lists, links = "list_lists", "get_links"
    result, submit, campaigns = "get_import", "submit_campaign", "list_campaigns"
    return [
        # Containers of lists
        Rewrite("a bare array", lists, _rows(lambda rows: rows)),
        Rewrite("`groups` and `pageInfo`", lists, _rows(lambda r: {"groups": r, "pageInfo": {}})),
        Rewrite("`lists`", lists, _rows(lambda r: {"lists": r})),
        Rewrite("`data`", lists, _rows(lambda r: {"data": r, "success": True})),
        Rewrite("`data.groups`", lists, _rows(lambda r: {"data": {"groups": r, "pageInfo": {}}})),
        Rewrite("`result.Lists`", lists, _data(lambda data: {"result": data, "status": 200})),
        Rewrite("`errors` beside", lists, _rows(lambda r: {"items": r, "errors": []})),
        Rewrite(
            "two arrays of lists",
            lists,
            _rows(lambda r: {"a": r or [{"sn": "x"}], "b": [{"sn": "y"}]}),
            wanted="UnexpectedResponse: .*has rows in",
        ),
        Rewrite(
            "null for the array",
            lists,
            _rows(lambda _: {"Lists": None}),
            wanted=r"UnexpectedResponse: .*\$\.Lists neither is",
        ),
        # Containers of links
        Rewrite("a bare array", links, _rows(lambda rows: rows)),
        Rewrite("`data`", links, _rows(lambda r: {"data": r})),
        Rewrite("one object", links, _rows(lambda r: r[0] if r else {})),
        Rewrite("`link` alone", links, _rows(lambda r: {"link": r[0]["link"] if r else None})),
        Rewrite("the URL alone", links, _rows(lambda r: r[0]["link"] if r else None)),
        Rewrite("null if none is ready", links, _before(Answer(None))),
        Rewrite("null in `Reports`", links, _before(Answer({"Reports": None}))),
        Rewrite("no content if none is ready", links, _before(Answer(b"", 204))),
        Rewrite(
            "rows without links if none is ready",
            links,
            _before(Answer({"Reports": [{"reportType": "open"}, {"link": ""}]})),
        ),
        # Containers of sent campaigns
        Rewrite(
            "`campaigns` and `total`",
            campaigns,
            _rows(lambda r: {"campaigns": r, "total": 1}),
            is_lost=True,
        ),
        Rewrite("`data.list`", campaigns, _rows(lambda r: {"data": {"list": r}}), is_lost=True),
        Rewrite("one object", campaigns, _rows(lambda r: r[0] if r else r), is_lost=True),
        Rewrite(
            "`campaignSn`, `sentStartAt`",
            campaigns,
            _named(sn="campaignSn", sentBeginDate="sentStartAt"),
            is_lost=True,
        ),
        Rewrite(
            "the campaign without its code",
            campaigns,
            _named(sn="id"),
            wanted="OutcomeUnknown: .*could not be read",
            is_lost=True,
        ),
        # Codes
        Rewrite("numbers", ALL, numbers.change, numbers.ask),
        Rewrite("numbers, a lost reply", ALL, numbered.change, numbered.ask, is_lost=True),
        Rewrite("`importSn`", f"{MADE} {result}", _named(import_sn="importSn")),
        Rewrite("`campaignSn`", submit, _named(sn="campaignSn")),
        Rewrite("`data.sn`", submit, _data(lambda data: {"data": data})),
        Rewrite("`data` around each", f"{MADE} {result}", _data(lambda data: {"data": data})),
        Rewrite(
            "two different codes",
            submit,
            _data(lambda data: {**data, "campaignSn": "x"}),
            wanted="OutcomeUnknown",
        ),
        Rewrite("no code", submit, _data(lambda _: {"status": "ok"}), wanted="OutcomeUnknown"),
        # The result of an import
        Rewrite("no `import_sn`", result, _without("import_sn")),
        Rewrite(
            "another `import_sn`",
            result,
            _fields(import_sn=lambda _: "another"),
            wanted="UnexpectedResponse: .*another import",
        ),
        Rewrite("state in lower case", result, _fields(status=str.lower)),
        Rewrite("label and state", result, _fields(status=lambda word: f"匯入 = {word}")),
        Rewrite("blank link", result, _data(lambda data: {**data, "errorDownloadLink": " "})),
        Rewrite(
            "http link", result, _data(lambda data: {**data, "errorDownloadLink": "http://x/y"})
        ),
        Rewrite(
            "http link, no `errCnt`",
            result,
            _data(lambda data: {**data, "errorDownloadLink": "http://x/y", "errCnt": None}),
            wanted="UnexpectedResponse: .*errCnt does not say",
        ),
        # Counts
        *(Rewrite(name, f"{result} {lists}", _counts(change)) for name, change in COUNTS.items()),
        # Dates
        *(
            Rewrite(name, DATED, _dates(change))
            for name, change in {
                "dates with `+0000`": lambda text: text.replace("Z", "+0000"),
                "dates with `+00:00`": lambda text: text.replace("Z", "+00:00"),
                "dates without a zone": lambda text: text.replace("Z", ""),
                "dates with a blank": lambda text: text.replace("T", " "),
                "dates in s": _epoch_s,
                "dates in ms": lambda text: _epoch_s(text) * 1_000,
                "dates in ms, as text": lambda text: f"{_epoch_s(text)}000",
                "dates in words": lambda _: "yesterday",
                "dates as arrays": lambda _: [2026, 1, 5, 2, 0],
                "no dates": lambda _: None,
            }.items()
        ),
        Rewrite(
            "dates with `+0000`, a lost reply",
            campaigns,
            _dates(lambda text: text.replace("Z", "+0000")),
            is_lost=True,
        ),
        # Single rows
        Rewrite("an empty row", lists, _rows(lambda r: {"Lists": [{}, *r] if r else []})),
        Rewrite(
            "another list without its code",
            lists,
            _rows(lambda r: {"Lists": [{"name": "別的"}, *r] if r else []}),
        ),
        Rewrite(
            "the list without its code",
            lists,
            _rows(
                lambda r: {"Lists": [{**e, "sn": None} if e["name"] == LIST_NAME else e for e in r]}
            ),
            wanted="UnexpectedResponse: .*is possibly the row that was searched",
        ),
        # Pages
        Rewrite("20 rows at most", lists, ask=_pages(most=20)),
        Rewrite("5 rows at most", lists, ask=_pages(most=5)),
        Rewrite("page 0 is page 1", lists, ask=_pages(first=1, most=5)),
        Rewrite("page 0 is empty", lists, ask=_pages(first=1, before=NO_LIST, most=5)),
        Rewrite("page 0 is refused", lists, ask=_pages(first=1, before=Answer(PAGE, 400), most=5)),
        Rewrite("one page alone", lists, ask=_pages(one=True)),
        Rewrite(
            "each page refused without a word",
            lists,
            ask=_refused(b""),
            wanted="APIError: list_lists was answered with HTTP 400",
        ),
        # Refusals
        *(
            Rewrite(f"{name} if none is ready", links, _before(answer))
            for name, answer in {
                "40303": Answer({"code": "40303", "message": "bad operation"}, 403),
                "`errorCode` 40303": Answer({"errorCode": 40303}, 403),
                "400": Answer(b"", 400),
                "404": Answer(b"", 404),
            }.items()
        ),
        *(
            Rewrite(f"{name} right after the upload", result, _at_first(answer))
            for name, answer in {
                "400": Answer(b"", 400),
                "404": Answer(b"", 404),
                "40007": Answer({"code": "40007"}, 400),
            }.items()
        ),
        *(
            Rewrite(f"refused: {name}", submit, ask=_refused(body, status), wanted=wanted)
            for name, body, status, wanted in (
                ("`errorCode` 40011", {"errorCode": "40011"}, 400, "SenderNotVerified: .*40011"),
                (
                    "`errorCode` 40012, numbers as text",
                    {"errorCode": 40012, "recipients": "1,200", "remaining": "3"},
                    400,
                    "InsufficientBalance: .*1,?200",
                ),
                (
                    "40001 with 422",
                    {"code": 40001, "invalidFields": {"form.name": ["NotEmpty"]}},
                    422,
                    "FieldError: .*form.name",
                ),
                (
                    "40001, fields as an array",
                    {"code": 40001, "invalidFields": [{"field": "form.name", "rule": "NotEmpty"}]},
                    400,
                    "FieldError: .*form.name",
                ),
                ("a code inside `error`", {"error": {"code": 40011}}, 400, "OutcomeUnknown"),
            )
        ),
    ]


REWRITES: Final = tuple(_rewrites())


def _is_as_wanted(rewrite: Rewrite, outcome: str) -> bool:
    return outcome == rewrite.wanted or re.match(rewrite.wanted, outcome) is not None


def printed(outcomes: dict[Rewrite, str]) -> str:
    """Write the outcomes as a table in Markdown, with their count."""
    lines = ["| answers of | what is otherwise | a mailing |", "|---|---|---|"]
    for rewrite, outcome in outcomes.items():
        whose = "several" if " " in rewrite.operations else f"`{rewrite.operations}`"
        what = outcome if outcome == PASSES else f"`{outcome.partition(':')[0]}`"
        mark = "" if _is_as_wanted(rewrite, outcome) else " (**not as wanted**)"
        lines.append(f"| {whose} | {rewrite.name} | {what}{mark} |")
    passed = sum(each == PASSES for each in outcomes.values())
    wanted = sum(_is_as_wanted(*each) for each in outcomes.items())
    total = (
        f"Of {len(outcomes)} rewritten answers {passed} pass, and {wanted} end as they should: "
        "where an answer cannot be understood, or refuses, the error names the reason."
    )
    return "\n".join([*lines, "", total])


async def _all() -> dict[Rewrite, str]:
    outcomes: dict[Rewrite, str] = {}
    for rewrite in REWRITES:
        with tempfile.TemporaryDirectory() as folder:
            outcomes[rewrite] = await outcome_of(rewrite, Path(folder))
        if rewrite.name in sys.argv or not _is_as_wanted(rewrite, outcomes[rewrite]):
            sys.stderr.write(f"{rewrite.operations} {rewrite.name}: {outcomes[rewrite]}\n")
    return outcomes


if __name__ == "__main__":
    logging.disable()
    sys.stdout.write(f"{printed(anyio.run(_all))}\n")
