"""Bodies of refusals. Reading one never fails: the refusal itself must arrive."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from newsleopard_async.transport.wire.values import WireError, count

__all__ = ["ErrorBody", "decode_error"]


@attrs.frozen(kw_only=True)
class ErrorBody:
    """What a refusal says.

    Attributes:
        code: The platform's code, or None where it gave none.
        message: The platform's text, or None; also the text form of ``invalidFields``.
        invalid_fields: Path to rules; empty where the platform sent text or nothing.
        recipients: Mails that would go out (預計寄出封數), with 40012.
        remaining: Mails left (剩餘可寄封數), with 40012.
    """

    code: int | None = None
    message: str | None = None
    invalid_fields: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    recipients: int | None = None
    remaining: int | None = None


def decode_error(data: object) -> ErrorBody:
    """Read the body of a refusal; what cannot be read is left out.

    Source: section 錯誤代碼對照表; documented, contradicting itself (T88 to T91).
    """
    if not isinstance(data, dict):
        return ErrorBody()
    invalid = data.get("invalidFields")
    texts = [text for text in (data.get("message"), invalid) if isinstance(text, str) and text]
    return ErrorBody(
        code=_count_or_none(data.get("code")),
        message=": ".join(texts) or None,
        invalid_fields=_invalid_fields(invalid),
        recipients=_count_or_none(data.get("recipients")),
        remaining=_count_or_none(data.get("remaining")),
    )


def _count_or_none(data: object) -> int | None:
    try:
        return count(data, "$")
    except WireError:
        return None


def _invalid_fields(data: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(data, dict):
        return {}
    return {path: _rules(rules) for path, rules in data.items()}


def _rules(data: object) -> tuple[str, ...]:
    rules = data if isinstance(data, list) else [data]
    return tuple(rule for rule in rules if isinstance(rule, str))
