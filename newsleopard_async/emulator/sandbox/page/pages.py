"""The routes of the page, and the rendering of its templates."""

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
from newsleopard_async.emulator.sandbox.slices import catch_up
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
"""A page loads only files of its own server. Inline scripts and styles are forbidden, and other
pages cannot frame it. So the content of a mail or a contact cannot run a script."""

HEADERS: Final = {"content-security-policy": CONTENT_SECURITY_POLICY}
"""The headers of the page, in addition to those of ``AccessMiddleware``."""

STATIC: Final[Mapping[str, str]] = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
"""The files that the page loads, with their media types."""

STATIC_PATH: Final = "/_emulator/ui/static/"

A_YEAR_S: Final = 31_536_000
"""Chosen: a browser stores the user's language for 365 days."""

PACKAGE: Final = "newsleopard_async.emulator.sandbox.page"


def page_routes(emulator: Emulator, *, at_start: Switches, version: str) -> list[Route]:
    """Return the routes of the page, ``/`` and ``/_emulator/ui/…``, for GET and HEAD.

    Args:
        emulator: The emulator to show. Each request first processes all that is due, in slices.
        at_start: Its switches when the server started.
        version: Version of the package, which the page shows.
    """
    pages = _Pages(emulator, version)
    screens = {**SCREENS, **settings_screens(emulator, at_start)}
    routes = [Route(path, pages.endpoint_of(screen)) for path, screen in screens.items()]
    routes += [
        Route(STATIC_PATH + name, _static_endpoint(name, kind)) for name, kind in STATIC.items()
    ]
    return [*routes, Route("/_emulator/ui/{rest:path}", pages.endpoint_of(_missing_page))]


def _static_endpoint(name: str, media_type: str) -> Endpoint:
    """Return an endpoint that answers with a file, which is read at the start."""
    content = resources.files(PACKAGE).joinpath("static", name).read_bytes()

    async def endpoint(request: Request) -> Response:
        del request
        return Response(content, media_type=media_type, headers=HEADERS)

    return endpoint


async def _missing_page(account: Account, request: Request) -> ScreenContent:
    del account
    raise LookupError(f"page {request.url.path!r} does not exist; begin at /")


@cache
def environment() -> Environment:
    """Return the templates. They escape all values, and an undefined name is an error."""
    templates = Environment(
        loader=PackageLoader(PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("coded", "duration", "marked", "number", "pretty", "share", "taipei", "utc"):
        templates.filters[name] = getattr(formats, name)
    templates.filters["in_path"] = partial(quote, safe="")
    for name in labels.__all__:
        templates.globals[name] = getattr(labels, name)
    return templates


class _Pages:
    """Renders the screens."""

    def __init__(self, emulator: Emulator, version: str) -> None:
        self._account = account_of(emulator)
        self._version = version
        self._templates = environment()

    def endpoint_of(self, screen: Screen) -> Endpoint:
        """Return an endpoint that answers with the page of a screen, or with a 404 page."""

        async def endpoint(request: Request) -> Response:
            now = await catch_up(self._account)
            try:
                content, status = await screen(self._account, request), 200
            except LookupError as error:
                message = str(error.args[0]) if error.args else ""
                content, status = ScreenContent("missing.html", "", {"message": message}), 404
            return self._render(content, status, request, now)

        return endpoint

    def _render(
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
    """Return the values that all templates have."""
    query = dict(request.query_params)

    def with_query(**changes: str | None) -> str:
        """Return the URL of this page with a changed query; None removes a name."""
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
