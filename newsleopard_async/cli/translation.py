"""The language of the command line: English, or 中文 (zh_TW) as the user's locale says.

The texts are in a gettext catalogue, ``locale/zh_TW/LC_MESSAGES/messages.po``. Its domain is
``messages``, because click's own words (``Usage``, ``Options``) are looked up there.
"""

from __future__ import annotations

import gettext
import os
import re
import sys
from pathlib import Path
from typing import Final

__all__ = ["ngettext", "translated", "use_catalogue"]

DOMAIN: Final = "messages"
LOCALES: Final = Path(__file__).with_name("locale")

_VARIABLES: Final = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
"""The variables that gettext reads, in this order."""

_TRADITIONAL: Final = re.compile(r"zh[-_](?:TW|HK|MO|Hant)\b", re.IGNORECASE)

ngettext = gettext.ngettext


def translated(text: str) -> str:
    """Return a text of the command line in the user's language."""
    # The empty text is the key of the catalogue's head.
    return gettext.gettext(text) if text else text


def use_catalogue() -> None:
    """Look up all texts in the catalogue of this package, in the user's language."""
    gettext.bindtextdomain(DOMAIN, LOCALES)
    gettext.textdomain(DOMAIN)
    wanted = next(filter(None, map(os.environ.get, _VARIABLES)), None) or _language_of_windows()
    if _TRADITIONAL.match(wanted):
        os.environ["LANGUAGE"] = "zh_TW"


def _language_of_windows() -> str:
    """Return the language of the Windows desktop, which sets none of the variables."""
    if sys.platform != "win32":
        return ""
    import ctypes
    import locale

    number = ctypes.windll.kernel32.GetUserDefaultUILanguage()
    return locale.windows_locale.get(number, "")
