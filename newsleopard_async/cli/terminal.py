"""Shows steps on a terminal, and the events of a pipeline as steps.

A step is one line. A terminal redraws it while it runs; otherwise it is printed once, at its end.
"""

from __future__ import annotations

import codecs
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Self

import attrs
import click
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from newsleopard_async.disclosure import shown
from newsleopard_async.workflows import Event

__all__ = ["PipelineDisplay", "StepDisplay", "StepLine", "safe_text", "write_json"]

_BAR_COLUMNS = 16
"""Chosen: leaves room for the numbers beside the bar on a terminal of 80 columns."""
_MARKS: Final = {"done": "✓", "failed": "✗"}
_PLAIN_MARKS: Final = {"done": "+", "failed": "x"}
"""For consoles that are not UTF-8, because an escape would not fit into the column."""
_STYLES: Final = {"done": "green", "failed": "red"}


def safe_text(text: str, style: str = "") -> Text:
    """Return a text without effect on the terminal: escape sequences and rich's markup are shown.

    All foreign text must be passed through this function: names and content of files, and answers
    of the server.
    """
    return Text(shown(text), style=style)


def write_json(data: object) -> None:
    """Write data to the standard output as one line of JSON without effect on a terminal.

    It has readable characters if the output is UTF-8, and ASCII with escapes otherwise: a console
    in Taiwan writes files in CP950, and JSON must be UTF-8 (RFC 8259, 8.1).
    """
    is_utf8 = codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"
    text = json.dumps(data, ensure_ascii=not is_utf8)
    # Unprintable characters occur only in strings, in which JSON has an escape for each.
    safe = text if text.isprintable() else "".join(map(_json_character, text))
    click.echo(safe.encode() + b"\n", nl=False)


def _json_character(character: str) -> str:
    return character if shown(character) == character else json.dumps(character)[1:-1]


@attrs.define
class StepLine:
    """One line: a step, its progress, and its result.

    Attributes:
        title: The name of the step.
        detail: The progress or the result in words.
        share: The finished share, from 0 to 1, or None if it is unknown.
        state: ``running``, ``done`` or ``failed``.
    """

    title: str
    detail: str = ""
    share: float | None = None
    state: str = "running"
    started: float = attrs.field(factory=time.monotonic)
    ended: float | None = None

    @property
    def seconds(self) -> float:
        """The duration so far, or the whole duration."""
        return (self.ended or time.monotonic()) - self.started

    def end(self, state: str) -> None:
        """Set the final state and the end of the duration."""
        self.state = state
        self.ended = time.monotonic()


