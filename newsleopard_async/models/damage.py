"""Damage by conversions: lost characters, a wrong decoding, references, invisible characters.

These pure functions check one text, of contacts or campaigns. They need only the text, and accept
everything that people write: accents, emoji, a question mark at the end.
"""

from __future__ import annotations

import re
from html.entities import html5
from typing import Final
from unicodedata import category

__all__ = [
    "HIDDEN",
    "INVISIBLE",
    "LOST",
    "MISREAD",
    "REFERENCE",
    "has_reference",
    "is_unseen",
    "original_of",
    "without_invisible",
]

_HAN: Final = "\u3400-\u9fff\U00020000-\U0003ffff"

INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""Unicode's Default_Ignorable_Code_Point, the braille blank, and the marks of annotations."""

_EMOJI: Final = (
    "\u00a9\u00ae\u203c\u2049\u2100-\u27bf\u2900-\u2bff\u3030\u303d\u3297\u3299"
    "\U0001f000-\U0001faff"
)

HIDDEN: Final = re.compile(
    rf"(?!(?<=[{_EMOJI}])[\u200d\ufe0e\ufe0f]|(?<=[{_EMOJI}]\ufe0f)\u200d|\ufe0f\u20e3)"
    + INVISIBLE.pattern
)
"""Invisible characters, except those that join two emoji or choose the style of one."""

LOST: Final = re.compile(
    # The pattern begins with one set of characters, because re searches for a set much faster than
    # for alternatives: U+FFFD for undecodable bytes; private use, which other machines show as an
    # empty box (the last planes have the rare characters of 全字庫); the SUB of ICU and DB2.
    "[\ufffd\ue000-\uf8ff\U000f0000-\U0010ffff\x1a\u5699\u951f?\xbf](?:(?<![\u5699\u951f?\xbf])"
    # U+FFFD whose UTF-8 was read as Big5 or as GBK.
    "|(?<=\u5699)\u8e1d\u856d|(?<=\u951f)\u65a4\u62f7"
    # The marks that spreadsheets and Oracle write for a character that Big5 lacks.
    f"|(?<=[{_HAN}][?\xbf])[?\xbf]*(?=[{_HAN}]))"
)

REFERENCE: Final = re.compile(
    "&(?:(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
    # A reference that a too short field has cut off; browsers also resolve it.
    "|#[0-9]{2,7}(?![0-9;]))"
)
"""The form of an HTML character reference; ``has_reference`` also checks the names."""


def has_reference(text: str) -> bool:
    """Return whether a text contains an HTML character reference, such as ``&#22531;``."""
    return any(match[0][1] == "#" or match[0][1:] in html5 for match in REFERENCE.finditer(text))


def without_invisible(text: str) -> str:
    """Return a text without its invisible characters."""
    return INVISIBLE.sub("", text)


def is_unseen(text: str) -> bool:
    """Return whether a text has only blanks, control characters and invisible characters."""
    return all(each.isspace() or category(each) == "Cc" for each in without_invisible(text))


_CONTINUING: Final = (
    # The bytes 0x80 to 0xBF as Latin-1 shows them, and as CP1252 does.
    "\x80-\xbf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d"
    "\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178"
)
# Signs after or before words that can also be a byte of UTF-8.
_CLOSING: Final = "\xae\xbb\u2019\u201d\u2026\u2013\u2014\u2122\u203a"
_AROUND: Final = f"{_CLOSING}\xa0\xab\xad\u2018\u201c\u2039"
_UTF8_AS_LATIN: Final = re.compile(
    rf"[\xc2-\xf4](?:(?<=[\xc2\xc3])(?![{_CLOSING}](?!\w))[{_CONTINUING}]"
    # For Polish, Greek, Cyrillic and similar scripts, two letters, or one inside a word in lower
    # case, because NESCAFE with an accent can be followed by a sign.
    rf"|(?<=[\xc4-\xdf])[{_CONTINUING}](?:[\xc4-\xdf][{_CONTINUING}])+"
    rf"|(?<=[a-z][\xc4-\xdf])[{_CONTINUING}]"
    rf"|(?<=[\xc4\xc5])(?![{_AROUND}])[{_CONTINUING}](?=[a-z])"
    rf"|(?<=[\xe0-\xef])(?![{_CLOSING}]{{2}}(?!\w))[{_CONTINUING}]{{2}}"
    rf"|(?<=[\xf0-\xf4])(?![{_CLOSING}]{{3}}(?!\w))[{_CONTINUING}]{{3}})"
)
_BIG5_AS_LATIN: Final = re.compile(
    # Two or more frequent characters of Big5 in a row; the first begins with a symbol.
    "[\xa4-\xbf][\x40-\x7e\xa1-\xfe](?:[\xa4-\xc6][\x40-\x7e\xa1-\xfe])+"
)


