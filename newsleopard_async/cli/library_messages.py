"""Shows the messages of the library, which are English sentences, in 中文.

The catalogue is ``locale/zh_TW/LC_MESSAGES/library.po``. Its keys are templates: sentences with
``{0}``, ``{1}`` … for the inserted values, and ``{row|rows}`` for the forms of a word. The template
with most letters of a message is its translation. The inserted values are translated in the same
way, because a value can be a sentence, too.

The translation is the last step: the keys of the catalogue have the options and commands that
`for_command_line` and `send_message_for_command_line` put into the English message.
"""

from __future__ import annotations

import functools
import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from newsleopard_async.cli.cli_messages import for_command_line
from newsleopard_async.cli.translation import LOCALES, REASONS, WEEKDAYS, is_chinese, reason_of

__all__ = ["Catalogue", "error_text", "in_users_language", "read_catalogue"]

_FOLDER: Final = LOCALES / "zh_TW" / "LC_MESSAGES"

_LONGEST: Final = 2_000
"""Characters. Measured: the longest message of the library, about a submit in doubt, has 470; a
longer text is content of a file, or the text of another program."""

_MOST_READINGS: Final = 300
"""Different texts that are read in one message. Measured: the message about a submit in doubt has
110, and a text that repeats words of the catalogue would have any number."""

_MOST_TOKENS: Final = 8
"""Parts between the same joints that one sentence has. Chosen: twice the most in the catalogue."""

_HOLE: Final = re.compile(r"\{(?:(\d+)|([^{}|]*(?:\|[^{}|]*)+))\}")
"""A field, ``{0}``, or the forms of a word, ``{row|rows}``."""

_FIELD: Final = re.compile(r"\{(\d+)\}")
_WHOLE_WORD: Final = re.compile(r"(?<!\w)\w+(?!\w)")
_CONTINUES: Final = re.compile(r"[ ,;:(]")
_IS_CONTINUED: Final = re.compile(r"[ ,:]\Z")

_OF_SENTENCES: Final = {"\n": "\n", "; ": "；", ". ": "。"}
_JOINTS: Final = {**_OF_SENTENCES, ": ": "：", ", ": "、", " and ": "與", " or ": "或"}
"""What is between two sentences or two values, and its Chinese."""

_PLACE: Final = re.compile(r"(\[Errno \d+\]|\$\S*|\S+?(?=: )|\S.*?\.\w{1,5}(?=:? ))(: | )")
"""The field, option, file or path in an answer before what is wrong with it."""
_PROSE: Final = re.compile(r"(?:\b[a-z]{2,} ){2}[a-z]{2,}\b")
_CLEAR: Final = 10
"""Letters of a template that cannot be in the text of another program by chance. Chosen: two words.
"""
_ITEM: Final = re.compile(r"""…|-?[\d,.]+|'[^']*'|"[^"]*"|\$\{[^{}]*\}""")
_QUOTED: Final = re.compile(r"""(?<!\w)(?:'[^']*'|"[^"]*")(?!\w)""")
_APOSTROPHE: Final = re.compile(r"(?<=\w)'(?=[a-z])|(?<=s)'(?= )")

_IDEOGRAPH: Final = re.compile(r"[\u3400-\u9fff]")
_WIDE_SIGN: Final = re.compile(r"[\u3001\u3002\u300c-\u300f\uff01-\uff0f\uff1a-\uff1f]")
_NARROW_END: Final = re.compile(r"[A-Za-z0-9_'\"%)>}=+-]")
_NARROW_BEGINNING: Final = re.compile(r"[A-Za-z0-9_'\"$<@#&=+-]")


def in_users_language(message: str) -> str:
    """Return a message of the library in the user's language, when it is shown to a person.

    What is not in the catalogue stays as it is: names, values, texts of the platform.
    """
    if not is_chinese() or message.isspace() or len(message) > _LONGEST:
        return message
    return _catalogue().translated(for_command_line(message))


def error_text(error: BaseException) -> str:
    """Return the message of an error as it is shown: with options, in the user's language."""
    if isinstance(error, OSError):
        return reason_of(error)
    return in_users_language(for_command_line(str(error)))


@functools.cache
def _catalogue() -> Catalogue:
    of_command_line = read_catalogue(_FOLDER / "messages.mo")
    values = {each: of_command_line.get(each, each) for each in (*REASONS, *WEEKDAYS)}
    return Catalogue({**values, **read_catalogue(_FOLDER / "library.mo")})


