"""The object storage: it accepts uploads and returns files, without an API key (T09, T22).

::

    PUT /_storage/imports/{import_sn}.csv      an upload
    GET /_storage/errors/{import_sn}.csv       the rejected rows of an import
    GET /_storage/reports/{campaign_sn}/…      a report file

Its presigned URLs resemble S3's fourth version (T118). The signature covers method, path, and the
whole query; it is an HMAC, but not Amazon's.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final, Protocol
from urllib.parse import parse_qsl, quote, urlencode
from xml.sax.saxutils import escape

import attrs

from newsleopard_async.emulator.platform.blobs import Blob
from newsleopard_async.emulator.platform.notation import Codes

__all__ = [
    "STORAGE_PREFIX",
    "FileContent",
    "Signer",
    "Storage",
    "StorageRefusal",
    "StoredFile",
    "Writing",
]

_SIGNATURE: Final = "X-Amz-Signature"
_DATE_FORM: Final = "%Y%m%dT%H%M%SZ"


@attrs.frozen
class StorageRefusal(Exception):
    """The storage refuses a request, with an answer in XML.

    Attributes:
        status: The HTTP status.
        code: S3's name of the error.
        message: Its text.
        details: Further elements of the XML.
    """

    status: int
    code: str
    message: str
    details: Mapping[str, str] = attrs.field(factory=dict)


class Signer:
    """Builds and checks presigned URLs."""

    def __init__(self, *, access_key_id: str, secret: bytes) -> None:
        self.access_key_id = access_key_id
        self._secret = secret

    def url(
        self, method: str, base_url: str, path: str, *, now: datetime, lifetime_s: float
    ) -> str:
        """Return a URL that allows one method on one path for ``lifetime_s``."""
        fields = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.access_key_id}/{now:%Y%m%d}/us-east-1/s3/aws4_request",
            "X-Amz-Date": now.strftime(_DATE_FORM),
            "X-Amz-Expires": str(int(lifetime_s)),
            "X-Amz-SignedHeaders": "host",
        }
        query = urlencode(fields)
        signature = self._sign(method, path, query)
        return f"{base_url}{quote(path)}?{query}&{_SIGNATURE}={signature}"

    def check(self, method: str, path: str, query: str, *, now: datetime) -> None:
        """Check the query of a request.

        Raises:
            StorageRefusal: the URL has no valid signature, or has expired.
        """
        pairs = parse_qsl(query, keep_blank_values=True)
        signature = dict(pairs).get(_SIGNATURE)
        if signature is None:
            raise StorageRefusal(403, "AccessDenied", "Access Denied")
        signed = urlencode([(name, value) for name, value in pairs if name != _SIGNATURE])
        if not hmac.compare_digest(
            self._sign(method, path, signed).encode(), signature.encode("utf-8", "replace")
        ):
            raise StorageRefusal(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you "
                "provided. Check your key and signing method.",
                details={"SignatureProvided": signature},
            )
        self._check_expiry(dict(pairs), now)

    def _check_expiry(self, fields: Mapping[str, str], now: datetime) -> None:
        begin = datetime.strptime(fields["X-Amz-Date"], _DATE_FORM).replace(tzinfo=UTC)
        expires = begin + timedelta(seconds=int(fields["X-Amz-Expires"]))
        if now >= expires:
            raise StorageRefusal(
                403,
                "AccessDenied",
                "Request has expired",
                details={
                    "X-Amz-Expires": fields["X-Amz-Expires"],
                    "Expires": f"{expires:%Y-%m-%dT%H:%M:%SZ}",
                    "ServerTime": f"{now:%Y-%m-%dT%H:%M:%SZ}",
                },
            )

    def _sign(self, method: str, path: str, query: str) -> str:
        text = f"{method}\n{path}\n{query}"
        return hmac.new(self._secret, text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


STORAGE_PREFIX: Final = "/_storage/"
MAX_UPLOAD_BYTES: Final = 5 * 1024**3
"""Source: S3's limit for one PUT, 5 GiB."""

_UNSIGNED_REFUSED: Final = ("x-amz-", "content-md5")


Writing = Generator[None, None, Blob]
"""Yields every few milliseconds of work, and returns the file."""


class FileContent(Protocol):
    """The source of a file's content; it is data, so a state can contain it."""

    def writing(self) -> Writing:
        """Write the file."""
        ...


