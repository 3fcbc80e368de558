"""`NewsLeopard`: builds the parts, and owns their lifetime."""

from __future__ import annotations

import contextlib
import copy
import json
import pickle
import pprint
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from attrs.exceptions import NotAnAttrsClassError
from rich.pretty import pretty_repr

from newsleopard_async import (
    Campaign,
    CampaignSn,
    ConfigurationError,
    InvalidRequest,
    ListSn,
    NewsLeopard,
    NewsLeopardError,
    RateLimited,
    RateLimits,
    RetryPolicy,
    Timeouts,
)
from newsleopard_async.clock import SystemClock
from newsleopard_async.stores import FileStore
from newsleopard_async.testing import ManualClock
from tests.constants import KEY, SENDER
from tests.transport.loopback import answering, http, serve
from tests.transport.scripted import THROTTLED, Scripted, answer, json_answer

pytestmark = pytest.mark.anyio

NO_LISTS = json_answer(200, [])
CAMPAIGN = Campaign(
    name="週年慶",
    subject="優惠",
    sender=SENDER,
    html="<p>hi</p>",
    lists=(ListSn("l1st"),),
)


async def test_client_needs_only_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything else has a default; the first connection waits for the first call."""
    monkeypatch.setenv("NEWSLEOPARD_API_KEY", KEY)

    async with NewsLeopard() as nl:
        assert repr(nl) == "<NewsLeopard https://api.newsleopard.com>"
        assert isinstance(nl.clock, SystemClock)
        assert nl.usage.limit == 10_000


async def test_every_room_of_the_face_speaks_to_the_api() -> None:
    """Contacts, campaigns and reports go the same way, with the same key."""
    transport = Scripted(
        NO_LISTS, json_answer(200, {"sn": "c0de"}), json_answer(200, {"Reports": []})
    )

    async with NewsLeopard(
        f" {KEY}\n", base_url="https://api.example.com/", http_transport=transport
    ) as nl:
        assert await nl.contacts.list_lists() == ()
        assert await nl.campaigns.submit(CAMPAIGN) == "c0de"
        assert await nl.reports.get_links(CampaignSn("c0de")) == ()
        assert nl.usage.used == 3

    assert [sent.url for sent in transport.sent] == [
        "https://api.example.com/v1/contacts/lists?size=100&page=0",
        "https://api.example.com/v1/campaign/normal/submit",
        "https://api.example.com/v1/report/c0de/link",
    ]
    assert {sent.headers["x-api-key"] for sent in transport.sent} == {KEY}


async def test_storage_goes_without_the_key(tmp_path: Path) -> None:
    """Upload and download share only the client's settings with the API."""
    async with serve(answering(http(200, b"EMAIL\n"))) as server:
        ticket = json_answer(200, {"import_sn": "i", "url": f"{server.url}/key?sig=1"})
        async with NewsLeopard(KEY, base_url=server.url, http_transport=Scripted(ticket)) as asking:
            place = await asking.contacts.start_file_import(ListSn("l1st"))
        async with NewsLeopard(KEY, base_url=server.url, clock=ManualClock()) as nl:
            await nl.contacts.upload(place, b"EMAIL,NAME\na@example.com,a\n")

    [seen] = server.seen
    assert seen.line == "PUT /key?sig=1 HTTP/1.1"
    assert seen.names == ["content-length", "host"]


async def test_options_are_the_callers() -> None:
    """Retries, timeouts and limits reach the parts that obey them."""
    clock = ManualClock()
    transport = Scripted(THROTTLED)
    nl = NewsLeopard(
        KEY,
        http_transport=transport,
        clock=clock,
        rate_limits=RateLimits.vendor_2026(),
        retry=RetryPolicy(max_attempts=1),
        timeouts=Timeouts(read_s=7),
    )

    with pytest.raises(RateLimited):
        await nl.contacts.list_lists()

    assert len(transport.sent) == 1
    assert transport.sent[0].extensions["timeout"]["read"] == 7
    assert nl.usage.limit == 300_000
    assert nl.clock is clock


async def test_derived_client_shares_everything_but_its_options() -> None:
    """Connections, limits, key and clock are the same."""
    transport = Scripted(answer(503), answer(503), NO_LISTS)
    nl = NewsLeopard(KEY, http_transport=transport, clock=ManualClock())

    derived = nl.with_options(timeouts=Timeouts(read_s=7)).with_options(
        retry=RetryPolicy(max_attempts=3)
    )
    await derived.contacts.list_lists()

    assert [sent.extensions["timeout"]["read"] for sent in transport.sent] == [7, 7, 7]
    assert derived._api.pools is nl._api.pools
    assert nl.usage.used == derived.usage.used == 3
    assert derived.clock is nl.clock
    assert nl._api.retry == RetryPolicy()


def test_runs_are_stored_below_the_users_state_folder_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default store is created at its first use, and writes no file before a run."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    own, given = NewsLeopard(KEY), FileStore(tmp_path / "runs")
    named = NewsLeopard(KEY, store=given)

    assert isinstance(own.store, FileStore)
    assert own.store is own.store
    assert own.store.folder.is_relative_to(tmp_path)
    assert named.store is named.with_options().store is given
    assert own.with_options(store=given).store is given
    assert own.store is not given
    assert not any(tmp_path.iterdir())


def test_store_that_does_not_compare_is_refused_at_once() -> None:
    """Two runs with such a store would send two campaigns."""

    class Plain:
        async def load(self) -> None: ...
        async def save(self, data: object) -> None: ...

    plain: Any = Plain()

    with pytest.raises(InvalidRequest, match="compare") as caught:
        NewsLeopard(KEY, store=plain)
    with pytest.raises(InvalidRequest, match="compare"):
        NewsLeopard(KEY).with_options(store=plain)

    assert caught.value.problems[0].field == "store"


