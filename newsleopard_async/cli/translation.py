"""The language of the command line: English, or 中文 (zh_TW) as the user's locale says.

The texts are in a gettext catalogue, ``locale/zh_TW/LC_MESSAGES/messages.po``. Its domain is
``messages``, because click's own words (``Usage``, ``Options``) are looked up there.
"""

from __future__ import annotations

import contextlib
import gettext
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Literal

__all__ = [
    "LOCALES",
    "N_",
    "REASONS",
    "WEEKDAYS",
    "is_chinese",
    "joined",
    "language",
    "ngettext",
    "reason_of",
    "translated",
    "users_language",
]

DOMAIN: Final = "messages"
LOCALES: Final = Path(__file__).with_name("locale")

Language = Literal["en", "zh_TW"]

_TRADITIONAL: Final = re.compile(r"zh[-_](?:TW|HK|MO|Hant)(?![A-Za-z])", re.IGNORECASE)
_ENGLISH: Final = re.compile(r"(?:en|C|POSIX)(?![A-Za-z])")

_SEPARATORS: Final = {", ": "、", "; ": "；", ": ": "：", " ": ""}

ngettext: Callable[[str, str, int], str] = gettext.ngettext


def N_(text: str) -> str:  # noqa: N802 - the usual name of gettext's marker
    """Mark a text for the catalogue; it is looked up when it is shown."""
    return text


def translated(text: str) -> str:
    """Return a text of the command line in the user's language."""
    # The empty text is the key of the catalogue's head.
    return gettext.gettext(text) if text else text


def joined(parts: Iterable[str], separator: str = ", ") -> str:
    """Return texts with a comma, or another separator, between them; 中文 has its own."""
    return (_SEPARATORS[separator] if is_chinese() else separator).join(parts)


def reason_of(error: OSError) -> str:
    """Return the system's reason for an error; the usual ones are translated."""
    return translated(error.strerror or str(error))


@contextlib.contextmanager
def users_language(*, for_program: bool = False) -> Iterator[None]:
    """Look up all texts in the catalogue of the user's language while the block runs.

    Traditional Chinese of any region gets the catalogue of Taiwan, also from click.

    Args:
        for_program: Whether a program reads the texts, so that they are English everywhere.
    """
    chosen = "en" if for_program else language()
    before = os.environ.get("LANGUAGE")
    gettext.textdomain(DOMAIN)
    # gettext would find the catalogue behind English in a list of languages, so English has none.
    gettext.bindtextdomain(DOMAIN, LOCALES if chosen == "zh_TW" else LOCALES / "none")
    os.environ["LANGUAGE"] = chosen
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("LANGUAGE", None)
        else:
            os.environ["LANGUAGE"] = before


def is_chinese() -> bool:
    """Return whether the user's language is 中文."""
    return language() == "zh_TW"


def language() -> Language:
    """Return the user's language, which the variables of gettext name in its order.

    ``LANGUAGE`` is a list, and has no effect in the locale ``C``, as in GNU gettext.
    """
    variables = map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))
    locale = next(filter(None, variables), None)
    wanted = os.environ.get("LANGUAGE") if locale not in ("C", "POSIX") else None
    for name in (wanted or locale or _language_of_windows()).split(":"):
        if _TRADITIONAL.match(name):
            return "zh_TW"
        if _ENGLISH.match(name):
            break
    return "en"


def _language_of_windows() -> str:
    """Return the language of the Windows desktop, which sets none of the variables."""
    if sys.platform != "win32":
        return ""
    import ctypes
    import locale

    number = ctypes.windll.kernel32.GetUserDefaultUILanguage()
    return locale.windows_locale.get(number, "")


REASONS: Final = (
    *(N_("Address already in use"), N_("Cannot assign requested address")),
    *(N_("Connection refused"), N_("Connection reset by peer"), N_("Connection timed out")),
    *(N_("File exists"), N_("File name too long"), N_("Input/output error"), N_("Is a directory")),
    *(N_("Name or service not known"), N_("Network is unreachable"), N_("No route to host")),
    *(N_("No space left on device"), N_("No such file or directory"), N_("Not a directory")),
    *(N_("Operation not permitted"), N_("Permission denied"), N_("Read-only file system")),
    N_("Temporary failure in name resolution"),
)
"""The reasons that users meet, as Linux names them; another system's own are shown as they are."""

WEEKDAYS: Final = (
    *(N_("Mon {0}"), N_("Tue {0}"), N_("Wed {0}"), N_("Thu {0}")),
    *(N_("Fri {0}"), N_("Sat {0}"), N_("Sun {0}")),
)
"""A date after its weekday, in a message of the library."""
