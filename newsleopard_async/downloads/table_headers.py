"""Headers and cells of the platform's files. Their format is not documented (T49, T119).

- A column has a meaning if its name is in a table of this file, after NFKC, case folding and
  without anything except letters and digits: ``Opened_At`` is ``openedat``. Names are not guessed;
  any other column is only in the row's values.
- If several columns have the same meaning, the first name in the table is tried first.
- A first row with an address is not a header. Then the columns are named by their position and have
  no meaning, and an address is recognised by its format.
- A few lines, such as a title, can be above a header that is certain. A row without an address that
  begins with a word for a total belongs to no recipient.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Final

from newsleopard_async.contacts.csv.separators import looks_like_address

__all__ = [
    "EMAIL",
    "EVENT_TIME",
    "NAME",
    "REASON",
    "TIME",
    "URL",
    "NumberedRow",
    "Rows",
    "cell_at",
    "email_column",
    "is_clear_beginning",
    "is_known_header",
    "is_numbered",
    "is_of_address",
    "is_total",
    "is_url",
    "may_be_address",
    "may_be_event_time",
    "not_blank",
    "place_name",
    "places",
    "read_header",
    "values_of",
]

NumberedRow = tuple[int, list[str]]
"""The line in which a row begins, and its cells."""

Rows = Generator[NumberedRow, None, None]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


EMAIL: Final = _words("""
    recipientemail recipientemailaddress recipientaddress recipientmail receiveremail
    toemail toemailaddress toaddress tomail
    收件人信箱 收件者信箱 收件信箱 收件人email 收件者email 收件人電子郵件 收件者電子郵件
    email emailaddress 電子信箱 電子郵件 電子郵件地址 電子郵件信箱 信箱 信箱地址 郵箱 郵件地址
    電郵 電郵地址 useremail memberemail contactemail subscriberemail customeremail
    會員信箱 會員email 聯絡人信箱 聯絡人email 訂閱者信箱 訂閱者email erroremail 錯誤email 錯誤信箱
    mail mailaddress recipient receiver to 收件人 收件者
""")
"""Names of the recipient's address: the clearest first; the last ones can also be a name."""

NAME: Final = _words("""
    name fullname 姓名 名字 recipientname receivername 收件人姓名 收件者姓名 會員姓名 聯絡人姓名
""")
"""Names of the recipient's name."""

URL: Final = _words("""
    clickurl clickedurl 點擊網址 點擊的網址 點擊url linkurl 連結網址 連結url targeturl 目標網址
    url 網址 clicklink clickedlink 點擊連結 點擊的連結 link 連結
""")
"""Names of the clicked URL; a column of links can also contain the text of the link."""

REASON: Final = _words("""
    reason errorreason bouncereason rejectreason rejectedreason failurereason failreason
    原因 錯誤原因 退信原因 失敗原因 errormessage bouncemessage 錯誤訊息 退信訊息 錯誤說明
    error smtperror 錯誤 reasoncode errorcode bouncecode smtpcode 原因代碼 錯誤代碼 退信代碼
""")
"""Names of the reason for a bounce or rejection: first in words, then as a code."""

EVENT_TIME: Final = {
    "delivery": _words("""
        deliveredat deliveredtime delivereddate deliveredon deliverytime deliverydate
        datedelivered 到達時間 到達日期 送達時間 送達日期
    """),
    "open": _words("""
        openedat openedtime openeddate openedon openat opentime opendate dateopened
        開信時間 開信日期 開啟時間 開啟日期
    """),
    "click": _words("""
        clickedat clickedtime clickeddate clickedon clickat clicktime clickdate dateclicked
        點擊時間 點擊日期 點選時間 點選日期
    """),
    "bounce": _words("""
        bouncedat bouncedtime bounceddate bouncedon bouncetime bouncedate datebounced
        退信時間 退信日期
    """),
    "unsubscribe": _words("""
        unsubscribedat unsubscribedtime unsubscribeddate unsubscribedon unsubscribetime
        unsubscribedate dateunsubscribed 取消訂閱時間 取消訂閱日期 退訂時間 退訂日期
    """),
    "complain": _words("""
        complainedat complainedtime complaineddate complainedon complaintime complaindate
        complainttime complaintdate datecomplained 抱怨時間 抱怨日期 檢舉時間 檢舉日期
    """),
}
"""Names of the event's time by type of file; in another type, they name another event."""

TIME: Final = _words("""
    eventtime eventdate eventtimestamp occurredat occurredon 事件時間 事件日期 發生時間 發生日期
    time date datetime timestamp 時間 日期 日期時間
""")
"""Names of the event's time in a file of any type."""

NO_EVENT_TIME: Final = frozenset(
    _words("""
    sentat senton senttime sentdate sendtime senddate createdat createtime createdate createddate
    updatedat updatetime scheduledate 發送時間 發送日期 寄送時間 寄信時間 發信時間 建立時間 更新時間
    """)
)
"""Names of times that are not an event: when a mail was sent, or its record written."""

_REPORT_NAMES: Final = frozenset(chain(NAME, *EVENT_TIME.values()))
"""Names that only a report has; ``error``, ``link`` and ``time`` can be words of a message."""

_HEADER_CELL: Final = frozenset(
    _words("email emailaddress name fullname 電子信箱 電子郵件 信箱 電郵 姓名 收件人信箱 會員信箱")
)
"""Names that are rarely a cell, unlike "To", which is a name, and "mail", a reason."""

