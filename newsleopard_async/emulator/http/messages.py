"""A request that passed the gateway, and the answers and refusals in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import attrs

from newsleopard_async.emulator.platform.fields import Refused
from newsleopard_async.emulator.platform.notation import as_count
from newsleopard_async.emulator.switches import Switches

__all__ = ["JSON_TYPE", "ApiRequest", "Reply", "empty_reply", "json_reply", "refusal_reply"]

JSON_TYPE: Final = "application/json"


@attrs.frozen(kw_only=True)
class ApiRequest:
    """A request that passed the gateway.

    Attributes:
        path: Values of the path's placeholders.
        query: Query parameters; if a name occurs twice, the last value counts.
        headers: The headers, with lower-case names.
        body: The body, unchanged.
        storage_url: The base of presigned URLs in the answer; None for the storage's own URL.
    """

    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    storage_url: str | None = None


@attrs.frozen(kw_only=True)
class Reply:
    """An answer; its content type is always JSON."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict)


def json_reply(value: object, *, status: int = 200) -> Reply:
    """Build an answer with a JSON body."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Reply(status=status, body=text.encode())


def empty_reply(status: int) -> Reply:
    """Build an answer without content (T14)."""
    return Reply(status=status)


def refusal_reply(refused: Refused, on: Switches) -> Reply:
    """Build a refusal: the code is text, except for 40012, where it is a number (T88).

    All other numbers in it are counts (T90).
    """
    as_number = on.codes_as_integers or refused.code == 40012
    body: dict[str, object] = {on.code_field: refused.code if as_number else str(refused.code)}
    for name, value in refused.extra.items():
        body[name] = as_count(value, on) if isinstance(value, int) else value
    if on.invalid_fields_as_text and "invalidFields" in body:
        body["invalidFields"] = "欄位相關錯誤訊息"
    return json_reply(body, status=refused.status)
