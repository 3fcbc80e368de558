"""A platform on a raw socket that is not the emulator, and lets anything go wrong with an answer.

It shares no code with the client or the emulator. For each key, it stores separately which
requests took effect, even if the client got another answer. The tests compare this state.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import gzip
import io
import json
import random
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import attrs

__all__ = ["FAULTS", "SIGNATURE", "Fault", "StormServer", "World", "serve"]

SIGNATURE: Final = "S1gnatur3ThatNobodyMaySee"
"""Stands in each presigned URL."""
_PAGE: Final = b"<html><body><h1>Something in between says no</h1></body></html>"
_THROTTLES: Final = (b'{"message":"Limit Exceeded"}', b'{"message":"too many requests"}')
_BAD_CODES: Final = ("", " ", "a/b", "..", "a\nb", "\ud800", 17, None, ["x"], "x" * 5_000)
_COUNTS: Final = ("fileCnt", "insertCnt", "errCnt")
_WRONG_COUNTS: Final = (0, 1, -1, None, "1", 10**6)
_RANGE: Final = ("startDate", "endDate")
_SHARE: Final = 0.4
"""Of the requests to which something may happen, the share to which it does."""
_LINGER: Final = struct.pack("ii", 1, 0)

_SUBMITS: Final = frozenset({"submit", "submit_ab"})
_CODED: Final = frozenset({"create_list", "text", "file"}) | _SUBMITS
_STORAGE: Final = frozenset({"put", "download"})


@attrs.frozen
class Fault:
    """One way in which an answer can go wrong.

    Attributes:
        name: For counting.
        effect: Whether the request takes effect before.
        how: How the answer is delivered; see `_deliver`.
        status: Another status than the right one.
        body: Another body than the right one.
        only: The operations that it happens to; empty for all.
        never: The operations that it does not happen to.
    """

    name: str
    effect: bool = True
    how: str = "whole"
    status: int | None = None
    body: bytes | None = None
    only: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()


def _faults() -> list[Fault]:
    found = [
        Fault("half-an-answer", how="half"),
        Fault("half-chunked", how="chunked"),
        Fault("dripped", how="drip"),
        Fault("dripped-head", how="drip-head"),
        Fault("answered-twice", how="twice"),
        Fault("early-hints", how="hints"),
        Fault("no-json", body=_PAGE, never=_STORAGE | {"export"}),
        Fault("truncated-gzip", how="truncated-gzip", only=frozenset({"download"})),
        Fault("open-ended-gzip", how="open-gzip", only=frozenset({"download"})),
        Fault("partial", status=206, how="half-whole", only=frozenset({"download"})),
        Fault("early-200", effect=False, how="early", only=frozenset({"put"})),
        Fault("wrong-code", how="wrong-code", only=_CODED),
        Fault("wrong-count", how="wrong-count", only=frozenset({"get_import"})),
        Fault("rows-lost", how="rows-lost", only=frozenset({"text", "put"})),
    ]
    for effect, when in ((False, "before"), (True, "after")):
        found += [Fault(f"{how}-{when}", effect, how) for how in ("close", "reset", "hang")]
        found += [
            Fault(f"page-{status}-{when}", effect, status=status, body=_PAGE)
            for status in (400, 403, 404, 408, 409, 421, 425, 499, 500, 502, 503)
        ]
        found.append(Fault(f"empty-500-{when}", effect, status=500, body=b""))
        found += [
            Fault(f"throttle-{status}-{when}", effect, status=status, body=text, never=_STORAGE)
            for status, text in zip((200, 202, 302), _THROTTLES * 2, strict=False)
        ]
    found += [
        Fault(f"throttle-{status}", effect=False, status=status, body=text, never=_STORAGE)
        for status, text in zip((429, 400, 403, 500, 503), _THROTTLES * 3, strict=False)
    ]
    found += [
        Fault("refused", False, status=400, body=b'{"code":40014,"message":"no"}', never=_STORAGE),
        Fault("forbidden", False, status=403, body=b'{"message":"Forbidden"}', never=_STORAGE),
    ]
    for status, code, text in (
        (403, "AccessDenied", "Request has expired"),
        (400, "RequestTimeout", "idle"),
        (503, "SlowDown", "slow"),
        (404, "NoSuchKey", "gone"),
    ):
        xml = f"<Error><Code>{code}</Code><Message>{text}</Message></Error>".encode()
        found.append(Fault(f"storage-{code}", False, status=status, body=xml, only=_STORAGE))
    return found


FAULTS: Final = tuple(_faults())


@attrs.frozen
class Asked:
    """A request that came whole."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def last(self) -> str:
        """The end of the path, such as a code."""
        return self.path.rpartition("/")[2]


