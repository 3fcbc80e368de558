"""The scope of a key's limits: the accepted values, and the store of each."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from newsleopard_async import ConfigurationError, NewsLeopard, RateLimits
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.limits.scope import Scope
from newsleopard_async.transport.limits.sharing import SharedLimitState
from tests.constants import KEY
from tests.transport.limits.limiting import lists_are_empty

pytestmark = pytest.mark.quick

ORIGIN = "https://api.newsleopard.com"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the default scope a state folder of its own."""
    monkeypatch.delenv("NEWSLEOPARD_QUOTA", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    return tmp_path


def is_shared(nl: NewsLeopard) -> bool:
    """Say whether other processes share the limits."""
    return isinstance(nl._api.limiter.queue.state, SharedLimitState)


@pytest.mark.parametrize(
    "quota",
    [
        pytest.param("", id="empty"),
        pytest.param("process", id="the environment's word"),
        pytest.param("http://127.0.0.1", id="no Redis"),
        pytest.param("//[", id="no URL"),
        pytest.param(Path("quota"), id="path"),
        pytest.param(True, id="bool"),
        pytest.param(RateLimits(), id="limits"),
    ],
)
def test_what_shares_no_limits_is_refused(quota: Any) -> None:
    """The error names what there is."""
    clue = r"quota must be 'auto', 'host', None, .* such as redis://127\.0\.0\.1:6379/0, or"
    with pytest.raises(ConfigurationError, match=clue):
        NewsLeopard(KEY, quota=quota)


@pytest.mark.parametrize("word", ["host", "none", "PROCESS", "redis://127.0.0.1"])
def test_environment_has_one_word_to_say(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other value is an error, with any argument of the client."""
    monkeypatch.setenv("NEWSLEOPARD_QUOTA", word)

    for quota in ("auto", None):
        with pytest.raises(ConfigurationError, match=f"NEWSLEOPARD_QUOTA is '{word}'"):
            NewsLeopard(KEY, quota=quota)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("word", "quota", "shares"),
    [
        ("", "auto", True),
        ("auto", "auto", True),
        (" process ", "auto", False),
        ("process", "host", True),
        ("", None, False),
        ("auto", None, False),
    ],
)
async def test_environment_changes_the_default_alone(
    word: str, quota: str | None, shares: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's own argument has priority."""
    monkeypatch.setenv("NEWSLEOPARD_QUOTA", word)

    nl = NewsLeopard(KEY, quota=quota)

    assert is_shared(nl) is is_shared(nl.with_options()) is shares


@pytest.mark.anyio
async def test_clock_or_transport_of_the_callers_shares_nothing(state: Path) -> None:
    """Tests have both, and must not wait for each other, or leave a file behind."""
    transport = httpx.MockTransport(lists_are_empty)

    assert not is_shared(NewsLeopard(KEY, http_transport=transport))
    assert not is_shared(NewsLeopard(KEY, clock=ManualClock()))
    assert is_shared(NewsLeopard(KEY, http_transport=transport, quota="host"))
    assert [path.name for path in state.iterdir()] == ["newsleopard-async"]


def test_other_clock_cannot_be_shared() -> None:
    """All processes must have the same."""
    with pytest.raises(ConfigurationError, match="system's clock"):
        NewsLeopard(KEY, clock=ManualClock(), quota="host")


@pytest.mark.anyio
async def test_clients_of_one_key_may_differ_in_who_shares() -> None:
    """Those that share count together; the other one counts for itself."""
    transport = httpx.MockTransport(lists_are_empty)
    one = NewsLeopard(KEY, quota="host", http_transport=transport)
    other = NewsLeopard(KEY, quota="host", http_transport=transport)
    alone = NewsLeopard(KEY, quota=None, http_transport=transport)

    for nl in (one, other, alone):
        await nl.contacts.list_lists()

    assert [nl.usage.used for nl in (one, other, alone)] == [2, 2, 1]
    assert one._api.limiter.queue is other._api.limiter.queue


@pytest.mark.anyio
async def test_count_of_the_day_is_known_when_the_client_is_entered() -> None:
    """Also that of processes that have ended."""
    transport = httpx.MockTransport(lists_are_empty)
    async with NewsLeopard(KEY, quota="host", http_transport=transport) as nl:
        await nl.contacts.list_lists()
    limits = RateLimits(windows=((10, 1.0), (100, 86_400.0)))

    asked = []

    def look() -> None:
        async def main() -> None:
            async with NewsLeopard(KEY, quota="host", rate_limits=limits) as nl:
                asked.append(nl.usage.used)

        asyncio.run(main())

    await anyio.to_thread.run_sync(look)

    assert asked == [1]


@pytest.mark.anyio
@pytest.mark.parametrize("origin", ["http://127.0.0.1:8123", "http://localhost", "http://[::1]:1"])
async def test_day_of_an_emulator_is_not_shared(origin: str) -> None:
    """It begins anew at each start, and a file would not."""
    transport = httpx.MockTransport(lists_are_empty)
    for _ in range(2):
        async with NewsLeopard(KEY, base_url=origin, quota="host", http_transport=transport) as nl:
            await nl.contacts.list_lists()

    assert is_shared(nl)
    assert not Scope.of("auto", origin, KEY).has_day
    assert Scope.of("redis://127.0.0.1", origin, KEY).has_day


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("origin", "same"),
    [
        pytest.param(f"{ORIGIN}:443/", "https://API.NewsLeopard.com", id="name"),
        pytest.param("http://[::1]:80", "http://[::1]", id="IPv6"),
    ],
)
async def test_one_origin_has_one_limit(origin: str, same: str) -> None:
    """However its URL is spelled, it is one account, and one limit."""
    first, second = (NewsLeopard(KEY, base_url=url, quota=None)._api for url in (origin, same))

    assert first.account == second.account
    assert first.limiter.queue is second.limiter.queue


def test_files_name_no_key(state: Path) -> None:
    """Each origin and key has its own file, named by a hash."""
    names = {
        Scope.of("host", origin, key).digest
        for origin in (ORIGIN, "http://127.0.0.1")
        for key in (KEY, "another-key")
    }

    assert len(names) == 4
    assert not any(KEY in name for name in names)


def block(state: Path) -> None:
    """Put a file where the folder would be."""
    (state / "newsleopard-async").touch()


def test_warning_that_no_file_can_be_kept_comes_once(
    state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It contains the reason and the way out; each event loop has separate limits."""
    block(state)

    async def use() -> None:
        assert not is_shared(NewsLeopard(KEY))

    with caplog.at_level(logging.WARNING, "newsleopard_async"):
        for _ in range(3):
            asyncio.run(use())

    [warning] = caplog.messages
    assert "no file can be stored in" in warning
    assert "Not a directory" in warning or "File exists" in warning
    assert "NEWSLEOPARD_QUOTA=process" in warning


def test_user_without_a_home_goes_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A container may have none."""
    monkeypatch.delenv("XDG_STATE_HOME")

    def nowhere() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", nowhere)

    async def use() -> None:
        assert not is_shared(NewsLeopard(KEY))

    with caplog.at_level(logging.WARNING, "newsleopard_async"):
        asyncio.run(use())

    assert "no home folder; set HOME" in caplog.text


@pytest.mark.anyio
async def test_host_that_was_asked_for_must_be_shared(state: Path) -> None:
    """An unlimited client in its place would surprise."""
    block(state)
    nl = NewsLeopard(KEY, quota="host")

    with pytest.raises(ConfigurationError, match="cannot be shared on this host"):
        await nl.contacts.list_lists()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_client_is_closed_on_another_event_loop_than_it_was_used_on(backend: str) -> None:
    """Its pending reports ended with that loop, and closing does not wait for them."""
    transport = httpx.MockTransport(lists_are_empty)
    nl = NewsLeopard(KEY, quota="host", http_transport=transport)

    async def use() -> None:
        await nl.contacts.list_lists()
        state = nl._api.limiter.queue.state
        assert isinstance(state, SharedLimitState)
        # As if the loop had ended in the middle of a call.
        await state._lock.acquire()

    asyncio.run(use())

    async def close() -> None:
        with anyio.fail_after(5):
            await nl._api.leave_limits()

    anyio.run(close, backend=backend)
