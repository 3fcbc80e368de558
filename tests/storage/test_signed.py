"""Presigned URLs of both versions, made by Amazon's signer and judged by Swift's S3 server."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from newsleopard_async import NewsLeopard, StorageError
from tests.storage.client import API_KEY, Readdressed, a_client, a_link, a_ticket, names_in

if sys.platform != "linux":
    pytest.skip("Swift is installed on Linux only", allow_module_level=True)

from tests.storage.s3 import VERSIONS, S3Server

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CONTENT = "EMAIL,NAME\namy@example.com,艾咪\n".encode()

KEYS = {
    "plain": "contacts.csv",
    "folders": "imports/2026/contacts.csv",
    "spaces": "my contacts (1).csv",
    "plus": "a+b=c&d.csv",
    "percent": "100%25.csv",
    "Chinese": "名單/會員.csv",
    "dots": "a/../b/./contacts.csv",
    "double slash": "a//contacts.csv",
    "reserved": "a~b!c*d'e:f;g,h@i$j.csv",
}


@pytest.fixture(params=VERSIONS.values(), ids=list(VERSIONS))
def version(request: pytest.FixtureRequest) -> str:
    """Name a signature version."""
    return str(request.param)


@asynccontextmanager
async def client_for_any_host(s3: S3Server) -> AsyncIterator[NewsLeopard]:
    """Open a client for which every host is the server."""
    async with Readdressed(s3.port) as transport, a_client(http_transport=transport) as nl:
        yield nl


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
async def test_signed_upload_arrives_and_comes_back(
    s3: S3Server, version: str, key: str, tmp_path: Path
) -> None:
    """For any key, the upload is accepted, and the download has the same bytes."""
    content = CONTENT + os.urandom(700_000)
    source, destination = tmp_path / "contacts.csv", tmp_path / "report.csv"
    source.write_bytes(content)

    async with a_client() as nl:
        await nl.contacts.upload(a_ticket(s3.presign("PUT", key, version=version)), source)
        size_bytes = await nl.reports.download(
            a_link(s3.presign("GET", key, version=version)), destination
        )

    assert destination.read_bytes() == content
    assert size_bytes == len(content)
    assert [logged.status for logged in s3.take_log()] == [200, 200]


async def test_upload_carries_nothing_but_host_and_length(s3: S3Server, version: str) -> None:
    """No key, no Content-Type, no User-Agent: two headers, and the URL byte for byte."""
    url = s3.presign("PUT", "名單/a b+c/../d.csv", version=version)

    async with a_client() as nl:
        await nl.contacts.upload(a_ticket(url), CONTENT)

    [logged] = s3.take_log()
    assert logged.header_names == ["content-length", "host"]
    assert logged.header("content-length") == [str(len(CONTENT))]
    assert url == f"http://127.0.0.1:{s3.port}{logged.target}"
    assert API_KEY not in repr(logged)


async def test_download_carries_nothing_but_host(
    s3: S3Server, version: str, tmp_path: Path
) -> None:
    """A download sends one header, and the URL byte for byte."""
    url = s3.presign("GET", "not put here.csv", version=version)

    async with a_client() as nl:
        with pytest.raises(StorageError, match="404"):
            await nl.reports.download(a_link(url), tmp_path / "report.csv")

    [logged] = s3.take_log()
    assert logged.header_names == ["host"]
    assert url == f"http://127.0.0.1:{s3.port}{logged.target}"
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("endpoint", ["https://s3.test", "https://s3.test:443"])
async def test_upload_to_a_bucket_in_the_host_name(
    s3: S3Server, version: str, endpoint: str
) -> None:
    """Amazon's signer leaves the scheme's own port out of the signed host; so does Host."""
    url = s3.presign("PUT", "contacts.csv", version=version, endpoint=endpoint, style="virtual")

    async with client_for_any_host(s3) as nl:
        await nl.contacts.upload(a_ticket(url), CONTENT)

    [logged] = s3.take_log()
    assert urlsplit(url).hostname == "members.s3.test"
    assert logged.header("host") == ["members.s3.test"]
    assert logged.status == 200


async def test_upload_to_a_port_of_its_own(s3: S3Server, version: str) -> None:
    """A port that is not the scheme's own is part of the signed host."""
    url = s3.presign(
        "PUT", "contacts.csv", version=version, endpoint="https://s3.test:8443", style="virtual"
    )

    async with client_for_any_host(s3) as nl:
        await nl.contacts.upload(a_ticket(url), CONTENT)

    [logged] = s3.take_log()
    assert logged.header("host") == ["members.s3.test:8443"]
    assert logged.status == 200


async def test_upload_with_a_session_token(s3: S3Server) -> None:
    """A token of temporary credentials is in the signed query, and arrives as it is there."""
    url = s3.presign("PUT", "contacts.csv", token="IQoJb3JpZ2lu+/eu==")

    async with a_client() as nl:
        await nl.contacts.upload(a_ticket(url), CONTENT)

    [logged] = s3.take_log()
    assert "X-Amz-Security-Token=IQoJb3JpZ2lu%2B%2Feu%3D%3D" in logged.target
    assert logged.status == 200


async def test_expired_url_says_that_a_fresh_one_helps(s3: S3Server, tmp_path: Path) -> None:
    """An upload or a download after the URL's time is refused once, as expired."""
    put = s3.presign("PUT", "contacts.csv", version="s3", expires_s=-60)
    get = s3.presign("GET", "contacts.csv", version="s3", expires_s=-60)

    async with a_client() as nl:
        with pytest.raises(StorageError) as upload:
            await nl.contacts.upload(a_ticket(put), CONTENT)
        with pytest.raises(StorageError) as download:
            await nl.reports.download(a_link(get), tmp_path / "report.csv")

    assert upload.value.expired
    assert download.value.expired
    assert [logged.status for logged in s3.take_log()] == [403, 403]


async def test_wrong_signature_is_not_repeated(s3: S3Server, version: str) -> None:
    """A refusal for any other reason than time is final, and a fresh URL is not the way out."""
    url = s3.presign("PUT", "contacts.csv", version=version, secret="another secret")

    async with a_client() as nl:
        with pytest.raises(StorageError) as caught:
            await nl.contacts.upload(a_ticket(url), CONTENT)

    assert caught.value.status == 403
    assert not caught.value.expired
    assert len(s3.take_log()) == 1


async def test_url_for_another_method_is_refused(
    s3: S3Server, version: str, tmp_path: Path
) -> None:
    """A URL to upload to cannot be downloaded from: the server does verify."""
    url = s3.presign("PUT", "contacts.csv", version=version)

    async with a_client() as nl:
        with pytest.raises(StorageError, match="403"):
            await nl.reports.download(a_link(url), tmp_path / "report.csv")

    assert [logged.status for logged in s3.take_log()] == [403]


@pytest.mark.parametrize("signature", ["Signature=", "X-Amz-Signature="])
async def test_refusal_shows_nothing_of_url_or_answer(s3: S3Server, signature: str) -> None:
    """Storage echoes access key and string to sign; the error and its causes do not."""
    url = s3.presign(
        "PUT", "contacts.csv", version="s3" if signature == "Signature=" else "s3v4", secret="no"
    )

    async with a_client() as nl:
        with pytest.raises(StorageError) as caught:
            await nl.contacts.upload(a_ticket(url), CONTENT)

    shown = f"{caught.value!r} {caught.value.__dict__}"
    assert signature in url
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert not any(part in shown for part in ("http:", "newsletters:", "contacts.csv", "Signature"))
