"""The wrapper of all pipelines: a span, the end of a feed, and hidden variables."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager
from typing import Any, Final, ParamSpec, TypeVar, cast

import anyio
import anyio.lowlevel

from newsleopard_async import telemetry
from newsleopard_async.disclosure import hides_variables
from newsleopard_async.models.codes import problems_of_code
from newsleopard_async.workflows.feed import EventFeed

__all__ = ["pipeline"]

P = ParamSpec("P")
T = TypeVar("T")

_CODES: Final = ("campaign_sn", "import_sn", "list_sn")
"""The attributes of a pipeline's span: only codes, and never a name, an address or a path."""

_BEGIN_AT_ONCE: Final = 8
"""How many pipelines begin in one round of the event loop. Chosen: each takes 1 ms for that
(measured), and a thousand together would block the loop for a second."""

_beginning: Final = anyio.lowlevel.RunVar[anyio.CapacityLimiter]("newsleopard_async_beginning")


def pipeline(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Give a pipeline its span, end the feed that is its ``progress``, and hide its variables.

    A pipeline that calls another passes a plain callback, so the feed ends with the outer one.
    """
    return hides_variables(cast("Callable[P, Coroutine[Any, Any, T]]", _wrapped(function)))


def _wrapped(function: Callable[..., Coroutine[Any, Any, T]]) -> Callable[..., Any]:
    name = f"newsleopard.{function.__name__}"
    parameters = inspect.signature(function)

    @functools.wraps(function)
    async def wrapped(*args: Any, **kwargs: Any) -> T:
        with _collecting(kwargs) as record_result:
            try:
                work = function(*args, **kwargs)
                codes = _codes(parameters.bind(*args, **kwargs).arguments.get)
            finally:
                # Error reports show the variables of running frames, and these can be contacts.
                del args, kwargs
            with telemetry.span(name, attributes=codes) as span:
                try:
                    await _wait_to_begin()
                except BaseException:
                    work.close()
                    raise
                outcome = await work
                span.set(_codes_of(outcome))
            record_result(outcome)
            return outcome

    return wrapped


async def _wait_to_begin() -> None:
    """Wait until few enough pipelines are beginning."""
    limiter = _beginning.get(None)
    if limiter is None:
        limiter = anyio.CapacityLimiter(_BEGIN_AT_ONCE)
        _beginning.set(limiter)
    async with limiter:
        pass


def _collecting(kwargs: dict[str, Any]) -> AbstractContextManager[Callable[[object], None]]:
    feed = kwargs.get("progress")
    if not isinstance(feed, EventFeed):
        return contextlib.nullcontext(_forget)
    kwargs["progress"] = feed.__call__
    return feed.serving()


def _forget(_: object) -> None:
    """Ignore the outcome of a run without a feed."""


def _codes_of(outcome: object) -> dict[str, str]:
    """Return the codes of an outcome and of its import."""
    imported = getattr(outcome, "import_report", None)
    return {
        **_codes(functools.partial(_field_of, imported)),
        **_codes(functools.partial(_field_of, outcome)),
    }


def _field_of(outcome: object, name: str) -> object:
    return getattr(outcome, name, None)


def _codes(field: Callable[[str], object]) -> dict[str, str]:
    return {f"newsleopard.{name}": value for name in _CODES for value in _if_code(field(name))}


def _if_code(value: object) -> Iterator[str]:
    """Yield the value if it has the form of a code; an address by mistake does not."""
    if isinstance(value, str) and "@" not in value and not any(problems_of_code("sn", value)):
        yield value
