"""What no error or log line may show: the key, and what else the text of the wire holds."""

from __future__ import annotations

import json
import re
from typing import Final
from urllib.parse import quote

import attrs

__all__ = ["Secret", "excerpt", "redact"]

_EXCERPT_CHARACTERS: Final = 160
_LONGEST_CHARACTERS: Final = 500
_WINDOW: Final = 8
"""How many times what is shown is looked at, since redacting makes text shorter."""

# In JSON, a slash may stand behind a backslash.
_QUERY: Final = re.compile(r"(https?:(?:\\?/){2}[^\s?#\"'<>]+)[?#][^\s\"'<>]*", re.IGNORECASE)
_NAME: Final = r"[^\s@<>\"',;:=()]"
# The look-behind keeps a long text without an @ from costing the square of its length.
_ADDRESS: Final = re.compile(rf"(?<!{_NAME}){_NAME}+@{_NAME}+")


@attrs.frozen(repr=False)
class Secret:
    """The key, which shows itself to nobody."""

    value: str

    @property
    def is_visible_ascii(self) -> bool:
        """Whether a header can carry it."""
        return all("!" <= character <= "~" for character in self.value)

    def __repr__(self) -> str:
        return "•••"


def redact(text: str, *secrets: str) -> str:
    """Hide the secrets, the queries of URLs and mail addresses, and keep it to a few lines."""
    window = text[: _WINDOW * _LONGEST_CHARACTERS]
    return _shown(window, secrets, _LONGEST_CHARACTERS, is_cut=len(window) < len(text))


def excerpt(body: bytes, *secrets: str) -> str:
    """Return the beginning of a body, redacted, on one line."""
    window = body[: _WINDOW * _EXCERPT_CHARACTERS]
    line = " ".join(window.decode("utf-8", "replace").split())
    return _shown(line, secrets, _EXCERPT_CHARACTERS, is_cut=len(window) < len(body))


def _shown(text: str, secrets: tuple[str, ...], longest: int, *, is_cut: bool) -> str:
    for secret in filter(None, secrets):
        for form in (secret, json.dumps(secret)[1:-1], quote(secret, safe="")):
            text = text.replace(form, "•••")
    clean = _ADDRESS.sub("•••@•••", _QUERY.sub(r"\1?•••", text))
    shown = "".join(c if c.isprintable() else " " if c.isspace() else "�" for c in clean)
    if len(shown) > longest:
        return shown[:longest] + "…"
    # Where the cut shows, it may have halved a secret, whose first half nobody recognises.
    return shown.rpartition(" ")[0] + "…" if is_cut else shown
