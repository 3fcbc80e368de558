"""The shape of an answer: names of fields, JSON types, and formats; never a value.

A value is described by the first format of a closed list that it has, so nothing of it can be in
the description. Names of fields are shown if they look like names, because an object can also have
addresses as its keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from newsleopard_async.transport.redact import Secret, echoes

__all__ = ["DATE_FORMS", "date_form_of", "rounded", "shape_of", "shown_field"]

_FIELD: Final = re.compile(r"[A-Za-z][A-Za-z_]{0,39}", re.ASCII)
"""A name of a field: no known one has a digit, and a value that is a key could have some."""

_OTHER_FIELD: Final = "(another name)"

_MOST_FIELDS: Final = 40
"""Chosen: twice the fields of the largest documented object; an object with more is a table."""

_DEEPEST: Final = 8
"""Chosen: twice the depth of the deepest documented answer."""

_WORDS: Final = frozenset(
    (
        *("GENERAL", "PROCESSING", "COMPLETE", "ERROR", "MISSING_REQUIRED_DATA", "DRAFT", "STOP"),
        *("PREPARE", "PREPARE_TO_SENT", "TESTING", "SENDING", "EMPTY_RECIPIENT", "OVER_LIMIT"),
        *("INSUFFICIENT_RECIPIENT_FOR_TESTING", "UNAUTHENTICATED_SENDER", "NOW", "SCHEDULED"),
        *("REGULAR", "A_B_TEST", "MAIL", "SMS", "TOTAL", "TEST_A", "TEST_B", "WINNING", "delivery"),
        *("open", "click", "bounce", "unsubscribe", "complain", "Forbidden", "Limit Exceeded"),
    )
)
"""Words of the documentation and of the notes, which are the same for all accounts."""

_REFUSAL: Final = re.compile(r"4\d{4}", re.ASCII)
_REFUSAL_FIELDS: Final = ("code", "errorCode")

_SECONDS: Final = r"(\d{4}-\d\d-\d\d)%s\d\d:\d\d:\d\d(?:\.\d+)?%s"

DATE_FORMS: Final[Mapping[str, re.Pattern[str]]] = {
    name: re.compile(_SECONDS % (middle, end), re.ASCII)
    for name, middle, end in (
        ("documented", "T", "Z"),
        ("offset", "T", r"\+00:00"),
        ("compact_offset", "T", r"\+0000"),
        ("no_zone", "T", ""),
        ("blank", " ", "Z"),
    )
}
"""The forms of a time as text, by the names of the emulator's switch ``date_form``."""

_OTHER_TIME: Final = re.compile(r"\d{4}[-/]\d\d?[-/]\d\d?([T ].*)?", re.ASCII | re.DOTALL)

_EPOCH_SECONDS: Final = range(1_000_000_000, 4_000_000_000)
"""The seconds since 1970 of the years 2001 to 2096."""

_FORMATS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"\s*"), "empty text"),
    (DATE_FORMS["documented"], "time as 2026-01-31T08:00:00Z"),
    (DATE_FORMS["offset"], "time as 2026-01-31T08:00:00+00:00"),
    (DATE_FORMS["compact_offset"], "time as 2026-01-31T08:00:00+0000"),
    (DATE_FORMS["no_zone"], "time as 2026-01-31T08:00:00"),
    (DATE_FORMS["blank"], "time as 2026-01-31 08:00:00Z"),
    (_OTHER_TIME, "time in another form"),
    (re.compile(r"[0-9a-f]{32}"), "32 hex digits"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE), "UUID"),
    (re.compile(r"\d+", re.ASCII), "digits"),
    (re.compile(r"\d{1,3}(,\d{3})+", re.ASCII), "digits in groups, as 1,000"),
    (re.compile(r"-?\d+\.\d+", re.ASCII), "number with a fraction"),
    (re.compile(r"true|false", re.IGNORECASE), "true or false"),
    (re.compile(r"\s*<.*", re.DOTALL), "HTML"),
    (re.compile(r".*@.*", re.DOTALL), "with an @"),
)


