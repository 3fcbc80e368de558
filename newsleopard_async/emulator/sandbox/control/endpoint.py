"""What an endpoint of the control API is: from this the routes and the description are made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Literal

import attrs
from starlette.requests import Request

from newsleopard_async.emulator.emulator import Emulator, account_of
from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.sandbox import queries
from newsleopard_async.emulator.sandbox.bodies import NoQuery
from newsleopard_async.emulator.sandbox.events import ChangeNotifier
from newsleopard_async.emulator.switches import Switches

__all__ = ["Conflict", "ControlContext", "ControlRequest", "Endpoint", "Method"]

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Conflict(Exception):
    """What is asked for cannot be done with this emulator, or not now."""


@attrs.frozen(kw_only=True)
class ControlContext:
    """What the endpoints work on.

    Attributes:
        emulator: The emulator.
        at_start: Its switches when the server began.
        version: Version of the package.
        notifier: Who follows the changes.
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
        """Let everything happen that is due, in slices, and return the present."""
        return await queries.catch_up(self.account)


@attrs.frozen(kw_only=True)
class ControlRequest:
    """A request, as it was read.

    Attributes:
        path: What stands in the path.
        query: The query, of the endpoint's class.
        body: The body, of the endpoint's class.
        data: The body as it came.
        http: The whole.
    """

    path: Mapping[str, str]
    query: Any
    body: Any
    data: Any
    http: Request


@attrs.frozen(kw_only=True)
class Endpoint:
    """An endpoint.

    Attributes:
        method: The HTTP method.
        path: The path below ``/_emulator``, with names in braces.
        name: Its name, which ``EmulatorControl`` has, too, where it can.
        summary: What it does, in one sentence.
        run: What does it; returns a view, a tuple of views, None for nothing, or a whole answer.
        answers: The class of the answer, or a type of content.
        body: The class of the body, if it takes one.
        query: The class of the query.
        status: Of the answer, if all is well.
        may_conflict: It may be answered with 409.
        may_be_missing: It may be answered with 404, also without a name in its path.
    """

    method: Method
    path: str
    name: str
    summary: str
    run: Callable[[ControlContext, ControlRequest], Awaitable[object]]
    answers: Any = None
    body: type | None = None
    query: type = NoQuery
    status: int = 200
    may_conflict: bool = False
    may_be_missing: bool = False
