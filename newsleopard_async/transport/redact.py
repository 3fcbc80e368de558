"""Keeps the key and personal data in the texts of a server out of errors and logs.

Servers echo what they received, in any notation. So no list has all forbidden forms. The text
is decoded until it no longer changes, and then only words are shown: pieces that cannot be an
address, phone number, URL, parameter or token. Anything else is replaced by a mark.
"""

from __future__ import annotations

import base64
import html
import re
import unicodedata
import weakref
from typing import Final, NoReturn, Self
from urllib.parse import unquote

from newsleopard_async.disclosure import shown

__all__ = ["Secret", "echoes", "excerpt", "redact"]

_EXCERPT_CHARACTERS: Final = 160
"""Chosen: two lines of a terminal."""

_LONGEST_CHARACTERS: Final = 500
"""Chosen: some lines of a terminal."""

_WINDOW: Final = 8
"""How many times the shown length is inspected. Chosen: redacting makes text much shorter."""

_MARK: Final = "•••"
_WITHHELD: Final = "(text withheld: it may show what is secret)"

_MOST_ROUNDS: Final = 6
"""Chosen: twice the number of encodings that a real message has."""

_ESCAPE: Final = re.compile(
    r"\\(?-i:U)([0-9a-f]{8})|\\u\{([0-9a-f]{1,6})\}|\\u([0-9a-f]{4})|%u([0-9a-f]{4})"
    r"|\\x([0-9a-f]{2})|u\+([0-9a-f]{4,6})",
    re.IGNORECASE,
)
_OCTAL: Final = re.compile(r"\\0?([0-3][0-7]{2})")
_SLASHED: Final = re.compile(r"\\([\"'/\\])")

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")

_TAG: Final = re.compile(r"</?[a-z][^<>@]{0,60}>", re.IGNORECASE)
_GAP: Final = r"(?:</?(?:a|b|br|code|em|i|span|strong|td|tt|u|wbr)\b[^<>@]{0,60}>|[^\w@])"
"""The characters that can separate the parts of one item: HTML tags, brackets, quotes, spaces."""

_QUOTED_ADDRESS: Final = re.compile(r'"[^"]{0,320}"\s*@\s*[^\s"<>]*')
_SET_OUT_ADDRESS: Final = re.compile(
    rf"[\w.+'=-]{{1,64}}{_GAP}{{1,8}}@{_GAP}{{0,8}}[\w.-]{{1,255}}"
    rf"|[\w.+'=-]{{1,64}}@{_GAP}{{1,8}}[\w.-]{{1,255}}",
    re.IGNORECASE,
)
"""An address whose @ or neighbours are in brackets, in quotes, in tags, or in a list."""

_SPOKEN_ADDRESS: Final = re.compile(
    r"[^\s@\"<>{}\[\](),;]{0,64}(?<![\"<>{}\[\](),;])\s?"
    r"(?:@|小老鼠|[\[({<（【「]\s?at\s?[\])}>）】」]"
    r"|(?<=[\s_-])at[\s_-](?!(?:config|content|form)\.)(?=\S{1,255}(?:\.|\sdot\s)[a-z]{2}))"
    r"\s?[^\s@\"<>{},;]{1,255}",
    re.IGNORECASE,
)
"""An address with spaces around the @, or with a spelled @; fields of a campaign are not hosts."""

_LABELLED: Final = re.compile(
    r"((?:signature|token|secret|password|passwd|credential|access_?key(?:_?id)?|api-?_?key)"
    r"[\"'\]]?\s?[:=>]{1,2}\s?[\"'\[]?"
    r"|(?:x[_-]amz[_-][a-z_-]+|x-api-key|awsaccesskeyid)(?:</?[a-z]+>|[\W_]){1,8}(?:value[\W_]{1,4})?"
    r"|(?:bearer|basic)\s|base64,)"
    r"[^\s\"'<>\[\]{}]+",
    re.IGNORECASE,
)
_NUMERALS: Final = "〇零一二三四五六七八九壹貳參肆伍陸柒捌玖"
_DIGIT: Final = rf"[\d{_NUMERALS}]"
_DIGITS: Final = re.compile(
    rf"\+?\(?{_DIGIT}(?:(?:</?[a-z]{{1,8}} ?/?>|[\W_]){{0,6}}{_DIGIT}){{6,}}", re.IGNORECASE
)
"""Seven digits in any grouping: a phone number, a card, a date of birth."""

