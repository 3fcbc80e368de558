"""The storage beside the API, which behaves as S3 does."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.emulator.api import Api, make, rows

pytestmark = pytest.mark.asyncio

CSV = rows(2).encode()


async def ticket(api: Api) -> dict[str, str]:
    """Ask for an upload."""
    answer = await api.post("/v1/contacts/imports/file", {})
    return dict(answer.json())


async def test_upload_url_is_presigned_and_elsewhere() -> None:
    """It points at the storage's own host, over https, with signature and expiry."""
    emulator, _ = make()
    async with Api(emulator) as api:
        url = (await ticket(api))["url"]

    assert url.startswith("https://storage.newsleopard.example/_storage/imports/")
    assert "X-Amz-Signature=" in url
    assert "X-Amz-Expires=900" in url


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/csv"}])
async def test_upload_is_accepted_with_or_without_content_type(headers: dict[str, str]) -> None:
    """A Content-Type that is not signed is tolerated, and the ETag is not the MD5."""
    emulator, _ = make()
    async with Api(emulator) as api:
        answer = await api.put((await ticket(api))["url"], CSV, headers=headers)

    assert (answer.status_code, answer.content) == (200, b"")
    assert "etag" in answer.headers


async def test_chunked_upload_is_501() -> None:
    """S3 does not take a body of unknown length."""

    async def pieces() -> AsyncIterator[bytes]:
        yield CSV

    emulator, _ = make()
    async with Api(emulator) as api:
        answer = await api.put((await ticket(api))["url"], pieces())

    assert (answer.status_code, answer.headers["content-type"]) == (501, "application/xml")
    assert "<Code>NotImplemented</Code>" in answer.text
    assert emulator.imports[0].blob is None


async def test_expired_url_is_refused_in_xml_that_names_the_access_key() -> None:
    """After its lifetime a URL is AccessDenied; the XML echoes the access key id."""
    emulator, clock = make(upload_lifetime_s=60)
    async with Api(emulator) as api:
        url = (await ticket(api))["url"]
        clock.advance(60)
        answer = await api.put(url, CSV)

    assert answer.status_code == 403
    assert "<Code>AccessDenied</Code><Message>Request has expired</Message>" in answer.text
    assert "<AWSAccessKeyId>AKIA" in answer.text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("X-Amz-Expires=900", "X-Amz-Expires=9000"),
        ("X-Amz-Signature=", "X-Amz-Signature=0"),
        (".csv?", "x.csv?"),
        ("X-Amz-Algorithm", "list=1&X-Amz-Algorithm"),
    ],
)
async def test_changed_url_does_not_match_its_signature(old: str, new: str) -> None:
    """Path and query are signed as a whole."""
    emulator, _ = make()
    async with Api(emulator) as api:
        url = (await ticket(api))["url"]
        answer = await api.put(url.replace(old, new), CSV)

    assert answer.status_code == 403
    assert "<Code>SignatureDoesNotMatch</Code>" in answer.text


async def test_url_for_upload_cannot_be_fetched() -> None:
    """The method is signed too, and no signature at all is AccessDenied."""
    emulator, _ = make()
    async with Api(emulator) as api:
        url = (await ticket(api))["url"]
        fetched = await api.fetch(url)
        bare = await api.put(url.partition("?")[0], CSV)

    assert "SignatureDoesNotMatch" in fetched.text
    assert "<Message>Access Denied</Message>" in bare.text


@pytest.mark.parametrize("name", ["Content-MD5", "x-amz-acl"])
async def test_unsigned_header_is_refused(name: str) -> None:
    """Headers that S3 wants signed are not accepted without."""
    emulator, _ = make()
    async with Api(emulator) as api:
        answer = await api.put((await ticket(api))["url"], CSV, headers={name: "x"})

    assert answer.status_code == 403
    assert f"<HeadersNotSigned>{name.lower()}</HeadersNotSigned>" in answer.text


async def test_replaced_upload_counts_alone() -> None:
    """Where any upload is taken, the last one is what the import reads."""
    emulator, clock = make(upload_reuse="any")
    async with Api(emulator) as api:
        url = (await ticket(api))["url"]
        await api.put(url, rows(5).encode())
        await api.put(url, rows(1, prefix="new").encode())
        clock.advance(60)

    assert list(emulator.contacts) == ["new0@example.com"]


async def test_large_upload_is_streamed_to_disk() -> None:
    """A body above the memory's share arrives whole."""
    line = b"x" * 99 + b"\n"

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield line * 1_000

    emulator, _ = make()
    async with Api(emulator) as api:
        url = (await ticket(api))["url"]
        answer = await api.put(url, pieces(), headers={"Content-Length": "10000000"})

    blob = emulator.imports[0].blob
    assert answer.status_code == 200
    assert blob is not None
    assert (blob.size, blob.lines) == (10_000_000, 100_000)


async def test_log_keeps_neither_signature_nor_upload() -> None:
    """An upload is logged by its path, without what would authorise another."""
    emulator, _ = make()
    async with Api(emulator) as api:
        await api.put((await ticket(api))["url"], CSV)

    record = emulator.requests[-1]
    assert (record.operation, record.query, record.body) == ("upload", "", b"")
    assert record.status == 200
