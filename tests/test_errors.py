"""The errors are a tree, have the same attributes in other processes, and are documented."""

from __future__ import annotations

import inspect
import pickle
import re
from datetime import UTC, datetime

import pytest

from newsleopard_async import CampaignSn, CampaignState, CampaignStatus, errors

ERRORS = [
    errors.ConfigurationError("no key"),
    errors.InvalidRequest.of("lists", "required", "name one"),
    errors.InUse("another run is using it"),
    errors.ConnectionFailed("no way", reason="dns", host="api.example.com"),
    errors.OutcomeUnknown(
        "unknown",
        request="POST /v1/x",
        status=403,
        excerpt="<html>",
        look_again_at=datetime.now(UTC),
    ),
    errors.DailyQuotaExhausted("gone", retry_after_s=1.5, resets_at=datetime.now(UTC)),
    errors.FieldError("no", status=400, code=40001, invalid_fields={"form.name": ("NotNull",)}),
    errors.InsufficientBalance("no", status=400, code=40012, recipients=2, remaining=1),
    errors.UnexpectedResponse("what", status=200, excerpt="<html>"),
    errors.StorageError("refused", status=403, expired=True),
    errors.NotOffered("none", status=404),
    errors.CampaignFailed(
        "stopped", status=CampaignStatus(sn=CampaignSn("c"), state=CampaignState.STOP)
    ),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_error_crosses_processes_with_its_facts(error: errors.NewsLeopardError) -> None:
    """A worker's error arrives at its caller with every attribute."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.__dict__ == error.__dict__


def test_every_error_stands_in_the_tree_of_the_module() -> None:
    """The tree at the head of the module names each class, under its parent."""
    classes = [
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, errors.NewsLeopardError)
    ]
    lines = re.findall(r"^([ │├└─]*)(\w+)(?: .*)?$", errors.__doc__ or "", re.MULTILINE)
    depth = {name: len(indent) // 4 for indent, name in lines}

    for each in classes:
        mro = [base for base in each.__mro__ if base in classes]
        assert depth[each.__name__] - depth["NewsLeopardError"] == len(mro) - 1, each


def test_invalid_request_is_a_value_error_with_all_problems() -> None:
    """`except ValueError` also catches it, and its text names every field."""
    error = errors.InvalidRequest(
        [errors.Problem("a", "required", "is missing"), errors.Problem("b", "type", "is text")]
    )

    assert isinstance(error, ValueError)
    assert [problem.field for problem in error.problems] == ["a", "b"]
    assert str(error) == "a: is missing; b: is text"


def field_error(fields: int, rules: int = 1, omitted: int = 0) -> errors.FieldError:
    """Create an error with this number of fields."""
    invalid = {f"f{number}": tuple(f"R{rule}" for rule in range(rules)) for number in range(fields)}
    return errors.FieldError("no", status=400, invalid_fields=invalid, omitted_fields=omitted)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (field_error(0), "no"),
        (field_error(2, 0), "no; f0; f1"),
        (field_error(2, 2), "no; f0: R0, R1; f1: R0, R1"),
        (field_error(1, 9), "no; f0: R0, R1, R2, R3, R4"),
        (field_error(7), "no; f0: R0; f1: R0; f2: R0; f3: R0; f4: R0; and 2 more"),
        (field_error(1, omitted=3), "no; f0: R0; and 3 more"),
    ],
)
def test_text_of_a_field_error_names_its_fields(error: errors.FieldError, expected: str) -> None:
    """It shows the first fields, and the number of the other ones."""
    assert str(error) == expected


@pytest.mark.parametrize(
    ("recipients", "remaining", "expected"),
    [
        (1200, 50, "no (1200 mails to send, 50 left)"),
        (None, 0, "no (0 left)"),
        (1200, None, "no (1200 mails to send)"),
        (None, None, "no"),
    ],
)
def test_text_of_an_insufficient_balance_has_its_numbers(
    recipients: int | None, remaining: int | None, expected: str
) -> None:
    """It shows the numbers that the server sent."""
    error = errors.InsufficientBalance("no", status=400, recipients=recipients, remaining=remaining)

    assert str(error).partition(";")[0] == expected


@pytest.mark.parametrize(
    ("recipients", "remaining", "mentioned"),
    [
        (None, None, True),
        (60, None, True),
        (None, 300, True),
        (60, 50, True),
        (60, 300, True),
        (1_000, 51, False),
        (1_000, 50, True),
    ],
)
def test_free_account_is_mentioned_unless_the_balance_explains_the_refusal(
    recipients: int | None, remaining: int | None, mentioned: bool
) -> None:
    """It may send 50 mails per day (T27), with any balance."""
    error = errors.InsufficientBalance("no", status=400, recipients=recipients, remaining=remaining)

    assert ("free account" in str(error)) is mentioned


@pytest.mark.parametrize(
    ("error", "is_quoted"),
    [
        (errors.OutcomeUnknown("…", request="POST /v1/…", status=502), True),
        (errors.UnexpectedResponse("…", status=200), True),
        (errors.ServerError("…", status=500), True),
        (errors.StorageError("…", status=403), True),
        (errors.APIError("…", status=404), True),
        (errors.APIError("…", status=400, code=40007), False),
        (errors.RateLimited("…", retry_after_s=1), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_text_quotes_the_request_id_where_the_vendor_may_explain(
    error: errors.NewsLeopardError, is_quoted: bool
) -> None:
    """People quote texts. A code of the platform's explains itself."""
    before = str(error)
    error.request_id = "r-1"

    assert before == "…"
    assert str(error) == ("… (request id r-1)" if is_quoted else "…")


def test_error_that_explains_one_without_an_answer_can_be_copied() -> None:
    """It goes through queues of processes."""
    plain = errors.ConfigurationError("…").with_answer_of(errors.ConfigurationError("…"))

    copied = pickle.loads(pickle.dumps(plain))  # noqa: S301 - our own
    assert (copied.request_id, copied.headers) == (None, {})


def test_error_in_the_place_of_another_keeps_its_answer() -> None:
    """An error that replaces another one, and a copy, also have the id to quote to the vendor."""
    answered = errors.ServerError("the server failed", status=500)
    answered.request_id, answered.headers = "r-1", {"x-cache": "Error"}

    explained = errors.OutcomeUnknown("…", request="POST /v1/…").with_answer_of(answered)

    copied = pickle.loads(pickle.dumps(explained))  # noqa: S301 - our own
    assert (copied.request_id, copied.headers) == ("r-1", {"x-cache": "Error"})
    assert (errors.NewsLeopardError().request_id, dict(errors.NewsLeopardError().headers)) == (
        None,
        {},
    )