def shape_of(data: object, secret: Secret | None) -> dict[str, list[str]]:
    """Return the paths of an answer, and the descriptions of the values at each.

    The items of an array share a path.

    Args:
        data: The parsed answer.
        secret: The key, which a server can echo as the name of a field.
    """
    shape: dict[str, list[str]] = {}
    for path, text in _described(data, "$", secret, 0):
        found = shape.setdefault(path, [])
        if text not in found:
            found.append(text)
    return shape


def _described(
    data: object, path: str, secret: Secret | None, depth: int
) -> Iterator[tuple[str, str]]:
    if depth > _DEEPEST:
        yield path, "nested more deeply"
    elif isinstance(data, dict):
        if not data:
            yield path, "object without fields"
        names = _names(data, secret)
        for name, value in data.items():
            yield from _described(value, f"{path}.{names[name]}", secret, depth + 1)
    elif isinstance(data, list):
        yield path, f"array of {rounded(len(data))}"
        for item in data:
            yield from _described(item, f"{path}[]", secret, depth + 1)
    else:
        yield path, _description(data, field=path.rpartition(".")[2])


def _names(data: Mapping[str, Any], secret: Secret | None) -> dict[str, str]:
    if len(data) > _MOST_FIELDS:
        return dict.fromkeys(data, _OTHER_FIELD)
    return {name: shown_field(name, secret) or _OTHER_FIELD for name in data}


def shown_field(name: str, secret: Secret | None) -> str:
    """Return the name of a field if it can be shown, else an empty text."""
    return name if _FIELD.fullmatch(name) and not echoes(name, secret) else ""


def rounded(count: int) -> str:
    """Return a count so that it does not say how large an account is."""
    if count < 2:
        return str(count)
    digits = len(str(count))
    least = 10 ** (digits - 1)
    return f"{max(2, least):,} to {10 * least - 1:,}"


def _description(value: object, *, field: str) -> str:
    if field in _REFUSAL_FIELDS and _REFUSAL.fullmatch(str(value)):
        return f"{'text' if isinstance(value, str) else 'number'}: the code {value}"
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int():
            return _number(value)
        case float():
            return "number with a fraction"
        case _:
            return f"text: {_text(str(value))}"


def _number(value: int) -> str:
    if value in _EPOCH_SECONDS:
        return "number of 10 digits, possibly seconds since 1970"
    if value // 1_000 in _EPOCH_SECONDS:
        return "number of 13 digits, possibly milliseconds since 1970"
    return f"number of {_digits(len(str(abs(value))))}"


def _digits(count: int) -> str:
    return "1 digit" if count == 1 else f"{count} digits" if count > 9 else "2 to 9 digits"


def _text(text: str) -> str:
    if text in _WORDS:
        return f"the word {text}"
    if "://" in text:
        return _url(text)
    name = next((name for form, name in _FORMATS if form.fullmatch(text)), "other text")
    return _digits(len(text)) if name == "digits" else name


def _url(text: str) -> str:
    try:
        parts = urlsplit(text.removeprefix(":"))
        host = parts.hostname or ""
    except ValueError:
        return "URL that cannot be read"
    where = "amazonaws.com" if host.endswith(".amazonaws.com") else "another host"
    colon = " after a colon" if text.startswith(":") else ""
    query = ", with a query" if parts.query else ""
    scheme = parts.scheme if parts.scheme in ("http", "https") else "other"
    return f"{scheme} URL{colon} at {where}{query}"


def date_form_of(value: object) -> str | None:
    """Return the form of a date by the emulator's name for it; ``other`` if it has none.

    None means that the value is null, which other values of the account can explain.
    """
    match value:
        case None:
            return None
        case bool():
            return "other"
        case int() if value in _EPOCH_SECONDS:
            return "seconds"
        case int() if value // 1_000 in _EPOCH_SECONDS:
            return "millis"
        case "":
            return "empty"
        case str():
            found = (name for name, form in DATE_FORMS.items() if form.fullmatch(value))
            return next(found, "other")
        case _:
            return "other"
