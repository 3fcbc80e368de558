"""Rules for every test: the named event loop really runs, and nothing leaves the loopback."""

from __future__ import annotations

import inspect
import ipaddress
import itertools
import logging
import math
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sniffio
from hypothesis import settings

pytest_plugins = ("tests.servers",)

# jsonschema imports it for addresses in other alphabets, of which openapi.yaml has none: its
# grammars take 3 s of the CPU in every process.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # so Python says: not installed

# Slowness of a busy machine is not a failure, and a shared run must not fail at random.
settings.register_profile("project", deadline=None, derandomize="CI" in os.environ)
settings.register_profile("soak", deadline=None, print_blob=True)
settings.load_profile("project")

T = TypeVar("T")

MOST_CPU_S = 5.0
"""Chosen: a quick test takes less than 1 s; five times that under coverage on a busy machine."""
_SOAK_FACTOR = 20
_WAITED_FOR_SHARE = 1 / 3
"""Chosen: the slow tests made up of examples took 30 s of the CPU, and the examples are the same
in each run. The quick ones keep theirs: they are measured, and must run every branch."""
_IS_SLOW = re.compile(r"^pytestmark = pytest\.mark\.(?:slow|matrix|soak)$", re.MULTILINE)
_SPEEDS = {"quick", "slow", "matrix", "soak"}
_PROXIES = ("all_proxy", "http_proxy", "https_proxy", "no_proxy")
_SETTINGS = (
    "NEWSLEOPARD_ALLOW_HTTP",
    *("NEWSLEOPARD_API_KEY", "NEWSLEOPARD_BASE_URL", "NEWSLEOPARD_LOG", "NEWSLEOPARD_QUOTA"),
    "NL_EDM_API_KEY",
)
_BESIDE_THE_TOWER = ("cli", "durable", "emulator", "points", "rehearsal")
_LOOPBACK_NAMES = ("", "localhost")


@pytest.hookimpl(tryfirst=True)
def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip a module that is slow as a whole if only quick tests run."""
    if config.getoption("markexpr") != "quick" or collection_path.suffix != ".py":
        return None
    return True if _IS_SLOW.search(collection_path.read_text(encoding="utf-8")) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test without a mark of duration as quick; in a soak, multiply the examples.

    It is quick. Its second run, on trio, is slow: a test for which the event loop matters is
    marked quick, and then both are.
    """
    on_trio = []
    for item in items:
        if not {mark.name for mark in item.iter_markers()} & _SPEEDS:
            parameters = getattr(getattr(item, "callspec", None), "params", {})
            if parameters.get("anyio_backend") == "trio":
                on_trio.append(item)
            item.add_marker("slow" if item in on_trio[-1:] else "quick")
    if "CI" in os.environ:
        # In CI, people wait. A part of the tests is enough, because neighbours in a grid are
        # similar: every seventh of a grid, every sixteenth of the second runs, and every third of
        # the cases of a slow test and of the tests beside the tower.
        grid = [item for item in items if item.get_closest_marker("matrix")]
        left_out = {*grid}.difference(every_seventh(grid))
        left_out.update(each for place, each in enumerate(on_trio) if place % 16)
        others = {each for each in items if each.get_closest_marker("slow") or _is_beside(each)}
        others.difference_update(on_trio)
        left_out.update(but_every_third([item for item in items if item in others]))
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
        quick = [item for item in items if item.get_closest_marker("quick")]
        _change_examples(_tests_of(items) - _tests_of(quick), _WAITED_FOR_SHARE)
    if _is_soak(config):
        _change_examples(_tests_of(items), _SOAK_FACTOR)