class StoredFile:
    """A file that is written once, at the first request for it.

    Attributes:
        form: The form of the content, such as its encoding; another form needs a new file.
        blob: The content; None until it is written.
    """

    AFRESH: ClassVar[Mapping[str, object]] = {"_writing": None}

    def __init__(
        self, content: FileContent | None = None, *, form: str = "", blob: Blob | None = None
    ) -> None:
        self.form = form
        self.blob: Blob | None = blob
        self._content = content
        self._writing: Writing | None = None

    def write_on(self) -> None:
        """Write the next part; several requests can write in turns."""
        if self._writing is None:
            assert self._content is not None  # a file without it has a blob
            self._writing = self._content.writing()
        try:
            next(self._writing)
        except StopIteration as done:
            self.blob, self._writing = done.value, None


class Storage:
    """Presigned URLs and their files.

    Attributes:
        leaked_keys: The API keys that were sent to the storage; a correct client sends none.
    """

    OF_PROCESS: ClassVar[frozenset[str]] = frozenset({"base_url"})

    def __init__(self, codes: Codes, *, base_url: str) -> None:
        self.base_url: str = base_url
        self.leaked_keys: list[str] = []
        self._codes = codes
        self._signer = Signer(access_key_id=codes.access_key_id(), secret=codes.secret())
        self._files: dict[str, StoredFile] = {}

    @contextmanager
    def at(self, base_url: str | None) -> Iterator[None]:
        """Build presigned URLs with another base URL within the context; None changes nothing.

        The caller holds the account's lock, so no other request gets that base URL.
        """
        before = self.base_url
        self.base_url = base_url or before
        try:
            yield
        finally:
            self.base_url = before

    def upload_url(self, name: str, *, now: datetime, lifetime_s: float) -> str:
        """Return a URL for a PUT."""
        return self._signer.url(
            "PUT", self.base_url, STORAGE_PREFIX + name, now=now, lifetime_s=lifetime_s
        )

    def download_url(self, name: str, *, now: datetime, lifetime_s: float) -> str:
        """Return a URL for a GET."""
        return self._signer.url(
            "GET", self.base_url, STORAGE_PREFIX + name, now=now, lifetime_s=lifetime_s
        )

    def offer(self, name: str, content: FileContent, *, form: str) -> None:
        """Add a file, which is written at the first request for it in this form."""
        known = self._files.get(name)
        if known is None or known.form != form:
            self._files[name] = StoredFile(content, form=form)

    def keep(self, name: str, blob: Blob) -> None:
        """Add a file that is already written."""
        self._files[name] = StoredFile(blob=blob)

    def check(
        self, method: str, path: str, query: str, headers: Mapping[str, str], *, now: datetime
    ) -> None:
        """Check a request by its method, URL and headers.

        Raises:
            StorageRefusal: the request is not allowed.
        """
        key = headers.get("x-api-key")
        if key is not None:
            self.leaked_keys.append(key)
            raise StorageRefusal(400, "InvalidRequest", "An API key has no business here")
        if method == "PUT":
            _check_length(headers)
        self._signer.check(method, path, query, now=now)
        unsigned = [name for name in headers if name.startswith(_UNSIGNED_REFUSED)]
        if unsigned:
            raise StorageRefusal(
                403,
                "AccessDenied",
                "There were headers present in the request which were not signed",
                details={"HeadersNotSigned": ", ".join(unsigned)},
            )

    def open(self, path: str) -> StoredFile:
        """Return a file, written or not.

        Raises:
            StorageRefusal: the file does not exist.
        """
        file = self._files.get(path.removeprefix(STORAGE_PREFIX))
        if file is None:
            raise StorageRefusal(404, "NoSuchKey", "The specified key does not exist.")
        return file

    def explain(self, refused: StorageRefusal) -> bytes:
        """Return the body of a refusal as S3 writes it: XML with the access key id."""
        elements = {
            "Code": refused.code,
            "Message": refused.message,
            "AWSAccessKeyId": self._signer.access_key_id,
            **refused.details,
            "RequestId": self._codes.sn()[:16].upper(),
        }
        inner = "".join(f"<{name}>{_xml_text(text)}</{name}>" for name, text in elements.items())
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'.encode()


def _check_length(headers: Mapping[str, str]) -> None:
    if "transfer-encoding" in headers:
        raise StorageRefusal(
            501,
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
            details={"Header": "Transfer-Encoding"},
        )
    length = headers.get("content-length")
    if length is None:
        raise StorageRefusal(
            411,
            "MissingContentLength",
            "You must provide the Content-Length HTTP header.",
        )
    if not (length.isascii() and length.isdigit()):
        raise StorageRefusal(400, "BadRequest", "Bad Content-Length")
    if len(length) > 15 or int(length) > MAX_UPLOAD_BYTES:
        raise StorageRefusal(
            400,
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed size",
        )


def _xml_text(text: str) -> str:
    """Escape a text, and replace the characters that XML does not allow."""
    printable = "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text
    )
    return escape(printable)
