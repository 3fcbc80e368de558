"""Headers and cells of the platform's files, whose form is not documented (T49, T119).

The rules:

- A column is known by its name, which must be in a table here after NFKC and case folding, and
  without anything but letters and digits: ``Opened_At`` is ``openedat``. No name is guessed at:
  any other column is left in the row's values, also one that means the same.
- If several columns have a meaning, the one whose name stands first in the table is tried first.
- A first row with an address in it is not a header. The columns are then called by their place,
  and mean nothing; an address is recognised by its look.
- A few lines, such as a title, may stand above a header that surely is one; a row that begins with
  a word for a total and has no address is of nobody.
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
"""A row's cells, and the line that it begins in."""

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
"""The recipient's address: what says whose comes first, and what may be a mere name last."""

NAME: Final = _words("""
    name fullname 姓名 名字 recipientname receivername 收件人姓名 收件者姓名 會員姓名 聯絡人姓名
""")
"""The recipient's name."""

URL: Final = _words("""
    clickurl clickedurl 點擊網址 點擊的網址 點擊url linkurl 連結網址 連結url targeturl 目標網址
    url 網址 clicklink clickedlink 點擊連結 點擊的連結 link 連結
""")
"""What was clicked; a link may also be the text that it stands on."""

REASON: Final = _words("""
    reason errorreason bouncereason rejectreason rejectedreason failurereason failreason
    原因 錯誤原因 退信原因 失敗原因 errormessage bouncemessage 錯誤訊息 退信訊息 錯誤說明
    error smtperror 錯誤 reasoncode errorcode bouncecode smtpcode 原因代碼 錯誤代碼 退信代碼
""")
"""Why a mail bounced or a row was rejected: in words first, then as a code."""

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
"""When the event of a type of file happened; in a file of another type it is of another event."""

TIME: Final = _words("""
    eventtime eventdate eventtimestamp occurredat occurredon 事件時間 事件日期 發生時間 發生日期
    time date datetime timestamp 時間 日期 日期時間
""")
"""When the event happened, in a file of any type. When a mail was sent is no event of a report."""

NO_EVENT_TIME: Final = frozenset(
    _words("""
    sentat senton senttime sentdate sendtime senddate createdat createtime createdate createddate
    updatedat updatetime scheduledate 發送時間 發送日期 寄送時間 寄信時間 發信時間 建立時間 更新時間
    """)
)
"""When a mail was sent, or its record written, which is no event of a report."""

_OF_A_REPORT: Final = frozenset(chain(NAME, *EVENT_TIME.values()))
"""What says so beside other columns; ``error``, ``link`` and ``time`` may be words of a message."""

_HEADER_CELL: Final = frozenset(
    _words("email emailaddress name fullname 電子信箱 電子郵件 信箱 電郵 姓名 收件人信箱 會員信箱")
)
"""What a column is called and next to no cell is: "To" is a name, and "mail" may be a reason."""

_MOST_LINES_ABOVE: Final = 5
"""How many lines may stand above a header. Chosen: a title, a time, a remark; each is looked at."""

_TOTALS: Final = frozenset(
    _words("合計 總計 總和 總數 小計 共計 total totals grandtotal subtotal sum")
)

_ADDRESS_CELL: Final = re.compile(r"(?:[^<>]*<)?[^\s@:<>]+@[^\s@:<>]+>?")
"""An address in a column of addresses: what bounced may be ``a@gmail``."""

_URL_CELL: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*:|/)\S+|[^\s@]+\.[a-z]\S*", re.IGNORECASE)


def places(names: Sequence[str], known: Sequence[str]) -> tuple[int, ...]:
    """Return the places of the columns whose names are known, in the order of the table."""
    plain = [_plain(name) for name in names]
    return tuple(place for each in known for place, name in enumerate(plain) if name == each)


def may_be_event_time(name: str, kind: str) -> bool:
    """Whether a column may say when the event of a kind of file happened, and no other's time."""
    plain, words = _plain(name), re.findall(r"[^\W_]+", name.casefold())
    others = (names for each, names in EVENT_TIME.items() if each != kind)
    known = (TIME, NO_EVENT_TIME, *others)
    says_time = plain.endswith(("time", "date", "stamp", "時間", "日期", "時刻"))
    return (says_time or words[-1:] in (["at"], ["on"])) and not any(
        plain in each for each in known
    )


def is_of_address(name: str) -> bool:
    """Whether a column is called as one of addresses is, which are no reasons."""
    return _plain(name).endswith(("email", "mail", "emailaddress", "信箱"))


def email_column(names: Sequence[str]) -> int:
    """Return the place of the address among a contact's columns, where it is called EMAIL."""
    return next(iter(places(names, ("email", *EMAIL))), 0)


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", name).casefold()))


def may_be_address(cell: str) -> bool:
    """Whether a cell in a column of addresses is one, and no text or link with one in it."""
    return _ADDRESS_CELL.fullmatch(cell) is not None


def is_url(cell: str) -> bool:
    """Whether a cell can be where a link leads."""
    return _URL_CELL.fullmatch(cell) is not None


def is_clear_beginning(cells: Sequence[str]) -> bool:
    """Whether a first row is beyond doubt a header, or beyond doubt none."""
    return _has_address(cells) or _is_clear_header(cells)


def _is_clear_header(cells: Sequence[str]) -> bool:
    return any(_plain(cell) in _HEADER_CELL for cell in cells)


def is_total(cells: Sequence[str]) -> bool:
    """Whether a row without an address adds up those above it."""
    return _plain(next(filter(str.strip, cells), "")).rstrip("0123456789") in _TOTALS


def _has_address(cells: Sequence[str]) -> bool:
    return any(map(looks_like_address, cells))


def read_header(
    rows: Iterator[NumberedRow], *, has_header: bool = True
) -> tuple[tuple[str, ...], Iterator[NumberedRow]]:
    """Take the header off; return the columns' names, each once, and the rows below it.

    Args:
        has_header: Whether the first row is one, unless it has an address.
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
    """Find a header below lines of fewer cells; the first line is one otherwise."""
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
    """Return what a column without a name is called."""
    return f"column {place + 1}"


def is_known_header(names: Sequence[str]) -> bool:
    """Whether a first row has the names of a report, and is no error that was saved as one."""
    has_known = any(_plain(name) in _OF_A_REPORT for name in names)
    return bool(places(names, EMAIL)) or (has_known and len(names) > 1)


def is_numbered(names: Sequence[str]) -> bool:
    """Whether all columns are called by their places, as where there is no header."""
    return all(name == place_name(place) for place, name in enumerate(names))


def not_blank(rows: Iterable[NumberedRow]) -> Iterator[NumberedRow]:
    """Leave out the rows that have nothing in any cell."""
    return (row for row in rows if any(map(str.strip, row[1])))


def cell_at(cells: Sequence[str], place: int | None) -> str:
    """Return a cell without white space around it; empty where there is none."""
    return cells[place].strip() if place is not None and place < len(cells) else ""


def values_of(names: Sequence[str], cells: Sequence[str]) -> Mapping[str, str]:
    """Return the cells by column; those beyond the header are called by their place."""
    values = dict(zip(names, cells, strict=False))
    for place in range(len(names), len(cells)):
        values[place_name(place)] = cells[place]
    return values
