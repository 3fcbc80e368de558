"""How other products write a placeholder.

There are three kinds of marks, by what else people write with them:

- *own* marks stand for nothing else, no matter what is between them: ``{{…}}``, ``*|…|*``;
- *code* marks stand for little else around the name of a column: ``{NAME}``, ``##NAME##``;
- *label* marks are brackets, quotation marks and dashes. Mails put labels into these, such as
  ``【VIP】`` or ``[Store]``, so that the name and what is around it decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, Literal

import attrs

from newsleopard_async.checks.placeholder_names import COMMON, KnownNames, likely_name

__all__ = ["OWN", "Syntaxes", "TextPlace"]

_NO_DOLLAR: Final = "(?<![$＄﹩])(?<!%24)(?<!&#36;)"
"""A brace right behind a dollar sign, in any writing, is another rule's."""

OWN: Final = "|".join(
    (
        r"\{\{[^{}]{0,80}\}\}",  # HubSpot, Klaviyo, Brevo, Marketo, SureNotify
        r"\{%[^{}%]{1,80}%\}",  # Liquid, Jinja
        r"\*\|[^|*<>]{1,60}\|\*",  # Mailchimp
        rf"{_NO_DOLLAR}\{{![$A-Za-z][^{{}}]{{0,80}}\}}",  # Salesforce, AWeber
        rf"{_NO_DOLLAR}\{{\$[A-Za-z_][^{{}}]{{0,80}}\}}",  # MailerLite, Smarty
        r"\[%[-=]? ?[A-Za-z_][^\[\]%]{0,80}%\]",  # Emma, Template Toolkit
        r"<%[-=#@]?\s{0,3}[A-Za-z_@$][^<>%]{0,80}%>",  # ERB, EJS, ASP, Adobe Campaign
        r"\$\[[^\[\]$]{1,60}\]\$",  # Zoho
        r"\[[A-Za-z_][\w .-]{0,40}%%[^\[\]]{0,60}\]",  # phpList, with a default
        r"\[[A-Za-z_][\w .-]{0,40}, ?fallback=[^\[\]]{0,60}\]",  # Campaign Monitor, Sendy
        r"\[(?:subscriber|newsletter|contact_attribute):[^\[\]]{1,60}\]",  # MailPoet, Benchmark
        r"\[MERGE_\w{1,40}(?:/[^\[\]]{0,60})?\]",  # Mailtrain
        r"\[\[ ?[A-Za-z_][\w.-]{0,40}(?: ?[:|]| (?:OR|or) )[^\[\]]{0,60}\]\]",  # Mailjet
        r"%%(?:=[^%]{1,120}=|\[[^%]{1,120}\])%%",  # Salesforce Marketing Cloud
        r"~(?:Contact|Company|Owner)\.\w{1,40}~",  # Keap
        r"\$SUBSCRIBER\.\w{1,40}\$",  # Constant Contact
        r"\{(?:contactfield|leadfield)=[^{}]{1,60}\}",  # Mautic
        r"\{subtag:[^{}]{1,60}\}",  # AcyMailing
        r"#recipient:[^#<>]{1,40}#",  # Moosend
        r"\{ ?MERGEFIELD [^{}]{1,60}\}",  # Word
        r"\{\|[^{}|<>]{1,60}\|\}",  # Sitefinity
    )
)
"""The pattern of own marks and of what is between them."""

_MARK: Final = r"[\[\]{}()<>«»‹›＜＞【】〔〕［］〖〗《》〈〉｛｝﹛﹜$＄﹩#＃@％%*!=_-]{1,4}"
_DEFAULT: Final = r" ?\|[^][{}<>|]{0,40}"
_BEGINS: Final = r"[\[{<«‹＜【〔［〖《〈｛﹛$＄#＃@％%*~_-]"
"""What any placeholder begins with; to look for that first takes a third of the time."""

_MIRRORED: Final = str.maketrans("[{(<«‹＜【〔［〖《〈", "]})>»›＞】〕］〗》〉")
_PLAIN: Final = str.maketrans("｛﹛｝﹜＄﹩＃", "{{}}$$#")
"""What an input method makes of marks, without anybody's notice."""

_ONE_SIDED: Final = {"$(": ")", "$[": "]", "#[": "]", "@[": "]", "%[": "]", "#*": "#"}
_CODE_MARKS: Final = frozenset({"{", "$", "％", "##", "###", "@@", "__", "%%"})
_MIXED: Final = re.compile(r"[\[<{][#$@%*!=(]{1,2}")
"""Marks of code that are told from labels by a sign inside the bracket."""