async def test_closing_a_derived_client_closes_nothing() -> None:
    """It works as long as the client that created it."""
    nl = NewsLeopard(KEY, http_transport=Scripted(NO_LISTS))

    async with nl.with_options(retry=RetryPolicy(max_attempts=1)):
        pass

    assert await nl.contacts.list_lists() == ()


async def test_closing_a_client_closes_the_derived_ones() -> None:
    """They have no connections of their own."""
    nl = NewsLeopard(KEY, http_transport=Scripted(NO_LISTS))
    derived = nl.with_options()

    await nl.aclose()

    with pytest.raises(ConfigurationError, match="closed"):
        await derived.contacts.list_lists()


async def test_leaving_the_block_closes_the_client() -> None:
    """The caller's transport stays open."""
    transport = Scripted(NO_LISTS)

    async with NewsLeopard(KEY, http_transport=transport) as nl:
        await nl.contacts.list_lists()

    with pytest.raises(ConfigurationError, match="closed"):
        await nl.contacts.list_lists()
    assert not transport.is_closed


def test_no_key_is_refused_at_once() -> None:
    """The error comes at construction, because the first call can be hours later."""
    with pytest.raises(ConfigurationError, match="NEWSLEOPARD_API_KEY"):
        NewsLeopard()


@pytest.mark.parametrize("address", ["api.example.com", "http://api.example.com"])
def test_bad_base_url_is_refused_at_once(address: str) -> None:
    """It decides where the key goes."""
    with pytest.raises(ConfigurationError, match="base_url"):
        NewsLeopard(KEY, base_url=address)


def test_plain_http_needs_an_option() -> None:
    """Then the caller is responsible for it."""
    nl = NewsLeopard(KEY, base_url="http://10.0.0.1", allow_http=True)

    assert repr(nl) == "<NewsLeopard http://10.0.0.1>"


@pytest.mark.parametrize("address", [None, "http://api.example.com"])
def test_refused_set_up_shows_no_key(address: str | None) -> None:
    """The key is not in the error, and not in the frames that an error reporter prints."""
    with pytest.raises(ConfigurationError) as caught:
        NewsLeopard(f"{KEY}密", base_url=address)

    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [str(frame.locals) for frame in report.stack if frame.filename != __file__]
    assert len(frames) >= 2
    assert KEY not in "".join(frames)
    assert KEY not in f"{caught.value!r} {vars(caught.value)}"


def test_repr_and_parts_show_no_key() -> None:
    """The `repr` of a client shows its base URL, but no key."""
    nl = NewsLeopard(KEY)

    assert KEY not in f"{nl!r} {nl} {vars(nl)}"


WALKERS: dict[str, Callable[[Any], object]] = {
    "repr": repr,
    "rich": pretty_repr,
    "pprint": pprint.pformat,
    "attrs.asdict": attrs.asdict,
    "attrs.astuple": attrs.astuple,
    "vars": vars,
    "json": lambda value: json.dumps(value, default=vars),
    "copy": copy.copy,
    "pickle": pickle.dumps,
}


def everything_in(value: object) -> Iterator[object]:
    """Visit objects by attributes, slots, items and properties, if they are our own."""
    left, seen = [value], set[int]()
    while left:
        each = left.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        if isinstance(each, Mapping):
            left += [*each, *each.values()]
        elif isinstance(each, (tuple, list, set, frozenset)):
            left += each
        elif type(each).__module__.startswith("newsleopard_async"):
            names = [name for name in dir(each) if not name.startswith("__")]
            left += [getattr(each, name, None) for name in names]


async def test_fields_of_a_client_contain_no_key() -> None:
    """Error reporters, debuggers and loggers read the fields of objects."""
    transport = Scripted(NO_LISTS, json_answer(200, {"sn": "c0de"}))
    async with NewsLeopard(KEY, http_transport=transport) as nl:
        await nl.contacts.list_lists()
        await nl.campaigns.submit(CAMPAIGN)

        for value in (nl, nl.contacts, nl.campaigns, nl.reports, nl._api, nl.with_options()):
            for name, walk in WALKERS.items():
                with contextlib.suppress(TypeError, NotAnAttrsClassError):
                    assert KEY not in repr(walk(value)), (name, value)
            assert not any(KEY in each for each in everything_in(value) if isinstance(each, str))


ECHO = (
    f"key {KEY} {KEY.upper()} of victim%40example.com, \\u0022victim\\u0022@example.com, "
    "0912-345-678 at //s3.example/x?X-Amz-Signature=victim \x1b[2J\u202e"
)


@pytest.mark.parametrize(
    "body",
    [
        {"message": ECHO},
        {"code": 40001, "message": ECHO, "invalidFields": {ECHO: [ECHO]}},
        {"code": 40001, "invalidFields": ECHO},
        {"code": 40012, "message": ECHO, "recipients": ECHO},
        [ECHO],
        {ECHO: [{}], "x": 1},
        ECHO,
    ],
)
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 409, 500])
async def test_no_error_shows_a_key_that_a_server_echoes(status: int, body: object) -> None:
    """The key is not in its message and not in an attribute; words and numbers stay."""
    transport = Scripted(json_answer(status, body))
    retry = RetryPolicy(max_attempts=1)
    async with NewsLeopard(KEY, http_transport=transport, retry=retry) as nl:
        for call in (nl.reports.list_campaigns(), nl.campaigns.submit(CAMPAIGN)):
            with pytest.raises(NewsLeopardError) as caught:
                await call

            said = f"{caught.value} {caught.value.args} {vars(caught.value)}".casefold()
            for secret in (KEY, "victim", "0912", "\x1b", "\u202e"):
                assert secret.casefold() not in said
