"""Shows the events of a pipeline as steps, with titles and details in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Self

import attrs

from newsleopard_async.cli.display.step_display import StepDisplay, StepLine, StepLineState
from newsleopard_async.cli.translation import is_chinese, ngettext
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.workflows import Event

__all__ = ["DoneSteps", "PipelineDisplay", "detail_of", "step_name"]

Detail = tuple[str, float | None]
"""The detail of a step, and the finished share."""


@attrs.define
class DoneSteps:
    """Remembers the steps that a pipeline has begun, and the results of those that it has done.

    Attributes:
        results: The results by the name of the step; without those that found nothing.
        begun: The names of the steps in the order of their begin, whether they have ended or not.
    """

    results: dict[str, Any] = attrs.field(factory=dict)
    begun: list[str] = attrs.field(factory=list)

    def __call__(self, event: Event) -> None:
        """Remember a step, and its result if it has ended."""
        if self.begun[-1:] != [event.step]:
            self.begun.append(event.step)
        if event.state in {"finished", "resumed"} and event.result is not None:
            self.results[event.step] = event.result


class PipelineDisplay:
    """Shows the steps of one pipeline: pass it as ``progress=``, and use it with ``with``.

    A line ends with its step, or when an event of another step arrives.

    Args:
        steps: The display of all steps.
        done: Remembers the steps, if the command needs them afterwards.
    """

    def __init__(self, steps: StepDisplay, done: DoneSteps | None = None) -> None:
        self._steps = steps
        self._done = DoneSteps() if done is None else done
        self._place: tuple[str, int | None] = ("", None)
        self._line: StepLine | None = None
        self._seen: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Update the lines."""
        self._done(event)
        line = self._line_of(event)
        if event.state in {"finished", "resumed", "waiting"}:
            line.detail, line.share = detail_of(event.step, event.result)
        if event.state == "resumed":
            done = _("done by an earlier run")
            both = _("{text} ({detail})").format(text=line.detail, detail=done)
            line.detail = both if line.detail else done
        if event.state == "failed":
            line.detail = str(event.result)
            self.end("failed")
        elif event.state in {"finished", "resumed"}:
            self.end()

    def _line_of(self, event: Event) -> StepLine:
        """Return the open line if it belongs to the step of an event, else a new line."""
        if self._line is None or self._place != (event.step, event.part):
            self.end()
            self._place = event.step, event.part
            self._line = self._steps.begin(_title_of(event, again=event.step in self._seen))
            self._seen.add(event.step)
        return self._line

    def end(self, state: StepLineState = "done") -> None:
        """End the open line."""
        if self._line is not None:
            self._steps.end(self._line, state)
            self._line = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, *_: object) -> None:
        self.end("failed" if exc_type else "done")


def _title_of(event: Event, *, again: bool) -> str:
    """Return the title of a step, with its number and its part.

    A pipeline of a report checks the report before the export, and polls it afterwards.
    """
    title = _titles().get(event.step, event.step.replace("_", " ").capitalize())
    if again and event.step == "get_report_state":
        title = _("Wait for the report")
    if event.pipeline == "call_off" and event.step == "get_status":
        title = _("Wait until it stops") if again else _("Read the state")
    if event.part is not None:
        title = _("{title}, part {part}/{parts}").format(
            title=title, part=event.part, parts=event.parts
        )
    return title if event.number is None else f"{event.number}/{event.steps} {title}"


def step_name(step: str) -> str:
    """Return the name of a step: in English as programs know it, and its title in 中文."""
    return _titles().get(step, step) if is_chinese() else step


def _titles() -> Mapping[str, str]:
    return {
        "check_contacts": _("Check the contacts"),
        "create_list": _("Create the list"),
        "delete_campaigns": _("Delete the campaign"),
        "download_files": _("Download the report"),
        "export_report": _("Request the report"),
        "find_earlier": _("Find an earlier send"),
        "find_finished": _("Wait until it is sent"),
        "find_list": _("Check the list"),
        "find_lists": _("Search for the list"),
        "find_sent": _("Look for the campaign"),
        "get_balance": _("Check the balance"),
        "count_subscribers": _("Count the subscribers"),
        "get_import": _("Import the contacts"),
        "get_metrics": _("Read the numbers"),
        "get_report_state": _("Check the report"),
        "get_status": _("Wait until it is sent"),
        "hold_until": _("Set the end of the hold"),
        "import_text": _("Send the contacts"),
        "pause_campaign": _("Pause the campaign"),
        "submit": _("Submit the campaign"),
        "upload_file": _("Upload the file"),
        "wait_for_other": _("Wait for another run"),
    }


