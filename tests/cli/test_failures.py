"""How a command ends: the exit status of each error, which a program acts on."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from click.testing import CliRunner

from newsleopard_async import errors
from newsleopard_async.cli.command_line import newsleopard
from newsleopard_async.cli.display.output_streams import OutputFailed
from newsleopard_async.cli.failures import failure_of
from tests.cli.test_library_messages import ERRORS

STATUS: Mapping[type[errors.NewsLeopardError], int] = {
    errors.ConfigurationError: 2,
    errors.InvalidRequest: 1,
    errors.InUse: 6,
    errors.ConnectionFailed: 5,
    errors.OutcomeUnknown: 3,
    errors.RateLimited: 4,
    errors.DailyQuotaExhausted: 4,
    errors.AuthenticationError: 1,
    errors.FieldError: 1,
    errors.SenderNotVerified: 1,
    errors.InsufficientBalance: 1,
    errors.CampaignNotReportable: 1,
    errors.NotOffered: 1,
    errors.ServerError: 5,
    errors.APIError: 1,
    errors.UnexpectedResponse: 5,
    errors.StorageError: 5,
    errors.ImportFailed: 1,
    errors.ImportIncomplete: 1,
    errors.CampaignFailed: 1,
    errors.DeadlineExceeded: 6,
}
"""The statuses of the table in the documentation of the command line."""


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_error_has_its_exit_status(error: errors.NewsLeopardError) -> None:
    """A program repeats the same command after 4, 5 and 6, and never after 3."""
    assert failure_of(error).status == STATUS[type(error)]


@pytest.mark.parametrize(
    ("error", "status"),
    [(OSError("no"), 2), (OutputFailed(OSError("no")), 6), (KeyboardInterrupt(), 130)],
)
def test_error_of_the_system_has_its_exit_status(error: BaseException, status: int) -> None:
    """It is neither a refusal nor the fault of the platform."""
    assert failure_of(error).status == status


def test_argument_steers_no_terminal_from_the_json_of_an_error() -> None:
    """A message of click contains the argument, and a program can print it."""
    result = CliRunner().invoke(newsleopard, ["timezones", "a", "\x1b[2J", "--json"])

    assert result.exit_code == 2
    assert r"\x1b[2J" in json.loads(result.stderr)["error"]["message"]
