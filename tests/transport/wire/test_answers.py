"""Answers as the documentation prints them, and as it contradicts itself, are understood."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from newsleopard_async.disclosure import shown
from newsleopard_async.models import (
    CampaignSn,
    ContactList,
    ImportResult,
    ImportSn,
    ImportStatus,
    ListSn,
    ReportType,
    SentCampaign,
    UploadTicket,
)
from newsleopard_async.transport.wire import answers
from newsleopard_async.transport.wire.values import Unread, WireError

SN = "40280a3c6a0cb8c5016a10142a230002"
IMPORT_SN = "45093ba5-4bb5-47b2-a2c7-40ae4ff646b6"
URL = "https://s3.amazonaws.com/..."

decode_import = functools.partial(answers.decode_import_result, requested=ImportSn(IMPORT_SN))


def read(decode: Callable[..., Any], answer: object, **options: Any) -> Any:
    """Decode an answer of which everything can be read."""
    unread = Unread()
    found = decode(answer, unread, **options)
    assert str(unread) == ""
    return found


def test_list_with_nothing_but_a_code_is_read() -> None:
    """What is missing is unknown, and not zero."""
    (found,) = read(answers.decode_lists, [{"sn": SN}])

    assert found == ContactList(sn=ListSn(SN))
    assert found.subscribed_count is None
    assert found.name == ""


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("COMPLETE", "COMPLETE"),
        ("COMPLETED", "COMPLETE"),
        ("匯入完成 = COMPLETE", "COMPLETE"),
        ("處理中 = PROCESSING", "PROCESSING"),
        ("COMPLETE = 匯入完成", "COMPLETE"),
        ("ERROR = COMPLETE", "ERROR = COMPLETE"),
        ("complete", "COMPLETE"),
        ("STRANGE", "STRANGE"),
        ("strange", "strange"),
    ],
)
def test_state_is_the_bare_word(status: str, expected: str) -> None:
    """The schema prints label and word together (T43); an unknown word is kept."""
    result = read(decode_import, {"import_sn": IMPORT_SN, "status": status})

    assert result.status == expected


def test_report_link_loses_its_leading_colon() -> None:
    """Type and address come from their own fields, not from the name of the file (T115, T116)."""
    links = read(
        answers.decode_links,
        {
            "Reports": [
                {
                    "reportType": "open",
                    "link": " ::https://sample.domain/f.cs",
                    "createdDate": "2019-04-01T08:38:32Z",
                },
                {"reportType": "strange", "link": "http://127.0.0.1:8025/f.csv", "createdDate": ""},
            ]
        },
        base_url="http://127.0.0.1:8025",
    )

    assert [link.url for link in links] == [
        "https://sample.domain/f.cs",
        "http://127.0.0.1:8025/f.csv",
    ]
    assert [link.type for link in links] == [ReportType.OPEN, "strange"]
    assert [link.created for link in links] == [
        datetime(2019, 4, 1, 8, 38, 32, tzinfo=UTC),
        None,
    ]


ROW = {"sn": SN, "name": "會員"}
OTHER_ROW = {"sn": "0412", "name": "0412"}
OPEN = {"reportType": "open", "link": "https://x.example/y"}


@pytest.mark.parametrize(
    "answer",
    [
        {"groups": [ROW], "pageInfo": {"total": 1}},
        {"lists": [ROW], "errors": []},
        {"sn": None, "groups": [ROW]},
        {"groups": [ROW], "user": {"favourites": [OTHER_ROW]}},
        {"data": [ROW], "columns": ["sn", "name"]},
        {"data": {"groups": [ROW], "pageInfo": {}}},
        {"result": {"Lists": [ROW]}, "status": "success"},
        {"response": {"data": {"rows": [ROW]}}, "links": []},
        {"Lists": [ROW], "favourites": [ROW, OTHER_ROW]},
        {"Lists": ROW},
        {"data": ROW},
        ROW,
    ],
)
def test_rows_are_known_by_their_code(answer: object) -> None:
    """Any one array of objects with `sn` contains the lists, under any name (T54)."""
    assert [each.sn for each in read(answers.decode_lists, answer)] == [SN]


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {"Lists": []},
        {"groups": [], "pageInfo": {"total": 0}},
        {"data": {"groups": []}, "errors": [], "messages": ["ok"]},
        {"groups": [], "errors": [], "warnings": [], "messages": []},
        {"groups": [], "owner": {"sn": "c1", "name": "x"}},
        {"Lists": [], "links": [{"rel": "next"}]},
    ],
)
def test_one_empty_array_is_no_lists(answer: object) -> None:
    """It is the only one that the lists could be in."""
    assert read(answers.decode_lists, answer) == ()


@pytest.mark.parametrize(
    "answer",
    [
        {"campaigns": [ROW], "total": 1},
        {"data": {"list": [ROW]}},
        {"campaignSn": SN, "name": "會員"},
        [{"campaign_sn": SN, "name": "會員"}],
        {**ROW, "lists": [OTHER_ROW]},
    ],
)
def test_sent_campaigns_are_known_by_their_code(answer: object) -> None:
    """The notes call it `campaignSn`; one campaign may name its lists (T101, T109)."""
    assert read(answers.decode_sent_campaigns, answer) == (
        SentCampaign(sn=CampaignSn(SN), name="會員"),
    )


@pytest.mark.parametrize(
    ("answer", "types"),
    [
        ({"data": [OPEN], "total": 1}, ["open"]),
        (OPEN, ["open"]),
        ({"Reports": OPEN}, ["open"]),
        ({"link": "https://x.example/y"}, ["unknown"]),
        ("https://x.example/y", ["unknown"]),
        ([OPEN, {"link": "https://a/b"}, {"link": "https://c/d", "reportType": 5}], None),
    ],
)
def test_links_are_known_by_their_link(answer: object, types: list[str] | None) -> None:
    """One object, or only the link; each file without a type gets its own type (T114)."""
    found = answers.decode_links(answer, Unread())

    assert [each.type for each in found] == (types or ["open", "unknown", "unknown-2"])


@pytest.mark.parametrize(
    "answer",
    [
        *(None, [], {}, {"Reports": []}, {"Reports": None}, {"reports": None}, {"link": None}),
        *({"data": None}, {"data": {"Reports": None}}, {"link": ""}, ""),
        {"link": None, "reportType": "open"},
        [{"reportType": "open"}, {"reportType": "click", "link": None}, {"link": " "}],
    ],
)
def test_link_that_is_not_there_is_not_ready(answer: object) -> None:
    """Before the first export there is no link, in any notation (T117)."""
    assert answers.decode_links(answer, Unread()) == ()


@pytest.mark.parametrize(
    ("decode", "answer"),
    [
        *((answers.decode_campaign_sn, {name: 12345}) for name in ("sn", "campaignSn")),
        *((answers.decode_campaign_sn, {"campaign_sn": "12345", "sn": None}),),
        *((answers.decode_campaign_sn, {wrapper: {"sn": 12345}}) for wrapper in ("data", "result")),
        (answers.decode_campaign_sn, {"sn": "12345", "data": {"campaignSn": 12345}, "code": 0}),
        (answers.decode_list_sn, {"sn": 12345}),
        (answers.decode_list_sn, {"data": {"listSn": "12345", "name": "x"}}),
        (answers.decode_import_sn, {"import_sn": 12345}),
        (answers.decode_import_sn, {"result": {"importSn": "12345"}, "sn": "of the list"}),
    ],
)
def test_code_is_found_where_it_stands(decode: Callable[..., object], answer: object) -> None:
    """One code under one of its names, as text or number, at the top or in a wrapper (T64)."""
    assert read(decode, answer) == "12345"


def test_ticket_may_be_wrapped() -> None:
    """Both fields of it stand in the wrapper."""
    assert read(answers.decode_ticket, {"data": {"importSn": 5, "url": URL}}) == UploadTicket(
        import_sn=ImportSn("5"), url=URL
    )


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "COMPLETE", "errCnt": "1"},
        {"status": "COMPLETE", "errCnt": 1, "import_sn": IMPORT_SN.upper()},
        {"status": "COMPLETE", "errCnt": 1, "importSn": IMPORT_SN.replace("-", "")},
        {"data": {"status": "COMPLETE", "errCnt": 1}, "status": 200},
        {"data": {"status": "COMPLETE", "errCnt": 1}, "status": "success"},
        {"status": "COMPLETE", "data": {"errCnt": 1}},
        {"status": "COMPLETE", "errCnt": 1, "data": {"status": "ok", "errCnt": 5}},
        {"status": "COMPLETE", "result": {"status": "匯入完成 = COMPLETE", "errCnt": 1}},
        {"status": "COMPLETE", "errCnt": 5, "data": {"status": "COMPLETE", "errCnt": 1}},
    ],
)
def test_result_of_an_import_is_that_of_the_import_asked_for(answer: object) -> None:
    """It need not name it, may write its UUID otherwise, and may be wrapped."""
    assert read(decode_import, answer) == ImportResult(
        import_sn=ImportSn(IMPORT_SN), status=ImportStatus.COMPLETE, errors=1
    )


LIST_FIELDS = ("subscribedCnt", "excludeCnt", "openedRate", "clickedRate", "type", "createDate")


@pytest.mark.parametrize("value", [True, "many", float("nan"), -1.5, 10**400, [], {"a": 1}])
def test_field_that_decides_nothing_fails_no_list(value: object) -> None:
    """It is unknown, and noted; the list is there (T45, T55, T108)."""
    unread = Unread()
    answer = [{**ROW, **dict.fromkeys((*LIST_FIELDS, "updateDate"), value), "status": 5}]

    (found,) = answers.decode_lists(answer, unread)

    assert found == ContactList(
        sn=ListSn(SN),
        name="會員",
        opened_rate_percent=found.opened_rate_percent,
        clicked_rate_percent=found.clicked_rate_percent,
    )
    assert "$[0].subscribedCnt is " in str(unread)
    assert "many" not in str(unread)


@pytest.mark.parametrize(
    "fields",
    [
        {"import_sn": {"a": 1}},
        {"import_sn": ""},
        {"createDate": "yesterday", "completedDate": [2019, 3, 5]},
        {"fileCnt": "all", "insertCnt": -1, "duplicateCnt": True},
        *({"errorDownloadLink": url, "errCnt": 0} for url in ("http://x/y", "ftp://x/y", "a b", 5)),
        {"errorDownloadLink": "http://x/y", "errCnt": None, "status": "ERROR"},
    ],
)
def test_field_that_decides_nothing_fails_no_import(fields: dict[str, object]) -> None:
    """Only its state says whether an import has ended (T45, T49)."""
    unread = Unread()

    found = decode_import({"status": "COMPLETE", **fields}, unread)

    assert str(unread).startswith(f"$.{next(iter(fields))} ")
    assert found.import_sn == IMPORT_SN
    assert (found.created, found.completed, found.inserted, found.error_url) == (None,) * 4


@pytest.mark.parametrize(
    ("fields", "named", "path"),
    [
        ({"import_sn": "another"}, "another", "$.import_sn"),
        ({"data": {"importSn": 7}}, "7", "$.data.importSn"),
    ],
)
def test_result_names_its_import(fields: dict[str, object], named: str, path: str) -> None:
    """A caller that waits for an import can find that the answer names another one (T42)."""
    unread = Unread()

    found = decode_import({"status": "COMPLETE", **fields}, unread)

    assert found.import_sn == named
    assert str(unread).startswith(f"{path} names another import")


def test_link_that_alone_tells_of_rejected_rows_is_needed() -> None:
    """Without the count and the link, lost contacts would not be noticed."""
    answer = {"status": "COMPLETE", "errCnt": "some", "errorDownloadLink": "http://x/y"}

    with pytest.raises(WireError, match="errCnt does not say"):
        decode_import(answer, Unread())
    assert decode_import({**answer, "errorDownloadLink": " "}, Unread()).errors is None


@pytest.mark.parametrize("bad", [{}, {"sn": None, "name": "別的"}, {"sn": "a/b"}, None, 5, "x"])
@pytest.mark.parametrize("decode", [answers.decode_lists, answers.decode_sent_campaigns])
def test_row_without_a_code_is_left_out(decode: Callable[..., Any], bad: object) -> None:
    """One bad row stops no search for another list or campaign."""
    unread = Unread()

    found = decode([bad, ROW], unread, wanted=lambda name: name == "會員")

    assert [each.sn for each in found] == [SN]
    assert str(unread).startswith("$[0].sn is ")


@pytest.mark.parametrize(
    "bad",
    [
        {"name": "會員"},
        {"name": "會\x1b員"},
        {"sn": "", "name": "會員"},
        {"sn": {}, "name": ["會員"]},
        {"sn": SN, "name": {"zh": "會員"}},
        {"sn": SN, "name": 7.0},
    ],
)
@pytest.mark.parametrize("decode", [answers.decode_lists, answers.decode_sent_campaigns])
def test_row_that_may_be_the_wanted_one_is_an_error(
    decode: Callable[..., Any], bad: object
) -> None:
    """Left out, it would be created or sent a second time."""
    answer = [OTHER_ROW, bad]

    with pytest.raises(WireError, match=r"\$\[1\] cannot be read"):
        decode(answer, Unread(), wanted=lambda name: name in ("會員", shown("會\x1b員")))
    assert decode(answer, Unread())


def test_name_that_came_as_a_number_is_its_digits() -> None:
    """But zeros in front of it are lost, so that it may be another name (T56)."""
    answer = [{"sn": SN, "name": 412}]

    assert [each.name for each in read(answers.decode_lists, answer)] == ["412"]
    assert read(answers.decode_lists, answer, wanted=lambda name: name == "會員")
    with pytest.raises(WireError, match="is possibly the row that was searched"):
        answers.decode_lists(answer, Unread(), wanted=lambda name: int(name) == 412)


@pytest.mark.parametrize(
    ("decode", "answer", "path"),
    [
        (answers.decode_lists, {}, "$"),
        (answers.decode_lists, None, "$"),
        (answers.decode_lists, "[]", "$"),
        (answers.decode_lists, {"Lists": None}, "$.Lists"),
        (answers.decode_lists, {"Lists": {"name": "x"}}, "$.Lists"),
        (answers.decode_lists, {"Lists": [SN]}, "$.Lists"),
        (answers.decode_lists, {"Lists": [{"name": "x"}], "groups": []}, "$.Lists"),
        (answers.decode_lists, {"errors": []}, "$"),
        (answers.decode_lists, {"groups": [], "others": []}, "$"),
        (answers.decode_lists, {"groups": [], "pages": [{"number": 1}]}, "$"),
        (answers.decode_lists, {"groups": [ROW], "others": [OTHER_ROW]}, "$"),
        (answers.decode_lists, {"群組": [ROW], "其他": [OTHER_ROW]}, "$"),
        (answers.decode_lists, [{"name": "x"}], "$"),
        (answers.decode_lists, [{"sn": None, "name": "x"}, {"sn": 0}], "$[0].sn"),
        (answers.decode_list_sn, {}, "$.sn"),
        (answers.decode_list_sn, {"sn": ""}, "$.sn"),
        (answers.decode_list_sn, {"sn": " "}, "$.sn"),
        (answers.decode_list_sn, {"sn": 5.5}, "$.sn"),
        (answers.decode_list_sn, {"sn": None}, "$.sn"),
        (answers.decode_list_sn, [], "$"),
        (answers.decode_list_sn, {"sn": "a/b"}, "$.sn"),
        (answers.decode_list_sn, {"sn": "file"}, "$.sn"),
        (answers.decode_lists, [{"sn": "a?b"}], "$[0].sn"),
        (answers.decode_sent_campaigns, [{"sn": "\ud800"}], "$[0].sn"),
        (answers.decode_sent_campaigns, [{"sn": "a" * 201}], "$[0].sn"),
        (answers.decode_import_sn, {"import_sn": "a b"}, "$.import_sn"),
        (answers.decode_import_sn, {"sn": "x"}, "$.import_sn"),
        (answers.decode_import_sn, {"import_sn": "x", "importSn": "y"}, "$"),
        (answers.decode_ticket, {"import_sn": "a\n", "url": URL}, "$.import_sn"),
        (answers.decode_campaign_sn, {"status": "ok"}, "$.sn"),
        (answers.decode_campaign_sn, {"sn": "x", "campaignSn": "y"}, "$"),
        (answers.decode_campaign_sn, {"list": {"sn": "x"}}, "$.sn"),
        (answers.decode_campaign_sn, None, "$"),
        (answers.decode_import_sn, {}, "$.import_sn"),
        (answers.decode_ticket, {"import_sn": IMPORT_SN}, "$.url"),
        (answers.decode_ticket, {"url": URL}, "$.import_sn"),
        (answers.decode_ticket, {"import_sn": IMPORT_SN, "url": ":" + URL}, "$.url"),
        (decode_import, {"import_sn": IMPORT_SN}, "$.status"),
        (decode_import, {"import_sn": IMPORT_SN, "status": 1}, "$.status"),
        (decode_import, {"status": "COMPLETE", "data": {"status": "ERROR"}}, "$"),
        (answers.decode_sent_campaigns, {}, "$"),
        (answers.decode_sent_campaigns, {"a": [], "b": []}, "$"),
        (answers.decode_sent_campaigns, [{"name": "x"}], "$"),
        (answers.decode_sent_campaigns, None, "$"),
        (answers.decode_links, {"message": "not ready"}, "$"),
        (answers.decode_links, {"links": ["https://x/y"]}, "$"),
        (answers.decode_links, 5, "$"),
        (answers.decode_links, {"link": "soon"}, "$.link"),
        (answers.decode_links, [{"reportType": "open", "url": "https://x/y"}], "$[0].link"),
        (answers.decode_links, [{"link": None, "a b": " HTTP://x/y"}], "$[0].link"),
        (answers.decode_links, [{"reportType": "open", "link": "http://x/y"}], "$[0].link"),
    ],
)
def test_answer_that_cannot_be_understood_fails_loudly(
    decode: Callable[[object, Unread], object], answer: object, path: str
) -> None:
    """An ambiguous or missing value is an error that names the path."""
    with pytest.raises(WireError) as caught:
        decode(answer, Unread())

    assert caught.value.path == path
    assert str(caught.value) == f"{path} {caught.value.problem}"


def test_note_and_error_show_nothing_of_the_answer() -> None:
    """A log line must not contain an echo of a server, and neither must the causes."""
    unread = Unread()
    answers.decode_lists({"Lists": [{**ROW, "createDate": "2019-02-31T00:00:00Z"}]}, unread)

    with pytest.raises(WireError) as caught:
        answers.decode_list_sn({"sn": "a b@example.com"}, unread)

    with pytest.raises(WireError) as ambiguous:
        answers.decode_lists({"a@example.com": [ROW], "b@example.com": [ROW]}, unread)

    assert str(unread).startswith("$.Lists[0].createDate is a time that does not exist")
    assert "example" not in f"{unread} {caught.value} {ambiguous.value}"
    assert caught.value.__context__ is None


@pytest.mark.parametrize("sn", ["a#b", "C1\x1b[2J\nfake", "\ud800", "c" * 201])
def test_campaign_of_a_strange_code_was_accepted_all_the_same(sn: str) -> None:
    """Doubt about it might have it sent twice; its code is read as it may be shown."""
    assert read(answers.decode_campaign_sn, {"sn": sn}) == shown(sn)