def read_catalogue(path: Path) -> dict[str, str]:
    """Return the entries of a compiled catalogue; an absent file has none.

    The module `gettext` gives no access to all keys.
    Source: https://www.gnu.org/software/gettext/manual/html_node/MO-Files.html
    """
    if not path.exists():
        return {}
    data = path.read_bytes()
    _, _, count, keys_at, texts_at = struct.unpack_from("<5I", data)

    def text(table: int, index: int) -> str:
        length, start = struct.unpack_from("<2I", data, table + 8 * index)
        return data[start : start + length].decode()

    pairs = ((text(keys_at, index), text(texts_at, index)) for index in range(count))
    return {english: chinese for english, chinese in pairs if english}


_Place: TypeAlias = tuple[int, int]
"""The begin and the end of a piece in a text."""


class _Reading(NamedTuple):
    """One way to read a text; the largest is the best.

    Attributes:
        letters: How many letters of the text the catalogue has.
        rank: 2 for several sentences, 1 for one template, 0 if only a part is known.
        own_letters: The letters of the template itself, without its values.
        chinese: The translation.
    """

    letters: int
    rank: int
    own_letters: int
    chinese: str


class _MessageTemplate:
    """An entry of the catalogue.

    Attributes:
        word: A word that each message of this form has; empty if it has none for certain.
    """

    def __init__(self, english: str, chinese: str) -> None:
        self._english = english
        self._chinese = chinese
        pieces = _HOLE.split(english)
        self._texts = pieces[::3]
        self._longest_first = sorted(filter(None, self._texts), key=len, reverse=True)
        self.word = max(_whole_words(self._texts), key=len, default="")

    @functools.cached_property
    def _letters(self) -> int:
        """The letters of the template; of several forms of a word, those of the shortest."""
        forms = (min(map(_letters, form.split("|"))) for _, form in self._holes if form)
        return sum(forms, sum(map(_letters, self._texts)))

    @functools.cached_property
    def _holes(self) -> list[tuple[str, str]]:
        """The number of each field, or the forms of each word."""
        return _HOLE.findall(self._english)

    @functools.cached_property
    def _fields(self) -> list[str]:
        """The numbers of the fields; ``<`` and ``>`` are what is before and after the template."""
        numbers = [number for number, _ in self._holes if number]
        before = ["<"] if _CONTINUES.match(self._english) else []
        after = [">"] if _IS_CONTINUED.search(self._english) else []
        return [*before, *numbers, *after]

    @functools.cached_property
    def _pieces(self) -> list[tuple[str, ...]]:
        """The texts around the fields; a text with forms of a word is there once for each form."""
        pieces: list[tuple[str, ...]] = [("",)] if "<" in self._fields else []
        pieces.append((self._texts[0],))
        for (number, forms), text in zip(self._holes, self._texts[1:], strict=True):
            if number:
                pieces.append((text,))
            else:
                words = forms.split("|")
                pieces[-1] = tuple(before + word + text for before in pieces[-1] for word in words)
        return [*pieces, ("",)] if ">" in self._fields else pieces

    def values_in(self, text: str) -> Iterator[Mapping[str, str]]:
        """Yield the possible values of the fields in a text; none if it has another form.

        There are two, because the text between two fields can also be in a value. A regular
        expression would try all divisions of a text that repeats it, which takes seconds.
        """
        if not all(each in text for each in self._longest_first):
            return
        from_right = _places_from_right(text, self._pieces)
        if from_right is None:
            return
        # What is before a clause is as long as possible.
        fixed = from_right[:2] if "<" in self._fields else []
        both = (_places_from_left(text, self._pieces, fixed), from_right)
        for places in both if len(self._fields) > 1 else both[1:]:
            if places is not None:
                values = [text[end:begin] for (_, end), (begin, _) in pairwise(places)]
                if all(map(_is_one_message, values)):
                    yield dict(zip(self._fields, values, strict=True))

    @property
    def is_clear(self) -> bool:
        """Whether it is so long that a text of another program does not have this form."""
        return self._letters >= _CLEAR

    def filled(self, values: Mapping[str, _Reading]) -> _Reading:
        """Return the translation with the values."""
        pieces = [values[each] for each in ("<",) if each in values]
        for place, text in enumerate(_FIELD.split(self._chinese)):
            pieces.append(values[text] if place % 2 else _ours(text))
        pieces += [values[each] for each in (">",) if each in values]
        letters = self._letters + sum(value.letters for value in values.values())
        return _Reading(letters, 1, self._letters, _joined(pieces))