def every_seventh(grid: Sequence[T]) -> list[T]:
    """Choose every seventh case, shifted by one in each seven.

    Otherwise only one column of a grid with seven columns would be tried.
    """
    return [case for place, case in enumerate(grid) if (place + place // 7) % 7 == 0]


def _is_beside(item: pytest.Item) -> bool:
    return item.path.relative_to(Path(__file__).parent).parts[0] in _BESIDE_THE_TOWER


def but_every_third(slow: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Choose the second and third of each three cases of a test."""
    seen: Counter[object] = Counter()
    chosen = []
    for item in slow:
        function = getattr(item, "obj", None)
        if seen[function] % 3:
            chosen.append(item)
        seen[function] += 1
    return chosen


def waited_for(examples: int) -> int:
    """Return how many examples a slow test generates; fewer if `CI` is set."""
    return math.ceil(_WAITED_FOR_SHARE * examples) if "CI" in os.environ else examples


def _tests_of(items: Iterable[pytest.Item]) -> set[Any]:
    """Return the functions of tests, which can have many parameters."""
    return {getattr(item, "obj", None) for item in items}


def _change_examples(tests: Iterable[Any], factor: float) -> None:
    """Multiply the examples of the tests for which hypothesis generates examples."""
    for test in tests:
        chosen = getattr(test, "_hypothesis_internal_use_settings", None)
        if chosen is not None:
            most = math.ceil(factor * chosen.max_examples)
            test._hypothesis_internal_use_settings = settings(chosen, max_examples=most)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a quick test that is not quick, by the time of the CPU: a busy machine counts less.

    In a clean clone the first hypothesis test builds the tables of Unicode, which takes seconds
    under coverage; so hypothesis tests are not checked.
    """
    began = _cpu_s()
    yield
    spent = _cpu_s() - began
    is_judged = item.get_closest_marker("quick") and not item.get_closest_marker("hypothesis")
    if spent > MOST_CPU_S and is_judged and not _is_soak(item.config):
        pytest.fail(f"a quick test took {spent:.1f} s of the CPU; mark it slow, or make it quicker")


def _is_soak(config: pytest.Config) -> bool:
    return bool(config.getoption("hypothesis_profile", None) == "soak")


def _cpu_s() -> float:
    """Return the CPU seconds of this process, without its children.

    The seconds of a shared server would count for the test that runs when the server ends.
    """
    return sum(os.times()[:2])


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Return the name of the event loop of a test marked ``anyio``."""
    return str(request.param)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put temporary files into a folder in which the test can find them."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _named_event_loop_runs(request: pytest.FixtureRequest) -> None:
    """Fail an async test that does not run on the library that it names.

    In auto mode, pytest-asyncio runs tests that are parametrised for trio, and they pass silently
    on asyncio.
    """
    expected = _expected_library(request)
    if expected is None:
        return
    item: Any = request.node
    if hasattr(item.obj, "hypothesis"):
        handle = item.obj.hypothesis
        handle.inner_test = _checked(_undecorated(handle.inner_test), expected)
    else:
        item.obj = _checked(item.obj, expected)


def _expected_library(request: pytest.FixtureRequest) -> str | None:
    """Return the library that a test requires; None for a test that is not async."""
    if "anyio_backend" in request.fixturenames:
        backend = request.getfixturevalue("anyio_backend")
        return str(backend if isinstance(backend, str) else backend[0])
    return "asyncio" if request.node.get_closest_marker("asyncio") else None


def _undecorated(test: Any) -> Any:
    """Remove the wrappers of this file and of anyio's plugin from a hypothesis test."""
    test = getattr(test, "_anyio_original_func", test)
    return getattr(test, "_unchecked", test)


def _checked(test: Any, expected: str) -> Any:
    if not inspect.iscoroutinefunction(test):
        return test
    body: Callable[..., Awaitable[None]] = test

    @wraps(body)
    async def check_then_run(*args: Any, **kwargs: Any) -> None:
        running = sniffio.current_async_library()
        assert running == expected, f"named {expected}, but runs on {running}"
        await body(*args, **kwargs)

    check_then_run._unchecked = test  # type: ignore[attr-defined]  # read back by _undecorated
    return check_then_run


@pytest.fixture(scope="session")
def _states(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the path of a folder for each test's runs; a test that stores runs creates it."""
    states = tmp_path_factory.mktemp("states")
    return (states / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def _settings_of_the_machine_are_gone(
    monkeypatch: pytest.MonkeyPatch, _states: Iterator[Path]
) -> None:
    """Hide the machine's key, base URL, proxies and runs: a test sets what it needs."""
    state = str(next(_states))
    for name in ("XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, state)
    for name in _SETTINGS:
        monkeypatch.delenv(name, raising=False)
    for name in _PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    # Tests run at the same time with one key.
    monkeypatch.setenv("NEWSLEOPARD_QUOTA", "process")
    # The command line of a developer in Taiwan speaks 中文.
    monkeypatch.setenv("LANGUAGE", "en")


@pytest.fixture(autouse=True, scope="session")
def _no_certificates_are_read() -> Iterator[None]:
    """Trust no certificate, here and in the programs that tests start: nothing leaves the loopback.

    Reading the certificates of the machine takes 50 ms for every client.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SSL_CERT_FILE", raising=False)
        patch.setenv("SSL_CERT_DIR", str(Path(__file__).parent))
        yield


class LeftLoopbackError(AssertionError):
    """A test tried to reach another machine."""


class _LoopbackGuard:
    """An audit hook, which is called for every connection of the process, with any library.

    Hooks cannot be removed, so this one is switched on and off.
    """

    def __init__(self) -> None:
        self.is_on = False
        self._checks: dict[str, Callable[..., Any]] = {
            "socket.connect": lambda _socket, address: address,
            "socket.sendto": lambda _socket, address: address,
            "socket.sendmsg": lambda _socket, address: address,
            "socket.getaddrinfo": lambda host, *_: (host, None),
            "socket.gethostbyname": lambda host: (host, None),
        }

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        """Refuse an address outside the loopback."""
        if self.is_on and event in self._checks:
            address = self._checks[event](*args)
            if isinstance(address, tuple) and not is_loopback(address[0]):
                raise LeftLoopbackError(f"{event} to {address[0]!r} leaves the loopback")


_GUARD = _LoopbackGuard()
sys.addaudithook(_GUARD)


@pytest.fixture(autouse=True, scope="session")
def _nothing_leaves_the_loopback() -> Iterator[None]:
    """Make every connection or lookup outside the loopback fail, for the whole run."""
    _GUARD.is_on = True
    yield
    _GUARD.is_on = False


def is_loopback(host: str | bytes | None) -> bool:
    """Return whether a host, by name or address, is the loopback."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host or ""
    if name.lower() in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def _log_is_as_before() -> Iterator[None]:
    """Undo what a test or its framework has changed at the library's logger."""
    logger = logging.getLogger("newsleopard_async")
    before = (logger.level, logger.propagate, logger.disabled, logging.root.manager.disable)
    handlers, filters = [*logger.handlers], [*logger.filters]
    yield
    logger.setLevel(before[0])
    logger.propagate, logger.disabled, logging.root.manager.disable = before[1:]
    logger.handlers[:], logger.filters[:] = handlers, filters
