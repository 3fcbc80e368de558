"""An account with one example of all that the page shows, with a held clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import httpx

from newsleopard_async.emulator import Emulator, EmulatorClock, Switches
from tests.constants import START
from tests.emulator.api import AB_BODY, BODY, changed

__all__ = ["HOSTILE", "KEY", "LONG_NAME", "fill", "make"]

KEY: Final = "test-key"
LONG_NAME: Final = "二〇二六年春季週年慶全台門市聯合回饋活動暨會員專屬優惠通知第一波正式寄送版本"

MAIL: Final = """<!doctype html><html><head><style>a { color: #b45309 }</style></head>
<body style="margin:0;background:#f4efe6;font-family:sans-serif">
<table role="presentation" width="100%"><tr><td align="center" style="padding:24px">
<table role="presentation" width="100%" style="max-width:600px;background:#fff">
<tr><td style="padding:32px"><h1 style="color:#7c2d12">週年慶 ${會員等級} 專屬</h1>
<p style="line-height:1.7">${NAME} 您好，您有 <b>${點數}</b> 點，優惠碼 ${優惠碼}。</p>
<p><a href="https://shop.example.com/sale" style="padding:12px 24px;background:#c2410c;
color:#fff;text-decoration:none">立即選購</a></p></td></tr></table></td></tr></table></body></html>"""
"""A mail as shops send it; 優惠碼 has no value."""

HOSTILE: Final = """<html><head><base href="ELSEWHERE/base/">
<meta http-equiv="refresh" content="0;url=ELSEWHERE/refresh">
<link rel="stylesheet" href="ELSEWHERE/style.css"><link rel="preconnect" href="ELSEWHERE">
<link rel="dns-prefetch" href="ELSEWHERE"><link rel="prefetch" href="ELSEWHERE/prefetch">
<style>@import url("ELSEWHERE/import.css");
@font-face { font-family: x; src: url("ELSEWHERE/font") }
body { background: url("ELSEWHERE/background"); font-family: x }</style></head>
<body onload="fetch('ELSEWHERE/onload'); window.top.location='ELSEWHERE/top'">
<script>document.title = 'ran'; parent.document.body.innerHTML = 'gone';
fetch('ELSEWHERE/script'); window.open('ELSEWHERE/open');</script>
<script src="ELSEWHERE/script.js"></script>
<img src="ELSEWHERE/image.png" srcset="ELSEWHERE/image2.png 2x" alt="image"
onerror="parent.location='ELSEWHERE/error'">
<iframe src="ELSEWHERE/frame"></iframe><object data="ELSEWHERE/object"></object>
<embed src="ELSEWHERE/embed">
<video src="ELSEWHERE/video" poster="ELSEWHERE/poster" autoplay></video>
<form action="ELSEWHERE/form" method="post" target="_top"><input name="a" autofocus>
<button id="submit">Submit</button></form>
<a id="leave" href="ELSEWHERE/leave">leave</a>
<a id="top" target="_top" href="ELSEWHERE/top-link">top</a>
<a id="new" target="_blank" href="ELSEWHERE/new">new</a>
<svg><image href="ELSEWHERE/svg" /><use href="ELSEWHERE/use#a" /></svg>
<div style="background-image:url('ELSEWHERE/div')">Hello from a hostile mail</div></body></html>"""
"""A mail that tries to run scripts, load files, submit a form and leave its frame."""


def make(*, is_held: bool = True, **options: Any) -> Emulator:
    """Create an emulator with a held clock, without rate limits."""
    switches = Switches(requests_per_s=None, requests_per_day=None, bounce_share=0.05)
    clock = EmulatorClock(START, is_held=is_held)
    return Emulator(api_keys=(KEY,), clock=clock, switches=switches, **options)


def _rows() -> str:
    levels, shops = ("白金", "黃金", "銀卡"), ("台北信義", "台中", "高雄巨蛋")
    good = "".join(
        f"member{number:02}@example.com,會員{number:02},{levels[number % 3]},{number * 120},"
        f"{shops[number % 3]}\n"
        for number in range(60)
    )
    long = f"{'very-long-address-' * 2}of-customer@department.subdomain.example.com"
    return (
        f"EMAIL,NAME,會員等級,點數,門市\n{good}{long},歐陽美玲,白金,99999,台北\n"
        "not-an-address,王小明,銀卡,1,台中\n,沒有信箱,銀卡,2,台中\nmember01@example.com,重複,銀卡,3,台中\n"
    )


async def fill(emulator: Emulator, *, hostile: str | None = None) -> dict[str, str]:
    """Fill an account over its own API, and return the codes of its objects."""
    clock = emulator.clock
    assert isinstance(clock, EmulatorClock)
    headers = {"x-api-key": KEY}
    api = httpx.AsyncClient(
        base_url=emulator.base_url, headers=headers, transport=emulator.transport()
    )
    async with api:
        made = await api.post("/v1/contacts/lists/insert", json={"name": LONG_NAME[:30]})
        list_sn = made.json()["sn"]
        await api.post("/v1/contacts/lists/insert", json={"name": "VIP會員名單"})
        path = f"/v1/contacts/imports/{list_sn}/text"
        imported = await api.post(path, json={"contacts": _rows()})
        clock.advance(60)

        async def submit(body: dict[str, Any], **changes: Any) -> str:
            kind = "testing" if "testingOn" in str(body) else "normal"
            named = {name.replace("__", "."): value for name, value in changes.items()}
            filled = changed(body, {"form.selectedLists": [list_sn], **named})
            answer = await api.post(f"/v1/campaign/{kind}/submit", json=filled)
            return str(answer.json()["sn"])

        sent = await submit(
            BODY,
            form__name=LONG_NAME,
            content__subject="${NAME}，週年慶專屬優惠只到週日",
            content__htmlContent=MAIL,
        )
        clock.advance(7_200)
        content = {**AB_BODY["content"], "testingOn": 3, "subject": "兩種版面，哪一種好？"}
        for name in ("subjectA", "subjectB", "htmlContent"):
            content.pop(name)
        content |= {
            "htmlContentA": MAIL,
            "htmlContentB": MAIL.replace("#7c2d12", "#14532d").replace("立即選購", "馬上看看"),
            "testing": {"proportion": 50, "time": 1, "unit": 0},
        }
        test = await submit({**AB_BODY, "content": content}, form__name="版面 A/B 測試")
        clock.advance(3 * 86_400)
        later = (clock.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        planned = await submit(
            BODY,
            form__name="明天的電子報",
            config__schedule={"type": 1, "timezone": 21, "scheduleDate": later},
        )
        emulator.fail("list_campaigns", 503)
        await api.get("/v1/report/campaigns?startDate=2026-01-01&endDate=2026-01-09")
        codes = {"list": list_sn, "import": imported.json()["import_sn"], "test": test}
        codes |= {"sent": sent, "planned": planned}
        if hostile is not None:
            html = HOSTILE.replace("ELSEWHERE", hostile)
            codes["hostile"] = await submit(BODY, form__name="Hostile", content__htmlContent=html)
            clock.advance(600)
    return codes