def _characters(leads: range, trails: range) -> str:
    pairs = (bytes((lead, trail)) for lead in leads for trail in trails)
    return "".join(pair.decode("cp950", "ignore") for pair in pairs)


# Three bytes of UTF-8 and three more are three characters of Big5; these are the first two.
_BIG5_LEADS: Final = _characters(range(0xE4, 0xEA), range(0xA1, 0xC0))
_BIG5_TRAILS: Final = _characters(range(0x81, 0xC0), range(0xE4, 0xEA))

_OF_OTHER_SYSTEMS: Final = ("mac_roman", "cp437", "cp850")
"""Encodings in which Excel for Mac and consoles read UTF-8."""


def _bytes_in(codec: str, *numbers: range) -> str:
    return "".join(bytes(each).decode(codec) for each in numbers)


# The first byte and a later byte of UTF-8 in these encodings, for Latin-1 letters and 3 or 4 bytes.
_OTHER_LEADS: Final = "".join(
    _bytes_in(codec, range(0xC3, 0xC4), range(0xE2, 0xF1)) for codec in _OF_OTHER_SYSTEMS
)
_OTHER_TRAILS: Final = "".join(_bytes_in(codec, range(0x80, 0xC0)) for codec in _OF_OTHER_SYSTEMS)
_OTHER_ORIGINAL: Final = re.compile(
    # Letters of Latin-1, general punctuation, CJK and Hangul, emoji. Other results are accidents,
    # for example Armenian from the French d’État.
    "(?:[\x00-\x7f\xc0-\xff\u2010-\u2027]|[\u3000-\ud7ff\uf900-\ufaff\uff00-\uffef]"
    "|[\U0001f300-\U0001faff\U00020000-\U0003ffff])+"
)

MISREAD: Final = re.compile(
    # The pattern begins with one set, like LOST, and contains only the begins of the four forms.
    f"[\xa4-\xf4{_BIG5_LEADS}{_OTHER_LEADS}](?:(?<=[\xc2-\xf4])[{_CONTINUING}]"
    rf"|(?<=[\xa4-\xbf])[\x40-\x7e\xa1-\xfe]|(?<=[{_BIG5_LEADS}])[{_BIG5_TRAILS}]"
    f"|(?<=[{_OTHER_LEADS}])[{_OTHER_TRAILS}])"
)
"""A pattern in every text with an original for `original_of`, and in few other texts."""


def original_of(text: str) -> str | None:
    """Return the original of a text that was decoded in a wrong encoding; None for other texts.

    It recognises UTF-8 and Big5 that were read as Latin-1 or CP1252, and UTF-8 that was read as
    Big5, Mac Roman, CP437 or CP850, once or several times. It does not recognise UTF-8 that was
    read as GBK or Shift-JIS, because names of people can have this form by accident.
    """
    if MISREAD.search(text) is None:
        return None
    original = _UTF8_AS_LATIN.sub(_of_utf8, text)
    if original == text:
        original = _BIG5_AS_LATIN.sub(_of_big5, text)
    if original == text:
        original = _reread(text, "cp950", "utf-8") or _of_other_systems(text) or text
    if original == text:
        return None
    return original_of(original) or original


def _of_utf8(match: re.Match[str]) -> str:
    return _decoded(b"".join(map(_byte, match[0])), "utf-8") or match[0]


def _of_big5(match: re.Match[str]) -> str:
    return _decoded(match[0].encode("latin-1"), "cp950") or match[0]


def _byte(character: str) -> bytes:
    """Return the byte of a character in CP1252, or in Latin-1 if CP1252 has no such character."""
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        return character.encode("latin-1")


def _of_other_systems(text: str) -> str | None:
    originals = (_reread(text, wrong, "utf-8") for wrong in _OF_OTHER_SYSTEMS)
    return next((each for each in originals if each and _OTHER_ORIGINAL.fullmatch(each)), None)


def _reread(text: str, wrong: str, right: str) -> str | None:
    try:
        return _decoded(text.encode(wrong), right)
    except UnicodeEncodeError:
        return None


def _decoded(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return None
