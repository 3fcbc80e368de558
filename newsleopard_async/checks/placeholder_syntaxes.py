"""How other products write a placeholder.

There are three kinds of marks, because ordinary texts also use some of them:

- *own* marks always mean a placeholder, with any text between them: ``{{…}}``, ``*|…|*``;
- *code* marks mean a placeholder if the name of a column is between them: ``{NAME}``, ``##NAME##``;
- *label* marks are brackets, quotation marks and dashes. Mails also put labels into these, such as
  ``【VIP】`` or ``[Store]``, so the name and the text around it decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, Literal

import attrs

from newsleopard_async.checks.placeholder_names import COMMON, KnownNames, likely_name

__all__ = ["OWN", "Syntaxes", "TextPlace"]

_NO_DOLLAR: Final = "(?<![$＄﹩])(?<!%24)(?<!&#36;)"
"""Another rule reports a brace right after a dollar sign, in any writing."""

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
"""The pattern of own marks and the text between them."""

_MARK: Final = r"[\[\]{}()<>«»‹›＜＞【】〔〕［］〖〗《》〈〉｛｝﹛﹜$＄﹩#＃@％%*!=_-]{1,4}"
_DEFAULT: Final = r" ?\|[^][{}<>|]{0,40}"
_BEGINS: Final = r"[\[{<«‹＜【〔［〖《〈｛﹛$＄#＃@％%*~_-]"
"""The first sign of any placeholder; a search for it first takes a third of the time."""

_MIRRORED: Final = str.maketrans("[{(<«‹＜【〔［〖《〈", "]})>»›＞】〕］〗》〉")
_PLAIN: Final = str.maketrans("｛﹛｝﹜＄﹩＃", "{{}}$$#")
"""Full-width marks that an input method writes without the author's notice."""

_ONE_SIDED: Final = {"$(": ")", "$[": "]", "#[": "]", "@[": "]", "%[": "]", "#*": "#"}
_CODE_MARKS: Final = frozenset({"{", "$", "％", "##", "###", "@@", "__", "%%"})
_MIXED: Final = re.compile(r"[\[<{][#$@%*!=(]{1,2}")
"""Code marks; a sign inside the bracket distinguishes them from label marks."""

_LABEL_MARKS: Final = frozenset([*"[<«‹＜【〔［〖《〈-#@", "<<", "««", "＜＜", "--"])
_KNOWN_MARKS: Final = _CODE_MARKS | _LABEL_MARKS | _ONE_SIDED.keys()

_FOREIGN_BRACKETS: Final = frozenset("[«")
"""Brackets that Chinese texts rarely put around a Chinese word."""

_LABELS: Final = frozenset(
    (
        *("AD", "ADD", "APP", "EVENT", "FAQ", "FAX", "FREE", "GIFT", "HOT", "INFO", "LINE"),
        *("NEW", "NEWS", "SALE", "TEL", "TOP", "VIP", "WEB"),
    )
)
"""Words that mails put into brackets as labels, even if a column has this name."""

_WORD: Final = re.compile(r"[A-Z][a-z]+")
"""The writing of a label, which placeholders rarely have."""

_SIGNS: Final = "$％#@_%-"
"""Marks that are equal on both sides, so they can belong to a word or a row of dashes."""

_OF_WORDS: Final = re.compile(r"[A-Za-z0-9_]")
_ENDS_WORD: Final = re.compile(r"[A-Za-z0-9_\])]$")

_COMMON: Final = re.compile(COMMON, re.IGNORECASE)
_ALL: Final = re.compile(".+", re.DOTALL)
_USED: Final = re.compile(r"\$\{([^{}$]{1,100})\}")

_NEAR: Final = 70
"""Characters around label marks that are checked. Chosen: the length of an address."""

_ADDRESSED_BEFORE: Final = re.compile(r"(?:[親敬]愛的|尊敬的|\bdear)[,，]?$", re.IGNORECASE)
_GREETED_BEFORE: Final = re.compile(
    rf"{_ADDRESSED_BEFORE.pattern}|(?:嗨|哈囉|\b(?:hi|hello|hey))[,，]?$", re.IGNORECASE
)
_GREETED_BEHIND: Final = re.compile(r"[,，]?\s?(?:[您你妳]好|先生|小姐|女士|敬啟)")
_ADDRESS_BEHIND: Final = re.compile(r"[:：]?\s?[\w.+-]{1,64}@")
"""An address after EMAIL in brackets, which is then its label."""


