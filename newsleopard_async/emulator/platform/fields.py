"""The check of the fields of a body, and the refusal with all wrong fields (40001, T88 to T91)."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Mapping
from typing import Any, Final

from newsleopard_async.emulator.platform.notation import MalformedBody, parse_json
from newsleopard_async.emulator.switches import Switches

__all__ = ["FieldCheck", "Refused"]

logger: Final = logging.getLogger("newsleopard_async.emulator")

_MISSING: Final = object()


class Refused(Exception):
    """The request is refused with a code of the error table.

    Attributes:
        code: The code.
        extra: Further members of the answer.
        status: The HTTP status.
    """

    def __init__(self, code: int, *, status: int = 400, **extra: object) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.extra = extra


class FieldCheck:
    """Reads the fields of a body, and collects the wrong ones by their paths.

    Attributes:
        on: The switches; if ``strict``, unknown members are wrong.
        invalid: The rules that each path breaks.
    """

    def __init__(self, on: Switches) -> None:
        self.on = on
        self.invalid: dict[str, list[str]] = {}

    def refuse(self, path: str, *rules: str) -> None:
        """Record that a path breaks rules."""
        known = self.invalid.setdefault(path, [])
        known.extend(rule for rule in rules if rule not in known)

    def finish(self) -> None:
        """Raise ``Refused`` if a field was wrong."""
        if self.invalid:
            raise Refused(40001, invalidFields=self.invalid)

    def body(self, content: bytes, *, may_be_absent: bool = False) -> dict[str, Any]:
        """Read a JSON object; raise ``Refused`` for any other body."""
        if may_be_absent and not content.strip():
            return {}
        try:
            value = parse_json(content)
        except MalformedBody:
            value = None
        if isinstance(value, dict):
            return value
        self.refuse("body", "NotReadable")
        raise Refused(40001, invalidFields=self.invalid)

    def refuse_unknown(self, parent: Mapping[str, Any], path: str, names: Collection[str]) -> None:
        """Refuse unknown members, or only log them (T86)."""
        for name in parent:
            if name in names:
                continue
            where = _join(path, _printable(name))
            if self.on.strict:
                self.refuse(where, "UnknownField")
            else:
                logger.info("ignored an unknown field: %s", where)

    def mapping(self, parent: Mapping[str, Any], path: str, name: str) -> dict[str, Any] | None:
        """Read a member that is an object."""
        value = parent.get(name)
        if isinstance(value, dict):
            return value
        self.refuse(_join(path, name), "NotNull" if value is None else "InvalidType")
        return None

    def text(
        self,
        parent: Mapping[str, Any],
        path: str,
        name: str,
        *,
        optional: bool = False,
        max_chars: int | None = None,
    ) -> str:
        """Read a member that is text and not empty; an optional one can be empty or absent.

        A strict server also refuses an optional null; a lenient one treats it as absent.
        """
        value = parent.get(name)
        where = _join(path, name)
        if value is None:
            if not optional:
                self.refuse(where, "NotEmpty", "NotNull")
            elif self.on.strict and name in parent:
                self.refuse(where, "NotNull")
        elif not isinstance(value, str):
            self.refuse(where, "InvalidType")
        elif not value and not optional:
            self.refuse(where, "NotEmpty")
        elif max_chars is not None and self.on.vendor_limits and len(value) > max_chars:
            self.refuse(where, "Length")
        else:
            return value
        return ""

    def word(self, parent: Mapping[str, Any], path: str, name: str, words: Collection[str]) -> str:
        """Read a member that is one of a few words."""
        value = self.text(parent, path, name)
        if value and value not in words:
            self.refuse(_join(path, name), "Range")
        return value

    def code(
        self, parent: Mapping[str, Any], path: str, name: str, *, low: int, high: int
    ) -> int | None:
        """Read a member that is a whole number from a table; text is refused (T87)."""
        value = self.number(parent, path, name, low=low, high=high)
        if value is None or value == int(value):
            return None if value is None else int(value)
        self.refuse(_join(path, name), "InvalidType")
        return None

    def codes(
        self, parent: Mapping[str, Any], path: str, name: str, *, may_be_empty: bool = False
    ) -> tuple[str, ...]:
        """Read a member that is a list of codes: text, or numbers if codes are numbers (T16)."""
        value = parent.get(name)
        where = _join(path, name)
        if value is None:
            self.refuse(where, "NotNull")
        elif not isinstance(value, list) or not all(map(self._is_code, value)):
            self.refuse(where, "InvalidType")
        elif not all(value) or not (value or may_be_empty):
            self.refuse(where, "NotEmpty")
        else:
            return tuple(str(item) for item in value)
        return ()

    def _is_code(self, value: object) -> bool:
        return isinstance(value, str) or (self.on.numeric_codes and type(value) is int)

    def number(
        self, parent: Mapping[str, Any], path: str, name: str, *, low: float, high: float
    ) -> float | None:
        """Read a member that is a number within bounds."""
        value = parent.get(name, _MISSING)
        where = _join(path, name)
        if value is _MISSING or value is None:
            self.refuse(where, "NotNull")
        elif isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(where, "InvalidType")
        elif not low <= value <= high or (isinstance(value, float) and math.isnan(value)):
            self.refuse(where, "Range")
        else:
            return value
        return None

    def webhook_url(self, parent: Mapping[str, Any]) -> str | None:
        """Read the optional ``webhookUrl``."""
        value = parent.get("webhookUrl")
        if value is None and "webhookUrl" not in parent:
            return None
        if isinstance(value, str) and value.startswith(("http://", "https://")):
            return value
        if self.on.strict or not isinstance(value, str | None):
            self.refuse("webhookUrl", "InvalidUrl")
        return None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _printable(name: str) -> str:
    return name if len(name) <= 80 else name[:80] + "…"
