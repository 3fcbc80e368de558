"""Shows the steps of long work, by ``rich.progress``.

A step is one line. A terminal redraws it while it runs; otherwise it is printed once, at its end.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, Literal, Self, cast

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress import Progress, ProgressColumn, Task
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Column, Table
from rich.text import Text

from newsleopard_async.cli.display.terminal import safe_text
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.disclosure import shown

__all__ = ["StepDisplay", "StepLine", "StepLineState"]

_BAR_COLUMNS: Final = 16
"""Chosen: leaves room for the numbers beside the bar on a terminal of 80 columns."""
_TITLE_COLUMNS: Final = 26
"""Chosen: the longest English title of a step has 25 columns."""
_WIDE_COLUMNS: Final = 72
"""Chosen: in fewer columns, a bar and the seconds would leave no room for the detail."""
_SOON_S: Final = 3
"""Chosen: a remaining time of 3 s or less is over before it is read."""

_MARKS: Final = {"done": "✓", "failed": "✗"}
_PLAIN_MARKS: Final = {"done": "+", "failed": "x"}
"""For consoles that are not UTF-8, because an escape would not fit into the column."""
_STYLES: Final = {"done": "green", "failed": "red"}

StepLineState = Literal["running", "done", "failed"]


class StepLine:
    """One line: a step, its progress, and its result.

    Attributes:
        title: The name of the step.
        detail: The progress or the result in words.
        state: ``running``, ``done`` or ``failed``.
    """

    def __init__(self, title: str, progress: Progress) -> None:
        self.title = title
        self.detail = ""
        self.state: StepLineState = "running"
        self._began_s = time.monotonic()
        self._ended_s: float | None = None
        self._progress = progress
        self._task = progress.add_task(title, total=None, line=self)

    @property
    def share(self) -> float | None:
        """The finished share, from 0 to 1, or None if it is unknown."""
        task = self._progress.tasks[self._task]
        return None if task.total is None else task.completed

    @share.setter
    def share(self, share: float | None) -> None:
        self._progress.update(self._task, completed=min(1.0, share or 0.0))
        # `update` cannot remove a total.
        self._progress.tasks[self._task].total = None if share is None else 1.0

    @property
    def seconds(self) -> float:
        """The duration so far, or the whole duration."""
        return (self._ended_s or time.monotonic()) - self._began_s

    @property
    def has_ended(self) -> bool:
        """Whether the step is done or failed."""
        return self._ended_s is not None

    def end(self, state: StepLineState) -> None:
        """Set the final state and the end of the duration."""
        self.state = state
        self._ended_s = time.monotonic()


class StepDisplay:
    """Shows the steps of one command; use it with ``with``.

    On a terminal the lines are redrawn in place. Into a file or a pipe, each is written at its end.

    Args:
        console: Where the steps are shown.
        only_live: Whether nothing is written if the console is not a terminal; for ``--json``.
    """

    def __init__(self, console: Console, *, only_live: bool = False) -> None:
        self._console = console
        self._is_live = console.is_interactive
        self._is_silent = only_live and not self._is_live
        self._progress = _StepProgress(
            _MarkColumn(is_plain=console.options.ascii_only),
            _TitleColumn(console),
            _DetailColumn(console),
            _SecondsColumn(),
            console=console,
            disable=not self._is_live,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

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
        return StepLine(title, self._progress)

    def end(self, step: StepLine, state: StepLineState = "done") -> None:
        """End a line; ending it twice changes nothing."""
        if step.has_ended:
            return
        step.end(state)
        if not (self._is_live or self._is_silent):
            self._console.print(self._line_of(step), soft_wrap=True)

    def _line_of(self, step: StepLine) -> Text:
        """Return an ended step as a line of any length."""
        title = shown(step.title)
        mark = _mark(step, is_plain=self._console.options.ascii_only)
        pad = " " * (_TITLE_COLUMNS - cell_len(title))
        seconds = Text(f" {step.seconds:.1f} s", "dim")
        detail = safe_text(step.detail, "dim") + (" " if step.detail else "")
        return Text.assemble(mark, " ", title, pad, " ", detail) + seconds

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw all lines; rich calls this."""
        yield self._progress


