"""Names of columns: the two that there must be, those that are reserved, and near misses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

__all__ = ["near_miss"]


def _words(text: str) -> list[str]:
    return text.split()


_ALIASES: Final = {
    "EMAIL": frozenset(
        _words("""
        mail mails emails emailaddress mailaddress emailaddr useremail memberemail
        信箱 信箱地址 郵件 郵件地址 電郵 電郵地址 電子郵件 電子郵件地址 電子信箱 電子郵箱 郵箱
        邮箱 电子邮件 電子メール メールアドレス メール 會員信箱 聯絡信箱
        """)
    ),
    "NAME": frozenset(
        _words("""
        names fullname username firstname displayname membername customername contactname
        姓名 名字 名稱 名称 稱呼 暱稱 會員姓名 會員名稱 客戶姓名 客戶名稱 收件人 收件人姓名
        中文姓名 聯絡人 氏名 名前 お名前
        """)
    ),
}
_NO_LETTER: Final = re.compile(r"[\W_]+")


def near_miss(wanted: str, names: Sequence[str], *, is_header: bool) -> str | None:
    """Return the name that was probably meant as another.

    Args:
        names: What the first line holds, which may be a contact and no header at all.
        is_header: Whether it surely is a header; only then a mere likeness counts, since what is
            returned is shown.
    """
    plain = {_NO_LETTER.sub("", name).casefold(): name for name in reversed(names)}
    for alias, name in plain.items():
        if alias in _ALIASES[wanted] or alias == wanted.casefold():
            return name
    close = get_close_matches(wanted.casefold(), plain, n=1, cutoff=0.75) if is_header else []
    return plain[close[0]] if close else None
