"""What is sent: all that a worker needs to know of a send, weeks later and on another host.

It is kept in a database as JSON. So it has no contact, no key, and nothing that grants access.
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
"""Chosen: as a send key's."""

_ANY_NUMBER: Final = 2**53
"""More rows than there can be; above it a number does not survive JSON."""


def _as_share(max_rejected: Any) -> Any:
    """Return one number for one meaning, so that 5 and 5.0 are the same spec."""
    if isinstance(max_rejected, (int, float)) and not isinstance(max_rejected, bool):
        return None if max_rejected >= _ANY_NUMBER else float(max_rejected)
    return max_rejected


def _lowered(sha256: Any) -> Any:
    return sha256.lower() if isinstance(sha256, str) else sha256


def _copied(columns: Any) -> Any:
    return dict(columns) if isinstance(columns, Mapping) else columns


@attrs.frozen(kw_only=True)
class SendSpec(Plain):
    """What is sent, as it is kept in a database: no contact and no key are in it.

    Attributes:
        campaign: The campaign or A/B test; it may be given by place.
        account: Which account's client sends it: what the factory of clients is called with.
        contacts: Where the contacts are: a URL or the whole path of a file that every worker can
            open. What grants access is not part of it. None sends to the campaign's own lists.
        contacts_sha256: The SHA-256 of their bytes, as ``sha256sum`` prints it. If it is left out,
            it is computed when the send is started. Contacts that have another one later are
            refused.
        skip: Where a list of addresses to leave out is, in the same form.
        skip_sha256: The SHA-256 of that.
        list_sn: As for `send_campaign`, like all that follow but the last.
        list_name: The name of a list to create.
        if_list_exists: What to do if a list of that name exists.
        max_rejected: How many rows may be rejected.
        polling: How the import is watched; and the campaign, if it is waited for.
        check: Whether rows and campaign are judged.
        strict: Whether warnings refuse, too.
        encoding: What the contacts are encoded in.
        fix: What to put right on the way.
        left_out_to: The file for rows that ``fix`` leaves out: a whole path, on the worker's host.
        columns: Names to use in the place of the file's own.
        part_bytes: The largest size of a part.
        wait: Whether the send is done once the campaign is accepted, or once it is sent.
        hold: How long the campaign is held back after its submit.
        balance: What to do if the balance does not cover it.
        not_after: After this time nothing of the send is begun any more; aware. After an outage, a
            mail for Friday then does not go out on Monday. None: there is no such time.

    Raises:
        InvalidRequest: with everything that is wrong, at once.
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
                "leaves rows of contacts out, and no contacts are given: it would keep no one of "
                "the lists from getting the mail; give exclude_lists in the campaign",
            )
        is_without = isinstance(self.campaign, BaseMailing) and not self.campaign.lists
        if is_without and self.list_sn is None and self.list_name is None:
            yield Problem(
                "contacts",
                "required",
                "are not given, and the campaign names no list; give one of the two",
            )

    def _problems_of_options(self) -> Iterator[Problem]:
        encoding, left_out_to = self.encoding, self.left_out_to
        if not isinstance(encoding, str | None):
            yield wrong_type("encoding", encoding, "the name of an encoding, or None")
        else:
            yield from _problems_in(lambda: EncodingDetector(encoding))
        if not isinstance(left_out_to, str | None):
            yield wrong_type("left_out_to", left_out_to, "the whole path as text: give str(path)")
        elif left_out_to is not None and not is_whole_path(left_out_to):
            yield Problem(
                "left_out_to", "absolute", "is not a whole path, and a worker has another folder"
            )
        elif left_out_to is None and "leave-out-bad-rows" in self.fix:
            yield Problem(
                "left_out_to",
                "required",
                "must name a file for the rows that are left out: a whole path, on the worker's "
                "host",
            )
        yield from _problems_in(
            lambda: ContactsOptions(fix=self.fix, columns=self.columns, part_bytes=self.part_bytes)
        )

    def digest(self) -> str:
        """Return a SHA-256 by which the same spec is known again."""
        # As it is read back: a whole number may come back from JSON as another type.
        plain = from_plain(SendSpec, self.to_dict()).to_dict()
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()

    def arguments(self, contacts: Contacts | None, skip: Skip | None) -> dict[str, Any]:
        """Return the arguments of `send_campaign`, without client, send key and ``wait``.

        Args:
            contacts: What was opened in the place of the URL.
            skip: Likewise.
        """
        fields = {name: getattr(self, name) for name in _HANDED_ON}
        return {**fields, "contacts": contacts, "skip": skip}

    def options(self, *, skip: Skip | None, left_out_to: Path | None) -> ContactsOptions:
        """Return how its contacts are read.

        Args:
            skip: What was opened in the place of the URL.
            left_out_to: In the place of its own.
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


