"""Messages of the library are in 中文 for a person with a Taiwanese locale, with their values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from newsleopard_async import errors
from newsleopard_async.checks.check import check_campaign
from newsleopard_async.checks.rules import CAMPAIGN_RULES
from newsleopard_async.cli import failures, library_messages
from newsleopard_async.cli.cli_messages import for_command_line
from newsleopard_async.cli.command_line import newsleopard
from newsleopard_async.cli.failures import failure_of, print_failure
from newsleopard_async.cli.library_messages import Catalogue, in_users_language
from newsleopard_async.cli.translation import users_language
from newsleopard_async.contacts.rules import CONTACT_RULES
from newsleopard_async.models import CampaignState, ImportStatus
from newsleopard_async.models.error_codes import ERROR_TEXTS
from newsleopard_async.models.findings import Fix
from newsleopard_async.workflows.advice import advice_for, advice_for_campaign
from tests.checks.test_check import worst
from tests.constants import START
from tests.contacts.checking import check as check_bytes
from tests.contacts.checking import csv_of

FIELD = re.compile(r"\{(\d+)\}")
FORMS = re.compile(r"\{([^{}|]*)\|[^{}]*\}")

SMALL: Mapping[str, str] = {
    "has {0} {row|rows} without an address ({1}); fill in {2}": "有 {0} 列沒有信箱（{1}）；填 {2}",
    "{line|lines} {0}": "第 {0} 行",
    "lines {0} and {1} more": "第 {0} 行與另外 {1} 行",
    "{0} cannot be read: {1}": "無法讀取 {0}：{1}",
    "it is not a file": "不是檔案",
    "the list {0}": "群組 {0}",
    "{0} does not exist": "{0}不存在",
    ", or leave it out": "，或不要設定",
    "write a name": "請填寫名稱",
    "use {0}, which {1} and is kept": "請用會保留、而且{1}的 {0}",
    "is fast": "很快",
    "It was not sent": "沒有寄出",
    "{0} (request id {1})": "{0}（請求 ID：{1}）",
    "balance too low": "餘額不足",
    "a key": "金鑰",
}


@pytest.fixture
def in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the test a Taiwanese locale."""
    monkeypatch.setenv("LC_ALL", "zh_TW.UTF-8")
    monkeypatch.delenv("LANGUAGE", raising=False)


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("it is not a file", "不是檔案"),
        (
            "has 1 row without an address (line 2); fill in EMAIL",
            "有 1 列沒有信箱（第 2 行）；填 EMAIL",
        ),
        (
            "has 9 rows without an address (lines 2, 3 and 7 more); fill in A",
            "有 9 列沒有信箱（第 2、3 行與另外 7 行）；填 A",
        ),
        ("x.csv cannot be read: it is not a file", "無法讀取 x.csv：不是檔案"),
        ("a: it is not a file; b.c[0]: x cannot be read: y", "a：不是檔案；b.c[0]：無法讀取 x：y"),
        ("write a name, or leave it out", "請填寫名稱，或不要設定"),
        (
            "the list 'a; b: it is not a file' does not exist",
            "群組 'a; b: it is not a file' 不存在",
        ),
        ("use ab, which is fast and is kept", "請用會保留、而且很快的 ab"),
        ("It was not sent. It is not a file", "It was not sent. It is not a file"),
        ("It was not sent. It was not sent.", "沒有寄出。沒有寄出。"),
        ("balance too low (餘額不足): write a name", "餘額不足：請填寫名稱"),
        ("it is not a file (request id ab-1)", "不是檔案（請求 ID：ab-1）"),
        ("$.Lists[0].sn does not exist", "$.Lists[0].sn 不存在"),
        ("a key, a key and a key", "金鑰、金鑰與金鑰"),
        ("the platform's own text", "the platform's own text"),
        ("餘額不足", "餘額不足"),
        ("", ""),
    ],
)
def test_message_is_translated_with_its_values(english: str, chinese: str) -> None:
    """Sentences, values that are sentences, and what joins them; other text stays as it is."""
    assert Catalogue(SMALL).translated(english) == chinese


