from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from newsleopard_async.models import Campaign, ContentTest, SenderTest, SubjectTest
from tests.constants import SENDER
from tests.models.examples import CONTENT_TEST, SENDER_TEST, SUBJECT_TEST, problems_of

KINDS = [(SubjectTest, SUBJECT_TEST), (SenderTest, SENDER_TEST), (ContentTest, CONTENT_TEST)]


@pytest.mark.parametrize(("kind", "valid"), KINDS)
def test_valid_test_is_built(kind: type[Any], valid: dict[str, Any]) -> None:
    """Each kind takes its own fields, and keeps them."""
    ab_test = kind(**valid)

    assert ab_test.proportion == 10
    with pytest.raises(AttributeError):
        ab_test.proportion = 20


@pytest.mark.parametrize(("kind", "valid"), KINDS)
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"proportion": 0}, [("proportion", "range")]),
        ({"proportion": 100}, [("proportion", "range")]),
        ({"proportion": 0.1}, [("proportion", "type")]),
        ({"proportion": True}, [("proportion", "type")]),
        ({"wait": 4}, [("wait", "type")]),
        ({"wait": timedelta(0)}, [("wait", "whole-hours")]),
        ({"wait": timedelta(hours=-1)}, [("wait", "whole-hours")]),
        ({"wait": timedelta(minutes=90)}, [("wait", "whole-hours")]),
        ({"name": "", "wait": None}, [("name", "required"), ("wait", "type")]),
    ],
)
def test_settings_of_the_test_are_checked(
    kind: type[Any],
    valid: dict[str, Any],
    arguments: dict[str, Any],
    expected: list[tuple[str, str]],
) -> None:
    """The share is whole percent from 1 to 99, the wait one or more whole hours."""
    assert problems_of(kind, **{**valid, **arguments}) == expected


@pytest.mark.parametrize(
    ("kind", "arguments", "expected"),
    [
        (SubjectTest, {**SUBJECT_TEST, "subject_b": "A"}, [("subject_b", "identical")]),
        (SenderTest, {**SENDER_TEST, "sender_b": SENDER}, [("sender_b", "identical")]),
        (ContentTest, {**CONTENT_TEST, "html_b": "<p>A</p>"}, [("html_b", "identical")]),
    ],
)
def test_identical_variants_are_refused(
    kind: type[Any], arguments: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """A test without a difference tells nothing."""
    assert problems_of(kind, **arguments) == expected


@pytest.mark.parametrize(
    ("kind", "arguments", "expected"),
    [
        (SubjectTest, {**SUBJECT_TEST, "subject_a": ""}, [("subject_a", "required")]),
        (
            SubjectTest,
            {**SUBJECT_TEST, "subject_b": "\n"},
            [("subject_b", "required"), ("subject_b", "one-line")],
        ),
        (SubjectTest, {**SUBJECT_TEST, "sender": None}, [("sender", "type")]),
        (SubjectTest, {**SUBJECT_TEST, "html": ""}, [("html", "required")]),
        (SenderTest, {**SENDER_TEST, "sender_a": "x"}, [("sender_a", "type")]),
        (SenderTest, {**SENDER_TEST, "sender_b": "x"}, [("sender_b", "type")]),
        (SenderTest, {**SENDER_TEST, "subject": ""}, [("subject", "required")]),
        (SenderTest, {**SENDER_TEST, "html": ""}, [("html", "required")]),
        (ContentTest, {**CONTENT_TEST, "html_a": ""}, [("html_a", "required")]),
        (ContentTest, {**CONTENT_TEST, "html_b": None}, [("html_b", "type")]),
        (ContentTest, {**CONTENT_TEST, "sender": ()}, [("sender", "type")]),
    ],
)
def test_tested_fields_are_checked(
    kind: type[Any], arguments: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """Both variants are held to the rules of the field they stand for."""
    assert problems_of(kind, **arguments) == expected


@pytest.mark.parametrize(
    ("kind", "valid", "foreign"),
    [
        (SubjectTest, SUBJECT_TEST, "subject"),
        (SenderTest, SENDER_TEST, "sender"),
        (ContentTest, CONTENT_TEST, "html"),
        (Campaign, {}, "proportion"),
    ],
)
def test_fields_of_another_kind_cannot_be_written(
    kind: type[Any], valid: dict[str, Any], foreign: str
) -> None:
    """Mixed fields do not exist."""
    with pytest.raises(TypeError, match=foreign):
        kind(**valid, **{foreign: "x"})
