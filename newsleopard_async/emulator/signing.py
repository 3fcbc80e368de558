"""Presigned URLs, in the manner of S3's fourth version (T22, T118).

The signature covers method, path, and the whole query; it is an HMAC, but not Amazon's.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

import attrs

__all__ = ["Signer", "StorageRefusal"]

_SIGNATURE: Final = "X-Amz-Signature"
_DATE_FORM: Final = "%Y%m%dT%H%M%SZ"


@attrs.frozen(kw_only=True)
class StorageRefusal(Exception):
    """The storage says no, in XML.

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
    """Makes and checks presigned URLs."""

    def __init__(self, *, access_key_id: str, secret: bytes) -> None:
        self.access_key_id = access_key_id
        self._secret = secret

    def url(
        self, method: str, base_url: str, path: str, *, now: datetime, lifetime_s: float
    ) -> str:
        """Return a URL that allows one method on one path for a while."""
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
            StorageRefusal: it is not ours, was changed, or has expired.
        """
        pairs = parse_qsl(query, keep_blank_values=True)
        given = dict(pairs).get(_SIGNATURE)
        if given is None:
            raise StorageRefusal(status=403, code="AccessDenied", message="Access Denied")
        signed = urlencode([(name, value) for name, value in pairs if name != _SIGNATURE])
        if not hmac.compare_digest(
            self._sign(method, path, signed).encode(), given.encode("utf-8", "replace")
        ):
            raise StorageRefusal(
                status=403,
                code="SignatureDoesNotMatch",
                message="The request signature we calculated does not match the signature you "
                "provided. Check your key and signing method.",
                details={"SignatureProvided": given},
            )
        self._check_expiry(dict(pairs), now)

    def _check_expiry(self, fields: Mapping[str, str], now: datetime) -> None:
        begin = datetime.strptime(fields["X-Amz-Date"], _DATE_FORM).replace(tzinfo=UTC)
        expires = begin + timedelta(seconds=int(fields["X-Amz-Expires"]))
        if now >= expires:
            raise StorageRefusal(
                status=403,
                code="AccessDenied",
                message="Request has expired",
                details={
                    "X-Amz-Expires": fields["X-Amz-Expires"],
                    "Expires": f"{expires:%Y-%m-%dT%H:%M:%SZ}",
                    "ServerTime": f"{now:%Y-%m-%dT%H:%M:%SZ}",
                },
            )

    def _sign(self, method: str, path: str, query: str) -> str:
        text = f"{method}\n{path}\n{query}"
        return hmac.new(self._secret, text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
