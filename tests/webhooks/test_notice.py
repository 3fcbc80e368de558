"""The content of webhooks: both formats are read, and no body raises an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsleopard_async import ImportResult, ImportStatus, from_plain
from newsleopard_async.webhooks import WebhookNotice, parse_webhook

IMPORT = {
    "import_sn": "45093ba5-4bb5-47b2-a2c7-40ae4ff646b6",
    "status": "COMPLETE",
    "fileCnt": 100,
    "errorDownloadLink": "https://s3.example/error-file.csv?X-Amz-Signature=secret",
}
LINK = {"reportType": "open", "link": "https://s3.example/open.csv?X-Amz-Signature=secret"}
REPORT = {"Reports": [LINK]}
AS_JSON = json.dumps(IMPORT)


@pytest.mark.parametrize(
    "body",
    [
        IMPORT,
        AS_JSON,
        AS_JSON.encode(),
        b"\xef\xbb\xbf" + AS_JSON.encode(),
        f"\r\n{AS_JSON}\n",
        {"data": IMPORT},
        IMPORT | {"importSn": IMPORT["import_sn"], "unknown": [[]]},
        "payload=" + quote(AS_JSON),
        f"x=%7B&{quote(AS_JSON)}=",
        urlencode(IMPORT),
        IMPORT | {"link": "https://s3.example/a.csv"},
    ],
)
def test_state_of_an_import_is_read(body: Any) -> None:
    """It is read as JSON, from a form, and from what a JSON reader made of it (T120)."""
    notice = parse_webhook(body)

    assert (notice.kind, notice.links) == ("import", ())
    assert notice.import_result is not None
    assert notice.import_result.import_sn == IMPORT["import_sn"]
    assert notice.import_result.status.is_success
    assert notice.import_result.file_count == 100


@pytest.mark.parametrize(
    "body",
    [
        REPORT,
        [LINK],
        LINK,
        {"status": "COMPLETE", **REPORT},
        json.dumps(REPORT).encode(),
        "report=" + quote(json.dumps([LINK])),
        LINK["link"],
        json.dumps(LINK["link"]),
    ],
)
def test_links_of_a_report_are_read(body: Any) -> None:
    """They are an array, one link, or a URL alone, with or without a wrapper (T114, T120)."""
    notice = parse_webhook(body)

    assert (notice.kind, notice.import_result) == ("report", None)
    assert [link.url for link in notice.links] == [LINK["link"]]


def test_import_without_its_code_is_read_if_its_state_is_known() -> None:
    """If two words can be the state, only the documented word counts (T43)."""
    known = parse_webhook('{"status": "error"}')

    assert known.import_result == ImportResult(import_sn="", status=ImportStatus("ERROR"))  # type: ignore[arg-type]  # none is named
    assert parse_webhook('{"status": "ok"}').kind == "unknown"


@pytest.mark.parametrize(
    "body",
    [
        "",
        b"\xff\xfe\x00",
        "\ud800",
        "null",
        "{}",
        "[]",
        "[1, [2]]",
        '{"Reports": []}',
        '{"Reports": 1, "status": {"a": []}}',
        '{"link": 5}',
        '{"status": NaN, "import_sn": -1}',
        "9" * 5_000,
        "[" * 60_000,
        '{"a":' * 10_000,
        "%7B" * 20_000,
        "&" * 60_000,
        "hello=world",
        "<html></html>",
        # The body is longer than what is read of one.
        AS_JSON + " " * 65_536,
        {"a": object()},
        {1: float("nan")},
        3,
        None,
    ],
)
def test_any_other_body_is_unknown(body: Any) -> None:
    """Any body is accepted, and an unreadable body has no meaning."""
    assert parse_webhook(body) == WebhookNotice()


def test_list_that_holds_itself_is_unknown() -> None:
    """A value that cannot be JSON is not an error."""
    body: list[Any] = []
    body.append(body)

    assert parse_webhook(body).kind == "unknown"


_names = st.sampled_from(["import_sn", "status", "Reports", "link", "reportType", "data", "x"])
_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
_json = st.recursive(
    _values | st.sampled_from(["COMPLETE", "https://a.example/b?c=d"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=4),
    max_leaves=12,
)


@given(_json)
def test_no_json_is_an_error(data: Any) -> None:
    """Each value that JSON can be is read, in pieces and as text, as the same notice."""
    notice = parse_webhook(json.dumps(data))

    assert notice.kind in ("import", "report", "unknown")
    if isinstance(data, (Mapping, list)):
        assert parse_webhook(data) == notice


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_no_text_is_an_error(body: bytes | str) -> None:
    """Nor is anything else that may come."""
    assert parse_webhook(body).kind in ("report", "unknown")


def test_link_to_this_machine_is_not_taken_from_afar() -> None:
    """A forged link could read the own network, so loopback is allowed only with an emulator."""
    body = {"link": "http://127.0.0.1:8025/a.csv"}

    assert parse_webhook(body).kind == "unknown"
    assert parse_webhook(body, base_url="http://127.0.0.1:8025").kind == "report"


@pytest.mark.parametrize("body", [IMPORT, REPORT])
def test_notice_shows_no_query(body: Any) -> None:
    """A presigned query is in neither the repr nor the plain data; the rest is read back."""
    notice = parse_webhook(body)
    plain = notice.to_dict()

    assert "secret" not in repr(notice) + json.dumps(plain)
    assert from_plain(WebhookNotice, plain).to_dict() == plain
