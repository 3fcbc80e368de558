"""The receiver: URLs that cannot be guessed, and calls that wake waiting jobs."""

from __future__ import annotations

import hmac
import json
import logging
import threading
from collections.abc import AsyncIterator
from typing import Any
from unittest import mock

import anyio
import anyio.to_thread
import pytest

from newsleopard_async import InvalidRequest
from newsleopard_async.webhooks import ExpectedWebhook, Webhooks, receiver

pytestmark = pytest.mark.anyio

URL = "https://shop.example/newsleopard"
SECRET = "0123456789abcdef"
UNKNOWN, TOO_LARGE, ACCEPTED = 404, 413, 204


def token_of(expected: ExpectedWebhook) -> str:
    """Return the last part of a URL."""
    return expected.url.rpartition("/")[2]


@pytest.mark.parametrize(
    "url",
    [
        URL,
        f"{URL}/",
        "https://shop.example:8443/a/b-c_d~e.f",
        "http://127.0.0.1:8000/hook",
        "http://localhost/hook",
        "http://[::1]:1/hook",
    ],
)
def test_url_of_an_application_is_taken(url: str) -> None:
    """It is https, or http to this very machine."""
    webhooks = Webhooks(url)

    assert repr(webhooks) == f"Webhooks({url.rstrip('/')!r})"
    assert url.rstrip("/").endswith(webhooks.path)
    assert webhooks.path.startswith("/")


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        (5, "type"),
        ("", "required"),
        ("shop.example/hook", "url"),
        ("https:///hook", "url"),
        ("https://[/hook", "url"),
        ("ftp://shop.example/hook", "url"),
        ("https://商店.example/hook", "url"),
        ("http://shop.example/hook", "https"),
        ("http://127.0.0.1.shop.example/hook", "https"),
        ("https://user@shop.example/hook", "url"),
        ("https://shop.example/hook?a=b", "url"),
        ("https://shop.example/hook#a", "url"),
        ("https://shop.example", "path"),
        ("https://shop.example/", "path"),
        ("https://shop.example/a/../b", "path"),
        ("https://shop.example/{token}", "path"),
        ("https://shop.example/a%2Fb", "path"),
        ("https://shop.example/a b", "path"),
        ("https://shop example/hook", "url"),
        ("https://shop.example:/hook", "url"),
        ("https://*.example/hook", "url"),
    ],
)
def test_url_that_cannot_be_used_is_refused(url: Any, rule: str) -> None:
    """The error has the field and the rule."""
    with pytest.raises(InvalidRequest) as caught:
        Webhooks(url)

    assert [(each.field, each.rule) for each in caught.value.problems] == [("url", rule)]


@pytest.mark.parametrize("secret", ["short", b"short", 16, "電子豹"])
def test_weak_secret_is_refused_and_not_shown(secret: Any) -> None:
    """A secret has 16 bytes; the error says only how many there are."""
    with pytest.raises(InvalidRequest, match=r"^secret: ") as caught:
        Webhooks(URL, secret=secret)

    assert repr(secret) not in str(caught.value).replace("at least 16", "")


async def test_urls_cannot_be_guessed() -> None:
    """Each has 32 random bytes, if nothing says which it is to be."""
    webhooks = Webhooks(f"{URL}/")
    urls = set()
    for _ in range(100):
        with webhooks.expect("a") as expected:
            urls.add(expected.url)
            assert expected.url.startswith(f"{URL}/")
            assert len(token_of(expected)) == 43
            assert token_of(expected) not in repr(expected) + repr(webhooks)

    assert len(urls) == 100


async def test_secret_gives_a_job_the_same_url_in_each_process() -> None:
    """It depends on the secret and the job, and is random without a job."""

    def url(secret: str | bytes, key: str | None) -> str:
        with Webhooks(URL, secret=secret).expect(key) as expected:
            return expected.url

    assert url(SECRET, "a") == url(SECRET.encode(), "a")
    assert len({url(SECRET, "a"), url(SECRET, "b"), url(SECRET * 2, "a")}) == 3
    assert url("\ud800" * 6, "\udc00") == url("\ud800" * 6, "\udc00")
    assert url(SECRET, None) != url(SECRET, None)
    assert SECRET not in url(SECRET, "a") + repr(Webhooks(URL, secret=SECRET))


@pytest.mark.quick
async def test_call_wakes_who_waits_and_no_other() -> None:
    """Only the job with the called URL is woken."""
    webhooks = Webhooks(URL)
    with webhooks.expect() as one, webhooks.expect() as other:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.wait)
            await anyio.wait_all_tasks_blocked()
            assert webhooks.receive(token_of(one), b"{}") == ACCEPTED

    assert one.has_come
    assert not other.has_come


async def test_call_may_come_before_anybody_waits_and_a_thousand_times() -> None:
    """An early call counts, and a repeated call is accepted, even after the job has ended."""
    webhooks = Webhooks(URL)
    with webhooks.expect() as expected:
        answers = {webhooks.receive(token_of(expected), b"x") for _ in range(1_000)}
        await expected.wait()
    late = webhooks.receive(token_of(expected), b"x")

    assert answers == {late} == {ACCEPTED}


