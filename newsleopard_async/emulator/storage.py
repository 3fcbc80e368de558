"""The object storage beside the API: takes uploads, serves files, knows no API key (T09, T22).

::

    PUT /_storage/imports/{import_sn}.csv      an upload
    GET /_storage/errors/{import_sn}.csv       the rejected rows of an import
    GET /_storage/reports/{campaign_sn}/…      a report file
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final
from xml.sax.saxutils import escape

from newsleopard_async.emulator.blobs import Blob
from newsleopard_async.emulator.codes import Codes
from newsleopard_async.emulator.signing import Signer, StorageRefusal
from newsleopard_async.emulator.wire import Reply

__all__ = ["STORAGE_PREFIX", "Storage"]

STORAGE_PREFIX: Final = "/_storage/"
MAX_UPLOAD_BYTES: Final = 5 * 1024**3
_UNSIGNED_REFUSED: Final = ("x-amz-", "content-md5")


class Storage:
    """Presigned URLs and what lies behind them.

    Attributes:
        leaked_keys: Every API key that was sent here, which none ever should be.
    """

    def __init__(self, codes: Codes, *, base_url: str) -> None:
        self.base_url = base_url
        self.leaked_keys: list[str] = []
        self._codes = codes
        self._signer = Signer(access_key_id=codes.access_key_id(), secret=codes.secret())
        self._readers: dict[str, Callable[[], Blob]] = {}

    def upload_url(self, name: str, *, now: datetime, lifetime_s: float) -> str:
        """Return a URL that takes a PUT."""
        return self._signer.url(
            "PUT", self.base_url, STORAGE_PREFIX + name, now=now, lifetime_s=lifetime_s
        )

    def download_url(self, name: str, *, now: datetime, lifetime_s: float) -> str:
        """Return a URL that answers a GET."""
        return self._signer.url(
            "GET", self.base_url, STORAGE_PREFIX + name, now=now, lifetime_s=lifetime_s
        )

    def offer(self, name: str, read: Callable[[], Blob]) -> None:
        """Let a file be fetched; it is made when somebody asks for it."""
        self._readers[name] = read

    def check(
        self, method: str, path: str, query: str, headers: Mapping[str, str], *, now: datetime
    ) -> None:
        """Judge a request by its head.

        Raises:
            StorageRefusal: it must not pass.
        """
        key = headers.get("x-api-key")
        if key is not None:
            self.leaked_keys.append(key)
            raise StorageRefusal(
                status=400, code="InvalidRequest", message="An API key has no business here"
            )
        if method == "PUT":
            _check_length(headers)
        self._signer.check(method, path, query, now=now)
        unsigned = [name for name in headers if name.startswith(_UNSIGNED_REFUSED)]
        if unsigned:
            raise StorageRefusal(
                status=403,
                code="AccessDenied",
                message="There were headers present in the request which were not signed",
                details={"HeadersNotSigned": ", ".join(unsigned)},
            )

    def open(self, path: str) -> Blob:
        """Return a file.

        Raises:
            StorageRefusal: there is no such file.
        """
        read = self._readers.get(path.removeprefix(STORAGE_PREFIX))
        if read is None:
            raise StorageRefusal(
                status=404, code="NoSuchKey", message="The specified key does not exist."
            )
        return read()

    def refusal(self, refused: StorageRefusal) -> Reply:
        """Write a refusal as S3 does: in XML, with the access key id in it."""
        elements = {
            "Code": refused.code,
            "Message": refused.message,
            "AWSAccessKeyId": self._signer.access_key_id,
            **refused.details,
            "RequestId": self._codes.sn()[:16].upper(),
        }
        inner = "".join(f"<{name}>{_xml_text(text)}</{name}>" for name, text in elements.items())
        return Reply(
            status=refused.status,
            body=f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'.encode(),
            media_type="application/xml",
        )


def _check_length(headers: Mapping[str, str]) -> None:
    if "transfer-encoding" in headers:
        raise StorageRefusal(
            status=501,
            code="NotImplemented",
            message="A header you provided implies functionality that is not implemented",
            details={"Header": "Transfer-Encoding"},
        )
    length = headers.get("content-length")
    if length is None:
        raise StorageRefusal(
            status=411,
            code="MissingContentLength",
            message="You must provide the Content-Length HTTP header.",
        )
    if not (length.isascii() and length.isdigit()):
        raise StorageRefusal(status=400, code="BadRequest", message="Bad Content-Length")
    if len(length) > 15 or int(length) > MAX_UPLOAD_BYTES:
        raise StorageRefusal(
            status=400,
            code="EntityTooLarge",
            message="Your proposed upload exceeds the maximum allowed size",
        )


def _xml_text(text: str) -> str:
    """Escape a text, and drop what XML cannot carry at all."""
    printable = "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text
    )
    return escape(printable)