@attrs.frozen
class MarkedName:
    """A name between marks, and the text around it.

    Attributes:
        begin: The index at which the opening mark begins.
        end: The index at which the closing mark ends.
    """

    text: str
    name: str
    mark: str
    begin: int
    end: int

    @classmethod
    def of(cls, match: re.Match[str]) -> MarkedName | None:
        """Return the name of a match; None if its marks are not a pair, or belong to a word."""
        mark = _mark_of(match["opening"].translate(_PLAIN), match["closing"].translate(_PLAIN))
        if mark is None:
            return None
        begin = match.end("opening") - len(mark)
        if begin == match.start("opening"):
            begin = match.start()  # for example "$ {NAME}"
        end = match.end() + (1 if mark in _ONE_SIDED else len(mark))
        found = cls(match.string, match["name"], mark, begin, end)
        return None if found._belongs_to_something() else found

    @property
    def before(self) -> str:
        """The end of the text before the opening mark."""
        return self.text[max(self.begin - _NEAR, 0) : self.begin]

    @property
    def behind(self) -> str:
        """The beginning of the text after the closing mark."""
        return self.text[self.end : self.end + _NEAR]

    @property
    def is_index(self) -> bool:
        """Whether the name is an index in a URL, for example ``filter[name]=x``."""
        return bool(_ENDS_WORD.search(self.before)) or self.behind.startswith("=")

    def _belongs_to_something(self) -> bool:
        if self.mark == "{":
            return self.before.translate(_PLAIN).endswith(("$", "%24", "&#36;"))
        if self.mark.strip(_SIGNS):
            return False
        # For example "a-name-b", "-----NAME-----" and "- name -".
        sides = self.before[-1:] + self.behind[:1]
        is_tight = self.end - self.begin == len(self.name) + 2 * len(self.mark)
        return not is_tight or self.mark[0] in sides or _OF_WORDS.search(sides) is not None


def _mark_of(opening: str, closing: str) -> str | None:
    """Return the longest mark at the end of the opening that the closing matches."""
    for size in range(len(opening), 0, -1):
        mark = opening[-size:]
        mirrored = _ONE_SIDED.get(mark, mark[::-1].translate(_MIRRORED))
        is_known = mark in _KNOWN_MARKS or _MIXED.fullmatch(mark)
        if is_known and closing.startswith(mirrored):
            return mark
    return None


TextPlace = Literal["text", "url", "style"]
"""The kind of a text: in a URL a single ``%`` begins an escape, and styles have brackets."""


@attrs.frozen
class Syntaxes:
    """The syntaxes that are searched for in a field.

    Attributes:
        known: The columns of the contacts.
        used: The columns that the field uses as ``${…}``.
    """

    known: KnownNames
    _pattern: re.Pattern[str]
    used: frozenset[str] = frozenset()

    @classmethod
    def of(cls, columns: Iterable[str]) -> Syntaxes:
        """Build the pattern from the columns of the contacts and the common names."""
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
        """Return the syntaxes to search for in a field with this source."""
        return attrs.evolve(self, used=frozenset(map(str.strip, _USED.findall(source))))

    def is_known(self, name: str) -> bool:
        """Whether a name is the name of a column, or a common name."""
        return bool(self.known.same_but_for_case(name) or _COMMON.fullmatch(name))

    def may_be_in(self, text: str) -> bool:
        """Whether a text, or joined texts, can contain a placeholder."""
        return self._pattern.search(text) is not None

    def matches(
        self, text: str, place: TextPlace = "text", around: tuple[str, str] = ("", "")
    ) -> Iterator[re.Match[str]]:
        """Yield a match of each placeholder in a text.

        Args:
            around: The texts before and after it.
        """
        at = 0
        while match := self._pattern.search(text, at):
            marked = MarkedName.of(match) if match["name"] else None
            begin, end = (marked.begin, marked.end) if marked else match.span()
            is_one = self._is_meant(match, marked, place, around)
            if is_one:
                yield from _ALL.finditer(text, begin, end)
            # Marks that are not a pair can hide a pair, for example the "(" of "({!name})".
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
            # Another rule reports a brace that a tag separates from its dollar sign.
            return bool(marked.before) or not around[0].endswith("$")
        return not (place == "url" and marked.is_index) and not self._is_label(marked, *around)

    def _is_label(self, marked: MarkedName, previous: str, following: str) -> bool:
        """Whether the name and the text around it show that label marks contain a label."""
        name = marked.name
        # An author who writes ${CITY} in the same field uses the right syntax.
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
