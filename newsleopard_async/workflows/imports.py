"""Import contacts: list → upload (or text) → wait until the platform has taken them in."""

from __future__ import annotations

from typing import Final, Literal

import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.errors import ImportFailed, InvalidRequest, OutcomeUnknown
from newsleopard_async.models import ContactList, ImportResult, ImportSn, ListSn, Polling
from newsleopard_async.models.codes import check_list_code
from newsleopard_async.models.rules import problems_of_line, refuse
from newsleopard_async.workflows import steps
from newsleopard_async.workflows.events import Progress
from newsleopard_async.workflows.outcomes import ImportReport
from newsleopard_async.workflows.polling import watch
from newsleopard_async.workflows.runner import LocalRunner, Runner
from newsleopard_async.workflows.source import Contacts, ContactsFile, contacts_file

__all__ = [
    "IfListExists",
    "Target",
    "find_or_create",
    "import_contacts",
    "import_into",
    "wait_for_import",
]

IfListExists = Literal["refuse", "reuse"]

_NOT_KNOWN_YET: Final = "the platform does not know it"


@attrs.frozen(kw_only=True)
class Target:
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
            refuse(problems_of_line("list_name", self.list_name))
        if self.if_list_exists not in ("refuse", "reuse"):
            raise InvalidRequest.of("if_list_exists", "choice", "must be 'refuse' or 'reuse'")


async def import_contacts(
    nl: NewsLeopard,
    contacts: Contacts,
    *,
    list_sn: ListSn | None = None,
    list_name: str | None = None,
    if_list_exists: IfListExists = "refuse",
    polling: Polling | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Import contacts into a list and wait until they are in.

    Up to 100 rows go as text, more as a file.

    Args:
        nl: The client.
        contacts: A path to a CSV file, or the CSV itself; ``EMAIL,NAME`` first.
        list_sn: The list to import into.
        list_name: Or the name of a list to create.
        if_list_exists: What to do where a list of that name is there already.
        polling: How the import is watched.
        progress: Called with every event.

    Raises:
        ImportFailed: the import ended without success.
        DeadlineExceeded: it was not done in time; it goes on at the platform.
        InvalidRequest: the contacts or the list cannot be used; nothing was imported.
    """
    target = Target(list_sn=list_sn, list_name=list_name, if_list_exists=if_list_exists)
    async with contacts_file(contacts) as file:
        run = LocalRunner(nl, "import_contacts", progress)
        joined = await find_or_create(run, target)
        return await import_into(run, file, joined, polling or Polling())


async def import_into(
    run: Runner, file: ContactsFile, list_sn: ListSn, polling: Polling
) -> ImportReport:
    """Import the file into a list, and wait."""
    how = steps.import_text if file.as_text else steps.upload_file
    import_sn = await run.step(how, steps.ImportFile(path=file.path, list_sn=list_sn))
    result = await watch_import(run, import_sn, polling)
    return ImportReport(list_sn=list_sn, import_sn=import_sn, result=result)


async def find_or_create(run: Runner, target: Target) -> ListSn:
    """Look a name up before a list is created, and after a lost reply."""
    if target.list_sn is not None:
        return target.list_sn
    assert target.list_name is not None
    there = await run.step(steps.find_lists, target.list_name)
    if there:
        return _choose(there, target)
    try:
        return await run.once(steps.create_list, target.list_name)
    except OutcomeUnknown:
        made = await run.step(steps.find_lists, target.list_name)
        if not made:
            raise
        return made[0].sn


def _choose(there: tuple[ContactList, ...], target: Target) -> ListSn:
    """Decide about lists that have the wanted name already."""
    codes = ", ".join(each.sn for each in there)
    if target.if_list_exists == "refuse":
        raise InvalidRequest.of(
            "list_name",
            "exists",
            f"there is a list of this name already ({codes}); choose another name, "
            "give its code as list_sn, or pass if_list_exists='reuse'",
        )
    if len(there) > 1:
        raise InvalidRequest.of(
            "list_name", "ambiguous", f"{len(there)} lists have it ({codes}); give list_sn"
        )
    if there[0].is_segment:
        raise InvalidRequest.of(
            "list_name", "segment", f"{codes} fills itself; import into an ordinary list"
        )
    return there[0].sn


async def wait_for_import(
    nl: NewsLeopard,
    import_sn: ImportSn,
    *,
    polling: Polling | None = None,
    progress: Progress | None = None,
) -> ImportResult:
    """Wait until an import has ended with success.

    Raises:
        ImportFailed: it ended without.
        DeadlineExceeded: it had not ended in time.
    """
    run = LocalRunner(nl, "wait_for_import", progress)
    return await watch_import(run, import_sn, polling or Polling())


async def watch_import(run: Runner, import_sn: ImportSn, polling: Polling) -> ImportResult:
    """Look until the state is final; every state but PROCESSING is."""

    def is_done(result: ImportResult | None, elapsed_s: float) -> bool:
        if result is None:
            # Right after the upload the platform may not know its own code yet.
            return elapsed_s >= polling.grace_s
        return result.status.is_final

    result = await watch(
        run,
        steps.get_import,
        import_sn,
        is_done=is_done,
        polling=polling,
        what=f"import {import_sn}",
    )
    if result is None:
        raise ImportFailed(f"import {import_sn}: {_NOT_KNOWN_YET}", result=None)
    if not result.status.is_success:
        raise ImportFailed(_explain(result), result=result)
    return result


def _explain(result: ImportResult) -> str:
    advice = {
        "DUPLICATE_HEADER": "two columns have the same name (標頭重複)",
        "MISSING_REQUIRED_DATA": "the header does not begin with EMAIL,NAME (缺少需要的檔案)",
        "ERROR": "the file could not be read as CSV, or a column must be set up first (匯入失敗)",
    }.get(result.status, "a state that is not documented")
    return f"import {result.import_sn} ended as {result.status}: {advice}"
