"""One valid set of arguments for each mailing, for tests that break one thing at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from newsleopard_async.errors import InvalidRequest
from newsleopard_async.models import ListSn
from tests.constants import OTHER_SENDER, SENDER

__all__ = ["CAMPAIGN", "CONTENT_TEST", "SENDER_TEST", "SUBJECT_TEST", "problems_of"]


_COMMON: Final[dict[str, Any]] = {"name": "週年慶", "lists": [ListSn("list-1")]}
_AB: Final[dict[str, Any]] = {**_COMMON, "proportion": 10, "wait": timedelta(hours=4)}

CAMPAIGN: Final[dict[str, Any]] = {
    **_COMMON,
    "subject": "${NAME}，您的專屬優惠",
    "sender": SENDER,
    "html": "<p>Hello ${NAME}</p>",
}
SUBJECT_TEST: Final[dict[str, Any]] = {
    **_AB,
    "subject_a": "A",
    "subject_b": "B",
    "sender": SENDER,
    "html": "<p></p>",
}
SENDER_TEST: Final[dict[str, Any]] = {
    **_AB,
    "subject": "主旨",
    "sender_a": SENDER,
    "sender_b": OTHER_SENDER,
    "html": "<p></p>",
}
CONTENT_TEST: Final[dict[str, Any]] = {
    **_AB,
    "subject": "主旨",
    "sender": SENDER,
    "html_a": "<p>A</p>",
    "html_b": "<p>B</p>",
}


def problems_of(build: Any, **arguments: Any) -> list[tuple[str, str]]:
    """Build something and return field and rule of all that is wrong."""
    try:
        build(**arguments)
    except InvalidRequest as error:
        return [(problem.field, problem.rule) for problem in error.problems]
    return []