class _StepProgress(Progress):
    """Leaves room for the ``^C`` that a terminal shows.

    On a full line, ``^C`` would begin a new line, and the table would be redrawn one too low.
    """

    def __init__(self, *columns: ProgressColumn, console: Console, disable: bool) -> None:
        # The base class draws an empty table first.
        self._on = console
        super().__init__(*columns, console=console, disable=disable, expand=True)

    def make_tasks_table(self, tasks: Iterable[Task]) -> Table:
        """Return the table of all steps."""
        table = super().make_tasks_table(tasks)
        table.width = self._on.width - len("^C") - 1
        if not _is_wide(self._on):
            # The column of the seconds.
            table.columns.pop()
        return table


def _is_wide(console: Console) -> bool:
    return console.width >= _WIDE_COLUMNS


def _line(task: Task) -> StepLine:
    return cast("StepLine", task.fields["line"])


def _mark(step: StepLine, *, is_plain: bool) -> Text:
    marks = _PLAIN_MARKS if is_plain else _MARKS
    return Text(marks[step.state], style=_STYLES[step.state])


class _MarkColumn(ProgressColumn):
    """A spinner, then the mark of the end."""

    def __init__(self, *, is_plain: bool) -> None:
        super().__init__(table_column=Column(width=1))
        self._is_plain = is_plain
        self._spinner = Spinner("line" if is_plain else "dots", style="cyan")

    def render(self, task: Task) -> Spinner | Text:
        """Return the mark of a step."""
        step = _line(task)
        if step.state == "running":
            return self._spinner
        return _mark(step, is_plain=self._is_plain)


class _TitleColumn(ProgressColumn):
    """The name of the step."""

    def __init__(self, console: Console) -> None:
        super().__init__(table_column=Column(max_width=_TITLE_COLUMNS, no_wrap=True))
        self._console = console

    def render(self, task: Task) -> Text:
        """Return the title of a step; on a wide terminal, the details are in one column."""
        title = safe_text(_line(task).title)
        if _is_wide(self._console):
            title.pad_right(max(0, _TITLE_COLUMNS - title.cell_len))
        return title


class _DetailColumn(ProgressColumn):
    """The result in words; while the step runs and its share is known, after a bar."""

    def __init__(self, console: Console) -> None:
        super().__init__(table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"))
        self._console = console

    def render(self, task: Task) -> Text | Table:
        """Return the detail of a step."""
        step = _line(task)
        has_bar = task.total is not None and step.state == "running"
        if not (has_bar and _is_wide(self._console)):
            return safe_text(step.detail, "dim")
        row = Table.grid(padding=(0, 1))
        row.add_column(width=_BAR_COLUMNS)
        row.add_column(no_wrap=True, overflow="ellipsis")
        bar = ProgressBar(total=1.0, completed=task.completed, width=_BAR_COLUMNS)
        row.add_row(bar, safe_text(step.detail + _remaining(task)))
        return row


def _remaining(task: Task) -> str:
    left_s = task.time_remaining
    if left_s is None or left_s <= _SOON_S:
        return ""
    minutes, seconds = divmod(int(left_s), 60)
    if not minutes:
        return _(", {seconds} s left").format(seconds=seconds)
    return _(", {minutes} min left").format(minutes=minutes + 1)


class _SecondsColumn(ProgressColumn):
    """The duration."""

    def __init__(self) -> None:
        super().__init__(table_column=Column(width=7, justify="right", no_wrap=True))

    def render(self, task: Task) -> Text:
        """Return the duration of a step."""
        return Text(f"{_line(task).seconds:.1f} s", style="dim")
