"""Which storage URLs a client uses, by where its API is."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from newsleopard_async import (
    CampaignSn,
    InvalidRequest,
    NewsLeopard,
    NewsLeopardError,
    UnexpectedResponse,
)
from newsleopard_async.transport.body import BytesBody
from newsleopard_async.transport.urls import PLAIN_HTTP, problem_of_storage_url
from tests.constants import KEY
from tests.transport.file_storage import CSV, make_storage
from tests.transport.scripted import Scripted, answer, json_answer

API = "https://api.newsleopard.com"
HERE = [
    "localhost",
    "LOCALHOST.",
    "a.localhost",
    "127.0.0.1",
    "127.0.0.1..",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "0.0.0.0",  # noqa: S104 - is not bound to
    "0x",
    "169.254.169.254",
    "2852039166",
    "%31%32%37.0.0.1",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
]
ELSEWHERE = [
    "s3.amazonaws.com",
    "localhost.example.com",
    "notlocalhost",
    "10.0.0.1",
    "1.2.3.4",
    "126.255.255.255",
    "999.1",
    "256.0.0.1",
    "1.2.3.4.5",
    "127.0.0.1.example",
    "0x7f000001.example",
    "4294967296",
    "08.0.0.1",
    "[2001:db8::1]",
    "[64:ff9b::102:304]",
    "[v1.x:y]",
]


@pytest.mark.parametrize("host", HERE)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_this_machine_is_no_storage(scheme: str, host: str) -> None:
    """In any notation; but it is allowed if the API is on this machine, too."""
    url = urlsplit(f"{scheme}://{host}:9000/key?x=1")

    assert "this machine" in (problem_of_storage_url(url, API) or "")
    assert problem_of_storage_url(url, "http://127.0.0.1:8000") is None


@pytest.mark.parametrize("host", ELSEWHERE)
def test_other_hosts_are(host: str) -> None:
    """Over https, from any API."""
    assert problem_of_storage_url(urlsplit(f"https://{host}/key"), API) is None
    assert problem_of_storage_url(urlsplit(f"http://{host}/key"), API) == PLAIN_HTTP


@pytest.mark.parametrize("user", ["user@", "user:pass@", "@"])
def test_user_in_a_url_is_refused(user: str) -> None:
    """The user can look like the host."""
    url = urlsplit(f"https://{user}s3.example.com/key")

    assert "user" in (problem_of_storage_url(url, API) or "")
    assert problem_of_storage_url(url, "https://s3.example.com:443") is None
    assert problem_of_storage_url(url, "http://localhost") is None


def test_same_origin_is_used() -> None:
    """Where plain http, or a link-local address, is good enough for the key."""
    for base in ("http://api.intern:8080", "https://169.254.1.2"):
        assert problem_of_storage_url(urlsplit(f"{base}/key"), base) is None
    other_port = urlsplit("http://api.intern:8081/key")
    assert problem_of_storage_url(other_port, "http://api.intern:8080") == PLAIN_HTTP
    bad_port = urlsplit("https://api.intern:99999/key")
    assert problem_of_storage_url(bad_port, "https://api.intern") is None


BAD = ["https://169.254.169.254/latest", "https://user@s3.example.com/key", "https://2130706433/x"]


@pytest.mark.anyio
@pytest.mark.parametrize("url", BAD)
async def test_bad_url_in_an_answer_is_unexpected(url: str) -> None:
    """The platform has no business there."""
    ticket = json_answer(200, {"import_sn": "i", "url": url})
    links = json_answer(200, {"Reports": [{"reportType": "open", "link": url}]})
    result = json_answer(200, {"import_sn": "i", "status": "COMPLETE", "errorDownloadLink": url})

    async with NewsLeopard(KEY, http_transport=Scripted(ticket, links, result)) as nl:
        with pytest.raises(UnexpectedResponse):
            await nl.contacts.start_file_import()
        with pytest.raises(UnexpectedResponse):
            await nl.reports.get_links(CampaignSn("c"))
        with pytest.raises(UnexpectedResponse):
            await nl.contacts.get_import("i")  # type: ignore[arg-type]  # a code is text


@pytest.mark.anyio
@pytest.mark.parametrize("url", BAD)
async def test_bad_url_of_the_callers_is_refused(url: str, tmp_path: Path) -> None:
    """A ticket may have been kept, or made, by anyone."""
    transport = Scripted(answer())
    storage = make_storage(transport, base_url=API)

    errors: list[NewsLeopardError] = []
    for call in (storage.put(url, BytesBody(CSV)), storage.get(url, tmp_path / "x")):
        with pytest.raises(InvalidRequest) as caught:
            await call
        errors.append(caught.value)

    assert transport.sent == []
    assert url not in "".join(map(str, errors))
