"""Rehearse a campaign: check it, run the real pipeline on a stage, and return the result."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, get_args

from newsleopard_async import telemetry
from newsleopard_async.aio import in_thread
from newsleopard_async.contacts.contacts_options import ContactsOptions
from newsleopard_async.contacts.skip_list import Skip
from newsleopard_async.contacts.sources import Contacts
from newsleopard_async.emulator import Profile
from newsleopard_async.errors import InvalidRequest, Problem
from newsleopard_async.files import PATH_TYPES, AnyPath, as_path
from newsleopard_async.models import Mailing, Polling
from newsleopard_async.models.campaign import BaseMailing
from newsleopard_async.models.findings import ContactsReport, Fix
from newsleopard_async.models.validation import (
    problems_of_count,
    problems_of_max_rejected,
    problems_of_time,
    problems_of_type,
    raise_problems,
)
from newsleopard_async.rehearsal.mail_pages import write_pages
from newsleopard_async.rehearsal.model import Rehearsal
from newsleopard_async.rehearsal.results import (
    RehearsalSpec,
    check_campaign_and_contacts,
    result_of,
)
from newsleopard_async.rehearsal.stage import Stage, check_rereadable, make_rereadable
from newsleopard_async.temporary import private_folder
from newsleopard_async.workflows.pipeline import pipeline
from newsleopard_async.workflows.polling import problems_of_polling
from newsleopard_async.workflows.progress import Progress, problems_of_progress

__all__ = ["rehearse"]

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""Chosen: a margin of some hundred years to the ends of Python's calendar (1 and 9999)."""


@pipeline
async def rehearse(
    campaign: Mailing,
    contacts: Contacts,
    *,
    mails: int = 3,
    folder: AnyPath | None = None,
    now: datetime | None = None,
    encoding: str | None = None,
    fix: Fix | Iterable[Fix] = (),
    columns: Mapping[str, str] | None = None,
    skip: Skip | None = None,
    part_bytes: int | None = None,
    strict: bool = False,
    max_rejected: float | None = 0,
    profile: Profile = "documented",
    polling: Polling | None = None,
    progress: Progress | None = None,
) -> Rehearsal:
    """Show the result of importing these contacts and sending this campaign to them.

    The real pipeline runs against an emulator in this process and in this event loop, on a
    clock that jumps over every wait. It opens no socket, and reads no environment
    variable.

    Args:
        campaign: A campaign or an A/B test. Lists that it names itself are unknown here.
        contacts: As for ``send_campaign``; a source that can be read only once is used up.
        mails: How many mails to render; for a test, so many of each variant.
        folder: A folder for the mails as HTML files, created if it is missing. Mails of an earlier
            rehearsal in it are removed. None writes no files.
        now: When the rehearsal begins, aware; None is the present.
        encoding: As for ``send_campaign``.
        fix: As for ``send_campaign``, but no file is written next to the input.
        columns: As for ``send_campaign``.
        skip: As for ``send_campaign``.
        part_bytes: As for ``send_campaign``.
        strict: Whether a warning prevents the send.
        max_rejected: As for ``send_campaign``. If more rows are rejected, that is a problem, but
            the rest is still shown.
        profile: The limits: the ``documented`` ones, or ``vendor-2026``.
        polling: How jobs are polled.
        progress: Called with every event of the pipelines.
    Returns: The result, with the findings of the checks and the reason if nothing would be sent.

    Raises:
        InvalidRequest: an argument cannot be used.
        ConfigurationError: the temporary folder cannot be written.
    """
    began = datetime.now(UTC) if now is None else now
    spec = RehearsalSpec(
        campaign=campaign, began=began, mails=mails, strict=strict, max_rejected=max_rejected
    )
    raise_problems(
        [
            *_problems_of_arguments(spec, folder, profile),
            *problems_of_polling(polling),
            *problems_of_progress(progress),
        ]
    )
    options = ContactsOptions(
        encoding=encoding, fix=fix, columns=columns, skip=skip, part_bytes=part_bytes
    )
    del skip
    pages = None if folder is None else await in_thread(partial(_make_folder, folder))
    stage = Stage.at(began, profile, campaign, polling=polling, progress=progress)
    with private_folder() as scratch:
        rereadable = await make_rereadable(contacts, options, scratch)
        found = await check_rereadable(rereadable, progress)
        check_result = await in_thread(partial(check_campaign_and_contacts, spec, found))
        stage.problem = _reason_to_stop(spec, found)
        if stage.problem is None:
            with _quiet():
                await stage.run(campaign, rereadable)
        shown = await in_thread(partial(result_of, spec, stage, found, check_result))
    if pages is not None:
        shown = await in_thread(partial(write_pages, shown, pages))
    return shown


def _reason_to_stop(spec: RehearsalSpec, found: ContactsReport) -> str | None:
    """Return why the pipeline cannot run; None if it can."""
    if found.fatal_errors:
        return "the contacts cannot be used; nothing was tried"
    if max(spec.began, spec.goes_out_at) >= LATEST - min(spec.wait, LATEST - EARLIEST):
        return f"it would go out after the year {LATEST:%Y}; nothing was tried"
    return None


def _problems_of_arguments(
    spec: RehearsalSpec, folder: object, profile: object
) -> Iterator[Problem]:
    yield from problems_of_type("campaign", spec.campaign, BaseMailing, "a Campaign or an A/B test")
    yield from _problems_of_now(spec.began)
    yield from problems_of_count("mails", spec.mails)
    yield from problems_of_max_rejected(spec.max_rejected)
    yield from problems_of_type("strict", spec.strict, bool, "True or False")
    if folder is not None:
        yield from problems_of_type("folder", folder, PATH_TYPES, "a path, or None")
    if profile not in get_args(Profile):
        yield Problem("profile", "choice", f"must be one of {', '.join(get_args(Profile))}")


def _problems_of_now(now: object) -> Iterator[Problem]:
    found = list(problems_of_time("now", now))
    yield from found
    if not found and isinstance(now, datetime) and not EARLIEST <= now < LATEST:
        yield Problem("now", "range", f"must be from {EARLIEST:%Y} to before {LATEST:%Y}")


def _make_folder(folder: AnyPath) -> Path:
    path = as_path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"{path} cannot be made: {error.strerror}"
    else:
        return path
    raise InvalidRequest.of("folder", "writable", reason)


_LOGGERS: Final = ("newsleopard_async", "newsleopard_async.emulator")
_is_on_stage: Final = ContextVar("newsleopard_async_is_on_stage", default=False)


class _NotOnStage(logging.Filter):
    """Passes only errors, and records from outside a rehearsal."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR or not _is_on_stage.get()


_FILTER: Final = _NotOnStage()


@contextmanager
def _quiet() -> Iterator[None]:
    """Log only errors from this task and its children, and trace nothing.

    A log line or a span about an accepted campaign must always be true, so a rehearsal writes none.
    Errors are still logged, for example errors of a caller's callback.
    """
    for name in _LOGGERS:
        # Adding the same filter again changes nothing.
        logging.getLogger(name).addFilter(_FILTER)
    token = _is_on_stage.set(True)
    try:
        with telemetry.muted():
            yield
    finally:
        _is_on_stage.reset(token)