_LABEL_MARKS: Final = frozenset([*"[<«‹＜【〔［〖《〈-#@", "<<", "««", "＜＜", "--"])
_KNOWN_MARKS: Final = _CODE_MARKS | _LABEL_MARKS | _ONE_SIDED.keys()

_FOREIGN_BRACKETS: Final = frozenset("[«")
"""The brackets that Chinese texts use little around a word of their own."""

_LABELS: Final = frozenset(
    (
        *("AD", "ADD", "APP", "EVENT", "FAQ", "FAX", "FREE", "GIFT", "HOT", "INFO", "LINE"),
        *("NEW", "NEWS", "SALE", "TEL", "TOP", "VIP", "WEB"),
    )
)
"""Words that mails put into brackets as labels, although a column may have the name."""

_WORD: Final = re.compile(r"[A-Z][a-z]+")
"""How a label is written, and hardly ever a placeholder."""

_SIGNS: Final = "$％#@_%-"
"""Marks that are the same on both sides, so that they may belong to a word or a rule."""

_OF_WORDS: Final = re.compile(r"[A-Za-z0-9_]")
_ENDS_WORD: Final = re.compile(r"[A-Za-z0-9_\])]$")

_COMMON: Final = re.compile(COMMON, re.IGNORECASE)
_ALL: Final = re.compile(".+", re.DOTALL)
_USED: Final = re.compile(r"\$\{([^{}$]{1,100})\}")

_NEAR: Final = 70
"""How many characters around label marks are looked at; chosen: the length of an address."""

_ADDRESSED_BEFORE: Final = re.compile(r"(?:[親敬]愛的|尊敬的|\bdear)[,，]?$", re.IGNORECASE)
_GREETED_BEFORE: Final = re.compile(
    rf"{_ADDRESSED_BEFORE.pattern}|(?:嗨|哈囉|\b(?:hi|hello|hey))[,，]?$", re.IGNORECASE
)
_GREETED_BEHIND: Final = re.compile(r"[,，]?\s?(?:[您你妳]好|先生|小姐|女士|敬啟)")
_ADDRESS_BEHIND: Final = re.compile(r"[:：]?\s?[\w.+-]{1,64}@")
"""An address, which EMAIL in brackets is the label of."""


@attrs.frozen
class MarkedName:
    """A name between marks, and the text that it stands in.

    Attributes:
        begin: Where the opening mark begins.
        end: Where the closing mark ends.
    """

    text: str
    name: str
    mark: str
    begin: int
    end: int

    @classmethod
    def of(cls, match: re.Match[str]) -> MarkedName | None:
        """Return what a match holds; None if its marks are no pair, or belong to a word."""
        mark = _mark_of(match["opening"].translate(_PLAIN), match["closing"].translate(_PLAIN))
        if mark is None:
            return None
        begin = match.end("opening") - len(mark)
        if begin == match.start("opening"):
            begin = match.start()  # as in "$ {NAME}"
        end = match.end() + (1 if mark in _ONE_SIDED else len(mark))
        found = cls(match.string, match["name"], mark, begin, end)
        return None if found._belongs_to_something() else found

    @property
    def before(self) -> str:
        """The text before it, or the end of that."""
        return self.text[max(self.begin - _NEAR, 0) : self.begin]

    @property
    def behind(self) -> str:
        """The text behind it, or the beginning of that."""
        return self.text[self.end : self.end + _NEAR]

    @property
    def is_index(self) -> bool:
        """Whether it is a part of a name in a URL, as in ``filter[name]=x``."""
        return bool(_ENDS_WORD.search(self.before)) or self.behind.startswith("=")

    def _belongs_to_something(self) -> bool:
        if self.mark == "{":
            return self.before.translate(_PLAIN).endswith(("$", "%24", "&#36;"))
        if self.mark.strip(_SIGNS):
            return False
        # As in "a-name-b", "-----NAME-----" and "- name -".
        sides = self.before[-1:] + self.behind[:1]
        is_tight = self.end - self.begin == len(self.name) + 2 * len(self.mark)
        return not is_tight or self.mark[0] in sides or _OF_WORDS.search(sides) is not None


