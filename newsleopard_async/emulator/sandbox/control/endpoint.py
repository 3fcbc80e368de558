"""The type of an endpoint of the control API, from which the routes and the description derive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Literal

import attrs
from starlette.requests import Request

from newsleopard_async.emulator.emulator import Emulator, account_of
from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.sandbox.bodies import EmptyQuery
from newsleopard_async.emulator.sandbox.events import ChangeNotifier
from newsleopard_async.emulator.sandbox.slices import catch_up
from newsleopard_async.emulator.switches import Switches

__all__ = ["Conflict", "ControlContext", "ControlRequest", "Endpoint", "Method"]

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Conflict(Exception):
    """A request that this emulator cannot process, or not now."""


@attrs.frozen(kw_only=True)
class ControlContext:
    """The objects that the endpoints work on.

    Attributes:
        emulator: The emulator.
        at_start: Its switches when the server started.
        version: Version of the package.
        notifier: The notifier of its changes.
    """

    emulator: Emulator
    at_start: Switches
    version: str
    notifier: ChangeNotifier

    @property
    def account(self) -> Account:
        """The emulator's state."""
        return account_of(self.emulator)

    async def catch_up(self) -> datetime:
        """Process all that is due, in slices, and return the emulator's time."""
        return await catch_up(self.account)


@attrs.frozen(kw_only=True)
class ControlRequest:
    """A decoded request.

    Attributes:
        path: The parameters of the path.
        query: The query, an object of the endpoint's class.
        body: The body, an object of the endpoint's class.
        data: The body as decoded JSON.
        http: The HTTP request.
    """

    path: Mapping[str, str]
    query: Any
    body: Any
    data: Any
    http: Request


@attrs.frozen(kw_only=True)
class Endpoint:
    """An endpoint of the control API.

    Attributes:
        method: The HTTP method.
        path: The path below ``/_emulator``, with parameter names in braces.
        name: Name of the endpoint; the method of ``EmulatorControl`` has the same name if possible.
        summary: The effect of the endpoint, in one sentence.
        run: The function of the endpoint. It returns a view, a tuple of views, None for an empty
            answer, or an HTTP answer.
        answers: The class of the answer, or its media type as text.
        body: The class of the body; None without a body.
        query: The class of the query.
        status: HTTP status of a successful answer.
        may_conflict: The answer can be 409.
        may_be_missing: The answer can be 404, even without a parameter in the path.
    """

    method: Method
    path: str
    name: str
    summary: str
    run: Callable[[ControlContext, ControlRequest], Awaitable[object]]
    answers: Any = None
    body: type | None = None
    query: type = EmptyQuery
    status: int = 200
    may_conflict: bool = False
    may_be_missing: bool = False
