"""The rules for the text of cells: text that a reader would see and the sender did not intend.

Two searches per column pass over a million cells without problems: for the characters of the
rules, and for the first characters of cells. Only if one is found, each cell is checked by the
rules of that character.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import attrs

from newsleopard_async.contacts.rules.cells import Cells, LineTally, is_formula
from newsleopard_async.contacts.rules.trimming import is_marked
from newsleopard_async.models.damage import (
    INVISIBLE,
    LOST,
    MISREAD,
    has_reference,
    is_unseen,
    original_of,
)
from newsleopard_async.models.findings import Finding, Level, counted

__all__ = ["TextRules", "flaws_of_name"]


@attrs.frozen(kw_only=True)
class _TextRule:
    """One rule for a cell.

    Attributes:
        name: The id of the rule.
        is_broken_by: Whether a cell breaks the rule.
        says: The message after the number and the lines of the cells, with the way out.
        marks: Characters, as in a character set of a pattern; each bad cell contains one of them,
            unless `begins` or `words` finds it.
        begins: The possible first characters of bad cells, in the same notation.
        words: Texts, one of which is in each bad cell that the other two do not find.
        level: The level of the findings.
    """

    name: str
    is_broken_by: Callable[[str], object]
    says: str
    marks: str = ""
    begins: str = ""
    words: tuple[str, ...] = ()
    level: Level = "warning"
    _mark: re.Pattern[str] = attrs.field(init=False)
    _beginning: re.Pattern[str] = attrs.field(init=False)

    @_mark.default
    def _of_marks(self) -> re.Pattern[str]:
        return _set_of(self.marks)

    @_beginning.default
    def _of_begins(self) -> re.Pattern[str]:
        return _set_of(self.begins and self.begins + _BLANKS)

    def may_be_in(self, joined: str, marks: str, begins: str) -> bool:
        """Return whether a cell can break the rule, by the marks and beginnings found."""
        return (
            self._mark.search(marks) is not None
            or self._beginning.search(begins) is not None
            or any(word in joined for word in self.words)
        )


_BLANKS: Final = " \\t\u00a0\u3000"


def _set_of(characters: str) -> re.Pattern[str]:
    return re.compile(f"[{characters}]" if characters else r"(?!)")


_ASKING: Final = re.compile(
    "[嗎呢吧嘛麼麽啊呀何誰哪怎幾問]|[是能可有要好會行對]不?[否無沒以是能可有要好會行對]"
    # An answer in a field of a form.
    r"|[?](?:沒?有|[是可好要會對否無]|[不未][\u3400-\u9fff]{0,2})\Z|[?][我你您]"
)
"""In a cell with these words, a question mark between Han characters is intended."""

_ASKED: Final = re.compile("(?<=[嗎呢吧嘛麼麽啊呀])[?？]")

_FAMILY_NAMES: Final = (
    "陳林黃張李王吳劉蔡楊許鄭謝洪郭邱曾廖賴徐周葉蘇莊呂江蕭羅高潘簡朱鍾游彭詹胡施沈余盧梁趙顏柯翁魏孫戴"
    "范方宋鄧杜傅侯曹薛丁卓馬董溫唐藍蔣石古紀姚連馮歐程湯田康姜白汪鄒尤巫鐘龔嚴韓黎涂阮袁童陸金邵錢夏倪柳"
)
"""The hundred most frequent family names in Taiwan. Source: 內政部，全國姓名統計分析."""

_LOST_IN_NAME: Final = re.compile(
    # At the beginning, between two letters, or instead of a given name's last character:
    # a sentence has its question mark at the end.
    rf"\A[?]+\w|[^\W\d_][?\xbf]+[^\W\d_]"
    rf"|\A(?:[{_FAMILY_NAMES}][\u3400-\u9fff]?|司馬|司徒|諸葛|上官|皇甫|令狐) ?[?？]{{1,2}}\Z"
    # The first of two words lost its last letter; a question begins with other words.
    r"|\A(?!(?i:wh|how|really|ok|yes|no\b|hi\b|hello))"
    r"[A-Za-z\xc0-\u024f]+[?] [A-Za-z\xc0-\u024f]+\Z"
    # Oracle writes a full-width question mark, web pages an empty box or 〓.
    r"|\A[\u3400-\u9fff]{1,2}(?:[？□■〓]+[\u3400-\u9fff]{1,2}|[□■〓]{1,2})\Z"
    r"|\A[□■〓][\u3400-\u9fff]{1,2}\Z|\A[?？□〓]\Z"
)


def _is_lost_throughout(cell: str) -> bool:
    """Return whether all characters are lost, for example Han characters saved as Latin-1."""
    text = cell.strip()
    return len(text) > 1 and not text.strip("?")


def _has_lost(cell: str) -> bool:
    text = cell.replace("?", "") if _ASKING.search(cell) else cell
    return LOST.search(text) is not None or _is_lost_throughout(cell)


def _name_has_lost(cell: str) -> bool:
    text = _ASKED.sub("", cell.strip())
    is_link = "/" in text
    return (
        LOST.search(text) is not None
        or _is_lost_throughout(text)
        or (not is_link and _LOST_IN_NAME.search(text) is not None)
    )


_URL: Final = re.compile(r"\s*(?:https?:)?//\S+\s*", re.IGNORECASE)


def _has_reference(cell: str) -> bool:
    # A link is the value of an attribute, in which &amp; is right.
    return has_reference(cell) and _URL.fullmatch(cell) is None


_SPREADSHEET_ERROR: Final = re.compile(
    # Excel, LibreOffice and Google Sheets, also in other languages. Only number signs mean that
    # the value is too wide.
    r"\s*(?:#(?:N/A|NULL!|DIV/0!|VALUE!|REF!|NAME\?|NUM!|SPILL!|CALC!|FIELD!|BLOCKED!|CONNECT!"
    r"|UNKNOWN!|BUSY!|EXTERNAL!|PYTHON!|TIMEOUT!|GETTING_DATA|ERROR!|ERR!"
    r"|NV|WERT!|BEZUG!|ZAHL!|ÜBERLAUF!|VALEUR!|NOMBRE!|NOM\?|¡VALOR!|¡REF!|¡NUM!|¡DIV/0!|¿NOMBRE\?)"
    r"|\#{3,}|Err:[0-9]{3})\s*",
    re.IGNORECASE,
)

_PROGRAMS_NOTHING: Final = frozenset(
    {
        "null", "NULL", "Null", "(null)", "(NULL)", "(Null)", "<null>", "<NULL>", "[null]",
        "[NULL]", "\\N", "undefined", "(undefined)", "nan", "NaN", "-nan", "NaT", "<NA>", "<nil>",
        "<None>", "NoneType", "<empty>", "(empty)", "(not set)", "nullnull", "undefinedundefined",
        "[object Undefined]", "[object Null]", "(blank)", "(空白)", "[object Object]",
    }
)  # fmt: skip
"""Words of programs for an empty value, which no person writes. "(blank)" and "(空白)" are from
pivot tables, "(not set)" is from Google."""

_NOTHING_IN_NAME: Final = (_PROGRAMS_NOTHING - {"Null"}) | {
    "None", "NONE", "none", "(none)", "(None)", "N/A", "n/a", "NA", "N.A.", "nil", "Undefined",
    "UNDEFINED", "{}", "[]", "Optional(nil)",
}  # fmt: skip
"""In a column of remarks "none" is an answer, but it is not a name. Nan, Na, Nil and Null are
names."""

_JOINED: Final = (
    " null", "null ", " undefined", "undefined ", " NaN", "NaN ", " None", "None ", "{}", "[]",
    "Optional(", "-nan",
)  # fmt: skip
"""Texts that a program joins from a first and a last name if one of them is missing."""
_JOINED_NOTHING: Final = frozenset({"null", "undefined", "NaN", "None"})


def _is_nothing(cell: str) -> bool:
    return cell.strip() in _PROGRAMS_NOTHING


def _is_no_name(cell: str) -> bool:
    words = cell.split()
    return (
        cell.strip() in _NOTHING_IN_NAME
        or not _JOINED_NOTHING.isdisjoint(words)
        or (len(words) > 1 and _NOTHING_IN_NAME.issuperset(words))
    )


_TAG: Final = re.compile(r"<(?:/?[A-Za-z]|!--)")


def _has_markup(cell: str) -> bool:
    return _TAG.search(cell) is not None and not _is_nothing(cell)


def _is_unescaped(cell: str) -> bool:
    """Return whether HTML can change the meaning of a cell, and no other rule reports it.

    A browser shows most such cells unchanged, for example R&D. In a link, & is right.
    """
    if "<" in cell:
        return not (_has_markup(cell) or _is_nothing(cell) or has_reference(cell))
    is_link = "/" in cell and _URL.fullmatch(cell) is not None
    return "&" in cell and not (is_link or has_reference(cell))


_LINK: Final = re.compile(
    # With a scheme, with www., or a domain with a path, like short links.
    r"[./](?:(?<=:/)/|(?<=[wW]{3}\.)\w|(?<=[a-z0-9]\.)[a-z]{2,}/[A-Za-z0-9])"
)
_PLACEHOLDER: Final = re.compile(
    r"[$＄][{｛]|\{[{%]|\{[!$][A-Za-z]|\*\||%%\w+%%|(?<![0-9])%[A-Z_]{4,}%|<%|\$\[\w|\[\[\w"
)

_LOST_RULE: Final = _TextRule(
    name="lost-character",
    # The first characters of LOST.
    marks=LOST.pattern[1 : LOST.pattern.index("]")],
    is_broken_by=_has_lost,
    says="that lost a character in a conversion and have �, an empty box or a question mark "
    "instead; type it again, or export as UTF-8 from the program in which it is still right",
)
_MISREAD_RULE: Final = _TextRule(
    name="double-decoding",
    # The first characters of MISREAD.
    marks=MISREAD.pattern[1 : MISREAD.pattern.index("]")],
    is_broken_by=original_of,
    says="with text that was read in a wrong encoding before it was saved (王 becomes çŽ‹); "
    "export it again from the program in which it is still right",
)
_REFERENCE_RULE: Final = _TextRule(
    name="character-reference",
    marks="&",
    is_broken_by=_has_reference,
    says="with a character reference of HTML, such as &#22531; or &amp;, which a subject shows "
    "unchanged; write the character itself",
)
_ERROR_RULE: Final = _TextRule(
    name="spreadsheet-error",
    begins="#Ee",
    is_broken_by=_SPREADSHEET_ERROR.fullmatch,
    says="with a spreadsheet's text for a formula that failed, such as #N/A, or for a value that "
    "is too wide (####); correct it there, and export again",
)
_MARKUP_RULE: Final = _TextRule(
    name="markup",
    marks="<",
    is_broken_by=_has_markup,
    says="with a tag of HTML, which takes effect in the mail and is not shown; remove it, unless "
    "it is intended",
)
_PLACEHOLDER_RULE: Final = _TextRule(
    name="placeholder-in-value",
    marks="$＄\\{%*<\\[",
    is_broken_by=_PLACEHOLDER.search,
    says="with a placeholder, which is not replaced in a value; write the value itself",
)
_MARK_RULE: Final = _TextRule(
    name="text-apostrophe",
    begins="'",
    is_broken_by=is_marked,
    says="with an apostrophe at the beginning, by which a spreadsheet marks text and which the "
    "mail would show; remove it, or let fix='trim' do so",
)
_FORMULA_RULE: Final = _TextRule(
    name="formula",
    begins="=+@\\-\\t\\r",
    is_broken_by=is_formula,
    says="that a spreadsheet would execute because of the =, +, -, @ or tab at the beginning; "
    "check whether it is intended",
)

_UNESCAPED_RULE: Final = _TextRule(
    name="unescaped-value",
    marks="<&",
    is_broken_by=_is_unescaped,
    says="with < or &, which is inserted into the HTML of the mail unchanged; check a test mail",
    level="note",
)

_NULL_RULE: Final = _TextRule(
    name="null-word",
    begins="NnUu(<\\[\\\\",
    is_broken_by=_is_nothing,
    says="with a program's word for an empty value, such as NULL, which the mail would show; "
    "leave the cell empty",
)

_DAMAGE: Final = (_MISREAD_RULE, _REFERENCE_RULE, _ERROR_RULE)
_RULES_OF_OTHERS: Final = (
    _LOST_RULE,
    *_DAMAGE,
    _NULL_RULE,
    _MARK_RULE,
    _MARKUP_RULE,
    _UNESCAPED_RULE,
    _PLACEHOLDER_RULE,
    _FORMULA_RULE,
)
_RULES_OF_NAME: Final = (
    attrs.evolve(_LOST_RULE, marks=_LOST_RULE.marks + "？□■〓", is_broken_by=_name_has_lost),
    *_DAMAGE,
    _TextRule(
        name="empty-name",
        # Characters beyond the first plane would make the search for all marks twice as slow.
        marks=INVISIBLE.pattern[1:-1].partition("\U000e0000")[0]
        + "\x01-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u1680\u2000-\u200a\u2028\u2029\u202f\u205f",
        begins="\n",
        is_broken_by=is_unseen,
        says="without a visible character, so ${NAME} would show nothing; fill it in",
    ),
    attrs.evolve(_NULL_RULE, words=_JOINED, is_broken_by=_is_no_name),
    _MARK_RULE,
    _MARKUP_RULE,
    _UNESCAPED_RULE,
    _TextRule(
        name="link-in-name",
        words=("://", "www.", "WWW.", "/"),
        is_broken_by=_LINK.search,
        says="with a link, which your mail would advertise (robots enter them into forms); remove "
        "the contact or the link",
    ),
    _PLACEHOLDER_RULE,
    _FORMULA_RULE,
)


class _RuleFilter:
    """Finds in two searches the rules that any of many cells can break.

    Attributes:
        rules: All rules.
    """

    def __init__(self, rules: Sequence[_TextRule]) -> None:
        self.rules = rules
        self._odd = _set_of("".join(dict.fromkeys(rule.marks for rule in rules)))
        self._odd_ascii = tuple(filter(self._odd.match, map(chr, range(128))))
        begins = "".join(dict.fromkeys(rule.begins for rule in rules))
        # A lookahead, because the character can be a line feed, after which the next cell begins.
        self._beginning = re.compile(rf"\n(?=([{begins}{_BLANKS}]))")

    def rules_for(self, joined: str) -> Iterator[_TextRule]:
        """Yield the rules to check each cell by; each cell is between two line feeds."""
        marks = "".join(self._marks_in(joined))
        begins = "".join(set(self._beginning.findall(joined)))
        return (rule for rule in self.rules if rule.may_be_in(joined, marks, begins))

    def _marks_in(self, joined: str) -> Iterable[str]:
        if joined.isascii():
            return (mark for mark in self._odd_ascii if mark in joined)
        return set(self._odd.findall(joined))


_EMAIL_FILTER: Final = _RuleFilter((_FORMULA_RULE,))
_NAME_FILTER: Final = _RuleFilter(_RULES_OF_NAME)
_OTHER_FILTER: Final = _RuleFilter(_RULES_OF_OTHERS)


class TextRules:
    """Checks the cells of one column, batch by batch."""

    def __init__(self, column: str, rule_filter: _RuleFilter = _OTHER_FILTER) -> None:
        self._column = column
        self._filter = rule_filter
        self._found: dict[str, LineTally] = {}

    @classmethod
    def of_email(cls, column: str) -> TextRules:
        """Check the column EMAIL; `Addresses` checks the form of the addresses."""
        return cls(column, _EMAIL_FILTER)

    @classmethod
    def of_name(cls, column: str) -> TextRules:
        """Check the column NAME."""
        return cls(column, _NAME_FILTER)

    def check(self, cells: Cells) -> None:
        """Check the next cells."""
        for rule in self._filter.rules_for(cells.joined + "\n"):
            lines = cells.lines_of(rule.is_broken_by)
            if lines:
                self._found.setdefault(rule.name, LineTally()).add(len(lines), lines)

    def findings(self) -> Iterator[Finding]:
        """Yield the findings, rule by rule."""
        for rule in self._filter.rules:
            if (tally := self._found.get(rule.name)) is not None:
                cells = counted(tally.count, "cell")
                yield tally.finding(
                    rule.level,
                    rule.name,
                    f"has {cells} in {self._column} ({tally.where}) {rule.says}",
                    column=self._column,
                )


def flaws_of_name(name: str) -> Iterator[tuple[str, str]]:
    """Yield each rule of damaged text that a column's name breaks, and its message."""
    for rule in (_LOST_RULE, *_DAMAGE, _MARKUP_RULE, _PLACEHOLDER_RULE):
        if rule.is_broken_by(name):
            yield rule.name, rule.says
