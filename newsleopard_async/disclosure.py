"""What is safe to show: text without control characters, and tracebacks without variables.

Tools that report errors (Sentry, rich, cgitb) print the variables of each frame that an error or a
cancellation has passed. The frames below a public function belong to this library, httpx, h11 and
the event loop, and contain the key, presigned URLs and contacts. So each public function that
handles these clears the frames (`hides_variables`); file, line and function stay.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import inspect
import re
import sys
import unicodedata
from collections.abc import AsyncGenerator, Callable
from types import FrameType, TracebackType
from typing import Any, Final, ParamSpec, TypeVar, cast

__all__ = ["hides_variables", "shortened", "shown"]

P = ParamSpec("P")
R = TypeVar("R")

_UNSHOWN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control and format characters, halves of surrogate pairs, separators of lines and paragraphs.

Private characters, and characters that are newer than this Python, are shown: names contain them.
"""

_JOINED: Final = re.compile(
    "(?<=[\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])\u200d(?=[\u2190-\u2bff\U0001f000-\U0001faff])"
)
"""The one format character with a visible effect: it joins two emoji into one."""


def shortened(text: str, most: int) -> str:
    """Return a text of at most so many characters; a cut is marked."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def shown(text: str) -> str:
    """Return a text with its control, format and line-ending characters escaped."""
    if text.isprintable():
        return text
    return "\u200d".join("".join(map(_shown_character, part)) for part in _JOINED.split(text))


def _shown_character(character: str) -> str:
    if unicodedata.category(character) not in _UNSHOWN:
        return character
    return character.encode("unicode_escape").decode()


class _FrameCleaner:
    """Clears the frames that an exception has passed inside the context.

    The frames of an exception that the caller is already handling are not cleared.
    """

    def __enter__(self) -> None:
        # Only its id: the exception itself would be a variable of the frame above.
        self._handled = id(sys.exc_info()[1])

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        left, seen = [exc], {self._handled}
        while left:
            error = left.pop()
            if error is None or id(error) in seen:
                continue
            seen.add(id(error))
            _empty(error.__traceback__)
            left += [error.__cause__, error.__context__, *getattr(error, "exceptions", ())]


def _empty(traceback: TracebackType | None) -> None:
    while traceback is not None:
        if _has_ended(traceback.tb_frame):
            traceback.tb_frame.clear()
        traceback = traceback.tb_next


def _has_ended(frame: FrameType) -> bool:
    """Return whether a frame has ended, and so owns its variables.

    A running frame cannot be cleared. A waiting frame belongs to a coroutine, which `clear` would
    close. Such a frame can be in a traceback: the context of trio's `Cancelled` is the error that
    made a nursery cancel its tasks, with the frame of the nursery that waits for their end.
    """
    return any(each is frame.f_code for each in gc.get_referents(frame))


def hides_variables(function: Callable[P, R]) -> Callable[P, R]:
    """Clear the frames below a public function when an exception leaves it.

    The remaining frames do not contain its arguments, which can be contacts. It can be a function,
    a coroutine function or an async generator function.
    """
    if inspect.isasyncgenfunction(function):
        return cast("Callable[P, R]", _iterated(function))
    if inspect.iscoroutinefunction(function):
        return cast("Callable[P, R]", _awaited(function))

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            with _FrameCleaner():
                return function(*args, **kwargs)
        finally:
            del args, kwargs

    return cast("Callable[P, R]", called)


def _awaited(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        try:
            work = function(*args, **kwargs)
        finally:
            del args, kwargs
        with _FrameCleaner():
            return await work

    return awaited


def _iterated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def iterated(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        try:
            items = function(*args, **kwargs)
        finally:
            del args, kwargs
        with _FrameCleaner():
            async with contextlib.aclosing(items):
                async for item in items:
                    yield item

    return iterated
