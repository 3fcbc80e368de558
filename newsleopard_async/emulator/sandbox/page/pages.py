"""The routes of the page, and how a page is rendered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import cache, partial
from importlib import resources
from typing import Any, Final
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from newsleopard_async.emulator.emulator import Emulator, account_of
from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.sandbox import queries
from newsleopard_async.emulator.sandbox.page import formats, labels
from newsleopard_async.emulator.sandbox.page.screens import SCREENS, Screen, ScreenContent
from newsleopard_async.emulator.sandbox.page.settings_screens import settings_screens
from newsleopard_async.emulator.sandbox.page.translations import (
    COOKIE,
    TAGS,
    Language,
    language_of,
    translator,
)
from newsleopard_async.emulator.switches import Switches

__all__ = ["CONTENT_SECURITY_POLICY", "environment", "page_routes"]

Endpoint = Callable[[Request], Awaitable[Response]]

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        *("script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'"),
        *("frame-src 'self'", "font-src 'self'", "form-action 'self'"),
        *("base-uri 'none'", "frame-ancestors 'none'"),
    )
)
"""Everything comes from the server itself; nothing is inline; no other page frames it."""

HEADERS: Final = {"content-security-policy": CONTENT_SECURITY_POLICY}
"""What the page has beside what the gate gives every answer."""

STATIC: Final[Mapping[str, str]] = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
"""The files that the page loads, with their media types."""

STATIC_PATH: Final = "/_emulator/ui/static/"

A_YEAR_S: Final = 31_536_000
"""Chosen: how long a browser remembers the language that somebody chose."""

PACKAGE: Final = "newsleopard_async.emulator.sandbox.page"


def page_routes(emulator: Emulator, *, at_start: Switches, version: str) -> list[Route]:
    """Return the routes of the page, ``/`` and ``/_emulator/ui/…``, for GET and HEAD.

    Args:
        emulator: What is shown; each request settles it first, in slices.
        at_start: How its switches stood when the server began.
        version: The package's version, which the page shows.
    """
    pages = _Pages(emulator, version)
    screens = {**SCREENS, **settings_screens(emulator, at_start)}
    routes = [Route(path, pages.endpoint_of(screen)) for path, screen in screens.items()]
    routes += [
        Route(STATIC_PATH + name, _static_endpoint(name, kind)) for name, kind in STATIC.items()
    ]
    return [*routes, Route("/_emulator/ui/{rest:path}", pages.endpoint_of(_missing_page))]


def _static_endpoint(name: str, media_type: str) -> Endpoint:
    """Answer with a file, which is read once."""
    content = resources.files(PACKAGE).joinpath("static", name).read_bytes()

    async def endpoint(request: Request) -> Response:
        del request
        return Response(content, media_type=media_type, headers=HEADERS)

    return endpoint


async def _missing_page(account: Account, request: Request) -> ScreenContent:
    del account
    raise LookupError(f"there is no page {request.url.path!r}")


@cache
def environment() -> Environment:
    """Return the templates: everything is escaped, and a name that is missing is an error."""
    templates = Environment(
        loader=PackageLoader(PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("duration", "marked", "number", "pretty", "share", "taipei", "utc"):
        templates.filters[name] = getattr(formats, name)
    templates.filters["in_path"] = partial(quote, safe="")
    for name in labels.__all__:
        templates.globals[name] = getattr(labels, name)
    return templates


class _Pages:
    """Renders what a screen shows."""

    def __init__(self, emulator: Emulator, version: str) -> None:
        self._account = account_of(emulator)
        self._version = version
        self._templates = environment()

    def endpoint_of(self, screen: Screen) -> Endpoint:
        """Answer with a page; what is not there is a page that says so."""

        async def endpoint(request: Request) -> Response:
            now = await queries.catch_up(self._account)
            try:
                content, status = await screen(self._account, request), 200
            except LookupError as error:
                message = str(error.args[0]) if error.args else ""
                content, status = ScreenContent("missing.html", "", {"message": message}), 404
            return self._rendered(content, status, request, now)

        return endpoint

    def _rendered(
        self, content: ScreenContent, status: int, request: Request, now: datetime
    ) -> Response:
        language = language_of(request)
        html = self._templates.get_template(content.template).render(
            **_shared(request, language),
            account=queries.account_view(self._account, now, version=self._version),
            accepts_test_key="test-key" in (self._account.api_keys or ("test-key",)),
            section=content.section,
            **content.values,
        )
        headers = {**HEADERS, "content-language": TAGS[language]}
        response = HTMLResponse(html, status, headers=headers)
        if request.query_params.get("lang") == language:
            response.set_cookie(
                COOKIE, language, max_age=A_YEAR_S, httponly=True, samesite="strict"
            )
        return response


def _shared(request: Request, language: Language) -> dict[str, Any]:
    """Return what every template has."""
    query = dict(request.query_params)

    def with_query(**changes: str | None) -> str:
        """Return this page's address with its query changed; None takes a name away."""
        changed = {name: value for name, value in (query | changes).items() if value}
        return f"{request.url.path}?{urlencode(changed)}" if changed else request.url.path

    return {
        "_": translator(language),
        "language": language,
        "lang": TAGS[language],
        "query": query,
        "with_query": with_query,
        "path": request.url.path,
    }