def _places_from_left(
    text: str, pieces: Sequence[tuple[str, ...]], fixed: Sequence[_Place]
) -> list[_Place] | None:
    """Return where the pieces of a template are if each field is as short as possible.

    Args:
        text: The text, which begins with the first piece and ends with the last one.
        pieces: The forms of each piece.
        fixed: The places of the first pieces, if they are known.
    """
    if len(pieces) == 1:
        return [(0, len(text))] if text in pieces[0] else None
    places = list(fixed)
    for piece in pieces[len(places) : -1]:
        at = places[-1][1] if places else 0
        found = [
            (begin, begin + len(form)) for form in piece if (begin := text.find(form, at)) >= 0
        ]
        if not found or (not places and min(found)[0] > 0):
            return None
        places.append(min(found))
    last = [len(text) - len(form) for form in pieces[-1] if text.endswith(form)]
    if not last or min(last) < (places[-1][1] if places else 0):
        return None
    return [*places, (min(last), len(text))]


def _places_from_right(text: str, pieces: Sequence[tuple[str, ...]]) -> list[_Place] | None:
    """Return where the pieces of a template are if each field is as long as possible."""
    backwards = [tuple(form[::-1] for form in piece) for piece in reversed(pieces)]
    places = _places_from_left(text[::-1], backwards, ())
    if places is None:
        return None
    return [(len(text) - end, len(text) - begin) for begin, end in reversed(places)]


class Catalogue:
    """Finds the templates of a message.

    Args:
        entries: The translation of each template.
    """

    def __init__(self, entries: Mapping[str, str]) -> None:
        self._by_word: dict[str, list[_MessageTemplate]] = defaultdict(list)
        for english, chinese in (*entries.items(), *_clauses(entries)):
            template = _MessageTemplate(english, chinese)
            self._by_word[template.word].append(template)

    def translated(self, message: str) -> str:
        """Return a message in 中文; what is not in the catalogue stays as it is."""
        return _Reader(self._by_word).read(message).chinese


