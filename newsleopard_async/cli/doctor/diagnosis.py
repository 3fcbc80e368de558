"""What a check of the doctor is, and how checks run: one after another, each in a finite time."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import anyio
import attrs

from newsleopard_async.aio import from_any_thread
from newsleopard_async.cli.failures import ExitStatus, failure_of
from newsleopard_async.cli.library_messages import in_users_language
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.translation import joined
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.errors import NewsLeopardError
from newsleopard_async.transport.redact import Secret

__all__ = [
    "Diagnosis",
    "DoctorCheck",
    "Examination",
    "as_dict",
    "failed",
    "in_daemon",
    "passed",
    "run_checks",
    "skipped",
    "warned",
]

T = TypeVar("T")

DiagnosisState = Literal["ok", "warning", "failed", "skipped"]


@attrs.frozen(kw_only=True)
class Diagnosis:
    """The result of a check.

    Attributes:
        state: ``ok``, ``warning`` (it works, but not as it should), ``failed``, or ``skipped``.
        found: What was found, in a sentence.
        advice: What to do; empty if nothing.
        status: The exit status if it failed.
    """

    state: DiagnosisState
    found: str
    advice: str = ""
    status: ExitStatus = ExitStatus.DONE


def passed(found: str) -> Diagnosis:
    """Return the result of a check that found nothing wrong."""
    return Diagnosis(state="ok", found=found)


def warned(found: str, advice: str) -> Diagnosis:
    """Return the result of a check that found something that a person should know."""
    return Diagnosis(state="warning", found=found, advice=advice)


def failed(found: str, advice: str, status: ExitStatus) -> Diagnosis:
    """Return the result of a check that found the reason why commands fail."""
    return Diagnosis(state="failed", found=found, advice=advice, status=status)


def skipped(found: str) -> Diagnosis:
    """Return the result of a check that was not tried."""
    return Diagnosis(state="skipped", found=found)


@attrs.define(kw_only=True)
class Examination:
    """What the checks know from each other.

    Attributes:
        session: The run of the command.
        base_url: The URL of the API, as soon as it is known.
        key: The key, as soon as it is found.
        proxy: The proxy on the way to it; None for no proxy.
        addresses: The addresses of the first host on the way.
        server_time: The time of the answering server, and the local time of its answer.
        requests: The requests to the API until now.
    """

    session: Session
    base_url: str = ""
    key: Secret | None = None
    proxy: str | None = None
    addresses: tuple[str, ...] = ()
    server_time: tuple[datetime, datetime] | None = None
    requests: int = 0

    @property
    def scheme(self) -> str:
        """``https`` or ``http``."""
        return urlsplit(self.base_url).scheme

    @property
    def host(self) -> str:
        """The host of the API."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def next_hop(self) -> tuple[str, int]:
        """Host and port of the first server on the way: the proxy, or the API."""
        parts = urlsplit(self.proxy or self.base_url)
        own = {"http": 80, "https": 443}.get(parts.scheme, 1080)
        return parts.hostname or "", parts.port or own


@attrs.frozen(kw_only=True)
class DoctorCheck:
    """One check.

    Attributes:
        name: Its name, for programs and in ``needs``.
        title: Its name, for people.
        run: Does the check; any error of the library or the system is a failure.
        needs: The checks without which it makes no sense.
        within_s: The longest time that it may take.
    """

    name: str
    title: str
    run: Callable[[Examination], Awaitable[Diagnosis]]
    needs: tuple[str, ...] = ()
    within_s: float = 15.0


async def run_checks(
    checks: Sequence[DoctorCheck],
    examination: Examination,
    *,
    before: Callable[[DoctorCheck], object],
) -> AsyncIterator[tuple[DoctorCheck, Diagnosis]]:
    """Run checks one after another, and yield the result of each.

    A check is skipped if one that it needs has failed, or was skipped for the same reason.

    Args:
        checks: The checks.
        examination: What they know from each other.
        before: Called before each check.
    """
    titles = {each.name: each.title for each in checks}
    unusable: set[str] = set()
    for check in checks:
        before(check)
        missing = [_(titles[name]) for name in check.needs if name in unusable]
        if missing:
            found = skipped(_("not tried, because of: {checks}").format(checks=joined(missing)))
        else:
            found = await _result(check, examination)
        if missing or found.state == "failed":
            unusable.add(check.name)
        yield check, found


async def _result(check: DoctorCheck, examination: Examination) -> Diagnosis:
    try:
        with anyio.fail_after(check.within_s):
            return await check.run(examination)
    except TimeoutError:
        return failed(
            _("no answer within {seconds:g} s").format(seconds=check.within_s),
            _("Try again later, or from another network."),
            ExitStatus.UNREACHABLE,
        )
    except (NewsLeopardError, OSError) as error:
        failure = failure_of(error)
        return failed(in_users_language(failure.message), failure.advice, failure.status)
    except Exception as error:  # noqa: BLE001 - it must not stop the other checks
        return failed(
            _("unexpected error: {kind}").format(kind=type(error).__name__),
            _("Report it with the output of this command."),
            ExitStatus.UNREACHABLE,
        )


async def in_daemon(work: Callable[[], T]) -> T:
    """Run blocking work in a thread that does not keep the process alive after a timeout."""
    done = anyio.Event()
    results: list[T] = []
    errors: list[Exception] = []
    tell = from_any_thread(done.set)

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:  # noqa: BLE001 - raised below
            errors.append(error)
        tell()

    threading.Thread(target=run, daemon=True).start()
    await done.wait()
    if errors:
        raise errors[0]
    return results[0]


def as_dict(check: DoctorCheck, found: Diagnosis) -> Mapping[str, Any]:
    """Return a result as JSON-safe data."""
    return {"name": check.name, "state": found.state, "found": found.found, "advice": found.advice}
