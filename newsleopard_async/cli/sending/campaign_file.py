"""Builds a campaign or an A/B test from a file, and from the options that replace its fields.

The file is TOML, or JSON if its name ends in ``.json``, with the fields of `Campaign.to_dict`. Some
of them can be written more simply::

    name = "週年慶 2027"
    subject = "${NAME}，您的專屬優惠"
    sender = "電子豹 <service@example.com>"
    html_file = "anniversary.html"               # beside this file
    schedule = "2027-01-05 10:00 Asia/Taipei"    # or "now"
    footer = "chinese"                           # or "english"

An A/B test has ``subject_a`` and ``subject_b``, or the sender or the body in this way, and
``proportion`` and ``wait = "4h"``.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs

from newsleopard_async.cli.sending.friendly_times import parse_duration, parse_instant
from newsleopard_async.cli.translation import reason_of
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.errors import InvalidRequest, Problem
from newsleopard_async.models import (
    Campaign,
    ContentTest,
    FooterLanguage,
    Mailing,
    SendAt,
    SenderTest,
    SubjectTest,
)
from newsleopard_async.plain import from_plain, to_plain

__all__ = ["build_campaign", "read_html"]

_KINDS: Final[Mapping[str, type[Mailing]]] = {
    each.plain_kind: each for each in (Campaign, SubjectTest, SenderTest, ContentTest)
}
_TELLING: Final = {
    "subject_a": "subject_test",
    "sender_a": "sender_test",
    "html_a": "content_test",
    "html_a_file": "content_test",
}
"""The fields by which an A/B test is recognised if the file does not name its kind."""

_HTML: Final = ("html", "html_a", "html_b")
_SENDERS: Final = ("sender", "sender_a", "sender_b")
_SENDER: Final = re.compile(r'\s*"?(?P<name>[^"<>]*?)"?\s*<(?P<address>[^<>\s]+)>\s*')

Fields = dict[str, Any]


def build_campaign(
    path: Path | None, options: Mapping[str, Any], *, sender: str | None = None
) -> Mailing:
    """Build a campaign or an A/B test.

    Args:
        path: The file; None takes all fields from the options.
        options: The values that replace fields of the file, by the names of the fields.
        sender: The sender if neither file nor options name one, as ``name <address>``.

    Raises:
        InvalidRequest: the file cannot be read, or fields are missing or wrong; all of them at
            once.
    """
    fields = {} if path is None else _read(path)
    cls = _class_of(fields)
    folder = Path() if path is None else path.parent
    problems = [*_problems_of_names(fields, options, cls)]
    fields.update((name, value) for name, value in options.items() if value is not None)
    for name in options.keys() & set(_HTML):
        if options[name] is not None:
            fields.pop(f"{name}_file", None)
    if sender is not None and cls is not SenderTest:
        fields.setdefault("sender", sender)
    for name, simplify in _simplifications(folder):
        problems += _simplified(fields, name, simplify)
    problems += _missing(fields, cls, is_file=path is not None, known=problems)
    if problems:
        raise InvalidRequest(problems)
    mailing: Mailing = from_plain(cls, {"kind": cls.plain_kind, **fields})
    return mailing


def _read(path: Path) -> Fields:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _refusal(
            path, _("cannot be read: {reason}").format(reason=reason_of(error))
        ) from None
    except UnicodeDecodeError:
        raise _refusal(path, _("is not UTF-8; save it as UTF-8")) from None
    is_json = path.suffix.lower() == ".json"
    try:
        found = json.loads(text, object_pairs_hook=_unique) if is_json else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        form = "JSON" if is_json else "TOML"
        message = _("is not {form}: {reason}").format(form=form, reason=error)
        raise _refusal(path, message) from None
    if not isinstance(found, dict):
        raise _refusal(path, _("must be an object with the fields of a campaign"))
    return found


def _unique(pairs: list[tuple[str, Any]]) -> Fields:
    """Return the fields of an object; TOML itself refuses a field that is there twice.

    Raises:
        ValueError: one is there twice, for example two different fields of lists.
    """
    fields = dict(pairs)
    if len(fields) < len(pairs):
        twice = next(
            name for name, count in Counter(name for name, _value in pairs).items() if count > 1
        )
        raise ValueError(_("{name} is there twice").format(name=twice))
    return fields


def _refusal(path: Path, message: str) -> InvalidRequest:
    return InvalidRequest.of("campaign", "file", f"{path} {message}")


def _class_of(fields: Fields) -> type[Mailing]:
    """Return the class of a campaign file, and remove its kind."""
    guessed = next((kind for name, kind in _TELLING.items() if name in fields), "campaign")
    kind = fields.pop("kind", guessed)
    if not isinstance(kind, str) or kind not in _KINDS:
        message = _("must be one of {kinds}").format(kinds=", ".join(_KINDS))
        raise InvalidRequest.of("kind", "choice", message)
    return _KINDS[kind]


def _problems_of_names(
    fields: Fields, options: Mapping[str, Any], cls: type[Mailing]
) -> Iterator[Problem]:
    """Yield a problem for each field that the campaign does not have."""
    known = [field.name for field in attrs.fields(cls)]
    files = [f"{name}_file" for name in _HTML if name in known]
    for name in fields:
        if name in known or name in files:
            continue
        close = difflib.get_close_matches(name, [*known, *files], n=1)
        hint = _("did you mean {name}?").format(name=close[0]) if close else ""
        hint = hint or _("it may have {names}").format(names=", ".join(known))
        yield Problem(name, "unknown", _("is not a field of a campaign; {hint}").format(hint=hint))
    for name, value in options.items():
        if value is not None and name not in known:
            yield Problem(
                name,
                "unknown",
                _("an A/B test has {name}_a and {name}_b; change them in the campaign file").format(
                    name=name
                ),
            )


def _missing(
    fields: Fields, cls: type[Mailing], *, is_file: bool, known: list[Problem]
) -> Iterator[Problem]:
    """Yield a problem for each field that is required and missing."""
    reported = {problem.field.removesuffix("_file") for problem in known}
    for field in attrs.fields(cls):
        if field.default is not attrs.NOTHING or field.name in fields | dict.fromkeys(reported):
            continue
        if field.name.endswith(("_a", "_b")) or field.name in {"proportion", "wait"}:
            message = _("is missing; add it to the campaign file")
        elif is_file:
            message = _("is missing; add it to the campaign file, or give --{name}")
        else:
            message = _("is missing; give --{name}, or a campaign file")
        yield Problem(field.name, "required", message.format(name=field.name))


Simplify = Callable[[Any], Any]


def _simplifications(folder: Path) -> Iterator[tuple[str, Simplify]]:
    """Yield the functions that make plain data of friendly values, by field."""
    for name in _HTML:
        yield f"{name}_file", partial(_html_of, folder)
    for name in _SENDERS:
        yield name, _sender_of
    yield "schedule", _schedule_of
    yield "wait", _wait_of
    yield "footer", _footer_of
    yield "lists", _codes_of
    yield "exclude_lists", _codes_of


def _simplified(fields: Fields, name: str, simplify: Simplify) -> Iterator[Problem]:
    """Replace a friendly value by plain data; the file of a body becomes the body."""
    if name not in fields:
        return
    try:
        plain = simplify(fields.pop(name))
    except InvalidRequest as error:
        for problem in error.problems:
            yield attrs.evolve(problem, field=name)
        return
    except ValueError as error:
        yield Problem(name, "value", str(error))
        return
    target = name.removesuffix("_file")
    if target != name and target in fields:
        message = _("cannot be combined with {name}; leave one of them out").format(name=target)
        yield Problem(name, "choice", message)
    fields[target] = plain


def _html_of(folder: Path, name: Any) -> Any:
    if not isinstance(name, str):
        raise ValueError(_("must be the name of a file"))  # noqa: TRY004 - a mistake in a file
    return read_html(folder / name)


def read_html(path: Path) -> str:
    """Read the body of a mail.

    Raises:
        ValueError: it cannot be read, or is not UTF-8; the message is for a person.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = reason_of(error)
    except UnicodeDecodeError:
        reason = _("it is not UTF-8; save it as UTF-8")
    raise ValueError(_("{path} cannot be read: {reason}").format(path=path, reason=reason))


def _sender_of(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = _SENDER.fullmatch(value)
    if found is None or not found["name"]:
        raise ValueError(
            _("{text!r} is not a sender; write it as 電子豹 <service@example.com>").format(
                text=value
            )
        )
    return {"name": found["name"].strip(), "address": found["address"]}


def _schedule_of(value: Any) -> Any:
    if value == "now":
        return {"kind": "now"}
    if isinstance(value, str):
        return to_plain(SendAt(parse_instant(value)))
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return to_plain(SendAt(value))
    if isinstance(value, date):
        # A time of TOML without an offset, or a date alone; the message names the way out.
        return parse_instant(str(value))
    return value


def _wait_of(value: Any) -> Any:
    seconds = parse_duration(value) if isinstance(value, str) else value
    return seconds.total_seconds() if isinstance(seconds, timedelta) else seconds


def _footer_of(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.upper() not in FooterLanguage.__members__:
        raise ValueError(_("must be chinese or english"))
    return int(FooterLanguage[value.upper()])


def _codes_of(value: Any) -> Any:
    return [value] if isinstance(value, str) else value