def _clauses(entries: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the first clause of each template, because a message can have it without the advice."""
    for english, chinese in entries.items():
        first, advice, _ = english.partition("; ")
        clause, rest, _ = chinese.partition("；")
        has_same_fields = set(_FIELD.findall(first)) == set(_FIELD.findall(clause))
        if advice and rest and has_same_fields and _letters(first) >= _CLEAR:
            yield first, clause


class _Reader:
    """Reads one message; a text that occurs in it repeatedly is read once."""

    def __init__(self, by_word: Mapping[str, list[_MessageTemplate]]) -> None:
        self._by_word = by_word
        self._known: dict[str, _Reading] = {}

    def read(self, text: str) -> _Reading:
        """Return the best reading of a text."""
        if text not in self._known:
            if len(self._known) >= _MOST_READINGS:
                return _Reading(0, 0, 0, text)
            self._known[text] = _Reading(0, 0, 0, text)
            ways = (self._by_template, self._in_two, self._in_parts, self._as_list)
            for way in ways:
                for reading in way(text):
                    self._known[text] = max(self._known[text], reading, key=_merit)
        return self._known[text]

    def _by_template(self, text: str) -> Iterator[_Reading]:
        for word in {"", *_WHOLE_WORD.findall(text)}:
            for template in self._by_word.get(word, ()):
                for values in template.values_in(text):
                    readings = {name: self.read(each) for name, each in values.items()}
                    if template.is_clear or not any(map(_is_foreign, readings.values())):
                        yield template.filled(readings)

    def _in_two(self, text: str) -> Iterator[_Reading]:
        """Divide a text at a joint; the second part can have more joints."""
        joints = (*_OF_SENTENCES, ": ") if _is_several(text) else _JOINTS
        for joint in joints:
            for first, second in _divided(text, joint):
                if joint == ": " and _is_several(first):
                    break
                reading = _of_two(joint, self.read(first), self.read(second))
                if reading is not None:
                    yield reading

    def _in_parts(self, text: str) -> Iterator[_Reading]:
        """Read a sentence after the name of a field or file, or before brackets or a full stop."""
        if place := _PLACE.match(text):
            problem = self.read(text[place.end() :])
            if problem.letters or _IDEOGRAPH.match(problem.chinese):
                joint = "：" if place[2] == ": " else place[2]
                yield problem._replace(rank=2, chinese=f"{place[1]}{joint}{problem.chinese}")
        if text.endswith(")") and " (" in text:
            first, _, second = text[:-1].rpartition(" (")
            outer, inner = self.read(first), self.read(second)
            if inner.letters or outer.letters or inner.chinese == outer.chinese:
                yield _in_brackets(outer, inner)
        if text.endswith(".") and (sentence := self.read(text[:-1])).letters:
            yield sentence._replace(chinese=f"{sentence.chinese}。")

    def _as_list(self, text: str) -> Iterator[_Reading]:
        items = text.split(", ")
        if len(items) > 1 and all(map(_ITEM.fullmatch, items)):
            yield _Reading(1, 0, 0, "、".join(items))


def _merit(reading: _Reading) -> tuple[int, int, int]:
    return reading[:3]


def _is_several(text: str) -> bool:
    return any(joint in text for joint in _OF_SENTENCES)


def _is_one_message(value: str) -> bool:
    """Return whether a value is not several messages, which are read one by one."""
    return value.count("; ") < _MOST_TOKENS / 2


def _is_foreign(reading: _Reading) -> bool:
    """Return whether a text is prose of another program."""
    return reading.letters == 0 and _PROSE.search(_QUOTED.sub("", reading.chinese)) is not None


def _divided(text: str, joint: str) -> Iterator[tuple[str, str]]:
    place = text.find(joint)
    for _ in range(_MOST_TOKENS):
        if place < 0:
            return
        first, second = text[:place], text[place + len(joint) :]
        if _is_balanced(first) and _is_balanced(second):
            yield first, second
        place = text.find(joint, place + 1)


def _is_balanced(text: str) -> bool:
    """Return whether each quote in a text is closed, so that the text is not a part of a name."""
    text = _APOSTROPHE.sub("", _QUOTED.sub("", text))
    return text.count("'") % 2 == text.count('"') % 2 == 0


def _of_two(joint: str, first: _Reading, second: _Reading) -> _Reading | None:
    known = (first.letters > 0) + (second.letters > 0)
    if known < (1 if joint in ("\n", "; ", ": ") else 2):
        return None
    letters = first.letters + second.letters + (_letters(joint) if known == 2 else 0)
    rank = 2 if known == 2 and joint in (*_OF_SENTENCES, ": ") else 0
    return _Reading(letters, rank, 0, _joined((first, _ours(_JOINTS[joint]), second)))


def _in_brackets(outer: _Reading, inner: _Reading) -> _Reading:
    letters = outer.letters + inner.letters
    if inner.chinese == outer.chinese:
        # The platform's own text follows our translation of it.
        return _Reading(letters, 0, 0, outer.chinese)
    pieces = (outer, _ours("（"), inner, _ours("）"))
    return _Reading(letters, 2 if outer.letters else 0, 0, _joined(pieces))


def _ours(text: str) -> _Reading:
    """Return a text that the catalogue has."""
    return _Reading(1, 1, 1, text)


def _letters(text: str) -> int:
    """Count the letters and signs of a text; a sign that ends a clause counts more, a space not."""
    return len(text) - text.count(" ") + text.count(":") + text.count(";")


def _whole_words(texts: Iterable[str]) -> Iterator[str]:
    """Yield the words of a template that do not touch a field."""
    texts = tuple(texts)
    for index, text in enumerate(texts):
        for word in _WHOLE_WORD.finditer(text):
            touches_field = (word.start() == 0 and index > 0) or (
                word.end() == len(text) and index < len(texts) - 1
            )
            if not touches_field:
                yield word[0]


def _joined(pieces: Iterable[_Reading]) -> str:
    """Join texts, with a space between 中文 and Latin letters, and none beside wide signs."""
    result, is_known = "", False
    for piece in pieces:
        if not piece.chinese:
            continue
        before, after = _at_border(result, piece.chinese, are_known=is_known and piece.letters > 0)
        result, is_known = before + after, piece.letters > 0
    return result


def _at_border(before: str, after: str, *, are_known: bool) -> tuple[str, str]:
    if _WIDE_SIGN.match(before[-1:]):
        return before, after.lstrip(" ")
    if _WIDE_SIGN.match(after):
        return before.rstrip(" "), after
    if are_known and all(map(_IDEOGRAPH.match, (before.rstrip(" ")[-1:], after.lstrip(" ")))):
        return before.rstrip(" "), after.lstrip(" ")
    if (_IDEOGRAPH.match(before[-1:]) and _NARROW_BEGINNING.match(after)) or (
        _NARROW_END.match(before[-1:]) and _IDEOGRAPH.match(after)
    ):
        return before + " ", after
    return before, after
