"""Fixtures of pytest: an emulator, a client on it, a clock, and a server (docs/testing.md).

If the package is installed, every run of pytest loads this file, with or without the extra
``emulator``. So it only imports modules that pytest has imported before, and each fixture imports
the rest. The fixtures are plain functions, so they work for tests on asyncio and on trio, with any
plugin that runs these.

Pytest need not rewrite this file, because it has no assertion: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest

if TYPE_CHECKING:
    from newsleopard_async import NewsLeopard
    from newsleopard_async.emulator import Emulator
    from newsleopard_async.emulator.platform.gateway import RequestRecord
    from newsleopard_async.testing.clock import ManualClock
    from newsleopard_async.testing.served_emulator import NewsLeopardServer

__all__ = [
    "newsleopard",
    "newsleopard_clock",
    "newsleopard_emulator",
    "newsleopard_held_clock",
    "newsleopard_server",
]

MARKER: Final = "newsleopard"
OPTIONS: Final = ("profile", "switches", "balance", "seed", "api_keys")
MARKER_LINE: Final = (
    f"{MARKER}({', '.join(f'{name}=…' for name in OPTIONS)}): options of the test's NewsLeopard "
    "emulator; give switches as a mapping of names to values"
)

KEY: Final = "test-key"
SHOWN_REQUESTS: Final = 10
"""Chosen: an import and a campaign need about 10 requests, and 10 lines fit on a screen."""

EXTRA: Final = ("starlette", "uvicorn", "jinja2")
"""The libraries of the extra ``emulator``."""

_EMULATORS: Final[dict[str, dict[str, Emulator]]] = {}
"""The emulators in use, by node and by fixture, until the fixture is torn down.

It is not a stash of pytest, because old versions of pytest without stashes would fail to start.
"""


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, so that ``--strict-markers`` accepts it."""
    config.addinivalue_line("markers", MARKER_LINE)


@pytest.fixture
def newsleopard_clock() -> ManualClock:
    """Return a clock that jumps to the next timer when every task is blocked."""
    from newsleopard_async.testing.clock import ManualClock

    return ManualClock()


@pytest.fixture
def newsleopard_held_clock() -> ManualClock:
    """Return a clock that only moves when the test calls its ``advance``."""
    from newsleopard_async.testing.clock import ManualClock

    return ManualClock(auto_advance=False)


@pytest.fixture
def newsleopard_emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """Return an emulator in process, on the clock that the test requests; the key is test-key."""
    names = {"newsleopard_clock", "newsleopard_held_clock"}.intersection(request.fixturenames)
    if len(names) > 1:
        raise pytest.UsageError(
            f"{request.node.nodeid}: an emulator has one clock; request only one of {names}"
        )
    clock = request.getfixturevalue(names.pop() if names else "newsleopard_clock")
    yield from _registered(request, "newsleopard_emulator", _build(request, clock=clock))


@pytest.fixture
def newsleopard(
    request: pytest.FixtureRequest,
    newsleopard_emulator: Emulator,
    _newsleopard_own_state: pytest.MonkeyPatch,
    tmp_path: Path,
) -> NewsLeopard:
    """Return a client of the emulator, which does not share runs or limits with other clients.

    ``async with`` is not necessary, because the client has no connection to close.
    """
    from newsleopard_async import NewsLeopard
    from newsleopard_async.stores import FileStore

    return NewsLeopard(
        _key(request),
        base_url=newsleopard_emulator.base_url,
        http_transport=newsleopard_emulator.transport(),
        clock=newsleopard_emulator.clock,  # type: ignore[arg-type]  # it is a ManualClock
        store=FileStore(tmp_path / "newsleopard-runs"),
    )


@pytest.fixture
def newsleopard_server(
    request: pytest.FixtureRequest, _newsleopard_own_state: pytest.MonkeyPatch
) -> Iterator[NewsLeopardServer]:
    """Serve an emulator on a free port of the loopback, on the machine's clock.

    Environment variables contain its URL and key, for the program under test and its subprocesses.
    """
    emulator = _build(request)
    try:
        from newsleopard_async.emulator.server import running
    except ModuleNotFoundError as missing:
        _fail_without_extra(missing)
    from newsleopard_async.testing.served_emulator import NewsLeopardServer

    with running(emulator) as url:
        key = _key(request)
        _newsleopard_own_state.setenv("NEWSLEOPARD_API_KEY", key)
        _newsleopard_own_state.setenv("NEWSLEOPARD_BASE_URL", url)
        server = NewsLeopardServer(url=url, key=key, emulator=emulator)
        for _ in _registered(request, "newsleopard_server", emulator):
            yield server