_HANDED_ON: Final = tuple(
    name
    for name in attrs.fields_dict(SendSpec)
    if name not in {"account", "contacts_sha256", "skip_sha256", "wait", "not_after"}
)
"""The fields that are arguments of `send_campaign` by the same name."""


def _problems_of_account(account: object) -> Iterator[Problem]:
    found = list(problems_of_line("account", account))
    yield from found
    if found or not isinstance(account, str):
        return
    if account != account.strip() or not account.isprintable():
        yield Problem(
            "account",
            "characters",
            "has white space around it, or a character that does not show; give it without",
        )
    if len(account) > _LONGEST_ACCOUNT:
        yield Problem(
            "account",
            "length",
            f"has {len(account)} characters, and may have {_LONGEST_ACCOUNT}; give a name of yours "
            "for the account",
        )


def _problems_in(build: Any) -> Iterable[Problem]:
    """Return the problems that something is refused with."""
    try:
        build()
    except InvalidRequest as error:
        return error.problems
    return ()


def problems_of_time(spec: SendSpec, at: object, now: datetime) -> Iterator[Problem]:
    """Yield what is wrong with when a send is to begin.

    Args:
        spec: What is sent.
        at: When; None for at once.
        now: Aware.
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
            f"is {_show(begin)}, and the campaign's own schedule is {_show(schedule.when)}, which "
            "the platform would refuse by then; begin earlier, or leave one of the two out",
        )


def _too_late(begin: datetime, not_after: datetime, *, is_now: bool) -> Problem:
    what = "is over" if is_now else f"is before the send begins, at {_show(begin)}"
    return Problem("not_after", "late", f"is {_show(not_after)}, which {what}; give a later time")


def _show(when: datetime) -> str:
    utc = when.astimezone(UTC)
    return f"{utc:%Y-%m-%d %H:%M:%S} UTC"


async def prepared(spec: SendSpec, opener: ContactsOpener, *, now: datetime) -> SendSpec:
    """Return a spec with the hashes of its contacts, and refuse what would be refused later.

    What has no hash is read here, and what was read is judged as `send_campaign` would judge it.
    With the hash nothing is read, and the campaign is judged by itself.

    Args:
        spec: What is sent.
        opener: Opens its contacts.
        now: When the send begins; aware.

    Raises:
        InvalidRequest: with everything that is wrong, at once.
    """
    try:
        return await _prepared(spec, opener, now)
    except ContactsUnavailable as error:
        unavailable = error
    raise InvalidRequest.of(
        unavailable.field,
        "readable",
        f"{unavailable}; a send is started where they can be read, or with their hash as "
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
            # In a folder that is there: its own is on the worker's host. Nothing is written to it.
            left_out_to = stack.enter_context(private_folder()) / "left-out.csv"
            options = spec.options(skip=skip, left_out_to=left_out_to)
            try:
                async with prepare_contacts(source, options) as found:
                    report = found.report
            except InvalidRequest as error:
                problems.extend(error.problems)
            # Without one, they were given up before their end, and are refused below.
            hashes["contacts_sha256"] = source.sha256
    check_result = await check_mailing(
        spec.campaign, report, target, now=now, tolerance=tolerance, hold=spec.hold
    )
    raise_problems([*problems, *check_result.problems])
    log_remarks(check_result.remarks)
    return attrs.evolve(spec, **hashes)
