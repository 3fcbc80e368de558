"""The list for the contacts: found by its name, or created once.

If the reply to a creation is lost, the name is searched. One list: it is used. Several lists: an
error. No list, in a later run and after `steps.LISTED_AFTER`: it was not created, so it is created
again. In any other case the outcome stays unknown, and a later run searches again.
"""

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
    """The list for the contacts: an existing list, or a new list with a name.

    Raises:
        InvalidRequest: neither or both are passed, or the value is not valid.
    """

    list_sn: ListSn | None = None
    list_name: str | None = None
    if_list_exists: IfListExists = "refuse"

    def __attrs_post_init__(self) -> None:
        if (self.list_sn is None) == (self.list_name is None):
            raise InvalidRequest.of(
                "list_sn",
                "target",
                "pass either list_sn, or list_name for a new list; "
                "a campaign cannot reach contacts without a list",
            )
        if self.list_sn is not None:
            check_list_code("list_sn", self.list_sn)
        else:
            raise_problems(problems_of_line("list_name", self.list_name))
        if self.if_list_exists not in ("refuse", "reuse"):
            raise InvalidRequest.of("if_list_exists", "choice", "must be 'refuse' or 'reuse'")


async def find_or_create(run: Runner, target: Target, polling: Polling) -> ListSn:
    """Return the list for the contacts.

    A code is looked up before the first import, and refused if it belongs to a segment. Runs with
    the same list name search one after the other, because two that find no list would create two.

    Raises:
        DeadlineExceeded: other runs with this name did not end before the deadline.
    """
    if target.list_sn is not None:
        if not may_have_imported(run):
            await _refuse_segment(run, target.list_sn)
        return target.list_sn
    name = target.list_name
    assert name is not None
    # The lock file is named after this text, so the text must not change between versions.
    what = f"pipelines that look for the list {name!r}"
    async with run.list_lock(steps.find_lists, what, within_s=polling.deadline_s):
        return await _find_or_create(run, target, name)


async def _find_or_create(run: Runner, target: Target, name: str) -> ListSn:
    """Search for the name before a list is created, and after a lost reply."""
    was_tried = run.has(steps.create_list)
    if not was_tried and (there := await _find(run, target, name)):
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
        if made is None or not was_tried or now < listed_by:
            unknown.look_again_at = max(now, listed_by)
            raise
    # The list had enough time to appear and did not, so it was never created.
    await run.forget(steps.create_list)
    return await run.step(steps.create_list, name)


def may_have_imported(run: Runner) -> bool:
    """Return whether contacts were imported into the list, or possibly imported, in any run."""
    return run.has(steps.import_text) or run.has(steps.upload_file)


async def _refuse_segment(run: Runner, list_sn: ListSn) -> None:
    """Refuse a segment: a list whose members the platform selects (T62).

    A list that is not found is accepted, because a list that was just created can be missing among
    the lists. The same holds if the lists cannot be read within half a minute. If the list does not
    exist, the platform refuses the import (T51).
    """
    step = excusing(steps.find_list)
    try:
        found = await run.step(step, list_sn, keep=False)
    except UnexpectedResponse:
        found = None
    if found is None:
        _log.warning(
            "list_sn: %s was not found among your lists. The contacts are imported into it anyway, "
            "because a new list can be listed later. If the import is refused, check the code",
            list_sn,
        )
    elif found.is_segment:
        raise _segment("list_sn", list_sn)


def _segment(field: str, code: ListSn) -> InvalidRequest:
    return InvalidRequest.of(
        field, "segment", f"{code} is a segment, which fills itself; import into an ordinary list"
    )


async def _find(run: Runner, target: Target, name: str) -> ListSn | None:
    """Search for an existing list; a list that is refused is not stored.

    Before the first import, the result of an earlier run is not used, because a person can have
    deleted or renamed the list.
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
    """Search for lists of a name after a lost reply; None if the lists cannot be read.

    The platform can have stored the name in another form. Before the creation, no list had a name
    that looks the same.

    An error of the search must not hide that it is unknown whether the list was created.
    """
    try:
        return _exact_first(await run.step(steps.find_lists, name, keep=False), name)
    except NewsLeopardError:
        return None


def _ambiguous(lists: tuple[ContactList, ...]) -> InvalidRequest:
    return InvalidRequest.of(
        "list_name", "ambiguous", f"{len(lists)} lists have it ({_codes(lists)}); pass list_sn"
    )


def _codes(lists: tuple[ContactList, ...]) -> str:
    return ", ".join(each.sn for each in lists)


def _exact_first(lists: tuple[ContactList, ...], name: str) -> tuple[ContactList, ...]:
    """Return the lists with exactly this name; if there is none, all that look the same."""
    return tuple(each for each in lists if each.name == shown(name)) or lists


def _choose(there: tuple[ContactList, ...], target: Target, name: str) -> ListSn:
    """Choose among lists that have the name, or a name that looks the same."""
    chosen = _exact_first(there, name)
    if chosen[0].name != shown(name):
        # The list possibly belongs to other contacts, so it must not be chosen by a guess.
        raise InvalidRequest.of(
            "list_name",
            "alike",
            f"the name of an existing list only looks the same ({_codes(there)}); pass its code "
            "as list_sn, or choose another name",
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
