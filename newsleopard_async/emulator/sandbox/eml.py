"""The headers and the text of a mail, and the mail as one file (.eml)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html.parser import HTMLParser
from typing import Final

from newsleopard_async.emulator.sandbox.views import MailRow, MailView

__all__ = ["encode_eml", "headers_of", "text_of"]

_HIDDEN: Final = frozenset({"head", "style", "script", "title", "template", "noscript"})
_BLOCKS: Final = frozenset(
    {"address", "article", "blockquote", "br", "dd", "div", "dl", "dt", "footer", "form", "h1"}
    | {"h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre"}
    | {"section", "table", "td", "th", "tr", "ul"}
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")


def headers_of(mail: MailRow) -> Mapping[str, str]:
    """Return the headers of a mail, with the subject and the names not encoded."""
    headers = {
        "From": mail.sender,
        "To": f"{mail.name} <{mail.to}>" if mail.name else mail.to,
        "Subject": mail.subject,
        "Date": format_datetime(mail.sent_at),
        "Message-ID": f"<{mail.id}@emulator.newsleopard.example>",
        "X-NewsLeopard-Campaign": mail.campaign_sn,
    }
    if mail.variant:
        headers["X-NewsLeopard-Variant"] = mail.variant
    if mail.preheader:
        headers["X-NewsLeopard-Preheader"] = mail.preheader
    return {name: _CONTROL.sub(" ", value) for name, value in headers.items()}


def encode_eml(mail: MailView) -> bytes:
    """Encode a mail as a file (.eml) that mail programs open, with text and HTML."""
    message = EmailMessage(policy=SMTP)
    for name, value in mail.headers.items():
        if name in {"From", "To"}:
            message[name] = _address(value)
        else:
            message[name] = value
    message.set_content(_clean(mail.text))
    message.add_alternative(_clean(mail.html), subtype="html")
    return message.as_bytes()


def _address(value: str) -> Address | str:
    """Parse ``Name <address>``, with any text as name. Return other text without ``<>,``."""
    name, _, rest = value.rpartition("<")
    address = rest.removesuffix(">").strip()
    try:
        return Address(name.strip(), addr_spec=address)
    except (ValueError, IndexError):  # Address raises both for an address that it cannot parse
        return value.replace("<", "").replace(">", "").replace(",", " ")


def _clean(text: str) -> str:
    """Replace the characters that UTF-8 cannot encode."""
    return text.encode("utf-8", "replace").decode()


def text_of(html: str) -> str:
    """Return the text of a mail, with one line per block, and the URLs of its links."""
    reader = _TextExtractor()
    reader.feed(html)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.pieces).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


class _TextExtractor(HTMLParser):
    """Collects the visible text of HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden: list[str] = []
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden.append(tag)
        elif tag in _BLOCKS:
            self.pieces.append("\n")
        elif tag == "a":
            self._links.append(dict(attrs).get("href") or "")
        elif tag == "img":
            self.pieces.append(dict(attrs).get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden:
            while self._hidden.pop() != tag:
                pass
        elif tag in _BLOCKS:
            self.pieces.append("\n")
        elif tag == "a" and self._links:
            link = self._links.pop()
            if link:
                self.pieces.append(f" ({link})")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(data)