_URL: Final = re.compile(
    r"(https?://(?:[a-z0-9-]{1,63}\.)*[a-z0-9-]{1,63}(?::\d{1,5})?)(?=[/?#]|$)", re.IGNORECASE
)
_PIECE: Final = re.compile(r"[^\s\"“”{}\[\]()<>,;，。、；：（）「」『』【】《》！？…]+")
_WORD: Final = re.compile(
    # Words, field paths, paths and small numbers, possibly with punctuation at the end.
    r"[$'!*/:.•-]*(?:[^\W_]|[_.'’/:*•·–—-](?![/]))*[?!%:.']*"
)
_TOKEN: Final = re.compile(
    r"(?=[a-z_/-]*\d)(?=[\d_/-]*[a-z])[\w/-]{16,}|[\w/-]{40,}", re.IGNORECASE | re.ASCII
)
"""A long piece that mixes letters and digits is not a word: a signature, an id, encoded data."""

_HOST: Final = re.compile(r"[\w-]\.[a-z]{2,}(?::\d+)?/", re.IGNORECASE)
_LONGEST_WORD_CHARACTERS: Final = 120
"""Chosen: Chinese sentences have no spaces. It also protects the patterns below from long
pieces."""

_SHARED_CHARACTERS: Final = 8
"""This many characters of the key in a row are not a coincidence. Chosen: eight; a shorter key
counts as a whole."""


class Secret:
    """The key, which no repr shows.

    The text is in no attribute, so that programs that print objects by their fields, slots or
    properties do not find it. It cannot be pickled.
    """

    __slots__ = ("__weakref__",)

    def __init__(self, text: str) -> None:
        _TEXTS[self] = text

    def reveal(self) -> str:
        """Return the text, for a header or a hash."""
        return _TEXTS[self]

    @property
    def is_visible_ascii(self) -> bool:
        """Whether a header can contain it."""
        return all("!" <= character <= "~" for character in self.reveal())

    def __repr__(self) -> str:
        return _MARK

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("the API key cannot be pickled; create a client in the other process")


_TEXTS: Final[weakref.WeakKeyDictionary[Secret, str]] = weakref.WeakKeyDictionary()


def redact(text: str, secret: Secret) -> str:
    """Hide all pieces that are not words of a message, and limit the length to a few lines."""
    if not text:
        return ""  # most answers are read completely
    window = text[: _WINDOW * _LONGEST_CHARACTERS]
    return _shown(window, secret, _LONGEST_CHARACTERS, is_cut=len(window) < len(text))


def excerpt(body: bytes, secret: Secret) -> str:
    """Return the beginning of a body, redacted, on one line."""
    window = body[: _WINDOW * _EXCERPT_CHARACTERS]
    text = window.decode("utf-8", "replace")
    return _shown(text, secret, _EXCERPT_CHARACTERS, is_cut=len(window) < len(body))


def echoes(text: str, secret: Secret | None) -> bool:
    """Return whether a text contains the key, or a part by which it can be recognised."""
    return secret is not None and _without_echoes(text, secret.reveal()) != text


def _shown(text: str, secret: Secret, longest: int, *, is_cut: bool) -> str:
    text = " ".join(text.split())
    if is_cut:
        # The cut possibly divided a secret, and the first half would not be recognised.
        text = text.rpartition(" ")[0]
    plain = _decoded(text)
    if plain is None:
        return _WITHHELD
    plain = _without_echoes(plain, secret.reveal())
    for pattern in (_QUOTED_ADDRESS, _SET_OUT_ADDRESS, _SPOKEN_ADDRESS):
        plain = pattern.sub(_MARK, plain)
    plain = _LABELLED.sub(rf"\1{_MARK}", plain)
    plain = _DIGITS.sub(_MARK, _PIECE.sub(lambda piece: _redact_piece(piece[0]), plain))
    line = shown(" ".join(plain.split()))
    if len(line) > longest:
        return line[:longest] + "…"
    return f"{line}…" if is_cut else line


