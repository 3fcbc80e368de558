"""Files to and from presigned URLs, without any credentials of ours.

The storage gets no key, no cookie, and no header that was not signed (`presigned`). Its answers are
XML that echoes access keys, so no message contains them.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import IO, Final

import anyio
import attrs

from newsleopard_async.aio import in_thread, open_file
from newsleopard_async.clock import Clock
from newsleopard_async.errors import (
    ConfigurationError,
    InvalidRequest,
    OutcomeUnknown,
    StorageError,
)
from newsleopard_async.files import create_private, part_of, put_in_place
from newsleopard_async.models.options import RetryPolicy, Timeouts
from newsleopard_async.transport.answer_body import (
    GZIP,
    AnswerBody,
    BodyReader,
    IncompleteBody,
    read_whole,
)
from newsleopard_async.transport.body import Body
from newsleopard_async.transport.calls import Call
from newsleopard_async.transport.http import Exchange
from newsleopard_async.transport.interpreter import CallResult
from newsleopard_async.transport.observer import Departure, NoSlot, ObservedSend, Observer
from newsleopard_async.transport.outcome import Answer, Failure, NotSent, Outcome, ReplyLost
from newsleopard_async.transport.pace import Meter, Windows, metered
from newsleopard_async.transport.pools import Pools, Purpose
from newsleopard_async.transport.presigned import Presigned
from newsleopard_async.transport.redact import Secret
from newsleopard_async.transport.repeating import Kind
from newsleopard_async.transport.retry import Retrying
from newsleopard_async.transport.urls import (
    PLAIN_HTTP,
    problem_of_storage_url,
)

__all__ = ["Storage"]

_LARGEST_DOWNLOAD_BYTES: Final = 16 * 1024**3
"""Chosen: far above any report; a larger answer would only fill the disk."""


def _code(codes: str) -> str:
    """Return the pattern of an error's code in XML, also with a prefix or escaped in a page."""
    begin, end = "(?:<|&lt;)", "(?:>|&gt;)"
    name = r"(?:\w+:)?Code"
    return rf"{begin}{name}\b[^<>&]*{end}\s*(?:{codes})\s*{begin}/{name}\s*{end}"


_SAYS_EXPIRED: Final = re.compile(
    rf"{_code('ExpiredToken')}|<Message>[^<]*\bexpired\b".encode(), re.IGNORECASE
)
"""The storage's answer for a URL, or a session token in it, that has expired.

Only these elements are searched: the rest of the answer echoes the request, which can contain
"expired.csv".
"""

_PASSING: Final = re.compile(
    _code(
        "RequestTimeout(?:Exception)?|IncompleteBody|OperationAborted|PriorRequestNotComplete"
        "|InternalError|ServiceUnavailable|ServerBusy|OperationTimedOut"
        "|SlowDown(?:Read|Write)?|Throttling(?:Exception)?|ThrottledException|RequestThrottled"
        "|(?:Request|Bandwidth|Qps|(?:Up|Down)loadTrafficRate)LimitExceeded|TooManyRequests"
    ).encode(),
    re.IGNORECASE,
)
"""The codes of temporary faults, with any status: the request did not arrive completely, or the
storage cannot process it now. The SDKs of S3, of its imitators and of Azure repeat the same ones
(botocore calls them "transient" and "throttling"). RequestTimeTooSkewed is not one of them, because
a wrong clock stays wrong.
"""

_ERROR_CODE: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?<(?:\w+:)?Error\b[^>]*>"
    rb"[^\0]{0,2000}?<(?:\w+:)?Code>\s*([A-Za-z][A-Za-z0-9]{0,63})\s*</"
)
"""The error of S3 and compatible storages: XML with a code in it. A page of a proxy or a firewall
does not have this form."""

_NOT_WHOLE: Final = frozenset({"RequestTimeout", "RequestTimeoutException"})
"""Codes for a request that took too long. They do not prove that it had no effect."""

_LEFT: Final = ReplyLost("it has left")


