"""The checks of conftest.py work."""

from __future__ import annotations

import socket
import sys
from typing import Any
from unittest import mock

import anyio
import anyio.lowlevel
import pytest
import sniffio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsleopard_async.stores import FileStore
from tests.conftest import (
    LeftLoopbackError,
    _change_examples,
    _checked,
    but_every_third,
    every_seventh,
    is_loopback,
    waited_for,
)

pytestmark = pytest.mark.quick


@pytest.mark.anyio
async def test_anyio_test_runs_on_the_named_backend(anyio_backend: str) -> None:
    """A test marked anyio runs on the library that its parameter names."""
    assert sniffio.current_async_library() == anyio_backend


@pytest.mark.asyncio
async def test_asyncio_test_runs_on_asyncio() -> None:
    """A test marked asyncio runs on asyncio."""
    assert sniffio.current_async_library() == "asyncio"


@pytest.mark.anyio
@given(st.just(0))
@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_property_runs_on_the_named_backend(anyio_backend: str, number: int) -> None:
    """A hypothesis test runs, and is checked, on both event loops."""
    assert sniffio.current_async_library() == anyio_backend


@pytest.mark.skipif(sys.platform == "darwin", reason="no variable names the folder there")
def test_runs_of_a_test_are_kept_in_a_folder_of_its_own() -> None:
    """They are never in the user's own folder, and no test reads the runs of another test."""
    folder = FileStore().folder

    assert "states" in str(folder)
    assert not folder.exists()


@pytest.mark.parametrize("columns", [1, 2, 3, 5, 7, 14, 23])
def test_every_column_of_a_grid_is_tried(columns: int) -> None:
    """In CI every seventh case runs, and all columns of a grid are tried."""
    grid = [(row, column) for row in range(7 * columns) for column in range(columns)]

    chosen = every_seventh(grid)

    assert len(chosen) == len(grid) // 7
    assert {column for _, column in chosen} == {*range(columns)}


def test_each_slow_test_keeps_a_case() -> None:
    """In CI no slow test is left out as a whole."""
    cases: list[Any] = [mock.Mock(obj=name) for name in "aaabaaccb"]

    left_out: list[Any] = but_every_third(cases)

    assert [each.obj for each in left_out] == ["a", "a", "a", "c", "b"]
    assert {each.obj for each in cases if each not in left_out} == {*"abc"}


@pytest.mark.parametrize(("factor", "expected"), [(20, 2_000), (1 / 3, 34), (0.001, 1)])
def test_examples_are_multiplied(factor: float, expected: int) -> None:
    """A soak runs more examples, and a run in CI fewer, but at least one."""

    @settings(max_examples=100)
    @given(st.just(0))
    def test(number: int) -> None: ...

    _change_examples([test, test_loopback_is_recognised], factor)

    assert test._hypothesis_internal_use_settings.max_examples == expected  # type: ignore[attr-defined]  # hypothesis sets it


def test_fewer_examples_are_generated_if_ci_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of them."""
    monkeypatch.setenv("CI", "1")
    assert waited_for(100) == 34
    monkeypatch.delenv("CI")
    assert waited_for(100) == 100


def test_trio_test_that_runs_on_asyncio_fails() -> None:
    """A test that names trio and runs on asyncio does not pass."""

    async def body() -> None:
        await anyio.lowlevel.checkpoint()

    with pytest.raises(AssertionError, match="named trio, but runs on asyncio"):
        anyio.run(_checked(body, "trio"), backend="asyncio")


def test_every_test_is_checked(request: pytest.FixtureRequest) -> None:
    """No test must request the check."""
    assert "_named_event_loop_runs" in request.fixturenames


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", b"localhost", None])
def test_loopback_is_recognised(host: Any) -> None:
    """Every way to write this machine counts as the loopback."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "10.0.0.1", "api.example.com"])
def test_other_hosts_are_recognised(host: str) -> None:
    """Private addresses are also other machines."""
    assert not is_loopback(host)


def test_connection_beyond_the_loopback_fails() -> None:
    """A socket that would reach another machine raises before anything is sent."""
    with socket.socket() as stream, pytest.raises(LeftLoopbackError):
        stream.connect(("192.0.2.1", 80))


def test_look_up_of_a_foreign_name_fails() -> None:
    """Resolving a name would ask a name server, which is another machine."""
    with pytest.raises(LeftLoopbackError):
        socket.getaddrinfo("api.example.com", 443)


@pytest.mark.anyio
async def test_connection_beyond_the_loopback_fails_in_async_code() -> None:
    """The check also works below the event loops."""
    with pytest.RaisesGroup(LeftLoopbackError, flatten_subgroups=True):
        await anyio.connect_tcp("192.0.2.1", 80)
