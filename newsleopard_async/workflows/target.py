"""The list that contacts go into: it is looked up by its name, or created once."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal

import attrs

from newsleopard_async.disclosure import shown
from newsleopard_async.errors import (
    InvalidRequest,
    NewsLeopardError,
    OutcomeUnknown,
    UnexpectedResponse,
)
from newsleopard_async.log import Log
from newsleopard_async.models import ContactList, ListSn, Polling
from newsleopard_async.models.codes import check_list_code
from newsleopard_async.models.validation import problems_of_line, raise_problems
from newsleopard_async.plain import Plain
from newsleopard_async.workflows import steps
from newsleopard_async.workflows.polling import excusing
from newsleopard_async.workflows.runner import Runner

__all__ = ["IfListExists", "Target", "find_or_create", "may_have_imported"]

IfListExists = Literal["refuse", "reuse"]

_log: Final = Log()


@attrs.frozen(kw_only=True)
class Target(Plain):
    """The list that contacts go into: one that is there, or a new one of a name.

    Raises:
        InvalidRequest: neither or both are given, or one cannot be used.
    """

    list_sn: ListSn | None = None
    list_name: str | None = None
    if_list_exists: IfListExists = "refuse"

    def __attrs_post_init__(self) -> None:
        if (self.list_sn is None) == (self.list_name is None):
            raise InvalidRequest.of(
                "list_sn",
                "target",
                "give either list_sn, or list_name for a new list; "
                "no campaign can reach contacts that are in no list",
            )
        if self.list_sn is not None:
            check_list_code("list_sn", self.list_sn)
        else:
            raise_problems(problems_of_line("list_name", self.list_name))
        if self.if_list_exists not in ("refuse", "reuse"):
            raise InvalidRequest.of("if_list_exists", "choice", "must be 'refuse' or 'reuse'")


async def find_or_create(run: Runner, target: Target, polling: Polling) -> ListSn:
    """Return the list that contacts go into.

    A code is looked up before the first import, and refused if it is that of a segment. Runs that
    name a list do so one after the other: two that find none would create two.

    Raises:
        DeadlineExceeded: other runs of this name did not end in time.
    """
    if target.list_sn is not None:
        if not may_have_imported(run):
            await _refuse_segment(run, target.list_sn)
        return target.list_sn
    name = target.list_name
    assert name is not None
    what = f"pipelines that look for the list {name!r}"
    async with run.list_lock(steps.find_lists, what, within_s=polling.deadline_s):
        return await _find_or_create(run, target, name)


async def _find_or_create(run: Runner, target: Target, name: str) -> ListSn:
    """Look a name up before a list is created, and after a lost reply."""
    was_held = run.has(steps.create_list)
    if not was_held and (there := await _find(run, target, name)):
        return there
    try:
        return await run.step(steps.create_list, name)
    except OutcomeUnknown as unknown:
        made = await _look_up(run, name)
        if made is not None and len(made) == 1:
            await run.record_result(steps.create_list, made[0].sn)
            return made[0].sn
        if made:
            raise _ambiguous(made).with_answer_of(unknown) from None
        now = run.now()
        takes = timedelta() if run.is_answered(steps.create_list) else steps.LISTED_AFTER
        listed_by = (run.in_doubt_since(steps.create_list) or now) + takes
        if made is None or not was_held or now < listed_by:
            unknown.look_again_at = max(now, listed_by)
            raise
    # It had time enough to appear, and did not: it was never created.
    await run.forget(steps.create_list)
    return await run.step(steps.create_list, name)


def may_have_imported(run: Runner) -> bool:
    """Say whether something was imported into the list, or may have been, now or earlier."""
    return run.has(steps.import_text) or run.has(steps.upload_file)


async def _refuse_segment(run: Runner, list_sn: ListSn) -> None:
    """Refuse a list that fills itself (T62); whether there is the list, the import will show.

    A list that was created just now may be missing among the lists, and lists that cannot be read,
    or not within half a minute, say nothing about this one. Into a list that does not exist nothing
    is imported (T51).
    """
    look = excusing(steps.find_list)
    try:
        found = await run.step(look, list_sn, keep=False)
    except UnexpectedResponse:
        found = None
    if found is None:
        _log.warning(
            "list_sn: %s was not found among your lists; it is imported into all the same, since "
            "a new list may be listed later. If the import is refused, check the code",
            list_sn,
        )
    elif found.is_segment:
        raise _segment("list_sn", list_sn)


def _segment(field: str, code: ListSn) -> InvalidRequest:
    return InvalidRequest.of(field, "segment", f"{code} fills itself; import into an ordinary list")


async def _find(run: Runner, target: Target, name: str) -> ListSn | None:
    """Look for a list that is there already; what refuses it is not kept.

    Until something is imported, what an earlier run saw decides nothing: a person may have
    removed the list, or renamed it.
    """
    is_chosen = may_have_imported(run)
    there = await run.step(steps.find_lists, name, keep=is_chosen)
    if not there:
        return None
    chosen = _choose(there, target, name)
    if not is_chosen:
        await run.record_result(steps.find_lists, there)
    return chosen


async def _look_up(run: Runner, name: str) -> tuple[ContactList, ...] | None:
    """Look for lists of a name; None where something keeps us from looking.

    The platform may have kept the name in another form. Before the list was created, there was
    none that looks the same.

    Whether the list was created is then as unknown as before, and no other error may hide
    that.
    """
    try:
        return _exact_first(await run.step(steps.find_lists, name, keep=False), name)
    except NewsLeopardError:
        return None


def _ambiguous(lists: tuple[ContactList, ...]) -> InvalidRequest:
    return InvalidRequest.of(
        "list_name", "ambiguous", f"{len(lists)} lists have it ({_codes(lists)}); give list_sn"
    )


def _codes(lists: tuple[ContactList, ...]) -> str:
    return ", ".join(each.sn for each in lists)


def _exact_first(lists: tuple[ContactList, ...], name: str) -> tuple[ContactList, ...]:
    """Return the lists of this very name; if there are none, those whose name looks the same."""
    return tuple(each for each in lists if each.name == shown(name)) or lists


def _choose(there: tuple[ContactList, ...], target: Target, name: str) -> ListSn:
    """Decide about lists that have the wanted name already, or one that looks the same."""
    chosen = _exact_first(there, name)
    if chosen[0].name != shown(name):
        # It may be meant, and may be for others: contacts must not get there by a guess.
        raise InvalidRequest.of(
            "list_name",
            "alike",
            f"there is a list whose name only looks the same ({_codes(there)}); give its code as "
            "list_sn, or choose another name",
        )
    if target.if_list_exists == "refuse":
        raise InvalidRequest.of(
            "list_name",
            "exists",
            f"there is a list of this name already ({_codes(chosen)}); choose another name, "
            "give its code as list_sn, or pass if_list_exists='reuse'",
        )
    if len(chosen) > 1:
        raise _ambiguous(chosen)
    if chosen[0].is_segment:
        raise _segment("list_name", chosen[0].sn)
    return chosen[0].sn
