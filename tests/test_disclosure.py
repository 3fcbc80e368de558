"""Texts that cannot control a terminal, and tracebacks without the variables of our frames."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest

from newsleopard_async.disclosure import hides_variables, shown
from newsleopard_async.errors import InvalidRequest, NewsLeopardError, Problem

pytestmark = pytest.mark.anyio

SECRET = "hu" + "sh"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("會員 2026", "會員 2026"),
        ("一\u3000二\u00a0三", "一\u3000二\u00a0三"),
        ("\ue000\U0002ebf0", "\ue000\U0002ebf0"),
        ("a\x1b[2Jb\nc\rd\x08\x9b", "a\\x1b[2Jb\\nc\\rd\\x08\\x9b"),
        ("\u202eabc\u2066", "\\u202eabc\\u2066"),
        ("a\u200bb\u200ec\ufeff\u00ad", "a\\u200bb\\u200ec\\ufeff\\xad"),
        ("a\u2028b\u2029c", "a\\u2028b\\u2029c"),
        ("a\ud800", "a\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("👩\u200d👧 ❤\ufe0f\u200d🔥", "👩\u200d👧 ❤\ufe0f\u200d🔥"),
        ("a\u200db", "a\\u200db"),
    ],
)
def test_control_and_format_characters_are_escaped(text: str, expected: str) -> None:
    """People's names do not change, even with characters that this Python does not have."""
    assert shown(text) == expected
    expected.encode()


def test_errors_show_no_steering_characters() -> None:
    """They contain file names and texts of the server, and are printed and logged."""
    refused = InvalidRequest([Problem("a\nb", "rule", "\x1b[2J.csv is a folder")])
    other = NewsLeopardError("\x1b]0;owned\x07", 3)

    assert str(refused) == "a\\nb: \\x1b[2J.csv is a folder"
    assert refused.problems[0].message == "\\x1b[2J.csv is a folder"
    assert other.args == ("\\x1b]0;owned\\x07", 3)


def variables_of(error: BaseException) -> str:
    """Return an error report of all frames, except this file's test functions."""
    found: list[str] = []
    left = [traceback.TracebackException.from_exception(error, capture_locals=True)]
    while left:
        link = left.pop()
        found += [
            str(frame.locals)
            for frame in link.stack
            if frame.name != "use" and not frame.name.startswith("test_")
        ]
        left += [each for each in (link.__cause__, link.__context__) if each]
        left += link.exceptions or []
    return "\n".join(found)


def broken(kind: type[Exception], text: str) -> Exception:
    """Return an error that was raised in a frame with a text."""
    try:
        raise kind(len(text))  # noqa: TRY301 - its frame is what is looked at
    except kind as error:
        return error


def fail(text: str) -> None:
    """Raise a group, with a cause and a context; each error has its own frames."""
    several = ExceptionGroup("several", [broken(ValueError, text)])
    try:
        raise broken(OSError, text)
    except OSError:
        raise several from broken(KeyError, text)


@hides_variables
def called(text: str, *, number: int = 0) -> int:
    """Fail as a function does."""
    fail(text)
    return number


@hides_variables
async def awaited(text: str, *, number: int = 0) -> int:
    """Fail as a coroutine function does."""
    fail(text)
    return number


@hides_variables
async def iterated(text: str, *, number: int = 0) -> AsyncIterator[int]:
    """Fail as an async generator does."""
    yield number
    fail(text)


async def use(function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Run a function, a coroutine function or an async generator to its end."""
    result = function(*args, **kwargs)
    del args, kwargs
    if hasattr(result, "__aiter__"):
        async for _ in result:
            pass
    elif hasattr(result, "__await__"):
        await result


@pytest.mark.parametrize("function", [called, awaited, iterated])
async def test_variables_of_frames_below_are_gone(function: Callable[..., Any]) -> None:
    """Frames of causes, contexts and grouped errors are cleared; file, line and function stay."""
    with pytest.raises(ExceptionGroup) as caught:
        await use(function, SECRET)

    assert SECRET not in variables_of(caught.value)
    assert "fail" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]


@pytest.mark.parametrize("function", [called, awaited, iterated])
async def test_arguments_that_do_not_fit_are_not_shown(function: Callable[..., Any]) -> None:
    """Python's own refusal has no frame of the function, so no frame contains its arguments."""
    with pytest.raises(TypeError, match="nothing") as caught:
        await use(function, SECRET, nothing=1)

    assert SECRET not in variables_of(caught.value)


def finished(mine: str) -> None:
    """Raise with the caller's own variable."""
    raise LookupError(len(mine))


@pytest.mark.parametrize("function", [called, awaited, iterated])
async def test_error_that_the_caller_handles_keeps_its_variables(
    function: Callable[..., Any],
) -> None:
    """The caller's error is the context of our error, and is not changed."""
    handled: list[BaseException] = []
    try:
        finished("mine")
    except LookupError as error:
        handled.append(error)
        with pytest.raises(ExceptionGroup) as caught:
            await use(function, SECRET)

    assert "'mine'" in variables_of(handled[0])
    assert SECRET not in variables_of(caught.value)


@hides_variables
async def forever() -> None:
    """Wait for a cancellation."""
    await anyio.sleep_forever()


async def test_waiter_for_a_cancelled_task_continues() -> None:
    """The error before a cancellation can be its context; its frames have not ended."""
    with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012 - it is the group that is tested
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(forever)
            await anyio.lowlevel.checkpoint()
            raise LookupError("mine")
    await anyio.lowlevel.checkpoint()

    assert caught.group_contains(LookupError)


async def test_decorated_function_behaves_as_before() -> None:
    """Its name, its result, and its closing do not change."""
    closed: list[bool] = []

    @hides_variables
    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    @hides_variables
    async def double(number: int) -> int:
        return 2 * number

    given: Any = numbers()
    assert await anext(given) == 1
    await given.aclose()

    assert closed == [True]
    assert await double(2) == 4
    assert double.__name__ == "double"
