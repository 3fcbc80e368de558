"""The mails of the sample account: HTML that is readable on a phone and on a desktop."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Final

__all__ = ["mail"]

_STYLE: Final = (
    "font-family:'PingFang TC','Noto Sans TC','Microsoft JhengHei',sans-serif;"
    "color:#222;line-height:1.7;"
)

_PAGE: Final = """<!DOCTYPE html>
<html lang="zh-Hant-TW">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title}</title>
<style>@media (max-width:480px) {{ .inner {{ padding:20px 16px !important }} }}</style>
</head>
<body style="margin:0;padding:0;background:#f3f1ec;">
<div style="display:none;max-height:0;overflow:hidden;">{preheader}</div>
<table role="presentation" width="100%" cellpadding="0" cellspacing="0"
 style="background:#f3f1ec;"><tr><td align="center" style="padding:24px 8px;">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0"
 style="max-width:600px;background:#fff;border-radius:12px;overflow:hidden;{style}">
<tr><td><img src="{banner}" alt="山嵐選物" width="600"
 style="display:block;width:100%;height:auto;"></td></tr>
<tr><td class="inner" style="padding:32px 40px;">
<h1 style="margin:0 0 16px;font-size:24px;line-height:1.4;">{title}</h1>
{paragraphs}
<p style="margin:28px 0;"><a href="{link}" style="display:inline-block;padding:12px 28px;
background:{color};color:#fff;text-decoration:none;border-radius:999px;">{button}</a></p>
</td></tr>
<tr><td style="padding:20px 40px;background:#faf9f6;font-size:12px;color:#666;">
山嵐選物 · 台北市大同區迪化街一段 1 號<br>您收到這封信，是因為您是 ${{門市}}門市的會員。
</td></tr></table></td></tr></table>
</body>
</html>
"""

_WIDTH: Final = 600  # the width of the mail's table
_HEIGHT: Final = 150  # chosen: a quarter of the width


def mail(
    title: str,
    *paragraphs: str,
    button: str,
    preheader: str,
    color: str = "#2f5d50",
    link: str = "https://www.example.com/shop",
) -> str:
    """Return the HTML of a mail: a picture, a title, paragraphs and a button."""
    return _PAGE.format(
        title=title,
        preheader=preheader,
        style=_STYLE,
        banner=_banner(color),
        paragraphs="\n".join(f'<p style="margin:0 0 12px;">{each}</p>' for each in paragraphs),
        link=link,
        color=color,
        button=button,
    )


def _banner(color: str) -> str:
    """Return a data URL with a picture that fades from a color to white."""
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    row = bytes(
        value + (255 - value) * x // _WIDTH for x in range(_WIDTH) for value in (red, green, blue)
    )
    head = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 2, 0, 0, 0)  # RGB, 8 bits per channel
    pixels = zlib.compress((b"\0" + row) * _HEIGHT, 9)
    png = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", pixels) + _chunk(b"IEND")
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _chunk(kind: bytes, content: bytes = b"") -> bytes:
    """Return a chunk of a PNG: length, kind, content and checksum."""
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