@attrs.frozen(kw_only=True)
class Storage:
    """Uploads to and downloads from presigned URLs.

    Attributes:
        base_url: The URL of the API, which decides what storage URLs are used.
    """

    pools: Pools
    clock: Clock = attrs.field(repr=False)
    retry: RetryPolicy
    timeouts: Timeouts
    base_url: str

    async def put(self, url: str, body: Body) -> None:
        """Upload a body; repeat it from its start if no definite answer came.

        Raises:
            StorageError: refused, or no answer after the retries; if `.expired` is set, a fresh URL
                can help.
            InvalidRequest: the file changed during the upload.
        """
        found = Presigned.parse(url)
        del url  # Reporters of errors print the variables of each frame.
        target = self._checked(found)
        body = metered(body, self.clock)
        last: Outcome | None = None

        async def attempt() -> Outcome:
            nonlocal last
            last = await self._perform(call, target, body, read_whole)
            return self._judged("the upload", target, last)

        with self._call("upload", "PUT", target) as call:
            await self._retrying(call)(attempt, Kind.UPLOAD)
        assert last is not None  # there was at least one attempt
        if not (isinstance(last, Answer) and last.successful):
            raise self._failure("the upload", target, last)

    async def put_once(self, url: str, body: Body, *, observer: Observer | None = None) -> None:
        """Upload the recipients of a campaign that is sent once, which sends it.

        Only a request that was not sent is repeated, each time on a fresh connection. After it was
        handed to the socket, it runs to its answer, even if the caller is cancelled: as long as
        enough bytes move, but after a cancellation for `Timeouts.submit_s` at most.

        Raises:
            StorageError: refused, not sent, or not sent because the URL has expired (`.expired`);
                it had no effect.
            OutcomeUnknown: possibly sent; look the campaign up, and do not upload again.
        """
        found = Presigned.parse(url)
        del url  # As above.
        target = self._checked(found)
        body = metered(body, self.clock)
        call = self._call("upload_once", "PUT", target)
        watch = ObservedSend(
            name="upload_once",
            observer=observer,
            clock=self.clock,
            observer_s=self.timeouts.submit_s,
            perform=call.perform,
            read=functools.partial(self._result_once, target),
            on_result=lambda _: None,
        )
        last: CallResult[None] | None = None

        async def attempt() -> Outcome:
            nonlocal last
            last = await self._send_once(call, watch, target, body)
            # The storage has no gateway that refuses requests before they have an effect.
            return last.outcome if isinstance(last.outcome, NotSent) else _LEFT

        with call:
            await self._retrying(call)(attempt, Kind.SUBMIT)
        assert last is not None  # as above
        last.get()

    async def _send_once(
        self, call: Call, watch: ObservedSend[None], target: Presigned, body: Body
    ) -> CallResult[None]:
        departure = Departure(NoSlot(), is_ours=self.pools.custom is None)

        async def until() -> None:
            await departure.withdrawal.wait()
            await self.clock.sleep(self.timeouts.submit_s)

        async with self._connection(call) as late:
            if late is not None:
                return watch.read(late)
            if target.is_expired(self.clock.now()):
                raise StorageError(
                    "the upload was not sent, because its URL has expired; get a new one",
                    expired=True,
                )
            exchange = self._exchange(target, body, read_whole)
            return await watch.send(
                attrs.evolve(exchange, events=departure, until=until), departure
            )

    def _result_once(self, target: Presigned, outcome: Outcome) -> CallResult[None]:
        """Convert the outcome of an upload that sends: only a clear answer ends the doubt."""
        if isinstance(outcome, NotSent):
            return CallResult(outcome, error=self._failure("the upload", target, outcome))
        if isinstance(outcome, ReplyLost):
            return CallResult(outcome, error=_unknown(f"no answer came ({outcome.reason})"))
        if outcome.successful:
            return CallResult(outcome)
        code = _error_code(outcome.body)
        is_refusal = outcome.failure is not Failure.SERVER_ERROR and outcome.status >= 400
        if is_refusal and code and code not in _NOT_WHOLE:
            return CallResult(outcome, error=self._failure("the upload", target, outcome))
        said = f"the file storage answered with HTTP {outcome.status}" + (code and f" ({code})")
        return CallResult(outcome, error=_unknown(said, outcome.status, code))

    async def get(self, url: str, destination: Path) -> int:
        """Download to a file that is complete or missing; return its size in bytes.

        Raises:
            StorageError: refused, cut off after the retries, too large, or the disk failed.
            InvalidRequest: the destination is a folder, or its folder does not exist.
        """
        found = Presigned.parse(url)
        del url  # As above.
        target = self._checked(found)
        async with _new_file(destination) as partial:
            save = functools.partial(_save, partial, self.clock)
            last: Outcome | None = None

            async def attempt() -> Outcome:
                nonlocal last
                last = await self._perform(call, target, None, save)
                return self._judged("the download", target, last)

            with self._call("download", "GET", target) as call:
                await self._retrying(call)(attempt, Kind.READ)
            assert last is not None  # as above
            if not (isinstance(last, Answer) and last.status == HTTPStatus.OK):
                raise self._failure("the download", target, last)
            with _writing():
                return await in_thread(functools.partial(put_in_place, partial, destination))

    def _checked(self, target: Presigned | None) -> Presigned:
        self.pools.check_usable()
        found = None if target is None else problem_of_storage_url(target.parts, self.base_url)
        if target is None or found == PLAIN_HTTP:
            raise StorageError(
                "the storage URL is not an https URL; if its ticket or link was read back from "
                "plain data, the URL is hidden there: get a new ticket or link"
            )
        if found is not None:
            raise InvalidRequest.of("url", "url", found)
        return target

    def _steps(self) -> dict[str, float]:
        t = self.timeouts
        return {
            "connect": t.connect_s,
            "read": t.storage_read_s,
            "write": t.storage_write_s,
            "pool": t.pool_s,
        }

    def _call(self, operation: str, method: str, target: Presigned) -> Call:
        return Call(operation=operation, method=method, base_url=target.origin, clock=self.clock)

    def _retrying(self, call: Call) -> Retrying:
        sleep = functools.partial(self.pools.sleep, self.clock)
        return Retrying(self.retry, self.clock, sleep=sleep, on_retry=call.retry)

    def _windows(self) -> Windows:
        t = self.timeouts
        return Windows(
            begin_s=t.connect_s + t.storage_write_s,
            write_s=t.storage_write_s,
            read_s=t.storage_read_s,
        )

    async def _perform(
        self, call: Call, target: Presigned, body: Body | None, read: BodyReader
    ) -> Outcome:
        async with self._connection(call) as late:
            return late or await call.perform(self._exchange(target, body, read))

    @contextlib.asynccontextmanager
    async def _connection(self, call: Call) -> AsyncIterator[NotSent | None]:
        """Hold one of the connections; yield the outcome instead if none became free in time."""
        pool_s = self.timeouts.pool_s
        late = NotSent(f"no connection became free in {pool_s:g} s")
        call.queue()
        async with self.pools.connection(Purpose.STORAGE, self.clock, within_s=pool_s) as free:
            call.admit()
            if not free:
                call.end(late)
            yield None if free else late

    def _exchange(self, target: Presigned, body: Body | None, read: BodyReader) -> Exchange:
        return Exchange(
            transport=self.pools.transport(Purpose.STORAGE, target.scheme, target.host),
            # Not stored in a variable, because reporters of errors print them.
            request=target.request(body, self._steps()),
            clock=self.clock,
            windows=self._windows(),
            read=read,
            pools=self.pools,
            # The storage does not know the key. It can echo what was signed.
            secret=Secret(target.parts.query) if target.parts.query else None,
        )

    def _judged(self, what: str, target: Presigned, outcome: Outcome) -> Outcome:
        """Return the outcome for the retry loop: a temporary refusal counts as a server error.

        Raises:
            StorageError: no answer came, and the URL has expired.
        """
        if not isinstance(outcome, Answer):
            if target.is_expired(self.clock.now()):
                raise self._failure(what, target, outcome)
        elif 400 <= outcome.status < 500 and _PASSING.search(outcome.body):
            return attrs.evolve(outcome, status=HTTPStatus.SERVICE_UNAVAILABLE)
        return outcome

    def _failure(
        self, what: str, target: Presigned, outcome: Outcome
    ) -> ConfigurationError | StorageError:
        expired = target.is_expired(self.clock.now())
        if isinstance(outcome, Answer):
            said_so = outcome.status in {400, 403} and bool(_SAYS_EXPIRED.search(outcome.body))
            error = StorageError(
                f"{what} was answered by the file storage with HTTP {outcome.status}",
                status=outcome.status,
                expired=said_so or (outcome.status == 403 and expired),
            )
            outcome.stamp(error)
            return error
        if isinstance(outcome, NotSent) and outcome.way_out is not None:
            return ConfigurationError(f"{what} failed: {outcome.way_out}")
        return StorageError(f"{what} failed: {outcome.reason}", status=None, expired=expired)


