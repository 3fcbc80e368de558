"""Answers as the documentation prints them, and as it contradicts itself, are understood."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

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
from newsleopard_async.transport.wire.values import WireError

OPENAPI = Path(__file__).parents[2] / "openapi.yaml"
SN = "40280a3c6a0cb8c5016a10142a230002"
IMPORT_SN = "45093ba5-4bb5-47b2-a2c7-40ae4ff646b6"
URL = "https://s3.amazonaws.com/..."

DECODERS: dict[str, Callable[[object], object]] = {
    "listSentCampaigns": answers.decode_sent_campaigns,
    "getReportLinks": answers.decode_links,
    "createFileImport": answers.decode_ticket,
    "createFileImportToList": answers.decode_ticket,
    "importText": answers.decode_import_sn,
    "importTextToList": answers.decode_import_sn,
    "getImportResult": answers.decode_import_result,
    "createList": answers.decode_list_sn,
    "listLists": answers.decode_lists,
    "submitCampaign": answers.decode_campaign_sn,
    "submitAbTest": answers.decode_campaign_sn,
}


def documented_examples() -> Iterator[Any]:
    """Read every example of a successful answer off openapi.yaml."""
    document = yaml.safe_load(OPENAPI.read_text(encoding="utf-8"))
    for item in document["paths"].values():
        for method, operation in item.items():
            if method in {"get", "post"} and operation["operationId"] in DECODERS:
                answer = operation["responses"]["200"]
                if "$ref" in answer:
                    name = answer["$ref"].rpartition("/")[2]
                    answer = document["components"]["responses"][name]
                for example in answer["content"]["application/json"]["examples"].values():
                    yield pytest.param(operation["operationId"], example["value"])


@pytest.mark.parametrize(("operation", "answer"), list(documented_examples()))
def test_documented_example_is_understood(operation: str, answer: object) -> None:
    """Nothing that the documentation prints is refused."""
    assert DECODERS[operation](answer)


def test_sample_of_lists_is_read() -> None:
    """The wrapper, numbers as text, and a name that looks like a date (T54 to T56)."""
    sample = {
        "clickedRate": 0,
        "createDate": "2019-04-12T05:45:18Z",
        "excludeCnt": 5,
        "name": "2019-04-01T08:38:32.569Z",
        "openedRate": 66.6667,
        "sn": SN,
        "status": "GENERAL",
        "subscribedCnt": "4963",
        "type": 0,
        "updateDate": "2019-04-12T05:45:18Z",
    }
    expected = ContactList(
        sn=ListSn(SN),
        name="2019-04-01T08:38:32.569Z",
        subscribed_count=4963,
        excluded_count=5,
        opened_rate_percent=66.6667,
        clicked_rate_percent=0,
        status="GENERAL",
        type=0,
        created=datetime(2019, 4, 12, 5, 45, 18, tzinfo=UTC),
        updated=datetime(2019, 4, 12, 5, 45, 18, tzinfo=UTC),
    )

    assert answers.decode_lists({"Lists": [sample]}) == (expected,)
    assert answers.decode_lists([{**sample, "segVersion": -1}]) == (expected,)


def test_list_with_nothing_but_a_code_is_read() -> None:
    """What is missing is unknown, and not zero."""
    (found,) = answers.decode_lists([{"sn": SN}])

    assert found == ContactList(sn=ListSn(SN))
    assert found.subscribed_count is None
    assert found.name == ""


def test_sample_of_an_import_is_read() -> None:
    """It goes on, in spite of its counts and its time of completion (T45)."""
    result = answers.decode_import_result(
        {
            "import_sn": IMPORT_SN,
            "status": "PROCESSING",
            "fileCnt": 100,
            "insertCnt": 85,
            "duplicateCnt": 5,
            "errCnt": 10,
            "createDate": "2019-03-05T08:19:26Z",
            "completedDate": "2019-03-05T08:19:26Z",
            "errorDownloadLink": "https://s3.amazonaws.com/prod/error-file.csv",
        }
    )

    assert result == ImportResult(
        import_sn=ImportSn(IMPORT_SN),
        status=ImportStatus.PROCESSING,
        file_count=100,
        inserted=85,
        duplicates=5,
        errors=10,
        created=datetime(2019, 3, 5, 8, 19, 26, tzinfo=UTC),
        completed=datetime(2019, 3, 5, 8, 19, 26, tzinfo=UTC),
        error_url="https://s3.amazonaws.com/prod/error-file.csv",
    )
    assert not result.status.is_final


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("COMPLETE", "COMPLETE"),
        ("COMPLETED", "COMPLETE"),
        ("匯入完成 = COMPLETE", "COMPLETE"),
        ("處理中 = PROCESSING", "PROCESSING"),
        ("STRANGE", "STRANGE"),
    ],
)
def test_state_is_the_bare_word(status: str, expected: str) -> None:
    """The schema prints label and word together (T43); an unknown word is kept."""
    result = answers.decode_import_result({"import_sn": IMPORT_SN, "status": status})

    assert result.status == expected


@pytest.mark.parametrize("link", [{}, {"errorDownloadLink": None}, {"errorDownloadLink": ""}])
def test_error_link_may_be_absent(link: dict[str, Any]) -> None:
    """There is no link without rejected rows (T49)."""
    answer = {"import_sn": IMPORT_SN, "status": "COMPLETE", **link}

    assert answers.decode_import_result(answer).error_url is None


def test_code_of_an_import_may_be_in_camel_case() -> None:
    """The vendor's own command line expects it so (T42)."""
    assert answers.decode_import_sn({"importSn": IMPORT_SN}) == IMPORT_SN
    assert answers.decode_ticket({"import_sn": IMPORT_SN, "url": URL}) == UploadTicket(
        import_sn=ImportSn(IMPORT_SN), url=URL
    )


