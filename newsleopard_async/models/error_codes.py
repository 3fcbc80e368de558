"""The platform's error codes (錯誤代碼對照表), and what the caller can do about each.

The table is the documentation's, plus 40303, which its report pages use. The platform can answer
with other codes; these are ordinary refusals. Source: docs/platform.md, Error codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

__all__ = ["ERROR_TEXTS", "ErrorText", "describe_code"]


@attrs.frozen
class ErrorText:
    """The meaning of an error code.

    Attributes:
        english: Our translation.
        chinese: The platform's text.
        advice: What the caller can do.
    """

    english: str
    chinese: str
    advice: str

    def __str__(self) -> str:
        return f"{self.english} ({self.chinese}): {self.advice}"


ERROR_TEXTS: Final[Mapping[int, ErrorText]] = {
    40001: ErrorText("field error", "欄位錯誤", "correct the named fields"),
    40003: ErrorText("invalid email address", "無效的 EMAIL", "check the sender's address"),
    40004: ErrorText("domain not allowed", "不允許的 DOMAIN", "use another sender domain"),
    40007: ErrorText(
        "invalid code",
        "無效的 SN",
        "check that this account has a list, campaign, import or template with this code",
    ),
    40008: ErrorText("unsupported file format", "不支援的檔案格式", "send a CSV file"),
    40009: ErrorText("empty file", "檔案內容為空", "check that rows follow the header"),
    40010: ErrorText(
        "file too large",
        "檔案大小超過限制",
        "import it in parts, by part_bytes= of import_contacts or send_campaign",
    ),
    40011: ErrorText(
        "sender not verified", "未驗證寄件人地址", "verify the sender's address in the console"
    ),
    40012: ErrorText("insufficient balance", "餘額不足", "top up, or send to fewer recipients"),
    40013: ErrorText(
        "no recipients",
        "沒有可寄送的名單",
        "wait for the import to end, and check the selected and excluded lists",
    ),
    40014: ErrorText("invalid campaign content", "無效的活動內容", "review the HTML"),
    40015: ErrorText(
        "invalid sending information", "無效的傳送資訊", "review the schedule and the sender"
    ),
    40017: ErrorText(
        "insufficient balance for the test", "餘額不足無法測試", "top up, or shrink the test"
    ),
    40019: ErrorText("wrong schedule time", "錯誤的排程時間", "choose a time in the future"),
    40020: ErrorText("invalid date format", "無效的日期格式", "report this to the library"),
    40303: ErrorText(
        "bad operation with invalid user state",
        "傳入無效的 campaign_sn",
        "the campaign's code is unknown, not yours, or not in a state that allows this",
    ),
}


_OF_PREHEADER: Final = attrs.evolve(
    ERROR_TEXTS[40001],
    advice="correct the named fields; leave the preheader out if the platform is an older one, or "
    "shorten it to 60 characters",
)
"""The platform of the published documentation refuses a field that it does not know (T82, T86)."""


def describe_code(code: int, about: Iterable[str] = ()) -> str:
    """Return the meaning of a code in English and 中文, with the way out.

    Args:
        about: Names or paths of the fields that the platform possibly refused.
    """
    known = ERROR_TEXTS.get(code)
    if code == 40001 and any("preheader" in each for each in about):
        known = _OF_PREHEADER
    return str(known) if known else f"error code {code}, which is not documented"