async def test_what_has_ended_is_forgotten_after_a_thousand_others() -> None:
    """A process that runs for years does not grow."""
    webhooks = Webhooks(URL)
    with webhooks.expect() as first:
        pass
    for _ in range(1_000):
        with webhooks.expect():
            pass

    assert webhooks.receive(token_of(first), b"") == UNKNOWN


async def test_one_url_may_be_expected_twice() -> None:
    """A call wakes both."""
    webhooks = Webhooks(URL, secret=SECRET)
    with webhooks.expect("a") as one, webhooks.expect("a") as other:
        webhooks.receive(token_of(one), b"")
        await one.wait()
        await other.wait()


@pytest.mark.parametrize(
    "token", ["", "x" * 43, "../admin", "電子豹", "\ud800", "\x00", "a" * 1_000_000]
)
async def test_unknown_token_is_not_found(token: str) -> None:
    """Any token can arrive; an unknown token wakes no job."""
    webhooks = Webhooks(URL)
    with webhooks.expect() as expected:
        almost = token_of(expected)[:-1] + "\u00e9"
        assert webhooks.receive(token, b"{}") == UNKNOWN
        assert webhooks.receive(almost, b"{}") == UNKNOWN
        assert not expected.has_come


async def test_token_is_compared_with_all_in_constant_time() -> None:
    """How long the comparison takes does not depend on which one it is, or how much of it."""
    webhooks = Webhooks(URL)
    with webhooks.expect():
        pass
    with webhooks.expect() as first, webhooks.expect():
        for token in (token_of(first), "x"):
            with mock.patch.object(hmac, "compare_digest", wraps=hmac.compare_digest) as compare:
                webhooks.receive(token, b"")
            assert compare.call_count == 3


@pytest.mark.parametrize(
    ("size", "status"), [(0, ACCEPTED), (65_536, ACCEPTED), (65_537, TOO_LARGE)]
)
async def test_body_has_a_limit(size: int, status: int) -> None:
    """A longer body is refused, and wakes no job."""
    webhooks = Webhooks(URL)
    with webhooks.expect() as expected:
        assert webhooks.receive(token_of(expected), b"[" * size) == status
        await anyio.wait_all_tasks_blocked()
        assert expected.has_come == (status == ACCEPTED)


class Pieces:
    """A body without end, which counts how much of it was read."""

    def __init__(self) -> None:
        self.read_bytes = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self.read_bytes += 1_000
        return b"x" * 1_000


async def test_no_more_is_read_than_is_needed() -> None:
    """Nothing of a call that is not expected, and little more than the limit of any."""
    webhooks = Webhooks(URL)
    unknown, known = Pieces(), Pieces()
    with webhooks.expect() as expected:
        assert await webhooks.receive_pieces("x", unknown) == UNKNOWN
        assert await webhooks.receive_pieces(token_of(expected), known) == TOO_LARGE

    assert (unknown.read_bytes, known.read_bytes) == (0, 66_000)


async def test_body_that_breaks_off_is_no_call() -> None:
    """A call that ends within its body wakes no job, and is not an error of the server."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"{"
        raise ConnectionResetError

    webhooks = Webhooks(URL)
    with webhooks.expect() as expected:
        assert await webhooks.receive_pieces(token_of(expected), pieces()) == 400
        await anyio.wait_all_tasks_blocked()
        assert not expected.has_come


@pytest.mark.quick
async def test_call_in_another_thread_wakes_the_waiting_job() -> None:
    """A view of a framework that is not async runs in a thread."""
    webhooks = Webhooks(URL)
    with webhooks.expect() as expected:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(expected.wait)
            answer = await anyio.to_thread.run_sync(
                webhooks.receive, token_of(expected), b"", abandon_on_cancel=True
            )

    assert answer == ACCEPTED


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_call_after_the_end_of_the_event_loop_is_harmless(backend: str) -> None:
    """A call can arrive at any time, and gets the usual answer."""
    webhooks = Webhooks(URL)
    kept = []

    async def expect() -> ExpectedWebhook:
        context = webhooks.expect()
        kept.append(context)
        return context.__enter__()

    expected = anyio.run(expect, backend=backend)
    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(webhooks.receive(token_of(expected), b""))
    )
    thread.start()
    thread.join()

    assert answers == [ACCEPTED]


async def test_body_is_only_read_for_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The body decides nothing, and the worst body takes a tenth of a second to read."""
    caplog.set_level(logging.INFO, "newsleopard_async")
    webhooks = Webhooks(URL)
    with webhooks.expect() as expected, mock.patch.object(receiver, "parse_webhook") as parse:
        assert webhooks.receive(token_of(expected), b"{}") == ACCEPTED

    parse.assert_not_called()


async def test_log_has_the_kind_of_a_call_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither the token nor anything of the body is logged."""
    caplog.set_level(logging.DEBUG, "newsleopard_async")
    body = json.dumps({"status": "COMPLETE", "import_sn": "secret"}).encode()
    webhooks = Webhooks(URL)
    with webhooks.expect() as expected:
        webhooks.receive(token_of(expected), body)
        webhooks.receive("guessed", body)

    messages = [each.getMessage() for each in caplog.records]
    assert len(messages) == 2
    assert messages[0].endswith(": import")
    assert "secret" not in caplog.text
    assert "guessed" not in caplog.text