def _decoded(text: str) -> str | None:
    """Undo all notations, including nested ones; return None if there are too many."""
    for _ in range(_MOST_ROUNDS):
        plain = _once_decoded(text)
        if plain == text:
            return plain
        text = plain
    return None


def _once_decoded(text: str) -> str:
    text = _SLASHED.sub(r"\1", _OCTAL.sub(_octal, _ESCAPE.sub(_escaped, text)))
    text = html.unescape(unquote(text, errors="replace"))
    text = _CONTROL.sub(" ", text)
    return text if text.isascii() else "".join(map(_narrow, text))


def _escaped(match: re.Match[str]) -> str:
    number = int(next(filter(None, match.groups())), 16)
    return chr(number) if number <= 0x10FFFF else " "


def _octal(match: re.Match[str]) -> str:
    return chr(int(match[1], 8))


def _narrow(character: str) -> str:
    """Return the ASCII form of a character that looks the same; drop invisible characters."""
    if character.isascii():
        return character
    if character in _AT_SIGNS:
        return "@"
    if "\U000e0020" <= character <= "\U000e007e":
        return chr(ord(character) - 0xE0000)
    if character in _BLANK:
        return " "
    if unicodedata.category(character) in {"Cf", "Cs"} or character in _UNSEEN:
        return ""
    narrow = unicodedata.normalize("NFKC", character)
    if narrow in _PUNCTUATION:
        # Chinese punctuation does not change.
        return character
    return narrow if narrow.isascii() or narrow in _NUMERALS else character


_AT_SIGNS: Final = frozenset("ⓐⒶ")
_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and signs that look like spaces."""

_UNSEEN: Final = frozenset("\u034f\u180b\u180c\u180d\ufe0e\ufe0f")
_PUNCTUATION: Final = frozenset("，。、；：（）！？,;:()!?~")


def _without_echoes(text: str, key: str) -> str:
    """Hide the key, in any case and encoding, and the rest of a key that was cut.

    Letters and digits are also compared separately: the key can be spaced out, or in a list.
    """
    parts, size = _echoes_of(key)
    # A letter whose small form has two characters is in no key.
    folded = [small if len(small := character.lower()) == 1 else character for character in text]
    words = list(folded)
    for tag in _TAG.finditer(text):
        words[tag.start() : tag.end()] = " " * len(tag[0])
    alone = [at for at, character in enumerate(words) if character.isalnum()]
    hidden: set[int] = set()
    for indices in (range(len(text)), alone):
        joined = "".join(folded[at] for at in indices)
        for begin in range(len(indices) - size + 1):
            if joined[begin : begin + size] in parts:
                hidden.update(range(indices[begin], indices[begin + size - 1] + 1))
    if not hidden:
        return text
    masked = ["\0" if at in hidden else character for at, character in enumerate(text)]
    return re.sub("\0+", _MARK, "".join(masked))


def _echoes_of(key: str) -> tuple[frozenset[str], int]:
    """Return the pieces by which the key is recognised, and their length."""
    size = max(1, min(_SHARED_CHARACTERS, len(key)))
    raw = key.encode()
    encoded = [raw.hex(), *(base64.b64encode(raw[begin:]).decode()[:-4] for begin in range(3))]
    forms = [key, _decoded(key) or key, *encoded]
    forms += ["".join(filter(str.isalnum, form)) for form in forms]
    forms = [form.lower() for form in forms if len(form) >= size]
    parts = {form[at : at + size] for form in forms for at in range(len(form) - size + 1)}
    return frozenset(parts), size


def _redact_piece(piece: str) -> str:
    """Return a piece of text if it is a word, else a mark."""
    url = _URL.match(piece)
    if url is not None:
        return f"{url[1]}/{_MARK}"
    if len(piece) > _LONGEST_WORD_CHARACTERS or not _WORD.fullmatch(piece):
        return _MARK
    if _MARK in piece or "**" in piece:
        # A server that masks a value can show its ends.
        return _MARK
    # The paths of the API begin with this.
    is_coded = _TOKEN.search(piece.replace("/v1/", "/")) or _HOST.search(piece)
    return _MARK if is_coded else piece