@attrs.define(eq=False)
class World:
    """The state of one key; each operation is a method that returns the right answer.

    Attributes:
        seed: Everything in it is drawn from it.
        storage_url: Begin of its presigned URLs, without ``up`` or ``down``.
        now: Its time.
        faulty_requests: To how many of its first requests something may happen.
        lists: Names by code.
        members: Addresses by the list's code.
        campaigns: The accepted ones.
        reports: The files of the last export by type.
        seen: How many requests of each operation came.
        struck: How often each fault happened.
        leaks: What must not have been sent.
    """

    seed: int
    storage_url: str
    now: Callable[[], datetime]
    faulty_requests: int
    chance: random.Random = attrs.field(init=False)
    lists: dict[str, str] = attrs.field(factory=dict)
    members: dict[str, set[str]] = attrs.field(factory=dict)
    tickets: dict[str, str] = attrs.field(factory=dict)
    imports: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    campaigns: list[dict[str, Any]] = attrs.field(factory=list)
    reports: dict[str, bytes] = attrs.field(factory=dict)
    seen: Counter[str] = attrs.field(factory=Counter)
    struck: Counter[str] = attrs.field(factory=Counter)
    leaks: list[str] = attrs.field(factory=list)
    page_size: int = 100

    def __attrs_post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.page_size = self.chance.choice((2, 100))
        for number in range(self.chance.choice((0, 3))):
            self.lists[f"old-{number}"] = f"list {number}"

    def fault(self, operation: str) -> Fault | None:
        """Choose what goes wrong with a request."""
        self.seen[operation] += 1
        if self.seen.total() > self.faulty_requests or self.chance.random() > _SHARE:
            return None
        possible = [
            each
            for each in FAULTS
            if (not each.only or operation in each.only) and operation not in each.never
        ]
        fault = self.chance.choice(possible)
        self.struck[fault.name] += 1
        return fault

    def create_list(self, asked: Asked, _: str) -> Any:
        """Make a list; names may be there already."""
        sn = f"L{self.seed}-{len(self.lists)}"
        self.lists[sn] = asked.json["name"]
        return {"sn": sn}

    def list_lists(self, asked: Asked, _: str) -> Any:
        """Return a page of lists, possibly smaller than requested."""
        page, size = int(asked.query["page"]), min(int(asked.query["size"]), self.page_size)
        rows = [{"sn": sn, "name": name, "type": 0} for sn, name in self.lists.items()]
        return {"Lists": rows[page * size : (page + 1) * size]}

    def text(self, asked: Asked, how: str) -> Any:
        """Import text."""
        answer = self._ticket(asked)
        self._take(asked.json["contacts"].encode(), answer["import_sn"], how)
        return answer

    def file(self, asked: Asked, _: str) -> Any:
        """Give a URL to upload to."""
        answer = self._ticket(asked)
        url = f"{self.storage_url.format('up')}/{answer['import_sn']}?X-Amz-Signature={SIGNATURE}"
        return {**answer, "url": url}

    def put(self, asked: Asked, how: str) -> Any:
        """Import a file."""
        self._take(asked.body, asked.last, how)
        return b""

    def _ticket(self, asked: Asked) -> dict[str, str]:
        sn = f"I{self.seed}-{len(self.tickets)}"
        self.tickets[sn] = asked.path.split("/")[-2]
        return {"import_sn": sn}

    def _take(self, content: bytes, sn: str, how: str) -> None:
        """Take contacts in, all of them or the first half, and count what was taken."""
        rows = list(csv.reader(io.StringIO(content.decode())))[1:]
        taken = rows[: len(rows) // 2] if how == "rows-lost" else rows
        self.members.setdefault(self.tickets[sn], set()).update(row[0] for row in taken)
        counts = {"fileCnt": len(taken), "insertCnt": 0, "duplicateCnt": 0, "errCnt": 0}
        self.imports[sn] = {"import_sn": sn, "status": "COMPLETE", **counts}

    def get_import(self, asked: Asked, how: str) -> Any:
        """Give the state of an import, or None if there is none."""
        answer = dict(self.imports.get(asked.last) or {})
        if answer and how == "wrong-count":
            answer[self.chance.choice(_COUNTS)] = self.chance.choice(_WRONG_COUNTS)
        return answer or None

    def submit(self, asked: Asked, _: str) -> Any:
        """Accept a campaign, with the members that its lists have at that moment."""
        form, schedule = asked.json["form"], asked.json["config"]["schedule"]
        when = datetime.fromisoformat(schedule["scheduleDate"])
        testing = asked.json["content"].get("testing", {"time": 0})
        members = (self.members.get(each, set()) for each in form["selectedLists"])
        campaign = {
            "sn": f"C{self.seed}-{len(self.campaigns)}",
            "name": form["name"],
            "begin": when if schedule["type"] else self.now(),
            "wait": timedelta(hours=testing["time"]),
            "members": set[str]().union(*members),
        }
        self.campaigns.append(campaign)
        return {"sn": campaign["sn"]}

    submit_ab = submit

    def list_campaigns(self, asked: Asked, _: str) -> Any:
        """Give the finished campaigns of a range."""
        begin, end = (datetime.fromisoformat(asked.query[each]) for each in _RANGE)
        return [
            {"sn": each["sn"], "name": each["name"]}
            for each in self.campaigns
            if begin <= each["begin"] <= end and each["begin"] + each["wait"] <= self.now()
        ]

    def export(self, _: Asked, __: str) -> Any:
        """Make the files of the report."""
        for kind in ("delivery", "open"):
            rows = [f"user{number}@contacts.example,{self.seed}" for number in range(200)]
            self.reports[kind] = "\n".join(["EMAIL,RUN", *rows]).encode()
        return b""

    def links(self, _: Asked, __: str) -> Any:
        """Give the links to the files."""
        url = self.storage_url.format("down")
        date = "2026-01-05T02:00:00Z"
        return [
            {
                "reportType": kind,
                "link": f"{url}/{kind}?X-Amz-Signature={SIGNATURE}",
                "createdDate": date,
            }
            for kind in self.reports
        ]

    def download(self, asked: Asked, _: str) -> Any:
        """Give a file."""
        return self.reports[asked.last]


@attrs.define(eq=False)
class StormServer:
    """The server: a world for each key.

    Attributes:
        url: Where it is.
        worlds: By key.
    """

    url: str = ""
    worlds: dict[str, World] = attrs.field(factory=dict)

    def add_world(self, key: str, *, seed: int, now: Callable[[], datetime], faulty: int) -> World:
        """Make a world for a key."""
        url = f"{self.url}/{{}}/{key}"
        world = World(seed=seed, storage_url=url, now=now, faulty_requests=faulty)
        self.worlds[key] = world
        return world

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until one of them closes it."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while await self._answer_one(reader, writer):
                pass
        writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *rows = head.rstrip().split("\r\n")
        pairs = (row.partition(":") for row in rows)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        method, target, _ = line.split(" ")
        parts = urlsplit(target)
        path, length = unquote(parts.path), int(headers.get("content-length", "0"))
        world, operation = self._route(method, path, headers)
        fault = world.fault(operation)
        if fault is not None and fault.how == "early":
            # What is answered before the body has come means nothing.
            await reader.readexactly(length // 2)
            writer.write(_http(200, b""))
            await writer.drain()
            return False
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        asked = Asked(method, path, query, await reader.readexactly(length))
        return await _answer(writer, world, operation, asked, fault or _NO_FAULT)

    def _route(self, method: str, path: str, headers: Mapping[str, str]) -> tuple[World, str]:
        if path.startswith(("/up/", "/down/")):
            world = self.worlds[path.split("/")[2]]
            world.leaks += [name for name in headers if name in {"x-api-key", "traceparent"}]
            return world, "put" if method == "PUT" else "download"
        world, last = self.worlds[headers["x-api-key"]], path.rpartition("/")[2]
        if "/result/" in path:
            return world, "get_import"
        return world, "submit_ab" if "/testing/" in path else _OPERATIONS[last]


_NO_FAULT: Final = Fault("none")
_OPERATIONS: Final = {
    "insert": "create_list",
    "lists": "list_lists",
    "text": "text",
    "file": "file",
    "submit": "submit",
    "campaigns": "list_campaigns",
    "export": "export",
    "link": "links",
}


async def _answer(
    writer: asyncio.StreamWriter, world: World, operation: str, asked: Asked, fault: Fault
) -> bool:
    """Let a request take effect, or not, and answer it; return whether the connection is kept."""
    status, answer = 200, b""
    if fault.effect:
        right = getattr(world, operation)(asked, fault.how)
        status = 400 if right is None else 200
        if fault.how == "wrong-code":
            right["import_sn" if "import_sn" in right else "sn"] = world.chance.choice(_BAD_CODES)
        answer = right if isinstance(right, bytes) else json.dumps(right).encode()
        answer = b"" if right is None else answer
    status = status if fault.status is None else fault.status
    answer = answer if fault.body is None else fault.body
    if fault.how in _CUTS:
        writer.write(_cut(fault.how, status, answer))
        await writer.drain()
        return False
    if fault.how in _SILENT:
        return await _say_nothing(writer, fault.how)
    await _write(writer, fault.how, _http(status, answer))
    return fault is _NO_FAULT or world.chance.random() > _SHARE


def _http(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


_SILENT: Final = frozenset({"close", "reset", "hang"})
_CUTS: Final = frozenset({"half", "half-whole", "truncated-gzip", "open-gzip", "chunked"})


async def _say_nothing(writer: asyncio.StreamWriter, how: str) -> bool:
    """Close the connection without an answer."""
    if how == "hang":
        await asyncio.sleep(1.5)
    if how == "reset":
        raw: socket.socket = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        writer.transport.abort()
    return False


async def _write(writer: asyncio.StreamWriter, how: str, whole: bytes) -> None:
    """Write a whole answer: at once, slowly, twice, or after another one."""
    if how.startswith("drip"):
        begin = 0 if how == "drip-head" else whole.index(b"\r\n\r\n") + 4
        writer.write(whole[:begin])
        for at in range(begin, begin + 60):
            writer.write(whole[at : at + 1])
            await writer.drain()
            await asyncio.sleep(0.01 if how == "drip" else 0.05)
        whole = whole[begin + 60 :]
    if how == "hints":
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
    writer.write(whole * 2 if how == "twice" else whole)
    await writer.drain()


def _cut(how: str, status: int, body: bytes) -> bytes:
    """Write an answer that is not whole, in one of the ways in which that can be noticed."""
    packed = gzip.compress(body)
    half = packed[: len(packed) // 2]
    zipped = "Content-Encoding: gzip"
    match how:
        case "half":
            return _http(status, body + b"0123456789")[: -max(5, len(body) // 2)]
        case "half-whole":
            return _http(status, body[: len(body) // 2])
        case "truncated-gzip":
            return _http(status, half, zipped)
        case "open-gzip":
            return f"HTTP/1.1 {status} X\r\n{zipped}\r\nConnection: close\r\n\r\n".encode() + half
        case _:
            size = f"{len(body) + 9:x}\r\n".encode()
            return (
                f"HTTP/1.1 {status} X\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + size + body
            )


@contextlib.asynccontextmanager
async def serve() -> AsyncIterator[StormServer]:
    """Run the server on the loopback."""
    storm = StormServer()
    listener = await asyncio.start_server(storm.talk, "127.0.0.1", 0, limit=2**22)
    storm.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield storm
    finally:
        listener.close()
