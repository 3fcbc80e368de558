"""The spec of a send: all that a worker needs to run it, weeks later and on another host.

The database stores it as JSON. So it contains no contacts, no API key and no credentials.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import attrs

from newsleopard_async.checks.at_send import problems_of_schedule
from newsleopard_async.contacts.contacts_options import ContactsOptions, as_fixes
from newsleopard_async.contacts.csv.detection import EncodingDetector
from newsleopard_async.contacts.preparation import prepare_contacts
from newsleopard_async.contacts.skip_list import Skip
from newsleopard_async.contacts.sources import Contacts
from newsleopard_async.durable.contacts import ContactsOpener, ContactsUnavailable, in_file
from newsleopard_async.durable.contacts_url import (
    is_whole_path,
    problems_of_sha256,
    problems_of_url,
)
from newsleopard_async.errors import InvalidRequest, Problem
from newsleopard_async.models import ListSn, Mailing, Polling, SendAt, validation
from newsleopard_async.models.campaign import BaseMailing
from newsleopard_async.models.findings import Fix
from newsleopard_async.models.validation import problems_of_line, raise_problems, wrong_type
from newsleopard_async.plain import Plain, from_plain
from newsleopard_async.temporary import private_folder
from newsleopard_async.workflows.balance import IfTooLow, problems_of_balance
from newsleopard_async.workflows.checking import log_remarks
from newsleopard_async.workflows.hold import problems_of_hold
from newsleopard_async.workflows.polling import problems_of_polling
from newsleopard_async.workflows.send_check import Tolerance
from newsleopard_async.workflows.sending import (
    WaitFor,
    check_mailing,
    problems_of_arguments,
    problems_of_wait,
    target_of,
)
from newsleopard_async.workflows.target import IfListExists

__all__ = ["SendSpec", "prepared", "problems_of_time"]

_LONGEST_ACCOUNT: Final = 200
"""In characters. Chosen: the same limit as for a send key."""

_ANY_NUMBER: Final = 2**53
"""More rows than any file has. JSON readers can change a larger whole number."""


def _as_share(max_rejected: Any) -> Any:
    """Return the same number for the same meaning, so that 5 and 5.0 give the same spec."""
    if isinstance(max_rejected, (int, float)) and not isinstance(max_rejected, bool):
        return None if max_rejected >= _ANY_NUMBER else float(max_rejected)
    return max_rejected


def _lowered(sha256: Any) -> Any:
    return sha256.lower() if isinstance(sha256, str) else sha256


def _copied(columns: Any) -> Any:
    return dict(columns) if isinstance(columns, Mapping) else columns


@attrs.frozen(kw_only=True)
class SendSpec(Plain):
    """The spec of a send, as the database stores it: without contacts and API key.

    Attributes:
        campaign: The campaign or A/B test; also the first positional argument.
        account: The name of the account, with which the factory of clients is called.
        contacts: The URL of the contacts, or the absolute path of a file; all workers must be able
            to open it. It contains no credentials. None sends to the campaign's own lists.
        contacts_sha256: The SHA-256 of their bytes, as ``sha256sum`` prints it. If it is left out,
            it is computed when the send is started. If the contacts change later, they are
            refused.
        skip: The URL or absolute path of a list of addresses to leave out.
        skip_sha256: The SHA-256 of this list.
        list_sn: As for `send_campaign`, like all fields below except ``not_after``.
        list_name: The name of a list to create.
        if_list_exists: What to do if a list with this name exists.
        max_rejected: How many rows may be rejected.
        polling: How to poll the import, and the campaign if ``wait`` is ``sent``.
        check: Whether to check rows and campaign.
        strict: Whether warnings also refuse the send.
        encoding: The encoding of the contacts.
        fix: The faults to correct in the rows.
        left_out_to: The file for the rows that ``fix`` leaves out: an absolute path on the worker's
            host.
        columns: New names for the columns of the file.
        part_bytes: The largest size of a part.
        wait: Whether the send is done when the campaign is accepted, or when it is sent.
        hold: How long the campaign is held back after its submit.
        balance: What to do if the balance is too low.
        not_after: After this time no step of the send begins; aware. So after an outage, a mail for
            Friday is not sent on Monday. None: it is sent at any time.

    Raises:
        InvalidRequest: lists all problems of the arguments.
    """

    campaign: Mailing = attrs.field(kw_only=False)
    account: str = "main"
    contacts: str | None = None
    contacts_sha256: str | None = attrs.field(default=None, converter=_lowered)
    skip: str | None = None
    skip_sha256: str | None = attrs.field(default=None, converter=_lowered)
    list_sn: ListSn | None = None
    list_name: str | None = None
    if_list_exists: IfListExists = "refuse"
    max_rejected: float | None = attrs.field(default=0, converter=_as_share)
    polling: Polling | None = None
    check: bool = True
    strict: bool = False
    encoding: str | None = None
    fix: tuple[Fix, ...] = attrs.field(default=(), converter=as_fixes)
    left_out_to: str | None = None
    columns: Mapping[str, str] | None = attrs.field(default=None, converter=_copied)
    part_bytes: int | None = None
    wait: WaitFor = "accepted"
    hold: timedelta | None = None
    balance: IfTooLow | None = "warn"
    not_after: datetime | None = None

    def __attrs_post_init__(self) -> None:
        raise_problems(self._problems())

    def _problems(self) -> Iterator[Problem]:
        yield from problems_of_arguments(
            self.campaign, self.max_rejected, check=self.check, strict=self.strict
        )
        if isinstance(self.campaign, BaseMailing):
            yield from problems_of_hold(self.hold, self.campaign)
        yield from _problems_of_account(self.account)
        yield from self._problems_of_contacts()
        yield from self._problems_of_options()
        yield from problems_of_wait(self.wait)
        yield from problems_of_balance(self.balance)
        yield from problems_of_polling(self.polling)
        if self.not_after is not None:
            yield from validation.problems_of_time("not_after", self.not_after)

    def _problems_of_contacts(self) -> Iterator[Problem]:
        for field in ("contacts", "skip"):
            url = getattr(self, field)
            if url is not None:
                yield from problems_of_url(field, url)
            yield from problems_of_sha256(f"{field}_sha256", getattr(self, f"{field}_sha256"), url)
        if self.contacts is None:
            yield from self._problems_without_contacts()
        yield from _problems_in(
            lambda: target_of(self.contacts, self.list_sn, self.list_name, self.if_list_exists)
        )

    def _problems_without_contacts(self) -> Iterator[Problem]:
        if self.skip is not None:
            yield Problem(
                "skip",
                "choice",
                "applies only to rows of contacts, and contacts is missing, so it would leave out "
                "no recipient; set exclude_lists in the campaign instead",
            )
        is_without = isinstance(self.campaign, BaseMailing) and not self.campaign.lists
        if is_without and self.list_sn is None and self.list_name is None:
            yield Problem(
                "contacts",
                "required",
                "is missing, and the campaign has no lists; give one of the two",
            )

    def _problems_of_options(self) -> Iterator[Problem]:
        encoding, left_out_to = self.encoding, self.left_out_to
        if not isinstance(encoding, str | None):
            yield wrong_type("encoding", encoding, "the name of an encoding, or None")
        else:
            yield from _problems_in(lambda: EncodingDetector(encoding))
        if not isinstance(left_out_to, str | None):
            yield wrong_type(
                "left_out_to", left_out_to, "the absolute path as text: give str(path)"
            )
        elif left_out_to is not None and not is_whole_path(left_out_to):
            yield Problem(
                "left_out_to",
                "absolute",
                "is not absolute, and a worker has another working folder; give an absolute path",
            )
        elif left_out_to is None and "leave-out-bad-rows" in self.fix:
            yield Problem(
                "left_out_to",
                "required",
                "must be the absolute path of a file on the worker's host, for the rows that are "
                "left out",
            )
        yield from _problems_in(
            lambda: ContactsOptions(fix=self.fix, columns=self.columns, part_bytes=self.part_bytes)
        )

    def digest(self) -> str:
        """Return a SHA-256 that identifies the spec."""
        # From the form that is read back, because JSON can change the type of a whole number.
        plain = from_plain(SendSpec, self.to_dict()).to_dict()
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()

    def arguments(self, contacts: Contacts | None, skip: Skip | None) -> dict[str, Any]:
        """Return the arguments of `send_campaign`, without client, send key and ``wait``.

        Args:
            contacts: The opened contacts, instead of the URL.
            skip: The opened list of addresses to leave out, instead of the URL.
        """
        fields = {name: getattr(self, name) for name in _SAME_ARGUMENTS}
        return {**fields, "contacts": contacts, "skip": skip}

    def options(self, *, skip: Skip | None, left_out_to: Path | None) -> ContactsOptions:
        """Return the options for reading its contacts.

        Args:
            skip: The opened list of addresses to leave out, instead of the URL.
            left_out_to: The file for the rows that are left out, instead of the spec's own.
        """
        return ContactsOptions(
            encoding=self.encoding,
            fix=self.fix,
            left_out_to=left_out_to,
            check_rows=self.check,
            columns=self.columns,
            skip=skip,
            part_bytes=self.part_bytes,
        )


_SAME_ARGUMENTS: Final = tuple(
    name
    for name in attrs.fields_dict(SendSpec)
    if name not in {"account", "contacts_sha256", "skip_sha256", "wait", "not_after"}
)
"""The fields that are arguments of `send_campaign` with the same name."""


def _problems_of_account(account: object) -> Iterator[Problem]:
    found = list(problems_of_line("account", account))
    yield from found
    if found or not isinstance(account, str):
        return
    if account != account.strip() or not account.isprintable():
        yield Problem(
            "account",
            "characters",
            "has white space around it or an invisible character; remove it",
        )
    if len(account) > _LONGEST_ACCOUNT:
        yield Problem(
            "account",
            "length",
            f"is {len(account)} characters long; use at most "
            f"{_LONGEST_ACCOUNT}, for example a short name of your own",
        )


def _problems_in(build: Any) -> Iterable[Problem]:
    """Return the problems with which a function refuses the arguments."""
    try:
        build()
    except InvalidRequest as error:
        return error.problems
    return ()


def problems_of_time(spec: SendSpec, at: object, now: datetime) -> Iterator[Problem]:
    """Yield the problems of the time when a send begins.

    Args:
        spec: The spec of the send.
        at: The time; None: immediately.
        now: The current time, aware.
    """
    if at is not None:
        found = list(validation.problems_of_time("at", at))
        yield from found
        if found or not isinstance(at, datetime):
            return
    begin = at if isinstance(at, datetime) and at > now else now
    if spec.not_after is not None and begin > spec.not_after:
        yield _too_late(begin, spec.not_after, is_now=begin is now)
    schedule = spec.campaign.schedule
    if begin is now:
        yield from problems_of_schedule(spec.campaign, now)
    elif isinstance(schedule, SendAt) and schedule.when <= begin:
        yield Problem(
            "at",
            "schedule",
            f"is {_show(begin)}, not before the campaign's own schedule, {_show(schedule.when)}, "
            "which the platform would then refuse; begin earlier, or leave one of the two out",
        )


def _too_late(begin: datetime, not_after: datetime, *, is_now: bool) -> Problem:
    reason = "in the past" if is_now else f"before the send begins, at {_show(begin)}"
    return Problem(
        "not_after", "late", f"is {_show(not_after)}, which is {reason}; give a later time"
    )


def _show(when: datetime) -> str:
    utc = when.astimezone(UTC)
    return f"{utc:%Y-%m-%d %H:%M:%S} UTC"


async def prepared(spec: SendSpec, opener: ContactsOpener, *, now: datetime) -> SendSpec:
    """Return a spec with the hashes of its contacts, and check all that a worker would check later.

    Contacts without a hash are read here and checked as by `send_campaign`. If the spec has the
    hash, nothing is read, and only the campaign is checked.

    Args:
        spec: The spec of the send.
        opener: Opens its contacts.
        now: When the send begins; aware.

    Raises:
        InvalidRequest: lists all problems of the send.
    """
    try:
        return await _prepared(spec, opener, now)
    except ContactsUnavailable as error:
        unavailable = error
    raise InvalidRequest.of(
        unavailable.field,
        "readable",
        f"{unavailable}; start the send where they can be read, or give their hash as "
        f"{unavailable.field}_sha256=",
    )


async def _prepared(spec: SendSpec, opener: ContactsOpener, now: datetime) -> SendSpec:
    target = target_of(spec.contacts, spec.list_sn, spec.list_name, spec.if_list_exists)
    tolerance = Tolerance(check=spec.check, strict=spec.strict, max_rejected=spec.max_rejected)
    reads = spec.contacts is not None and spec.contacts_sha256 is None
    hashes: dict[str, Any] = {}
    problems: list[Problem] = []
    report, skip = None, None
    async with contextlib.AsyncExitStack() as stack:
        if spec.skip is not None and (reads or spec.skip_sha256 is None):
            source = await opener.open(spec.skip, spec.skip_sha256, field="skip")
            skip = await stack.enter_async_context(in_file(source))
            hashes["skip_sha256"] = source.sha256
        if spec.contacts is not None and reads:
            source = await opener.open(spec.contacts, None)
            # A path in an existing folder, because the spec's own path is on the worker's host.
            # No file is written there.
            left_out_to = stack.enter_context(private_folder()) / "left-out.csv"
            options = spec.options(skip=skip, left_out_to=left_out_to)
            try:
                async with prepare_contacts(source, options) as found:
                    report = found.report
            except InvalidRequest as error:
                problems.extend(error.problems)
            # It is None if the reading ended early; then the problems below refuse the send.
            hashes["contacts_sha256"] = source.sha256
    check_result = await check_mailing(
        spec.campaign, report, target, now=now, tolerance=tolerance, hold=spec.hold
    )
    raise_problems([*problems, *check_result.problems])
    log_remarks(check_result.remarks)
    return attrs.evolve(spec, **hashes)
