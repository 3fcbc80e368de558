"""The routes for web frameworks, on real servers."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI

from newsleopard_async.webhooks import Webhooks
from newsleopard_async.webhooks.aiohttp import route as aiohttp_route
from newsleopard_async.webhooks.starlette import route as starlette_route
from tests.servers import free_port
from tests.webhooks.servers import SERVERS


async def _in_chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size):
        yield b"x" * 1_024


@pytest.mark.asyncio
@pytest.mark.parametrize("framework", SERVERS)
async def test_route_answers_as_the_receiver_does(framework: str) -> None:
    """Every call gets a status of the receiver or of the server."""
    port = free_port()
    webhooks = Webhooks(f"http://127.0.0.1:{port}/hooks/nl")
    with webhooks.expect() as expected:
        path = httpx.URL(expected.url).path
        cases: list[tuple[str, str, dict[str, Any], set[int]]] = [
            ("GET", path, {}, {405}),
            ("HEAD", path, {}, {405}),
            ("POST", path + "x", {"content": b"{}"}, {404}),
            ("POST", "/hooks/nl/", {}, {404, 405}),
            ("POST", "/hooks/nl", {}, {404, 405}),
            ("POST", "/hooks/nl/..%2F..%2Fadmin", {}, {404}),
            ("POST", "/hooks/nl/%E9%9B%BB%ff%00", {}, {404}),
            ("POST", path, {"content": b"x" * 10_000_000}, {413}),
            ("POST", path, {"content": _in_chunks(200)}, {413}),
        ]
        broken_off = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{{}}".encode()
        async with SERVERS[framework](webhooks, port), httpx.AsyncClient(trust_env=False) as http:
            for method, at, content, statuses in cases:
                answer = await http.request(method, f"http://127.0.0.1:{port}{at}", **content)
                assert answer.status_code in statuses, (method, at)
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(broken_off)
            assert not expected.has_come

            calls: list[dict[str, Any]] = [
                {"content": _in_chunks(3)},
                {"json": {"status": "COMPLETE"}},
                {
                    "content": gzip.compress(b"{}"),
                    "headers": {"Content-Encoding": "gzip"},
                },
            ]
            for content in calls:
                answer = await http.post(expected.url, **content)
                assert (answer.status_code, answer.content) == (204, b"")
            with anyio.fail_after(5):
                await expected.wait()


@pytest.mark.asyncio
async def test_fastapi_takes_the_route_of_starlette() -> None:
    """One line adds it, beside the routes of the application."""
    webhooks = Webhooks("https://shop.example/hook")
    app = FastAPI()
    app.router.routes.append(starlette_route(webhooks))
    transport = httpx.ASGITransport(app)

    async with httpx.AsyncClient(transport=transport, base_url="https://shop.example") as http:
        with webhooks.expect() as expected:
            answer = await http.post(expected.url, json={})

    assert answer.status_code == 204


def test_path_of_a_route_may_be_another_than_that_of_the_url() -> None:
    """A server in front of the application may change the path; by default it does not."""
    webhooks = Webhooks("https://shop.example/a/b")

    assert starlette_route(webhooks).path == aiohttp_route(webhooks).path == "/a/b/{token}"
    for path in ("/c", "/c/"):
        assert aiohttp_route(webhooks, path=path).path == "/c/{token}"
        assert starlette_route(webhooks, path=path).path == "/c/{token}"