_MOST_LINES_ABOVE: Final = 5
"""Lines above a header that are checked. Chosen: a title, a time and a remark fit."""

_TOTALS: Final = frozenset(
    _words("合計 總計 總和 總數 小計 共計 total totals grandtotal subtotal sum")
)

_ADDRESS_CELL: Final = re.compile(r"(?:[^<>]*<)?[^\s@:<>]+@[^\s@:<>]+>?")
"""An address in a column of addresses; a bounced one can be ``a@gmail``."""

_URL_CELL: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*:|/)\S+|[^\s@]+\.[a-z]\S*", re.IGNORECASE)


def places(names: Sequence[str], known: Sequence[str]) -> tuple[int, ...]:
    """Return the indexes of the columns with a known name, in the order of the table."""
    plain = [_plain(name) for name in names]
    return tuple(place for each in known for place, name in enumerate(plain) if name == each)


def may_be_event_time(name: str, kind: str) -> bool:
    """Return whether a column can be the time of a file's event, under an unknown name."""
    plain, words = _plain(name), re.findall(r"[^\W_]+", name.casefold())
    others = (names for each, names in EVENT_TIME.items() if each != kind)
    known = (TIME, NO_EVENT_TIME, *others)
    says_time = plain.endswith(("time", "date", "stamp", "時間", "日期", "時刻"))
    return (says_time or words[-1:] in (["at"], ["on"])) and not any(
        plain in each for each in known
    )


def is_of_address(name: str) -> bool:
    """Return whether a column is named like addresses, so that it is not the reason."""
    return _plain(name).endswith(("email", "mail", "emailaddress", "信箱"))


def email_column(names: Sequence[str]) -> int:
    """Return the index of the address in the columns of contacts, which name it EMAIL."""
    return next(iter(places(names, ("email", *EMAIL))), 0)


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", name).casefold()))


def may_be_address(cell: str) -> bool:
    """Return whether a cell is an address alone, not a text or link that contains one."""
    return _ADDRESS_CELL.fullmatch(cell) is not None


def is_url(cell: str) -> bool:
    """Return whether a cell can be the target of a link."""
    return _URL_CELL.fullmatch(cell) is not None


def is_clear_beginning(cells: Sequence[str]) -> bool:
    """Return whether it is certain that a first row is a header, or that it is not."""
    return _has_address(cells) or _is_clear_header(cells)


def _is_clear_header(cells: Sequence[str]) -> bool:
    return any(_plain(cell) in _HEADER_CELL for cell in cells)


def is_total(cells: Sequence[str]) -> bool:
    """Return whether a row without an address is a total of the rows above it."""
    return _plain(next(filter(str.strip, cells), "")).rstrip("0123456789") in _TOTALS


def _has_address(cells: Sequence[str]) -> bool:
    return any(map(looks_like_address, cells))


def read_header(
    rows: Iterator[NumberedRow], *, has_header: bool = True
) -> tuple[tuple[str, ...], Iterator[NumberedRow]]:
    """Return the unique names of the columns, and the rows below the header.

    Args:
        has_header: Whether the first row is a header if it has no address.
    """
    top = list(islice(not_blank(rows), _MOST_LINES_ABOVE + 1))
    if not top:
        return (), rows
    first = top[0][1]
    if not has_header or _has_address(first):
        return _names([""] * len(first)), chain(top, rows)
    place = _place_of_header([cells for _, cells in top])
    return _names(top[place][1]), chain(top[place + 1 :], rows)


def _place_of_header(top: Sequence[Sequence[str]]) -> int:
    """Return the index of a header below lines with fewer cells, or else of the first line."""
    most_filled = 0
    for place, cells in enumerate(top):
        if _has_address(cells):
            break
        filled = sum(map(bool, map(str.strip, cells)))
        if _is_clear_header(cells) and filled > most_filled:
            return place
        most_filled = max(most_filled, filled)
    return 0


def _names(header: Iterable[str]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for place, cell in enumerate(header):
        name = cell.strip()
        names[name if name and name not in names else place_name(place)] = None
    return tuple(names)


def place_name(place: int) -> str:
    """Return the name for a column without a name."""
    return f"column {place + 1}"


def is_known_header(names: Sequence[str]) -> bool:
    """Return whether a first row has names of a report, so it is not a saved error message."""
    has_known = any(_plain(name) in _REPORT_NAMES for name in names)
    return bool(places(names, EMAIL)) or (has_known and len(names) > 1)


def is_numbered(names: Sequence[str]) -> bool:
    """Return whether all columns are named by their position, as in a file without a header."""
    return all(name == place_name(place) for place, name in enumerate(names))


def not_blank(rows: Iterable[NumberedRow]) -> Iterator[NumberedRow]:
    """Return the rows without the blank ones."""
    return (row for row in rows if any(map(str.strip, row[1])))


def cell_at(cells: Sequence[str], place: int | None) -> str:
    """Return a cell without surrounding white space; empty if the row has no such cell."""
    return cells[place].strip() if place is not None and place < len(cells) else ""


def values_of(names: Sequence[str], cells: Sequence[str]) -> Mapping[str, str]:
    """Return the cells by column; cells beyond the header are named by their position."""
    values = dict(zip(names, cells, strict=False))
    for place in range(len(names), len(cells)):
        values[place_name(place)] = cells[place]
    return values
