"""The connection of a client to the control API: requests, answers and errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx

from newsleopard_async.emulator.sandbox import package_version
from newsleopard_async.emulator.sandbox.json_codec import FieldProblem, decode_answer
from newsleopard_async.emulator.sandbox.views import HealthView

__all__ = ["Connection", "EmulatorControlError"]

TIMEOUT: Final = httpx.Timeout(10.0, read=120.0)
"""Chosen: 120 s for an answer, because a move of the time can send a campaign to a million contacts
before the answer; 10 s for a connection."""


class EmulatorControlError(Exception):
    """The emulator refused a request, or no emulator answered.

    Attributes:
        status: HTTP status of the answer; None without an answer.
        message: One sentence with the reason and the way out.
        problems: The problem of each field, if the status is 400.
    """

    def __init__(
        self, message: str, *, status: int | None = None, problems: Sequence[FieldProblem] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.problems: tuple[FieldProblem, ...] = tuple(problems)


class Connection:
    """Sends requests to the control API of one emulator, and decodes the answers.

    Raises:
        ValueError: the scheme of the URL is not http or https, or it has no host.
    """

    def __init__(
        self, url: str, *, token: str | None, transport: httpx.AsyncBaseTransport | None
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"url: must be a URL such as http://127.0.0.1:8025, not {url!r}")
        token = token or next(iter(parse_qs(parts.query).get("token", [])), None)
        self.url: str = f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
        self.server_version: str = package_version()
        self.http: httpx.AsyncClient = httpx.AsyncClient(
            base_url=f"{self.url}/_emulator",
            headers={} if token is None else {"authorization": f"Bearer {token}"},
            transport=transport,
            timeout=TIMEOUT,
            trust_env=False,
        )

    async def check(self) -> HealthView:
        """Check that an emulator answers, and return its health.

        Raises:
            EmulatorControlError: no emulator answers.
        """
        answer = await self._send("GET", "/health", None, None)
        if not answer.is_success:
            raise self._refusal(answer)
        try:
            found: HealthView = decode_answer(HealthView, answer.json())
        except ValueError:
            raise self._stranger(answer) from None
        self.server_version = found.version
        return found

    async def ask(
        self,
        kind: Any,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Any:
        """Send a request, and return the answer as an object of the class ``kind``.

        Raises:
            EmulatorControlError: the request was refused or not answered, or the answer is not of
                this class.
        """
        answer = await self._send(method, path, body, query)
        if not answer.is_success:
            raise self._refusal(answer)
        if kind is None or kind is bytes:
            return answer.content if kind is bytes else None
        try:
            return decode_answer(kind, answer.json())
        except ValueError:
            raise EmulatorControlError(
                f"{self.url} answers {method} {path} in an unknown format.{self._hint}",
                status=answer.status_code,
            ) from None

    async def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, Any] | None,
    ) -> httpx.Response:
        headers = {} if method == "GET" else {"content-type": "application/json"}
        params = {
            name: _as_text(value) for name, value in (query or {}).items() if value is not None
        }
        request = self.http.build_request(method, path, headers=headers, params=params)
        if method != "GET":
            plain = {name: _as_plain(value) for name, value in (body or {}).items()}
            request = self.http.build_request(method, path, headers=headers, json=plain)
        try:
            return await self.http.send(request)
        except httpx.ConnectError as error:
            raise EmulatorControlError(
                f"No emulator answers at {self.url} ({error}); "
                "start one with `newsleopard emulator`, or check the URL."
            ) from error
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise EmulatorControlError(
                f"{self.url} did not answer: {reason}; check that the emulator still runs."
            ) from error

    def _refusal(self, answer: httpx.Response) -> EmulatorControlError:
        status = answer.status_code
        try:
            error = answer.json()["error"]
            problems = [FieldProblem(each["field"], each["message"]) for each in error["problems"]]
            message = str(error["message"])
        except (ValueError, TypeError, KeyError):
            return self._stranger(answer)
        hint = self._hint if status in {404, 405} or problems else ""
        return EmulatorControlError(f"{message}{hint}", status=status, problems=problems)

    def _stranger(self, answer: httpx.Response) -> EmulatorControlError:
        return EmulatorControlError(
            f"{self.url} is not an emulator with a control API: it answers with "
            f"{answer.status_code}; check the URL, and the emulator's option --control.",
            status=answer.status_code,
        )

    @property
    def _hint(self) -> str:
        """A second possible cause, if the versions of emulator and client differ; else empty."""
        own = package_version()
        if self.server_version == own:
            return ""
        return (
            f" The emulator has the version {self.server_version} and this package {own}; "
            "install the same version on both sides."
        )


def _as_text(value: Any) -> str:
    """Return a value as text of a query."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _as_plain(value: Any) -> Any:
    """Return a value in a form that JSON can encode.

    Raises:
        ValueError: a time has no time zone.
    """
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(
                f"the time {value} has no time zone; pass one with its zone, "
                "such as datetime.now(UTC)"
            )
        return value.isoformat()
    return value