def detail_of(step: str, result: object) -> Detail:
    """Return the result of a step in a few words, or the progress of an upload or a download."""
    if isinstance(result, dict) and "of_bytes" in result:
        return _of_bytes(result["bytes"], result["of_bytes"])
    if step in _DETAILS:
        return _DETAILS[step](result)
    return (result if isinstance(result, str) else "", None)


def _of_bytes(moved: int, total: int | None) -> Detail:
    if not total:
        return _("{bytes:,} bytes").format(bytes=moved), None
    text = _("{bytes:,} of {total:,} bytes").format(bytes=moved, total=total)
    return text, moved / total


def _of_check(result: Any) -> Detail:
    rows = (result or {}).get("rows", 0)
    return ngettext("{rows:,} row", "{rows:,} rows", rows).format(rows=rows), None


def _of_import(result: Any) -> Detail:
    """Describe an import; None if the platform does not return it yet."""
    rows, inserted, rejected = (
        (result or {}).get(name) or 0 for name in ("file_count", "inserted", "errors")
    )
    if not rows:
        return _("waiting"), None
    text = _("{inserted:,} of {rows:,} rows").format(inserted=inserted, rows=rows)
    if rejected:
        text += _(", {rejected:,} rejected").format(rejected=rejected)
    return text, inserted / rows


def _of_files(result: Any) -> Detail:
    """Describe the files of a report; None if the platform does not list them yet."""
    if not result:
        return _("no files yet"), None
    files = len(result)
    text = ngettext("{files} file", "{files} files", files).format(files=files)
    size_bytes = sum(file.get("size_bytes", 0) for file in result)
    if size_bytes:
        text += _(", {bytes:,} bytes").format(bytes=size_bytes)
    return text, None


def _of_lists(lists: Any) -> Detail:
    found = len(lists or ())
    if not found:
        return _("none with this name"), None
    return _("{found} with this name").format(found=found), None


def _of_upload(import_sn: Any) -> Detail:
    if not import_sn:
        return _("waiting"), None
    return _("import {import_sn}").format(import_sn=import_sn), None


def _of_status(status: Any) -> Detail:
    """Describe the state of a campaign, or its time if it is not sent yet."""
    state = (status or {}).get("state", "")
    scheduled = (status or {}).get("scheduled")
    if not scheduled or state not in {"DRAFT", "PREPARE", "PREPARE_TO_SENT"}:
        return state, None
    return _("scheduled for {time}").format(time=_local(scheduled)), None


def _of_hold(until: Any) -> Detail:
    return ("" if until is None else _("until {time}").format(time=_local(until))), None


def _local(instant: str) -> str:
    local = datetime.fromisoformat(instant).astimezone()
    zone = local.isoformat()[-6:] if local.utcoffset() else "UTC"
    return f"{local:%Y-%m-%d %H:%M:%S} {zone}"


def _of_earlier(campaign: Any) -> Detail:
    if campaign is None:
        return _("none"), None
    return _("campaign {campaign_sn}").format(campaign_sn=campaign["sn"]), None


def _of_balance(balance: Any) -> Detail:
    mails = (balance or {}).get("mails")
    if mails is None:
        return _("unknown"), None
    return ngettext("{mails:,} mail", "{mails:,} mails", mails).format(mails=mails), None


def _of_submit(campaign_sn: Any) -> Detail:
    """Return the campaign; a call-off that has only looked for it in the record has none."""
    text = _("campaign {campaign_sn}").format(campaign_sn=campaign_sn)
    return "" if campaign_sn is None else text, None


_DETAILS: Final[Mapping[str, Callable[[Any], Detail]]] = {
    "check_contacts": _of_check,
    "create_list": lambda list_sn: (_("list {list_sn}").format(list_sn=list_sn), None),
    "download_files": _of_files,
    "find_earlier": _of_earlier,
    "find_lists": _of_lists,
    "get_balance": _of_balance,
    "get_import": _of_import,
    "get_report_state": _of_files,
    "get_status": _of_status,
    "hold_until": _of_hold,
    "import_text": _of_upload,
    "submit": _of_submit,
    "upload_file": _of_upload,
}