@pytest.fixture
def _newsleopard_own_state(tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """Separate the test's limits and runs from others, and remove keys of the real platform.

    It has its own ``MonkeyPatch``, because a test can undo the patches of the fixture.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in ("NEWSLEOPARD_API_KEY", "NL_EDM_API_KEY", "NEWSLEOPARD_BASE_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("NEWSLEOPARD_QUOTA", "process")
        for name in ("XDG_STATE_HOME", "LOCALAPPDATA"):
            patch.setenv(name, str(tmp_path / "newsleopard-state"))
        yield patch


def _build(request: pytest.FixtureRequest, **more: Any) -> Emulator:
    """Build the emulator that the test's marker describes."""
    __tracebackhide__ = True
    try:
        from newsleopard_async.emulator import Emulator, Switches
    except ModuleNotFoundError as missing:
        _fail_without_extra(missing)
    options = _options(request)
    switches = options.pop("switches", {})
    _check_names(request, "switch", switches, tuple(Switches.__annotations__))
    try:
        emulator = Emulator(**options, **more)
        emulator.switch(**switches)
    except (TypeError, ValueError) as error:
        raise pytest.UsageError(f"{request.node.nodeid}: @pytest.mark.{MARKER}: {error}") from None
    return emulator


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the options of the markers; the test's marker overrides its class's and module's."""
    __tracebackhide__ = True
    options: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers(MARKER))):
        _check_names(request, "option", marker.kwargs, OPTIONS)
        if marker.args:
            raise pytest.UsageError(
                f"{request.node.nodeid}: @pytest.mark.{MARKER} takes its options by name: "
                f"{', '.join(OPTIONS)}"
            )
        switches = {**options.get("switches", {}), **marker.kwargs.get("switches", {})}
        options |= {**marker.kwargs, "switches": switches}
    return options


def _check_names(
    request: pytest.FixtureRequest, kind: str, names: Iterable[str], known: tuple[str, ...]
) -> None:
    __tracebackhide__ = True
    for name in names:
        if name not in known:
            import difflib

            # A hundred switches are too many to read.
            close = difflib.get_close_matches(name, known) if len(known) > len(OPTIONS) else known
            raise pytest.UsageError(
                f"{request.node.nodeid}: @pytest.mark.{MARKER} has no {kind} {name!r}"
                + (f"; use {', '.join(close)}" if close else "")
            )


def _fail_without_extra(missing: ModuleNotFoundError) -> NoReturn:
    """Fail with the command to install the extra; raise the error if the extra cannot help."""
    __tracebackhide__ = True
    library = (missing.name or "").partition(".")[0]
    if library not in EXTRA:
        raise missing
    pytest.fail(
        f"the fixtures of NewsLeopard's emulator need {library}; install it with "
        'pip install "newsleopard-async[emulator]"',
        pytrace=False,
    )


def _key(request: pytest.FixtureRequest) -> str:
    """Return the first key of the test's emulator."""
    return str([*(_options(request).get("api_keys") or ()), KEY][0])


def _registered(
    request: pytest.FixtureRequest, name: str, emulator: Emulator
) -> Iterator[Emulator]:
    """Store an emulator for the report of its test until the fixture is torn down."""
    node = request.node.nodeid
    _EMULATORS.setdefault(node, {})[name] = emulator
    yield emulator
    _EMULATORS.pop(node, None)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Add the emulator's last requests to the report of a test that failed."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    if report.failed:
        for name, emulator in _EMULATORS.get(item.nodeid, {}).items():
            report.sections.append((f"NewsLeopard emulator ({name})", _summary(emulator)))


def _summary(emulator: Emulator) -> str:
    """Return the last requests, the pending faults, and the outbox in short."""
    try:
        requests = emulator.requests
        lines = [f"the clock is at {emulator.clock.now():%Y-%m-%d %H:%M:%S} UTC"]
        left_out = len(requests) - SHOWN_REQUESTS
        lines += [f"… {left_out} requests before these"] if left_out > 0 else []
        lines += [_line(each) for each in requests[-SHOWN_REQUESTS:]] or ["no request arrived"]
        lines += [
            f"pending fault: {each.kind} for the next {each.times} of {each.operation or 'any'}"
            for each in emulator.pending_faults
        ]
        return "\n".join([*lines, repr(emulator.outbox)])
    except Exception as error:  # noqa: BLE001  # a report must not break the run
        return f"the emulator cannot be shown: {error!r}"


def _line(record: RequestRecord) -> str:
    status = "no answer" if record.status is None else record.status
    fault = f"  fault: {record.fault}" if record.fault else ""
    return (
        f"{record.at:%H:%M:%S}  {record.method} {record.path}  {record.operation}  {status}{fault}"
    )