@pytest.mark.parametrize("container", ["array", "object", "wrapper"])
def test_sent_campaigns_come_in_three_containers(container: str) -> None:
    """An array, one campaign, or an object with one array (T101)."""
    sample = {
        "sn": SN,
        "name": "活動名稱",
        "sentBeginDate": "2019-04-01T08:38:32.569Z",
        "sentEndDate": "2019-08-27T08:08:54.09Z",
    }
    answer = {"array": [sample], "object": sample, "wrapper": {"total": 1, "any": [sample]}}

    (found,) = answers.decode_sent_campaigns(answer[container])

    assert found == SentCampaign(
        sn=CampaignSn(SN),
        name="活動名稱",
        sent_begin=datetime(2019, 4, 1, 8, 38, 32, 569_000, tzinfo=UTC),
        sent_end=datetime(2019, 8, 27, 8, 8, 54, 90_000, tzinfo=UTC),
    )


def test_report_link_loses_its_leading_colon() -> None:
    """Type and address come from their own fields, whatever the file's name says (T115, T116)."""
    links = answers.decode_links(
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
        "http://127.0.0.1:8025",
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


@pytest.mark.parametrize("answer", [[], {"Reports": []}])
def test_no_link_is_an_answer(answer: object) -> None:
    """Before the first export there are none (T117)."""
    assert answers.decode_links(answer) == ()


@pytest.mark.parametrize(
    ("decode", "answer", "path"),
    [
        (answers.decode_lists, {"groups": [], "pageInfo": {}}, "$"),
        (answers.decode_lists, {}, "$"),
        (answers.decode_lists, None, "$"),
        (answers.decode_lists, "[]", "$"),
        (answers.decode_lists, {"Lists": None}, "$.Lists"),
        (answers.decode_lists, {"Lists": {"sn": SN}}, "$.Lists"),
        (answers.decode_lists, {"Lists": [SN]}, "$.Lists[0]"),
        (answers.decode_lists, [{"sn": SN}, {"name": "x"}], "$[1].sn"),
        (answers.decode_lists, [{"sn": SN, "name": 412}], "$[0].name"),
        (answers.decode_lists, [{"sn": SN, "subscribedCnt": True}], "$[0].subscribedCnt"),
        (answers.decode_lists, [{"sn": SN, "subscribedCnt": "many"}], "$[0].subscribedCnt"),
        (answers.decode_lists, [{"sn": SN, "openedRate": float("nan")}], "$[0].openedRate"),
        (answers.decode_lists, [{"sn": SN, "createDate": "yesterday"}], "$[0].createDate"),
        (answers.decode_list_sn, {}, "$.sn"),
        (answers.decode_list_sn, {"sn": ""}, "$.sn"),
        (answers.decode_list_sn, {"sn": " "}, "$.sn"),
        (answers.decode_list_sn, {"sn": 5}, "$.sn"),
        (answers.decode_list_sn, {"sn": None}, "$.sn"),
        (answers.decode_list_sn, [], "$"),
        (answers.decode_list_sn, {"sn": "a/b"}, "$.sn"),
        (answers.decode_list_sn, {"sn": "file"}, "$.sn"),
        (answers.decode_lists, [{"sn": "a?b"}], "$[0].sn"),
        (answers.decode_sent_campaigns, [{"sn": "\ud800"}], "$[0].sn"),
        (answers.decode_sent_campaigns, [{"sn": "a" * 201}], "$[0].sn"),
        (answers.decode_import_sn, {"import_sn": "a b"}, "$.import_sn"),
        (answers.decode_ticket, {"import_sn": "a\n", "url": URL}, "$.import_sn"),
        (answers.decode_campaign_sn, {"status": "ok"}, "$.sn"),
        (answers.decode_campaign_sn, None, "$"),
        (answers.decode_import_sn, {}, "$.import_sn"),
        (answers.decode_ticket, {"import_sn": IMPORT_SN}, "$.url"),
        (answers.decode_ticket, {"url": URL}, "$.import_sn"),
        (answers.decode_ticket, {"import_sn": IMPORT_SN, "url": ":" + URL}, "$.url"),
        (answers.decode_import_result, {"import_sn": IMPORT_SN}, "$.status"),
        (answers.decode_import_result, {"import_sn": IMPORT_SN, "status": 1}, "$.status"),
        (
            answers.decode_import_result,
            {"import_sn": IMPORT_SN, "status": "COMPLETE", "errorDownloadLink": "ftp://x/y"},
            "$.errorDownloadLink",
        ),
        (answers.decode_sent_campaigns, {}, "$"),
        (answers.decode_sent_campaigns, {"a": [], "b": []}, "$"),
        (answers.decode_sent_campaigns, [{"name": "x"}], "$[0].sn"),
        (answers.decode_sent_campaigns, None, "$"),
        (answers.decode_links, {"link": "https://x/y"}, "$"),
        (answers.decode_links, [{"link": "https://x/y"}], "$[0].reportType"),
        (answers.decode_links, [{"reportType": "open"}], "$[0].link"),
        (answers.decode_links, [{"reportType": "open", "link": "http://x/y"}], "$[0].link"),
    ],
)
def test_undocumented_answer_fails_loudly(
    decode: Callable[[object], object], answer: object, path: str
) -> None:
    """Whatever no document shows is an error that names the place."""
    with pytest.raises(WireError) as caught:
        decode(answer)

    assert caught.value.path == path
    assert str(caught.value) == f"{path} {caught.value.problem}"


def test_error_shows_nothing_of_the_answer() -> None:
    """A log line must not carry what a server may have echoed, causes included."""
    answer = {"Lists": [{"sn": SN, "createDate": "2019-02-31T00:00:00Z"}]}

    with pytest.raises(WireError) as caught:
        answers.decode_lists(answer)

    assert "2019" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("sn", ["a#b", "C1\x1b[2J\nfake", "\ud800", "c" * 201])
def test_campaign_of_a_strange_code_was_accepted_all_the_same(sn: str) -> None:
    """Doubt about it might have it sent twice; its code is read as it may be shown."""
    assert answers.decode_campaign_sn({"sn": sn}) == shown(sn)