def _error_code(body: bytes) -> str:
    """Return the code of the storage's own error, or "" if the body has another form."""
    found = _ERROR_CODE.match(body)
    return "" if found is None else found[1].decode("ascii")


def _unknown(said: str, status: int | None = None, code: str = "") -> OutcomeUnknown:
    return OutcomeUnknown(
        f"upload_once has possibly sent the campaign: {said}; do not upload again, look "
        "the campaign up by get_status first",
        request="PUT to the file storage",
        status=status,
        excerpt=code,
    )


@contextlib.asynccontextmanager
async def _new_file(destination: Path) -> AsyncIterator[Path]:
    """Yield the path of a temporary file beside the destination, and remove it at the end."""
    if await anyio.Path(destination).is_dir():
        raise InvalidRequest.of("path", "file", f"{destination} is a folder; name the file itself")
    if not await anyio.Path(destination.parent).is_dir():
        raise InvalidRequest.of(
            "path", "folder", f"the folder {destination.parent} does not exist; create it first"
        )
    partial = part_of(destination)
    try:
        yield partial
    finally:
        with anyio.CancelScope(shield=True):
            with contextlib.suppress(OSError):
                await in_thread(functools.partial(partial.unlink, missing_ok=True))


async def _save(partial: Path, clock: Clock, answer: AnswerBody) -> bytes:
    """Write a complete file to disk; read any other answer, which is short, into memory."""
    if answer.status != HTTPStatus.OK:
        return await read_whole(answer)
    if answer.encoding not in {"", GZIP}:
        raise StorageError("the download has a compression that was not requested", status=200)
    if answer.ends_at_close and not answer.encoding:
        raise StorageError(
            "the storage does not report the size of the download, so a part of it could pass for "
            "the whole file",
            status=200,
        )
    size_bytes = 0
    meter = Meter(clock, answer.size_bytes)

    def open_anew() -> IO[bytes]:
        partial.unlink(missing_ok=True)
        return create_private(partial)

    async with contextlib.AsyncExitStack() as stack:
        with _writing():
            file = await stack.enter_async_context(open_file(open_anew))

        async def take(piece: bytes) -> None:
            nonlocal size_bytes
            size_bytes += len(piece)
            if size_bytes > _LARGEST_DOWNLOAD_BYTES:
                raise StorageError("the download is larger than any report", status=200)
            with _writing():
                await in_thread(functools.partial(file.write, piece))
            await meter.moved(len(piece))

        if not await answer.pour(take) and answer.encoding:
            raise IncompleteBody("its compressed body is missing")
        with _writing():
            await in_thread(file.flush)
        await meter.end()
    return b""


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Distinguish an error of the disk from one of the connection, which can be an OSError too."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"the download cannot be written: {error.strerror}") from None
