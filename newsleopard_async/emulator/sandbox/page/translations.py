"""The texts of the page in 中文, by their English text, and the choice of the language.

The 中文 is Taiwanese usage, with the platform's own terms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

from starlette.requests import Request

__all__ = ["CHINESE", "COOKIE", "TAGS", "Language", "language_of", "translator"]

CHINESE: Final[Mapping[str, str]] = {
    # All pages.
    "NewsLeopard emulator": "電子豹模擬器",
    "live": "即時更新",
    "disconnected": "連線中斷",
    "Done.": "完成。",
    "The emulator does not answer. Is it still running?": "模擬器沒有回應，是否仍在執行？",
    "Skip to the content": "跳到主要內容",
    "The emulator's clock": "模擬器的時鐘",
    "held": "已暫停",
    "Run": "開始走",
    "Hold": "暫停",
    "+1 min": "+1 分",
    "Advance by a minute": "快轉一分鐘",
    "+1 h": "+1 小時",
    "Advance by an hour": "快轉一小時",
    "+1 day": "+1 天",
    "Advance by a day": "快轉一天",
    "Buttons and live updates need JavaScript; everything can be read and searched without it.": (
        "按鈕與即時更新需要 JavaScript；不啟用也能瀏覽與搜尋所有內容。"
    ),
    "Parts of the page": "頁面選單",
    "Times are in Taipei time": "時間為臺北時間",
    "Press": "按",
    "for the keys": "查看快速鍵",
    "Keys": "快速鍵",
    "Search": "搜尋",
    "Next mail or row": "下一封信或下一列",
    "Previous mail or row": "上一封信或上一列",
    "Open the row": "開啟這一列",
    "Show the keys": "顯示快速鍵",
    "Close": "關閉",
    "Trail": "所在位置",
    "More": "更多",
    "Back to the first": "回到第一頁",
    "Filter": "篩選",
    "any": "不限",
    "all": "全部",
    "none": "無",
    "on": "開",
    "Set": "設定",
    "Not found": "找不到",
    "Overview": "總覽",
    "Mails": "信件",
    "Mails left": "封數",
    "Campaigns": "活動",
    "Lists": "群組",
    "Contacts": "會員",
    "Imports": "匯入",
    "Requests": "請求",
    "Webhooks": "Webhook",
    "Controls": "操作",
    "Switches": "開關",
    # The overview.
    "An API key was sent to the storage. Presigned URLs need no key; do not send it there.": (
        "有 API 金鑰被送到檔案儲存空間。預簽網址不需要金鑰，請勿附上該標頭。"
    ),
    "sent mails": "已寄出的信件",
    "campaigns": "活動",
    "contacts": "會員",
    "excluded contacts": "無效會員",
    "mails left in the balance": "剩餘可寄封數",
    "requests": "請求",
    "Connect": "連線方式",
    "Base URL": "網址",
    "API key": "API 金鑰",
    "one of the emulator's keys; they are not shown here": ("模擬器設定的金鑰之一；此處不顯示"),
    "any key; a request without a key is refused": "任意；未附金鑰的請求會被拒絕",
    "Control API": "控制 API",
    "No request has arrived yet. These lines create a list and import its first contact:": (
        "還沒有任何請求。三行程式就能建立群組並匯入第一位會員："
    ),
    "Latest campaigns": "最新活動",
    "Latest mails": "最新信件",
    "Latest requests": "最新請求",
    # Mails.
    "address, name, subject or HTML": "信箱、姓名、主旨或 HTML",
    "Campaign": "活動",
    "Variant": "版本",
    "Variant of the A/B test": "A/B 測試的版本",
    "Variant {letter}": "版本 {letter}",
    "Event": "事件",
    "No mail matches.": "沒有符合條件的信件。",
    "Show all mails": "顯示所有信件",
    "No mail has been sent yet. Submit a campaign; if it is scheduled, advance the clock.": (
        "還沒有寄出任何信件。請送出活動；如為排程活動，請快轉時鐘。"
    ),
    "Neighbours": "前後信件",
    "Newer": "較新",
    "Older": "較舊",
    "These placeholders have no value, so the reader sees them unchanged:": (
        "以下變數沒有對應的值，收件人會直接看到："
    ),
    "Views": "檢視方式",
    "Preview": "預覽",
    "Text": "純文字",
    "Source": "原始碼",
    "Headers": "標頭",
    "Download .eml": "下載 .eml",
    "Width": "寬度",
    "both": "兩種",
    "phone": "手機",
    "wide": "寬版",
    "phone, 375 px": "手機，375 px",
    "wide, from 640 px": "寬版，640 px 以上",
    "this one was sent": "寄出的是這一版",
    "The mail": "信件",
    "The reader's actions": "收件人的動作",
    "Nothing yet.": "尚無動作。",
    "Simulate the reader": "模擬收件人的動作",
    "Open": "開信",
    "Click": "點擊",
    "Bounce": "退信",
    "Unsubscribe": "取消訂閱",
    "Complain": "抱怨",
    "The contact's values": "會員的欄位值",
    "No custom variables.": "沒有自訂變數。",
    "delivered": "到達",
    "opened": "開信",
    "clicked": "點擊",
    "bounced": "退信",
    "unsubscribed": "取消訂閱",
    "complained": "抱怨",
    # Campaigns.
    "No campaign has been accepted yet.": "還沒有任何活動。",
    "A/B test of the subject": "主旨 A/B 測試",
    "A/B test of the sender": "寄件人 A/B 測試",
    "A/B test of the content": "內容 A/B 測試",
    "winner": "勝出",
    "winner {letter}": "{letter} 版勝出",
    "deleted": "已刪除",
    "{n} recipients": "{n} 位收件人",
    "{share} opened": "開信率 {share}",
    "Results of the mails": "寄送成效",
    "open rate": "開信率",
    "Show its mails": "查看信件",
    "About this campaign": "關於這個活動",
    "Timeline": "時間軸",
    "planned": "預定",
    "Advance to it": "快轉到此",
    "Facts": "基本資料",
    "Code": "代碼",
    "Recipients": "收件人數",
    "Charged to the balance": "扣除封數",
    "none; an uploaded file": "無；使用上傳的檔案",
    "Excluded lists": "排除群組",
    "Accepted": "已受理",
    "Sending begins": "開始寄送",
    "The test is decided": "決定測試結果",
    "Sending ends": "寄送結束",
    "Paused": "已暫停",
    "Report exported": "匯出報表",
    "Deleted": "已刪除",
    "draft": "草稿",
    "being prepared": "準備中",
    "scheduled": "已排程",
    "being sent": "寄送中",
    "A/B test is running": "A/B 測試中",
    "complete": "完成",
    "paused": "已暫停",
    "no recipients": "沒有收件人",
    "too few recipients for a test": "收件人太少，無法測試",
    "balance too low": "餘額不足",
    "sender is not verified": "寄件人未驗證",
    # Lists, contacts and imports.
    "No list exists yet.": "還沒有群組。",
    "New list": "新增群組",
    "Create the list": "建立群組",
    "segment": "區隔",
    "segment: fills itself with every contact": "區隔：自動包含所有會員",
    "import is running": "匯入中",
    "Name": "名稱",
    "Subscribed": "有效會員",
    "Excluded": "無效會員",
    "Created": "建立時間",
    "Changed": "更新時間",
    "Address": "信箱",
    "Custom variables": "自訂變數",
    "Excluded since": "成為無效會員的時間",
    "part of an address": "信箱的一部分",
    "No contact matches.": "沒有符合條件的會員。",
    "No contact is here yet; import contacts first.": "這裡還沒有會員；會員由匯入產生。",
    "Excluded: gets no mail since": "無效會員，不再收到信件，自",
    "No mail has been sent to this contact.": "還沒有信件寄給這位會員。",
    "Exclude this contact": "設為無效會員",
    "Exclude this contact from all mails?": "要將這位會員設為無效會員嗎？",
    "Import": "匯入",
    "No import exists yet.": "還沒有任何匯入。",
    "State": "狀態",
    "List": "群組",
    "Rows": "總列數",
    "Inserted": "成功",
    "Duplicates": "重複",
    "Rejected": "失敗",
    "Requested": "要求時間",
    "File uploaded": "檔案送達",
    "not yet": "尚未",
    "Ended": "結束時間",
    "Ends": "預計結束時間",
    "Webhook": "Webhook",
    "stuck": "卡住",
    "Rejected rows": "錯誤名單",
    "Download all of them": "下載全部",
    "running": "處理中",
    "failed": "失敗",
    "EMAIL or NAME is missing": "缺少 EMAIL 或 NAME",
    "a column occurs twice": "欄位重複",
    "wrong number of columns": "欄位數不符",
    "no address": "沒有信箱",
    "not an address": "信箱格式錯誤",
    "not a number": "不是數字",
    "not a date": "不是日期",
    # Requests and webhooks.
    "No request has arrived yet.": "還沒有任何請求。",
    "No request matches.": "沒有符合條件的請求。",
    "Time": "時間",
    "Request": "請求",
    "Operation": "操作名稱",
    "Status": "狀態碼",
    "Fault": "故障",
    "dropped": "連線中斷",
    "with a fault only": "只顯示有故障的",
    "Duration": "耗時",
    "Query": "查詢字串",
    "Request id": "請求 ID",
    "Body": "內容",
    "No body is stored. Uploads are never stored.": "沒有保留內容；上傳的檔案一律不保留。",
    "{n} bytes arrived; only the beginning is stored.": "共 {n} 位元組，只保留開頭。",
    "host is not allowed": "主機未獲允許",
    "no answer": "無人回應",
    "No webhook has been due yet. Pass a webhookUrl to an import or an export.": (
        "還沒有 webhook。匯入或匯出時請指定 webhookUrl。"
    ),
    "Deliver the due webhooks": "立即送出到期的 webhook",
    # Controls.
    "On this page": "本頁內容",
    "Clock": "時鐘",
    "Faults": "故障",
    "Scripts": "腳本",
    "Balance": "餘額",
    "Exclusions": "無效會員",
    "Snapshots": "快照",
    "Reset": "重設",
    "The clock is held at": "時鐘暫停於",
    "The clock runs; it was": "時鐘正在走，剛才是",
    "s": "秒",
    "min": "分",
    "h": "小時",
    "day": "天",
    "days": "天",
    "at {n} times the speed": "，速度為 {n} 倍",
    "Next event:": "下一件事：",
    "(in {time})": "（{time}後）",
    "Nothing is planned.": "沒有預定的事。",
    "Seconds": "秒數",
    "Advance": "快轉",
    "Speed": "速度",
    "real time": "與實際時間相同",
    "one minute per second": "一秒過一分鐘",
    "one hour per second": "一秒過一小時",
    "The clock of this emulator cannot be moved from here.": (
        "這個模擬器使用的時鐘無法從這裡調整。"
    ),
    "Kind of fault": "故障種類",
    "Applies to": "對象",
    "any operation": "任何操作",
    "Number of requests": "次數",
    "still process the request": "仍然處理請求",
    "Set the fault": "設定故障",
    "Waiting faults": "等待發生的故障",
    "Clear the faults and scripts": "清除故障與腳本",
    "No fault is waiting.": "沒有等待發生的故障。",
    "Scripts: results that are set in advance": "腳本：預先決定平台的回應",
    "Number of the next uploads that stay PROCESSING:": (
        "接下來的上傳會一直停在 PROCESSING，次數："
    ),
    "An upload ends in": "下次上傳的結果：",
    "A campaign ends in": "下個活動的結果：",
    "The daily quota is used up; it is available again in": "今日額度已用完，恢復還要",
    "No script is set.": "一切照常進行。",
    "The next upload ends in": "下次上傳的結果",
    "Set the script": "設定腳本",
    "The next campaign ends in": "下個活動的結果",
    "Number of uploads that stay PROCESSING": "一直停在 PROCESSING 的上傳次數",
    "Make imports stick": "讓匯入卡住",
    "Seconds until the daily quota is available again": "今日額度恢復前的秒數",
    "Use up the daily quota": "用完今日額度",
    "Restore the daily quota": "恢復今日額度",
    "Excluded contacts": "無效會員",
    "Exclude": "設為無效",
    "The latest of {n}": "共 {n} 位，顯示最新的",
    "No contact is excluded.": "沒有無效會員。",
    "Take a snapshot": "建立快照",
    "Restore": "還原",
    "Restore this snapshot? All later changes are lost.": (
        "要還原到這個快照嗎？之後的內容將會消失。"
    ),
    "Delete": "刪除",
    "No snapshot has been taken.": "還沒有快照。",
    "Lists, contacts, campaigns, mails, requests, faults and switches return to their initial"
    " state. The clock does not change.": (
        "群組、會員、活動、信件、請求、故障與開關都會回到最初的狀態；時鐘不變。"
    ),
    "Reset the emulator": "重設模擬器",
    "Reset the emulator? Everything in it is lost.": "要重設模擬器嗎？所有內容都會消失。",
    "The request is processed, and its answer is lost": "請求已處理，但回應遺失",
    "The request never arrives": "請求沒有送達",
    "The connection breaks before the request is processed": "處理之前連線中斷",
    "The request is refused as too fast (429)": "因過於頻繁而拒絕（429）",
    "The request is answered with another status": "以其他狀態碼回應",
    "The request is processed, and answered late": "請求已處理，但延遲回應",
    "No answer, and then the connection breaks": "沒有回應，之後連線中斷",
    "Half of the answer is missing": "回應只送出一半",
    "The answer is not JSON": "回應不是 JSON",
    # Switches.
    "Each switch decides a point that the platform's documentation leaves open. T numbers refer to"
    " the documentation's page about the platform.": (
        "每個開關決定一項平台文件未明確說明的行為。T 編號請見說明文件中關於平台的頁面。"
    ),
    "part of a name or of what it does": "名稱或說明的一部分",
    "changed ones only": "只顯示已變更的",
    "changed; it was {value}": "已變更，原為 {value}",
    "Restore the start value": "還原",
    "No switch matches.": "沒有符合條件的開關。",
}
"""All texts of the page, by their English text."""

Language = Literal["en", "zh"]
COOKIE: Final = "newsleopard-emulator-language"
TAGS: Final[Mapping[Language, str]] = {"en": "en", "zh": "zh-Hant-TW"}
"""The value of ``<html lang>`` for each language."""


def language_of(request: Request) -> Language:
    """Return the language of ``?lang=``, else of the cookie, else of ``Accept-Language``."""
    for chosen in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if chosen == "zh":
            return "zh"
        if chosen == "en":
            return "en"
    return _preferred(request.headers.get("accept-language", ""))


def _preferred(accepted: str) -> Language:
    """Return the supported language with the largest weight; English without one."""
    supported = []
    for index, part in enumerate(accepted.split(",")):
        tag, _, weight = part.partition(";")
        name = tag.strip().lower().partition("-")[0]
        if name in TAGS:
            supported.append((-_weight(weight), index, name))
    best = min(supported, default=(0.0, 0, "en"))
    return "zh" if best[2] == "zh" and best[0] < 0 else "en"


def _weight(text: str) -> float:
    name, _, value = text.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def translator(language: Language) -> Callable[..., str]:
    """Return a function that translates an English text and fills in its values."""

    def translate(text: str, **values: object) -> str:
        translated = CHINESE.get(text, text) if language == "zh" else text
        return translated.format(**values) if values else translated

    return translate
