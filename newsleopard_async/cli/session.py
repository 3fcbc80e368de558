"""What a command works with: its consoles, the form of its output, and the account's client."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import attrs
from rich.console import Console

from newsleopard_async import NewsLeopard
from newsleopard_async.cli.accounts.profiles import Profile, chosen_profile
from newsleopard_async.cli.display.line_breaks import WideConsole
from newsleopard_async.cli.display.log_notices import show_log
from newsleopard_async.cli.ending_signals import noticing_interrupts
from newsleopard_async.cli.run_commands import RunCommands, shell_quote
from newsleopard_async.cli.runs.locations import (
    URL_VARIABLE,
    SendsLocation,
    has_password,
    open_location,
    store_of,
)
from newsleopard_async.stores import Store

if TYPE_CHECKING:
    from newsleopard_async.cli.display.pipeline_display import DoneSteps, PipelineDisplay
    from newsleopard_async.cli.display.step_display import StepDisplay

__all__ = ["Session"]

T = TypeVar("T")


@attrs.define(slots=False)
class Session:
    """One run of a command.

    Attributes:
        as_json: Whether the output is JSON, for programs.
        profile_name: The value of ``--profile``; None for the default.
        console: The standard output, for results.
        errors: The standard error, for progress, questions and errors.
        shown_findings: The messages of findings that were shown; the library also logs them.
    """

    as_json: bool = False
    profile_name: str | None = None
    console: Console = attrs.field(factory=lambda: WideConsole(highlight=False))
    errors: Console = attrs.field(factory=lambda: WideConsole(stderr=True, highlight=False))
    shown_findings: set[str] = attrs.field(factory=set)

    def __attrs_post_init__(self) -> None:
        """Show from now on what the library logs for a person."""
        show_log(self.errors, as_json=self.as_json, known=self.shown_findings)

    @cached_property
    def profile(self) -> Profile:
        """The account and its settings.

        Raises:
            ConfigurationError: the file of profiles cannot be read, or has no such profile.
        """
        return chosen_profile(self.profile_name)

    def client(self, store: Store | None = None) -> NewsLeopard:
        """Return a client of the account.

        Args:
            store: The store of runs; None for the profile's.

        Raises:
            ConfigurationError: the key is missing, or a setting cannot be used.
        """
        profile = self.profile
        settings: dict[str, Any] = {}
        if profile.quota is not None:
            settings["quota"] = profile.quota
        if store is not None:
            settings["store"] = store
        elif profile.store is not None:
            settings["store"] = store_of(profile.store)
        return NewsLeopard(
            profile.api_key(),
            base_url=profile.base_url,
            allow_http=profile.allow_http,
            rate_limits=profile.limits,
            **settings,
        )

    def sends(self, url: str | None = None) -> AbstractAsyncContextManager[SendsLocation]:
        """Open the store of the runs: the one at a URL, else the profile's.

        Raises: as `open_location`, and `profile`.
        """
        return open_location(url or self.profile.store)

    def commands(self, target: str, url: str | None = None) -> RunCommands:
        """Return the commands about a run, with the profile and the store of this command.

        Args:
            target: The send key, or the path of the checkpoint.
            url: The URL of the store; None for the profile's. It is not shown if it has a password,
                or is in the variable.
        """
        options = []
        if self.profile.name:
            options.append(f"--profile {shell_quote(self.profile.name)}")
        if url not in (None, os.environ.get(URL_VARIABLE)) and not has_password(url):
            options.append(f"--url {shell_quote(url)}")
        return RunCommands(target, tuple(options))

    def step_display(self) -> StepDisplay:
        """Return the display of long work on the standard error; programs get nothing."""
        # Loaded when it is used: many commands have no long work.
        from newsleopard_async.cli.display.step_display import StepDisplay

        return StepDisplay(self.errors, only_live=self.as_json)

    @contextmanager
    def pipeline_display(self, done: DoneSteps | None = None) -> Iterator[PipelineDisplay]:
        """Show the steps of one pipeline during the block; pass it as ``progress=``.

        Args:
            done: Remembers the steps, for what is said after an interruption.
        """
        from newsleopard_async.cli.display.pipeline_display import PipelineDisplay

        with self.step_display() as steps, PipelineDisplay(steps, done) as display:
            yield display

    def run(self, work: Callable[[NewsLeopard], Awaitable[T]]) -> T:
        """Run an async function with a client of the account, and close the client.

        Ctrl-C: as `run_async`.
        """

        async def run() -> T:
            async with self.client() as nl:
                return await work(nl)

        return self.run_async(run)

    def run_async(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run an async function, which opens a client if it needs one.

        After Ctrl-C the function is cancelled, and `KeyboardInterrupt` is raised when it has ended;
        if that takes long, a notice says what it waits for.
        """

        async def run() -> T:
            is_for_people = self.errors.is_terminal or not self.as_json
            with noticing_interrupts(self.errors) if is_for_people else nullcontext():
                return await work()

        return anyio.run(run)