class StepDisplay:
    """Shows the steps of one command; use it with ``with``.

    On a terminal the lines are redrawn in place. Into a file or a pipe, each is written at its end.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps: list[StepLine] = []
        self._spinner = Spinner("dots", style="cyan")
        self._live = (
            Live(self, console=console, refresh_per_second=12) if console.is_terminal else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    @contextmanager
    def step(self, title: str) -> Iterator[StepLine]:
        """Show a step while the block runs; an exception marks it as failed."""
        step = self.begin(title)
        try:
            yield step
        except BaseException:
            self.end(step, "failed")
            raise
        self.end(step)

    def begin(self, title: str) -> StepLine:
        """Add a line."""
        step = StepLine(title)
        self._steps.append(step)
        return step

    def end(self, step: StepLine, state: str = "done") -> None:
        """End a line; ending it twice changes nothing."""
        if step.ended is not None:
            return
        step.end(state)
        if self._live is None:
            self._console.print(self._table([step], width=self._console.width))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw all lines; rich calls this."""
        yield self._table(self._steps, width=options.max_width - len("^C") - 1)

    def _table(self, steps: list[StepLine], *, width: int) -> Table:
        """Return a table that leaves room for the ``^C`` that a terminal shows.

        On a full line, ``^C`` would begin a new line, and the table would be redrawn one too low.
        """
        table = Table.grid(padding=(0, 1), expand=True)
        table.width = width
        table.add_column(width=1)
        table.add_column(width=26, no_wrap=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        table.add_column(width=6, justify="right", no_wrap=True)
        for step in steps:
            seconds = Text(f"{step.seconds:.1f} s", style="dim")
            table.add_row(self._mark(step), safe_text(step.title), _detail(step), seconds)
        return table

    def _mark(self, step: StepLine) -> Spinner | Text:
        if step.state == "running":
            return self._spinner
        marks = _PLAIN_MARKS if self._console.options.ascii_only else _MARKS
        return Text(marks[step.state], style=_STYLES[step.state])


def _detail(step: StepLine) -> Text:
    """Return the detail of a step, after a bar while the step runs."""
    if step.share is None or step.state != "running":
        return safe_text(step.detail, "dim")
    done = round(min(1.0, step.share) * _BAR_COLUMNS)
    return Text.assemble(
        ("━" * done, "cyan"),
        ("━" * (_BAR_COLUMNS - done), "bright_black"),
        f" {shown(step.detail)}",
    )


Detail = tuple[str, float | None]
"""The detail of a step, and the finished share."""


class PipelineDisplay:
    """Shows the steps of one pipeline: pass it as ``progress=``, and use it with ``with``.

    A line ends with its step, or when an event of another step arrives.
    """

    def __init__(self, steps: StepDisplay) -> None:
        self._steps = steps
        self._name = ""
        self._line: StepLine | None = None
        self._seen: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Update the lines."""
        if self._line is None or event.step != self._name:
            self.end()
            self._name = event.step
            number = "" if event.number is None else f"{event.number}/{event.steps} "
            title = title_of(event.step, again=event.step in self._seen)
            self._line = self._steps.begin(number + title)
            self._seen.add(event.step)
        if event.state in {"finished", "waiting"}:
            self._line.detail, self._line.share = detail_of(event.step, event.result)
            if event.state == "finished":
                self.end()
        elif event.state == "failed":
            self._line.detail = str(event.result)
            self.end("failed")

    def end(self, state: str = "done") -> None:
        """End the open line."""
        if self._line is not None:
            self._steps.end(self._line, state)
            self._line = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, *_: object) -> None:
        self.end("failed" if exc_type else "done")


def title_of(step: str, *, again: bool = False) -> str:
    """Return the title of a step; a step that is repeated can have another title."""
    title = _TITLES.get(step, step.replace("_", " ").capitalize())
    return _TITLES_AGAIN.get(step, title) if again else title


def detail_of(step: str, result: object) -> Detail:
    """Return the result of a step in a few words, or the progress of an upload or a download."""
    if isinstance(result, dict) and "of_bytes" in result:
        return _of_bytes(result["bytes"], result["of_bytes"])
    if step in _DETAILS:
        return _DETAILS[step](result)
    return (result if isinstance(result, str) else "", None)


def _of_bytes(moved: int, total: int | None) -> Detail:
    if not total:
        return f"{moved:,} bytes", None
    return f"{moved:,} of {total:,} bytes", moved / total


def _of_import(result: Any) -> Detail:
    """Describe an import; None if the platform does not return it yet."""
    rows, inserted, rejected = (
        (result or {}).get(name) or 0 for name in ("file_count", "inserted", "errors")
    )
    if not rows:
        return "waiting", None
    tail = f", {rejected:,} rejected" if rejected else ""
    return f"{inserted:,} of {rows:,} rows{tail}", inserted / rows


def _of_files(result: Any) -> Detail:
    """Describe the files of a report; None if the platform does not list them yet."""
    size_bytes = sum(file.get("size_bytes", 0) for file in result or ())
    tail = f", {size_bytes:,} bytes" if size_bytes else ""
    return f"{len(result)} files{tail}" if result else "no files yet", None


_TITLES: Final = {
    "create_list": "Create the list",
    "download_files": "Download the report",
    "export_report": "Request the report",
    "find_list": "Check the list",
    "find_lists": "Search for the list",
    "get_balance": "Check the balance",
    "get_import": "Import the contacts",
    "get_report_state": "Check the report",
    "submit": "Submit the campaign",
    "upload_file": "Upload the file",
}


_TITLES_AGAIN: Final = {"get_report_state": "Wait for the report"}
"""A pipeline checks the report before the export, and polls it afterwards."""


_DETAILS: Final[dict[str, Callable[[Any], Detail]]] = {
    "create_list": lambda list_sn: (f"list {list_sn}", None),
    "download_files": _of_files,
    "find_lists": lambda lists: (f"{len(lists or ()) or 'none'} with this name", None),
    "get_import": _of_import,
    "get_report_state": _of_files,
    "submit": lambda campaign_sn: (f"campaign {campaign_sn}", None),
    "upload_file": lambda import_sn: (f"import {import_sn}" if import_sn else "waiting", None),
}
