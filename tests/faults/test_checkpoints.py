"""A checkpoint records the completed steps, and a resumed run repeats none of them."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from newsleopard_async import (
    ConnectionFailed,
    ImportFailed,
    ImportIncomplete,
    NewsLeopard,
    NewsLeopardError,
    OutcomeUnknown,
    workflows,
)
from newsleopard_async.errors import DeadlineExceeded, StorageError, UnexpectedResponse
from newsleopard_async.models import Polling
from newsleopard_async.workflows import Checkpoint
from tests.clients import checkpoint_of
from tests.constants import LIST_NAME
from tests.faults.sending import (
    alone,
    is_done,
    send,
)
from tests.faults.world import FEW, MANY, RunStore, World, csv_of


def test_complete_run_is_not_run_again(at: World) -> None:
    """Running again gives the same outcome, without a request."""
    first = send(at)
    count = len(at.emulator.requests)

    second = send(at)

    assert second == first
    assert len(at.emulator.requests) == count


def test_only_what_is_missing_is_done(at: World) -> None:
    """After a failed submit, only the submit is left; the balance is read again."""
    at.emulator.not_sent("submit_campaign", times=5)
    with pytest.raises(ConnectionFailed):
        send(at)
    count = len(at.emulator.requests)

    send(at)

    assert [each.operation for each in at.emulator.requests[count:]] == [
        "get_balance",
        "submit_campaign",
    ]


def test_store_of_ones_own_is_used(at: World) -> None:
    """Anything that compares before it sets keeps runs."""
    store = RunStore()
    at.emulator.not_sent("submit_campaign", times=5)
    with pytest.raises(ConnectionFailed):
        send(at, store)

    send(at, store)

    assert at.emulator.submitted == 1
    assert at.emulator.count("import_text") == 1
    assert is_done(store.data)


def test_error_carries_a_checkpoint_that_goes_on(at: World) -> None:
    """Without a place for it, the checkpoint is in the error."""
    at.emulator.not_sent("submit_campaign", times=5)
    with pytest.raises(ConnectionFailed) as caught:
        send(at, None)

    send(at, caught.value.checkpoint)

    assert at.emulator.submitted == 1
    assert at.emulator.count("import_text") == 1


def test_rejected_rows_stop_the_send_until_allowed(at: World) -> None:
    """A person looks at the rejected rows, allows them, and only the submit is left."""
    contacts = csv_of(FEW) + ",ohne Adresse\n"
    with pytest.raises(ImportIncomplete) as caught:
        send(at, contacts=contacts, check=False)
    assert at.emulator.submitted == 0
    count = len(at.emulator.requests)

    send(at, contacts=contacts, max_rejected=1)

    assert caught.value.checkpoint is not None
    assert [each.operation for each in at.emulator.requests[count:]] == [
        "get_balance",
        "submit_campaign",
    ]


def test_end_of_an_import_is_kept_longer_than_by_the_platform(at: World) -> None:
    """The platform forgets an import after 30 days; a checkpoint does not."""
    contacts = csv_of(FEW) + ",ohne Adresse\n"
    with pytest.raises(ImportIncomplete):
        send(at, contacts=contacts, check=False)
    at.clock.advance(40 * 86_400)

    outcome = send(at, contacts=contacts, max_rejected=None)

    assert outcome.import_report.rejected_count == 1
    assert at.emulator.submitted == 1


def test_failed_import_is_made_anew(at: World) -> None:
    """A user can correct the cause of a failed import in the console, and then resume."""
    at.emulator.script_import("ERROR")
    with pytest.raises(ImportFailed):
        send(at)

    send(at)

    assert at.emulator.submitted == 1
    assert len(at.emulator.lists) == 1


def failing(at: World, operation: str, status: int) -> NewsLeopardError:
    """Let every request of an operation fail."""
    at.emulator.fail(operation, status=status, times=20)
    with pytest.raises(NewsLeopardError) as caught:
        send(at, contacts=csv_of(MANY))
    return caught.value


@pytest.mark.parametrize(
    "operation",
    ["list_lists", "create_list", "start_file_import", "upload", "get_import", "submit_campaign"],
)
@pytest.mark.parametrize("status", [400, 403, 500])
def test_every_error_carries_the_checkpoint(at: World, operation: str, status: int) -> None:
    """After any error, a caller can resume the pipeline from the error."""
    error = failing(at, operation, status)

    assert isinstance(error.checkpoint, Checkpoint)
    assert checkpoint_of(error).pipeline == "send_campaign"


def test_errors_of_exports_carry_it_too(at: World) -> None:
    """Storage, deadlines: all of them."""
    at.add_campaign()

    def export(nl: NewsLeopard, polling: Polling | None = None) -> Any:
        return workflows.export_report(
            nl, at.sn, download_to=at.downloads, polling=polling, checkpoint=at.checkpoint
        )

    with pytest.raises(DeadlineExceeded) as late:
        alone(at, partial(export, polling=Polling(deadline_s=1)))
    at.emulator.fail("download", status=404, times=20)
    with pytest.raises(StorageError) as refused:
        alone(at, export)
    done = alone(at, export)

    for error in (late.value, refused.value):
        assert checkpoint_of(error).pipeline == "export_report"
    assert done.files
    assert at.emulator.count("export_report") == 1


def test_time_that_passes_before_a_held_list_is_made_again(at: World) -> None:
    """A list that was not created is created two minutes later, and no earlier."""
    at.emulator.drop_request("create_list")
    with pytest.raises(OutcomeUnknown) as caught:
        send(at)
    assert caught.value.look_again_at == at.clock.now() + timedelta(minutes=2)
    at.clock.advance(60)
    with pytest.raises(OutcomeUnknown) as again:
        send(at)
    assert again.value.look_again_at == caught.value.look_again_at
    at.clock.advance(61)
    at.emulator.fail("list_lists", status=500, times=5)
    with pytest.raises(OutcomeUnknown) as failed:
        send(at)
    assert failed.value.look_again_at == at.clock.now()

    send(at)

    assert len(at.emulator.lists) == 1


BAD_CODES = ["a/b", "..", "a?b", "a b", "file", "\u202e", "a" * 201]


@pytest.mark.parametrize("code", BAD_CODES)
def test_list_whose_code_cannot_be_used_is_looked_up_and_then_made_anew(
    at: World, code: str
) -> None:
    """It was processed, so no run waits for it or uses its code again."""
    at.emulator.fail("create_list", status=200, body=json.dumps({"sn": code}).encode())
    with pytest.raises(OutcomeUnknown) as caught:
        send(at)
    assert caught.value.status == 200
    assert caught.value.look_again_at == at.clock.now()

    send(at)

    assert [each.name for each in at.emulator.lists] == [LIST_NAME]
    assert at.emulator.submitted == 1


def test_list_that_was_made_and_got_a_code_that_cannot_be_used_is_found(at: World) -> None:
    """By its name, as after a lost reply."""
    at.emulator.fail("create_list", status=200, body=b'{"sn":"a/b"}', processed=True)

    send(at)

    assert [each.name for each in at.emulator.lists] == [LIST_NAME]
    assert at.emulator.submitted == 1


@pytest.mark.parametrize("code", BAD_CODES[:4])
def test_campaign_whose_code_cannot_be_used_was_accepted(at: World, code: str) -> None:
    """It is kept as such, and never sent again."""
    at.emulator.fail("submit_campaign", status=200, body=json.dumps({"sn": code}).encode())
    for _ in range(2):
        assert send(at).campaign_sn == code
        at.clock.advance(86_400)

    assert at.emulator.count("submit_campaign") == 1


@pytest.mark.parametrize("operation", ["import_text", "start_file_import"])
def test_import_whose_code_cannot_be_used_is_made_again(at: World, operation: str) -> None:
    """An import may be repeated."""
    rows = FEW if operation == "import_text" else MANY
    body = json.dumps({"import_sn": "a b", "url": "https://storage.example/x"}).encode()
    at.emulator.fail(operation, status=200, body=body)
    with pytest.raises(UnexpectedResponse):
        send(at, contacts=csv_of(rows))

    send(at, contacts=csv_of(rows))

    assert at.emulator.submitted == 1
