"""The three kinds of A/B test, one class each, so that their fields cannot be mixed.

A share of all mails is the test, half as A and half as B. After ``wait``, the rest is sent as the
better half. The documentation does not say how the platform compares the two (T99).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar, TypeAlias

import attrs

from newsleopard_async.errors import Problem
from newsleopard_async.models.campaign import (
    BaseMailing,
    Campaign,
    Sender,
    preheader_field,
    problems_of_html,
    problems_of_preheader,
    problems_of_sender,
    show_length,
)
from newsleopard_async.models.validation import problems_of_count, problems_of_line, wrong_type

__all__ = ["ABTest", "BaseABTest", "ContentTest", "Mailing", "SenderTest", "SubjectTest"]

HOUR = timedelta(hours=1)


@attrs.frozen(kw_only=True)
class BaseABTest(BaseMailing):
    """Fields and checks that the A/B tests share.

    Attributes:
        proportion: Percentage of the recipients who get the test, a whole number from 1 to 99.
        wait: Time between the test and the main send, in whole hours.
    """

    proportion: int
    wait: timedelta

    def _problems(self) -> Iterator[Problem]:
        yield from super()._problems()
        yield from problems_of_count("proportion", self.proportion, low=1, high=99)
        yield from _problems_of_wait(self.wait)


@attrs.frozen(kw_only=True)
class SubjectTest(BaseABTest):
    """An A/B test of the subject line; the other fields as in ``Campaign``.

    Attributes:
        subject_a: Subject line of the first half of the test.
        subject_b: Subject line of the second half.
        proportion: Percentage of the recipients who get the test, a whole number from 1 to 99.
        wait: Time between the test and the main send, in whole hours.
        preheader_a: Preview text of the first half, or None, as in ``Campaign``.
        preheader_b: Preview text of the second half. Each of the two is optional in the notes.

    Raises:
        InvalidRequest: lists all problems of the arguments.

    Source: POST /v1/campaign/testing/submit, testingOn 1; documented, the preheader: notes 2026.
    """

    plain_kind: ClassVar[str] = "subject_test"

    subject_a: str
    subject_b: str
    sender: Sender
    html: str = attrs.field(repr=show_length)
    preheader_a: str | None = preheader_field()
    preheader_b: str | None = preheader_field()

    def _problems(self) -> Iterator[Problem]:
        yield from super()._problems()
        yield from problems_of_line("subject_a", self.subject_a)
        yield from problems_of_line("subject_b", self.subject_b)
        yield from _problems_of_pair("subject_b", self.subject_a, self.subject_b)
        yield from problems_of_sender("sender", self.sender)
        yield from problems_of_html("html", self.html)
        yield from problems_of_preheader("preheader_a", self.preheader_a)
        yield from problems_of_preheader("preheader_b", self.preheader_b)


@attrs.frozen(kw_only=True)
class SenderTest(BaseABTest):
    """An A/B test of the sender; the other fields as in ``Campaign``.

    Attributes:
        sender_a: Sender of the first half of the test.
        sender_b: Sender of the second half; both addresses must be verified.
        proportion: Percentage of the recipients who get the test, a whole number from 1 to 99.
        wait: Time between the test and the main send, in whole hours.
        preheader: Preview text of all mails, or None, as in ``Campaign``.

    Raises:
        InvalidRequest: lists all problems of the arguments.

    Source: POST /v1/campaign/testing/submit, testingOn 2; documented, the preheader: notes 2026.
    """

    plain_kind: ClassVar[str] = "sender_test"

    subject: str
    sender_a: Sender
    sender_b: Sender
    html: str = attrs.field(repr=show_length)
    preheader: str | None = preheader_field()

    def _problems(self) -> Iterator[Problem]:
        yield from super()._problems()
        yield from problems_of_line("subject", self.subject)
        yield from problems_of_sender("sender_a", self.sender_a)
        yield from problems_of_sender("sender_b", self.sender_b)
        yield from _problems_of_pair("sender_b", self.sender_a, self.sender_b)
        yield from problems_of_html("html", self.html)
        yield from problems_of_preheader("preheader", self.preheader)


@attrs.frozen(kw_only=True)
class ContentTest(BaseABTest):
    """An A/B test of the body; the other fields as in ``Campaign``.

    Attributes:
        html_a: Body of the first half of the test.
        html_b: Body of the second half.
        proportion: Percentage of the recipients who get the test, a whole number from 1 to 99.
        wait: Time between the test and the main send, in whole hours.
        preheader: Preview text of all mails, or None, as in ``Campaign``.

    Raises:
        InvalidRequest: lists all problems of the arguments.

    Source: POST /v1/campaign/testing/submit, testingOn 3; documented, see T95.
    """

    plain_kind: ClassVar[str] = "content_test"

    subject: str
    sender: Sender
    html_a: str = attrs.field(repr=show_length)
    html_b: str = attrs.field(repr=show_length)
    preheader: str | None = preheader_field()

    def _problems(self) -> Iterator[Problem]:
        yield from super()._problems()
        yield from problems_of_line("subject", self.subject)
        yield from problems_of_sender("sender", self.sender)
        yield from problems_of_html("html_a", self.html_a)
        yield from problems_of_html("html_b", self.html_b)
        yield from _problems_of_pair("html_b", self.html_a, self.html_b)
        yield from problems_of_preheader("preheader", self.preheader)


ABTest: TypeAlias = SubjectTest | SenderTest | ContentTest
"""Any of the three A/B tests."""

Mailing: TypeAlias = Campaign | SubjectTest | SenderTest | ContentTest
"""A campaign or an A/B test. The pipelines send both; their ``kind`` distinguishes them."""


def _problems_of_wait(wait: object) -> Iterator[Problem]:
    if not isinstance(wait, timedelta):
        yield wrong_type("wait", wait, "timedelta(hours=…)")
    elif wait <= timedelta(0) or wait % HOUR:
        yield Problem(
            "wait", "whole-hours", "must be a whole number of hours, such as timedelta(hours=4)"
        )


def _problems_of_pair(field: str, a: object, b: object) -> Iterator[Problem]:
    if a == b:
        yield Problem(
            field, "identical", "is the same as A; make them different, or send a Campaign"
        )
