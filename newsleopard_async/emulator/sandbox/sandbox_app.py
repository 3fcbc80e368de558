"""One ASGI app that contains the platform, the page and the control API."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from newsleopard_async.emulator.emulator import Emulator
from newsleopard_async.emulator.sandbox import package_version
from newsleopard_async.emulator.sandbox.access import (
    AccessMiddleware,
    ControlOptions,
    is_for_sandbox,
)
from newsleopard_async.emulator.sandbox.control.endpoint import ControlContext
from newsleopard_async.emulator.sandbox.control.routes import EXCEPTION_HANDLERS, control_routes
from newsleopard_async.emulator.sandbox.events import ChangeNotifier

__all__ = ["build_sandbox"]


class _Sandbox:
    """Answers requests to the page and the control API, and passes all others to the platform."""

    def __init__(self, platform: ASGIApp, own: ASGIApp) -> None:
        self._platform = platform
        self._own = own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_own = scope["type"] == "http" and is_for_sandbox(scope)
        await (self._own if is_own else self._platform)(scope, receive, send)


def build_sandbox(
    emulator: Emulator,
    *,
    options: ControlOptions | None = None,
    public_url: str | None = None,
) -> ASGIApp:
    """Return the app of an emulator, with the page at ``/`` and the control API.

    Requests to paths outside ``/`` and ``/_emulator`` go to ``emulator.app`` unchanged.

    Args:
        emulator: The emulator to show and control.
        options: The access options; by default only this machine has access.
        public_url: The URL of the server, in addition to the loopback addresses.
    """
    options = options or ControlOptions()
    if options.access == "off":
        return emulator.app
    # A server without the page does not need the templates.
    from newsleopard_async.emulator.sandbox.page.pages import page_routes

    context = ControlContext(
        emulator=emulator,
        at_start=emulator.switches,
        version=package_version(),
        notifier=ChangeNotifier(emulator),
    )
    page = page_routes(emulator, at_start=context.at_start, version=context.version)
    routes = [*page, *control_routes(context)]
    own = Starlette(routes=routes, exception_handlers=EXCEPTION_HANDLERS)
    own.router.redirect_slashes = False
    return _Sandbox(emulator.app, AccessMiddleware(own, options=options, public_url=public_url))
