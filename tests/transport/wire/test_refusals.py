from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from newsleopard_async.transport.wire.refusals import ErrorBody, decode_error

OPENAPI = Path(__file__).parents[2] / "openapi.yaml"

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"message": "Forbidden"}, ErrorBody(message="Forbidden")),
        ({"message": "Limit Exceeded"}, ErrorBody(message="Limit Exceeded")),
        (
            {"code": "40303", "message": "bad operation with invalid user state"},
            ErrorBody(code=40303, message="bad operation with invalid user state"),
        ),
        (
            {"code": "40001", "invalidFields": "欄位相關錯誤訊息"},
            ErrorBody(code=40001, message="欄位相關錯誤訊息"),
        ),
        (
            {
                "code": "40001",
                "invalidFields": {
                    "content.subjectA": ["InvalidTestingOnFields"],
                    "form.name": ["NotEmpty", "NotNull"],
                    "content": ["InvalidTestingOnFields"],
                },
            },
            ErrorBody(
                code=40001,
                invalid_fields={
                    "content.subjectA": ("InvalidTestingOnFields",),
                    "form.name": ("NotEmpty", "NotNull"),
                    "content": ("InvalidTestingOnFields",),
                },
            ),
        ),
        (
            {"code": 40012, "recipients": 1200, "remaining": "300"},
            ErrorBody(code=40012, recipients=1200, remaining=300),
        ),
    ],
)
def test_documented_refusal_is_read(body: object, expected: ErrorBody) -> None:
    """Codes come as text or number, fields as object or text (T88 to T90)."""
    assert decode_error(body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (None, ErrorBody()),
        ("Forbidden", ErrorBody()),
        ([], ErrorBody()),
        ({}, ErrorBody()),
        ({"code": True, "message": 5, "recipients": "many"}, ErrorBody()),
        ({"code": "E40001", "message": ""}, ErrorBody()),
        (
            {"invalidFields": {"form.name": "NotEmpty"}},
            ErrorBody(invalid_fields={"form.name": ("NotEmpty",)}),
        ),
        (
            {"invalidFields": {"form.name": [1, "NotNull"]}},
            ErrorBody(invalid_fields={"form.name": ("NotNull",)}),
        ),
        ({"invalidFields": ["form.name"]}, ErrorBody()),
        ({"message": "wrong", "invalidFields": "name"}, ErrorBody(message="wrong: name")),
    ],
)
def test_what_cannot_be_read_is_left_out(body: object, expected: ErrorBody) -> None:
    """A refusal arrives, however it is worded."""
    assert decode_error(body) == expected


def test_every_documented_error_has_a_code_or_a_message() -> None:
    """All examples of refusals in openapi.yaml say something."""
    answers = yaml.safe_load(OPENAPI.read_text(encoding="utf-8"))["components"]["responses"]
    bodies: list[Any] = [
        example["value"]
        for name in ("Forbidden", "ForbiddenOrInvalidState", "LimitExceeded", "BadRequest")
        for example in answers[name]["content"]["application/json"]["examples"].values()
    ]

    assert all(decode_error(body).code or decode_error(body).message for body in bodies)


@pytest.mark.slow
@settings(max_examples=200)
@given(anything | st.fixed_dictionaries({"code": anything, "invalidFields": anything}))
def test_reading_a_refusal_never_fails(body: object) -> None:
    """No body can hide the refusal behind an error of its own."""
    assert isinstance(decode_error(body), ErrorBody)
