"""The links and images of a mail, and the classification of their URLs."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, Literal
from urllib.parse import urlsplit

import attrs

from newsleopard_async.checks.markup import Piece, Tag, with_lines
from newsleopard_async.checks.placeholder_syntaxes import OWN
from newsleopard_async.models.damage import HIDDEN

__all__ = ["Reference", "UrlKind", "classify_url", "images_of", "links_of"]

UrlKind = Literal["fine", "empty", "anchor", "script", "data", "local", "bad", "relative", "stray"]

_FILLED_IN: Final = (
    *("${", "{{", "{%", "*|", "%%", "[[", "＄", "$%7b", "%24", "<%", "{!", "{$", "$[", "[%"),
    *("%7b%7b", "*%7c", "%5b%5b"),
)
"""How a placeholder begins, in any syntax; a URL that begins so cannot be checked."""

_TRIMMED: Final = "".join(map(chr, range(0x21)))
"""Control characters and the blank, which a browser removes at both ends of a URL."""

_AHEAD: Final = re.compile(rf"(?:\s|{HIDDEN.pattern})+")

_FILLED_INSIDE: Final = re.compile(
    rf"{OWN}|[$＄﹩][{{｛﹛][^{{}}｛｝﹛﹜]*[}}｝﹜]|%%[^%]*%%|\[[^\[\]]*\]"
)
"""A placeholder inside a URL; its name can have characters that a URL cannot."""

_FULL_WIDTH: Final = re.compile("[、。，；：！？．｡､＂＃＄％＆＇＊＋－／＜＝＞＠＼＾＿｀]")
"""Full-width signs that an input method writes in a URL, or in a sentence right after it."""

_STRAY: Final = re.compile(
    rf"\s|[\x00-\x1f\x7f-\x9f]|{HIDDEN.pattern}|{_FULL_WIDTH.pattern}"
    # A closing bracket of the sentence around the URL, which is not opened in the URL.
    "|^[^（「『【《〈［“]*[）」』】》〉］”]"
)
"""Characters that no URL has. Brackets in pairs are allowed: Chinese titles have them."""

_LOCAL: Final = frozenset({"file", "cid", "blob", "localhost"})
_WEB: Final = ("http", "https")
_WEB_URL: Final = ("http:", "https:")
_NOTHING: Final = ("", "#", "mailto:", "tel:", "sms:")
_SIMILAR: Final = 0.8
"""The similarity of a misspelt scheme. Chosen: htp and https2 reach it, and ftp does not."""

_LONGEST_CLASSIFIED: Final = 2_000
"""Characters of a URL that are classified. Chosen: far more than the scheme and the host."""

_OF_OUTLOOK: Final = "v:"
"""How the names of shapes for Outlook begin, for example of buttons and backgrounds."""

_STYLE_URL: Final = re.compile(
    r"""\burl\(\s*(?:"(?P<double>[^"\n]*)|'(?P<single>[^'\n]*)|(?P<bare>[^'")]*))""", re.IGNORECASE
)
_IN_HOST: Final = re.compile(r"[${}%*|\[<]")
_NOT_IN_HOST: Final = re.compile(r"[\s\\\"'<>,，、。．｡]")
_BAD_PORT: Final = re.compile(
    r":(?![0-9]*$)[^:@\]${}%*|\[<]*$|:0*(?:[1-9][0-9]{5}|[7-9][0-9]{4}|6[6-9][0-9]{3})[0-9]*$"
)
"""A port that is not a number or placeholder, or that is 66,000 or more."""

_URL_IN_SET: Final = re.compile(r"[^\s,]\S*")
_SIZE_IN_SET: Final = re.compile(r"\s*(?:[0-9.]+[wxh]\s*)*")


@attrs.frozen
class Reference:
    """A URL in a mail, its line and its kind."""

    url: str
    line: int
    kind: UrlKind

    @classmethod
    def of(cls, url: str, line: int) -> Reference:
        """Classify a URL of the HTML."""
        stripped = url.strip(_TRIMMED)
        return cls(stripped, line, classify_url(stripped))

    @property
    def opens_web(self) -> bool:
        """Whether the URL is a web address, or a placeholder that can become one."""
        return self.url[:10].lower().startswith(("http://", "https://", *_FILLED_IN))


def links_of(tags: Iterable[Tag]) -> Iterator[Reference]:
    """Yield the links."""
    for tag in tags:
        can_link = tag.name in ("a", "area") or tag.name.startswith(_OF_OUTLOOK)
        if can_link and "href" in tag.attributes:
            yield Reference.of(tag.attributes["href"], tag.line)


def images_of(tags: Iterable[Tag], styles: Iterable[Piece]) -> Iterator[Reference]:
    """Yield the images, including those of backgrounds and styles."""
    for tag in tags:
        yield from (Reference.of(url, tag.line) for url in _images_of_tag(tag))
    for piece in styles:
        for match, line in with_lines(_STYLE_URL.finditer(piece.text), piece.line):
            if url := _url_of_style(match):
                yield Reference.of(url, line)


def _url_of_style(match: re.Match[str]) -> str:
    return str(match[match.lastgroup or 0]).strip(_TRIMMED)


def _images_of_tag(tag: Tag) -> Iterator[str]:
    attributes = tag.attributes
    if tag.name in ("img", "input", "source"):
        yield attributes.get("src", "")
        yield from _candidates(attributes.get("srcset", ""))
    elif tag.name.startswith(_OF_OUTLOOK) and "src" in attributes:
        yield attributes["src"]
    if background := attributes.get("background"):
        yield background
    if style := attributes.get("style"):
        yield from filter(None, map(_url_of_style, _STYLE_URL.finditer(style)))


def _candidates(srcset: str) -> Iterator[str]:
    """Yield the URLs of ``a.png 1x, b.png 2x``, as a browser reads them.

    A comma inside a URL is part of it, and a comma at its end ends it.
    """
    at = 0
    while at >= 0 and (match := _URL_IN_SET.search(srcset, at)):
        url = match[0].rstrip(",")
        at = match.end() if url != match[0] else srcset.find(",", match.end())
        behind = srcset[match.end() : at if at >= 0 else None]
        yield url if _SIZE_IN_SET.fullmatch(behind) else url + behind


def classify_url(url: str) -> UrlKind:
    """Classify a URL by what a mail program can do with it on a recipient's machine."""
    return _classify_start(url[:_LONGEST_CLASSIFIED])


@lru_cache(maxsize=1_000)
def _classify_start(start: str) -> UrlKind:
    ahead = _AHEAD.match(start)
    url = start[ahead.end() :] if ahead else start
    kind = _classify_whole(url)
    return "stray" if kind == "fine" and _leads_astray(start, url) else kind


def _leads_astray(start: str, url: str) -> bool:
    """Whether a URL contains characters that do not belong in a URL."""
    if url.lower().startswith((*_WEB_URL, *_FILLED_IN)):
        return _STRAY.search(_FILLED_INSIDE.sub("x", start)) is not None
    # Mail programs accept blanks, and any punctuation in the subject of mailto:.
    is_misspelt = _FULL_WIDTH.search(url.partition("?")[0])
    return is_misspelt is not None or HIDDEN.search(start) is not None


def _classify_whole(start: str) -> UrlKind:
    if start.lower() in _NOTHING:
        return "empty"
    if start.startswith("#"):
        return "anchor"
    if start.lower().startswith(_FILLED_IN):
        return "fine"
    if start.startswith("\\\\"):
        return "local"
    try:
        parts = urlsplit(start)
        host = parts.hostname
    except ValueError:
        return "bad"
    if parts.scheme not in _WEB:
        return _classify_scheme(parts.scheme)
    return "bad" if _BAD_PORT.search(parts.netloc) else _classify_host(host)


def _classify_scheme(scheme: str) -> UrlKind:
    if not scheme or "." in scheme:  # the latter is a host before a port
        return "relative"
    if scheme in ("javascript", "vbscript"):
        return "script"
    if scheme == "data":
        return "data"
    if scheme in _LOCAL or len(scheme) == 1:  # the latter is a drive of Windows
        return "local"
    return "bad" if difflib.get_close_matches(scheme, _WEB, cutoff=_SIMILAR) else "fine"


def _classify_host(host: str | None) -> UrlKind:
    if not host or host in _WEB:  # the latter is a scheme that is written twice
        return "bad"
    if _IN_HOST.search(host):
        return "fine"
    if _NOT_IN_HOST.search(host) or host.startswith(".") or ".." in host:
        return "bad"
    return "local" if _is_local(host) else "fine"


@lru_cache(maxsize=1_000)
def _is_local(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        name = host.rstrip(".")
        return "." not in name or name.endswith((".localhost", ".local", ".lan", ".internal"))
