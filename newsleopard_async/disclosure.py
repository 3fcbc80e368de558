"""What may be disclosed: text that steers no terminal, and tracebacks without their variables.

Reporters of errors (Sentry, rich, cgitb) print the variables of every frame that an error or a
cancellation has passed. Below a public function those frames belong to us, to httpx, h11 and the
event loop, and they hold the key, presigned URLs and contacts. So each public function that
handles one of these empties them (`hides_variables`); file, line and function stay.
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

__all__ = ["hides_variables", "shown"]

P = ParamSpec("P")
R = TypeVar("R")

_UNSHOWN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control and format characters, halves of surrogate pairs, separators of lines and paragraphs.

Characters that this Python does not know yet, and private ones, are in people's names.
"""

_JOINED: Final = re.compile(
    "(?<=[\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])\u200d(?=[\u2190-\u2bff\U0001f000-\U0001faff])"
)
"""The one format character that is seen: it joins two emoji into one."""


def shown(text: str) -> str:
    """Return a text as it may be shown: nothing in it steers a terminal, ends a line, or hides."""
    if text.isprintable():
        return text
    return "\u200d".join("".join(map(_shown_character, part)) for part in _JOINED.split(text))


def _shown_character(character: str) -> str:
    if unicodedata.category(character) not in _UNSHOWN:
        return character
    return character.encode("unicode_escape").decode()


class _FrameCleaner:
    """Empties the frames that an exception has passed on its way out of the context.

    Those of the exception that the caller is handling already are the caller's own.
    """

    def __enter__(self) -> None:
        # Its number only: the exception itself would be a variable of the frame above.
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
    """Whether a frame is over, and so holds its variables itself.

    One that runs cannot be cleared. One that waits is a coroutine's, which clearing would close:
    trio's `Cancelled` has the error as its context for which a nursery cancels its tasks, and the
    frame of the nursery, which waits for their end.
    """
    return any(each is frame.f_code for each in gc.get_referents(frame))


def hides_variables(function: Callable[P, R]) -> Callable[P, R]:
    """Empty the frames below a public function when an exception leaves it.

    Its own arguments, which may be contacts, are in no frame that stays. It may be a function,
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
