"""A pipeline's events as steps on the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Self

from newsleopard_async.cli.steps import Step, Steps
from newsleopard_async.workflows import Event

__all__ = ["Watcher"]

Detail = tuple[str, float | None]
"""What to say of a step, and how much of it is done."""


class Watcher:
    """Shows one pipeline: give it as ``progress=`` and end it with ``with``.

    A step that is repeated, as a poll is, keeps one line. Its line ends when the next step
    begins, because only the pipeline knows which look was the last.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._name = ""
        self._line: Step | None = None
        self._seen: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Bring the lines up to date."""
        if self._line is None or event.step != self._name:
            self.end()
            self._name = event.step
            self._line = self._steps.begin(title_of(event.step, again=event.step in self._seen))
            self._seen.add(event.step)
        if event.state in {"finished", "waiting"}:
            self._line.detail, self._line.share = detail_of(event.step, event.result)
        elif event.state == "failed":
            self._line.detail = str(event.result)
            self.end("failed")

    def end(self, state: str = "done") -> None:
        """End the line that is open."""
        if self._line is not None:
            self._steps.end(self._line, state)
            self._line = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, *_: object) -> None:
        self.end("failed" if exc_type else "done")


def title_of(step: str, *, again: bool = False) -> str:
    """Say a step's name as a person would; coming back to a step may be a job of its own."""
    title = _TITLES.get(step, step.replace("_", " ").capitalize())
    return _TITLES_AGAIN.get(step, title) if again else title


def detail_of(step: str, result: object) -> Detail:
    """Say what a step gave, in a few words."""
    if step in _DETAILS:
        return _DETAILS[step](result)
    return (result if isinstance(result, str) else "", None)


def _of_import(result: Any) -> Detail:
    """Describe an import, which the platform may not know yet."""
    rows, inserted, rejected = (
        (result or {}).get(name) or 0 for name in ("file_count", "inserted", "errors")
    )
    if not rows:
        return "waiting", None
    tail = f", {rejected:,} rejected" if rejected else ""
    return f"{inserted:,} of {rows:,} rows{tail}", inserted / rows


def _of_files(result: Any) -> Detail:
    size_bytes = sum(file.get("size_bytes", 0) for file in result)
    tail = f", {size_bytes:,} bytes" if size_bytes else ""
    return f"{len(result)} files{tail}" if result else "no files yet", None


_TITLES: Final = {
    "create_list": "Create the list",
    "download_files": "Download the report",
    "export_report": "Ask for the report",
    "find_lists": "Look for the list",
    "get_import": "Import the contacts",
    "get_report_state": "Look at the report",
    "submit": "Submit the campaign",
    "upload_file": "Upload the file",
}

_TITLES_AGAIN: Final = {"get_report_state": "Wait for the report"}
"""A pipeline looks at the report before the export, and then until something changes."""

_DETAILS: Final[dict[str, Callable[[Any], Detail]]] = {
    "create_list": lambda list_sn: (f"list {list_sn}", None),
    "download_files": _of_files,
    "find_lists": lambda lists: (f"{len(lists) or 'none'} of this name", None),
    "get_import": _of_import,
    "get_report_state": _of_files,
    "submit": lambda campaign_sn: (f"campaign {campaign_sn}", None),
    "upload_file": lambda import_sn: (f"import {import_sn}", None),
}