DIRTY: Mapping[str, bytes] = {
    "rows": csv_of(
        *("a@example.com,甲,1,0912345678", "A@example.com,乙,2,'0912345678", "b@x,<b>x</b>,4,=1+1"),
        *("none,NULL,5,3", ",丁,6,4", "c@example.com,王?明,7,8", "d@example.com,&#22531;,x,#N/A"),
        *("e@example.com,www.a.example/x,8,${NAME}", 'f@example.com,a"b"c,9,9', ",,,"),
        *(
            "g@example.com,甲",
            "h@example.com,甲,1,2,,",
            "i@example.com,甲,1,2,3",
            "j@a.example,,1,",
        ),
        'k@example.com,"甲,1,2',
        header="EMAIL,NAME,分數,備註",
    ),
    "breaks": csv_of('a@example.com,"甲\n乙"', "b@example.com,\0,1", "c@example.com,çŽ‹"),
    "names": csv_of("a@example.com,甲", header="EMAIL,NAME,phone,phone,,gender,城\u200b市"),
    "order": csv_of("甲,a@example.com", header="NAME;信箱"),
    "contact": b"a@example.com,\n",
    "nothing": b"",
    "no row": b"EMAIL,NAME\n",
    "binary": bytes(range(256)) * 9,
    "old book": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 9,
    "big5": "EMAIL,NAME\na@example.com,許功蓋\n".encode("cp950"),
    "utf16": "\ufeffEMAIL\tNAME\r\na@example.com\t甲\r\n".encode("utf-16-le"),
    "mark": b"\xef\xbb\xbf" + csv_of("a@example.com,甲"),
}
"""Contents that break all rules of a CSV."""

ENGLISH = re.compile(r"(?<![\w./'<{=$&#;-])[a-z]{2,}(?: [a-z]{2,})+")
"""Two English words."""


@pytest.mark.parametrize("content", DIRTY.values(), ids=DIRTY)
@pytest.mark.parametrize(
    "fix", [(), ("leave-out-bad-rows", "drop-duplicates", "fill-rows", "trim")]
)
def test_no_finding_about_contacts_is_in_english(
    in_chinese: None, content: bytes, fix: tuple[Fix, ...]
) -> None:
    """Every finding is in 中文, with the names of columns and options."""
    del in_chinese

    shown = [in_users_language(each.told) for each in check_bytes(content, fix=fix).report]

    assert shown
    assert [text for text in shown if ENGLISH.search(text)] == []


def test_contents_break_every_rule_of_a_csv() -> None:
    """The test above would not see the message of a rule that nothing breaks."""
    found = {each.rule for content in DIRTY.values() for each in check_bytes(content).report}
    needs_more = {"skipped", "workbook", "large-file", "too-large-for-text", "column-names"}
    needs_more.add("unescaped-value")  # a note for the check of the campaign

    assert {rule.name for rule in CONTACT_RULES} - found == needs_more


def test_no_finding_about_a_campaign_is_in_english(in_chinese: None) -> None:
    """Every rule of a campaign has its message in 中文."""
    del in_chinese

    findings = [each for mailing, known in worst() for each in check_campaign(mailing, **known)]
    shown = [in_users_language(f"{each.field}: {each.told}") for each in findings]

    assert {each.rule for each in findings} == {rule.name for rule in CAMPAIGN_RULES}
    assert [text for text in shown if ENGLISH.search(text)] == []


REQUEST = "POST /v1/campaign/normal/submit"
ERRORS: Sequence[errors.NewsLeopardError] = (
    errors.ConfigurationError("the API key is missing: pass api_key, or set NEWSLEOPARD_API_KEY"),
    errors.InvalidRequest(
        [
            errors.Problem(
                "list_name", "unique", "must be a text, such as 'anniversary-2027', not int"
            ),
            errors.Problem("html", "required", "is empty; write a text"),
        ]
    ),
    errors.InUse("another run is using the send key 'a b c'; wait until it has ended"),
    errors.ConnectionFailed(
        f"no answer to {REQUEST}: no whole answer within 30 s (api.example: it took too long); "
        "calling again is safe",
        reason="timeout",
        host="api.example",
    ),
    errors.OutcomeUnknown(
        f"{REQUEST} may or may not have taken effect: the answer was HTTP 502, and it is not JSON; "
        "do not repeat it, look for the campaign 'x' first",
        request=REQUEST,
    ).with_request_id("a-1"),
    errors.RateLimited("the server asks for a wait of 9 s", retry_after_s=9.0),
    errors.DailyQuotaExhausted(
        "9 of 9 requests per day are used, and the rest is left unused; call again at 2027-01-05 "
        "UTC (an estimate, because the platform does not document when its day begins)",
        retry_after_s=9.0,
        resets_at=START,
    ),
    errors.AuthenticationError(
        "the API key was refused (HTTP 403): it is wrong, expired or revoked; check "
        "NEWSLEOPARD_API_KEY",
        status=403,
    ),
    errors.FieldError(
        f"{REQUEST} was refused with 40001: {ERROR_TEXTS[40001]}",
        status=400,
        code=40001,
        invalid_fields={"content.subject": ("required",)},
    ),
    errors.SenderNotVerified(f"{REQUEST} was refused with 40011: {ERROR_TEXTS[40011]}", status=400),
    errors.InsufficientBalance(
        f"{REQUEST} was refused with 40012: {ERROR_TEXTS[40012]}",
        status=400,
        recipients=9,
        remaining=1,
    ),
    errors.CampaignNotReportable(
        f"export was refused with 40303: {ERROR_TEXTS[40303]}", status=400
    ),
    errors.NotOffered(
        "this account or platform has no such endpoint (GET /v1/x); do without it", status=403
    ),
    errors.ServerError(f"{REQUEST} was answered with HTTP 500", status=500),
    errors.UnexpectedResponse(
        "the answer to GET /v1/x is not as documented: $.rows[0].sn is missing", status=200
    ),
    errors.StorageError("the upload failed: the connection was closed"),
    errors.ImportFailed(
        f"import 5 (part 1 of 2) ended as ERROR: {advice_for(ImportStatus.ERROR, ('A', 'B'))}",
        result=None,
    ),
    errors.CampaignFailed(
        f"campaign 5 ended as STOP: {advice_for_campaign(CampaignState.STOP)}",
        status=None,  # type: ignore[arg-type]  # only the message matters here
    ),
    errors.DeadlineExceeded(
        "import 5 was not ready within 9 s; the job continues at the platform", last=None
    ),
    errors.ImportIncomplete(
        "2 of 3 rows were rejected by the platform, more than max_rejected=1; nothing was sent. "
        "Correct the rows that rejected_rows shows, or raise max_rejected",
        result=None,  # type: ignore[arg-type]
        report=None,  # type: ignore[arg-type]
    ),
    errors.APIError(f"{REQUEST} was refused with 40014: {ERROR_TEXTS[40014]}", status=400),
)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_no_error_is_shown_in_english(
    in_chinese: None, capsys: pytest.CaptureFixture[str], error: errors.NewsLeopardError
) -> None:
    """Title, message and advice are in 中文; a program gets the English message."""
    del in_chinese

    with users_language():
        failure = failure_of(error)
        print_failure(failure, as_json=False)

    shown = capsys.readouterr().err
    assert not ENGLISH.search(re.sub(r"'[^']*'|newsleopard [a-z]+", "", shown))
    assert failure.message == for_command_line(str(error))