def _mark_of(opening: str, closing: str) -> str | None:
    """Return the longest mark that the opening ends with and the closing answers to."""
    for size in range(len(opening), 0, -1):
        mark = opening[-size:]
        mirrored = _ONE_SIDED.get(mark, mark[::-1].translate(_MIRRORED))
        is_known = mark in _KNOWN_MARKS or _MIXED.fullmatch(mark)
        if is_known and closing.startswith(mirrored):
            return mark
    return None


TextPlace = Literal["text", "url", "style"]
"""Where a text stands: a single ``%`` begins an escape in a URL, and styles have brackets."""


@attrs.frozen
class Syntaxes:
    """What is looked for in a field.

    Attributes:
        known: The columns of the contacts.
        used: Those of them that the field has as ``${…}``.
    """

    known: KnownNames
    _pattern: re.Pattern[str]
    used: frozenset[str] = frozenset()

    @classmethod
    def of(cls, columns: Iterable[str]) -> Syntaxes:
        """Build the pattern around the columns of some contacts and the common names."""
        known = KnownNames.of(columns)
        names = sorted(known.exact - {""}, key=len, reverse=True)
        likely = likely_name(names)
        return cls(
            known,
            re.compile(
                rf"(?={_BEGINS})(?:{OWN}|\[\[ ?(?:{likely}) ?\]\]|%%(?:{likely})%%"
                rf"|(?P<percent>(?<![0-9%])%(?:{likely})%(?![0-9A-Za-z%]))"
                rf"|(?:[$＄﹩]\s{{1,3}})?(?P<opening>{_MARK}) ?"
                rf"(?P<name>(?i:{'|'.join([*map(re.escape, names), COMMON])}))"
                rf"(?P<default>{_DEFAULT})? ?(?=(?P<closing>{_MARK})))"
            ),
        )

    def in_field(self, source: str) -> Syntaxes:
        """Return what is looked for in a field, given as it stands."""
        return attrs.evolve(self, used=frozenset(map(str.strip, _USED.findall(source))))

    def is_known(self, name: str) -> bool:
        """Whether a name is that of a column, or a common one."""
        return bool(self.known.same_but_for_case(name) or _COMMON.fullmatch(name))

    def may_be_in(self, text: str) -> bool:
        """Whether there may be a placeholder in a text, or in one of several that were joined."""
        return self._pattern.search(text) is not None

    def matches(
        self, text: str, place: TextPlace = "text", around: tuple[str, str] = ("", "")
    ) -> Iterator[re.Match[str]]:
        """Yield a match of each placeholder in a text.

        Args:
            around: The texts before and behind it.
        """
        at = 0
        while match := self._pattern.search(text, at):
            marked = MarkedName.of(match) if match["name"] else None
            begin, end = (marked.begin, marked.end) if marked else match.span()
            is_one = self._is_meant(match, marked, place, around)
            if is_one:
                yield from _ALL.finditer(text, begin, end)
            # Marks that are no pair may hide a pair, as the "(" of "({!name})" does.
            at = end if is_one else match.start() + 1

    def _is_meant(
        self,
        match: re.Match[str],
        marked: MarkedName | None,
        place: TextPlace,
        around: tuple[str, str],
    ) -> bool:
        if match["name"] is None:
            return place == "text" or not match["percent"]
        if marked is None or place == "style":
            return False
        if marked.mark not in _LABEL_MARKS or match["default"]:
            # What a tag parts from its dollar sign is another rule's.
            return bool(marked.before) or not around[0].endswith("$")
        return not (place == "url" and marked.is_index) and not self._is_label(marked, *around)

    def _is_label(self, marked: MarkedName, previous: str, following: str) -> bool:
        """Whether label marks hold a label, as the name and what is around it say."""
        name = marked.name
        # Who writes ${CITY} in the same field knows the syntax.
        if name.upper() in _LABELS or self.known.nearest(name) in self.used:
            return True
        own_before, own_behind = marked.before.strip(), marked.behind.strip()
        behind = own_behind or following[:_NEAR].strip()
        if (
            _GREETED_BEFORE.search(own_before)
            or (not own_before and _ADDRESSED_BEFORE.search(previous[-_NEAR:].strip()))
            or _GREETED_BEHIND.match(behind)
        ):
            return False
        is_column = name in self.known.exact
        if name.isascii():
            is_word = len(name) == 1 or (_WORD.fullmatch(name) and not is_column)
            return bool(is_word or _ADDRESS_BEHIND.match(behind))
        begins_line = bool(own_behind and not own_before)
        return begins_line or marked.mark not in _FOREIGN_BRACKETS or not is_column
