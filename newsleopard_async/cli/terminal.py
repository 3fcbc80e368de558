"""Steps on a terminal, and the events of a pipeline as such steps.

A step is one line, which moves if the terminal can, and is printed once if not.
"""

from __future__ import annotations

import codecs
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
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
_MARKS: Final = {"done": "✓", "failed": "✗"}
_PLAIN_MARKS: Final = {"done": "+", "failed": "x"}
"""For consoles that are not UTF-8: an escape would not fit the column."""
_STYLES: Final = {"done": "green", "failed": "red"}


def safe_text(text: str, style: str = "") -> Text:
    """Return a text for the terminal, which obeys nothing in it.

    Everything that is not ours goes through here: names of files, what is in them, what the
    server says. Neither escape sequences nor the markup of rich do anything.
    """
    return Text(shown(text), style=style)


def write_json(data: object) -> None:
    """Write data to the standard output as one line of JSON, which no terminal obeys.

    It is readable where the output is UTF-8, and plain ASCII with escapes anywhere else: a file
    that a console in Taiwan writes is CP950, and JSON is never that (RFC 8259, 8.1).
    """
    is_utf8 = codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"
    text = json.dumps(data, ensure_ascii=not is_utf8)
    # Such characters stand in strings alone, where JSON has an escape for each.
    safe = text if text.isprintable() else "".join(map(_json_character, text))
    click.echo(safe.encode() + b"\n", nl=False)


def _json_character(character: str) -> str:
    return character if shown(character) == character else json.dumps(character)[1:-1]


@attrs.define
class StepLine:
    """One line: what is being done, how far it is, and what came of it.

    Attributes:
        title: What is being done.
        detail: What there is to say about it now.
        share: How much is done, from 0 to 1, or None where that is not known.
    """

    title: str
    detail: str = ""
    share: float | None = None
    state: str = "running"
    started: float = attrs.field(factory=time.monotonic)
    ended: float | None = None

    @property
    def seconds(self) -> float:
        """How long it has taken so far, or took."""
        return (self.ended or time.monotonic()) - self.started

    def end(self, state: str) -> None:
        """Stop the watch."""
        self.state = state
        self.ended = time.monotonic()


class StepDisplay:
    """The steps of one command, shown as they happen.

    Use it with ``with``. On a terminal the lines are redrawn in place; into a file or a pipe
    each is written once, when it ends.
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

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    @contextmanager
    def step(self, title: str) -> Iterator[StepLine]:
        """Show a step for as long as the block runs; what the block raises marks it failed."""
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
        """Lay out lines that leave room for the ``^C`` which a terminal shows.

        At the end of a full line it would wrap, and the lines be redrawn one too low.
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
    """Say what is known of a step, after a bar while it runs."""
    if step.share is None or step.state != "running":
        return safe_text(step.detail, "dim")
    done = round(min(1.0, step.share) * _BAR_COLUMNS)
    return Text.assemble(
        ("━" * done, "cyan"),
        ("━" * (_BAR_COLUMNS - done), "bright_black"),
        f" {shown(step.detail)}",
    )


Detail = tuple[str, float | None]
"""What to say of a step, and how much of it is done."""


class PipelineDisplay:
    """Shows one pipeline: give it as ``progress=`` and end it with ``with``.

    A step is a line, which ends with it. A wait may have been shown before under the name of
    another step: that line ends, too.
    """

    def __init__(self, steps: StepDisplay) -> None:
        self._steps = steps
        self._name = ""
        self._line: StepLine | None = None
        self._seen: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Bring the lines up to date."""
        if self._line is None or event.step != self._name:
            self.end()
            self._name = event.step
            place = "" if event.number is None else f"{event.number}/{event.steps} "
            title = title_of(event.step, again=event.step in self._seen)
            self._line = self._steps.begin(place + title)
            self._seen.add(event.step)
        if event.state in {"finished", "waiting"}:
            self._line.detail, self._line.share = detail_of(event.step, event.result)
            if event.state == "finished":
                self.end()
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
    """Say what a step gave, in a few words, or how far an upload or a download is."""
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
    """Describe an import, which the platform may not know yet."""
    rows, inserted, rejected = (
        (result or {}).get(name) or 0 for name in ("file_count", "inserted", "errors")
    )
    if not rows:
        return "waiting", None
    tail = f", {rejected:,} rejected" if rejected else ""
    return f"{inserted:,} of {rows:,} rows{tail}", inserted / rows


def _of_files(result: Any) -> Detail:
    """Describe files, which the platform may refuse to name yet."""
    size_bytes = sum(file.get("size_bytes", 0) for file in result or ())
    tail = f", {size_bytes:,} bytes" if size_bytes else ""
    return f"{len(result)} files{tail}" if result else "no files yet", None


_TITLES: Final = {
    "create_list": "Create the list",
    "download_files": "Download the report",
    "export_report": "Ask for the report",
    "find_list": "Look at the list",
    "find_lists": "Look for the list",
    "get_balance": "Look at the balance",
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
    "find_lists": lambda lists: (f"{len(lists or ()) or 'none'} of this name", None),
    "get_import": _of_import,
    "get_report_state": _of_files,
    "submit": lambda campaign_sn: (f"campaign {campaign_sn}", None),
    "upload_file": lambda import_sn: (f"import {import_sn}" if import_sn else "waiting", None),
}