def test_each_class_of_errors_is_among_them() -> None:
    """The test above would not see the title of another class."""
    classes = {
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.NewsLeopardError)
    }

    assert classes - {type(each) for each in ERRORS} == {errors.NewsLeopardError}


def test_english_stays_english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a Taiwanese locale, no message changes."""
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    monkeypatch.delenv("LANGUAGE", raising=False)

    assert in_users_language("must be a path") == "must be a path"


def test_check_shows_findings_in_chinese_and_writes_them_in_english(
    in_chinese: None, tmp_path: Path
) -> None:
    """A person reads the table, and a program the JSON."""
    del in_chinese
    path = tmp_path / "members.csv"
    path.write_text("EMAIL,NAME\nnowhere,甲\n", "utf-8")

    table = CliRunner().invoke(newsleopard, ["check", str(path)], env={"COLUMNS": "200"})
    data = CliRunner().invoke(newsleopard, ["check", str(path), "--json"])

    assert "有 1 列的 EMAIL 不是信箱（第 2 行）" in table.output
    assert "has 1 row whose EMAIL is not an address (line 2)" in data.output


def test_problem_has_a_wide_colon_after_its_field(in_chinese: None) -> None:
    """Also if the command line itself has found it."""
    del in_chinese

    assert in_users_language("subject: 沒有設定") == "subject：沒有設定"


@pytest.mark.parametrize(
    "text",
    [
        *("no answer came (x), and 3 more, ", "(not set) ", "a: b: c and d or e, "),
        *("Redis at x did not answer for x s: x: ", "x was refused with x, and at most x; "),
    ],
)
def test_hostile_text_is_read_in_few_steps(
    in_chinese: None, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """A text that repeats words of the catalogue can be divided in any number of ways."""
    read: list[str] = []
    by_template = library_messages._Reader._by_template

    def counted(reader: Any, text: str) -> Any:
        read.append(text)
        return by_template(reader, text)

    monkeypatch.setattr(library_messages._Reader, "_by_template", counted)
    in_users_language((text * 200)[:2_000])
    short = len(read)
    assert in_users_language((text * 500)[:4_128]) == (text * 500)[:4_128]

    assert 0 < short <= 300
    assert len(read) == short


def test_message_of_several_problems_is_translated_once(
    in_chinese: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each problem has a line; the whole message, which contains all of them, is not shown."""
    read: list[str] = []

    def remember(text: str) -> str:
        read.append(text)
        return text

    monkeypatch.setattr(failures, "in_users_language", remember)
    problems = [errors.Problem("subject", "missing", f"is missing {n}") for n in (1, 2)]
    print_failure(failure_of(errors.InvalidRequest(problems)), as_json=False)

    assert read == ["subject: is missing 1", "subject: is missing 2"]
