"""Steps on a terminal: a line each, moving where the terminal can, printed once where not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import attrs
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

__all__ = ["Step", "Steps"]

_BAR_COLUMNS = 16


@attrs.define
class Step:
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


class Steps:
    """The steps of one command, shown as they happen.

    Use it with ``with``. On a terminal the lines are redrawn in place; into a file or a pipe
    each is written once, when it ends.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps: list[Step] = []
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
    def step(self, title: str) -> Iterator[Step]:
        """Show a step for as long as the block runs; what the block raises marks it failed."""
        step = self.begin(title)
        try:
            yield step
        except BaseException:
            self.end(step, "failed")
            raise
        self.end(step)

    def begin(self, title: str) -> Step:
        """Add a line."""
        step = Step(title)
        self._steps.append(step)
        return step

    def end(self, step: Step, state: str = "done") -> None:
        """End a line; ending it twice changes nothing."""
        if step.ended is not None:
            return
        step.end(state)
        if self._live is None:
            self._console.print(self._table([step], width=self._console.width))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw all lines; rich calls this."""
        yield self._table(self._steps, width=options.max_width - len("^C") - 1)

    def _table(self, steps: list[Step], *, width: int) -> Table:
        """Lay out lines that leave room for the ``^C`` which a terminal shows.

        At the end of a full line it would wrap, and the lines be redrawn one too low.
        """
        table = Table.grid(padding=(0, 1), expand=True)
        table.width = width
        table.add_column(width=1)
        table.add_column(width=22, no_wrap=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        table.add_column(width=6, justify="right", no_wrap=True)
        for step in steps:
            seconds = Text(f"{step.seconds:.1f} s", style="dim")
            table.add_row(self._mark(step), Text(step.title), _said(step), seconds)
        return table

    def _mark(self, step: Step) -> Spinner | Text:
        marks: dict[str, Callable[[], Spinner | Text]] = {
            "running": lambda: self._spinner,
            "done": lambda: Text("✓", style="green"),
            "failed": lambda: Text("✗", style="red"),
        }
        return marks[step.state]()


def _said(step: Step) -> Text:
    """Say what is known of a step, after a bar while it runs."""
    if step.share is None or step.state != "running":
        return Text(step.detail, style="dim")
    done = round(min(1.0, step.share) * _BAR_COLUMNS)
    return Text.assemble(
        ("━" * done, "cyan"), ("━" * (_BAR_COLUMNS - done), "bright_black"), f" {step.detail}"
    )
