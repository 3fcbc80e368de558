"""Bodies of refusals. Reading one never fails, and never blocks the event loop for long."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from newsleopard_async.transport.wire.values import WireError, whole

__all__ = ["ErrorBody", "decode_error", "parse_refusal"]

_WHOLE_BYTES: Final = 256 * 1024
"""A larger refusal is read up to this size. Documented ones are below 4 KB. Measured: parsing this
size takes about 10 ms."""

_MOST_FIELDS: Final = 50
"""The fields that are kept of a refusal. Chosen: twice the number of fields in a submit."""

_MOST_LEVELS: Final = 5
"""The levels of nested objects that are read. Chosen: a submit has three levels."""

_MOST_RULES: Final = 10
"""The rules that are kept of one field. Chosen: the samples have one or two."""

_MOST_CHARACTERS: Final = 16_000
"""The length of all fields and rules together. Chosen: each one is searched for secrets, which
takes time."""

_RULE_NAMES: Final = ("rule", "code", "message", "defaultMessage")
"""The members that contain the rule in a list of wrong fields. The last two are those of Java's
validation, whose rule names the documentation prints. The refused value is never read."""

_HTTP_STATUSES: Final = range(100, 600)
_SPACE: Final = re.compile(r"[ \t\r\n]*")


@attrs.frozen(kw_only=True)
class ErrorBody:
    """The content of a refusal.

    Attributes:
        code: The platform's code, or None. A number that is an HTTP status does not count: proxies
            and firewalls write such bodies.
        message: The platform's text, or None; also the text form of ``invalidFields``.
        is_message_alone: Whether the message, as text, is the whole content.
        invalid_fields: Path to rules; empty if the platform sent text or nothing.
        omitted_fields: How many more fields the platform named.
        recipients: The number of mails to send (預計寄出封數), with 40012.
        remaining: The number of mails left (剩餘可寄封數), with 40012.
    """

    code: int | None = None
    message: str | None = None
    is_message_alone: bool = False
    invalid_fields: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    omitted_fields: int = 0
    recipients: int | None = None
    remaining: int | None = None

    @property
    def is_forbidden(self) -> bool:
        """Whether it is the platform's answer to a wrong key (T01)."""
        return self.is_message_alone and self.message == "Forbidden"


def parse_refusal(body: bytes) -> object:
    """Parse the body of a refusal, or the beginning of a large one; None if it is not JSON."""
    try:
        if len(body) > _WHOLE_BYTES:
            return _members(body[:_WHOLE_BYTES].decode("utf-8", "replace"), 0)
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _members(text: str, position: int) -> dict[str, Any]:
    """Read the members of an object that is cut off, including a part of the last one."""
    decode = json.JSONDecoder().raw_decode
    members: dict[str, Any] = {}
    position = _after(text, position, "{")
    while True:
        try:
            name, position = decode(text, position)
            position = _after(text, position, ":")
        except ValueError:
            return members
        if not isinstance(name, str):
            return members
        try:
            members[name], position = decode(text, position)
            position = _after(text, position, ",")
        except ValueError:
            if name not in members and text.startswith("{", position):
                members[name] = _members(text, position)
            return members


def _after(text: str, position: int, mark: str) -> int:
    """Return the position after a mark and the space around it."""
    position = _skipped(text, position)
    if not text.startswith(mark, position):
        raise ValueError(mark)
    return _skipped(text, position + 1)


def _skipped(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    return position if space is None else space.end()


def decode_error(data: object) -> ErrorBody:
    """Read the body of a refusal; leave unreadable parts out.

    Source: section 錯誤代碼對照表; documented, contradicting itself (T88 to T91). The name
    ``errorCode`` is that of the vendor's own command line (T88).
    """
    if not isinstance(data, dict):
        return ErrorBody()
    invalid, message = data.get("invalidFields"), data.get("message")
    if isinstance(invalid, list):
        invalid = _as_object(invalid)
    if isinstance(invalid, dict):
        invalid = dict(_flat(invalid))
    texts = [text for text in (message, invalid) if isinstance(text, str) and text]
    code = _code(data.get("code"))
    fields = _invalid_fields(invalid)
    return ErrorBody(
        code=_code(data.get("errorCode")) if code is None else code,
        message=": ".join(texts) or None,
        is_message_alone=set(data) == {"message"} and isinstance(message, str),
        invalid_fields=fields,
        omitted_fields=len(invalid) - len(fields) if isinstance(invalid, dict) else 0,
        recipients=_count_or_none(data.get("recipients")),
        remaining=_count_or_none(data.get("remaining")),
    )


def _code(data: object) -> int | None:
    code = _count_or_none(data)
    return None if code in _HTTP_STATUSES else code


def _count_or_none(data: object) -> int | None:
    try:
        return whole(data, "$")
    except WireError:
        return None


def _as_object(data: list[Any]) -> dict[str, list[str]]:
    """Group the rules of a list by their fields; a list can also contain fields without rules."""
    found: dict[str, list[str]] = {}
    for item in data:
        if isinstance(item, str):
            found.setdefault(item, [])
        elif isinstance(item, dict) and isinstance(path := item.get("field"), str):
            found.setdefault(path, []).extend(
                rule for name in _RULE_NAMES if isinstance(rule := item.get(name), str)
            )
    return found


def _flat(data: Mapping[str, Any], path: str = "", depth: int = 1) -> Iterator[tuple[str, object]]:
    """Yield the fields of nested objects with their whole paths."""
    for name, given in data.items():
        if isinstance(given, dict) and given and depth < _MOST_LEVELS:
            yield from _flat(given, f"{path}{name}.", depth + 1)
        else:
            yield f"{path}{name}", given


def _invalid_fields(data: object) -> dict[str, tuple[str, ...]]:
    """Read fields up to a bound.

    A field that is too long is left out: a part of a secret would not be recognised as one.
    """
    found: dict[str, tuple[str, ...]] = {}
    left = _MOST_CHARACTERS
    for path, given in data.items() if isinstance(data, dict) else ():
        if len(found) == _MOST_FIELDS:
            break
        rules = _rules(given)
        size = len(path) + sum(map(len, rules))
        if size <= left:
            left -= size
            found[path] = rules
    return found


def _rules(data: object) -> tuple[str, ...]:
    rules = data if isinstance(data, list) else [data]
    return tuple(rule for rule in rules[:_MOST_RULES] if isinstance(rule, str))
