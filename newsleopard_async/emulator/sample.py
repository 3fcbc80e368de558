"""A sample account: one day of a shop in Taiwan, created by requests to the emulator."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from datetime import time as time_of_day
from typing import Any, Final

import attrs
import httpx

from newsleopard_async.emulator.emulator import Emulator
from newsleopard_async.emulator.newsletter import mail
from newsleopard_async.emulator.platform.clock import EmulatorClock
from newsleopard_async.emulator.switches import Switches

__all__ = ["SAMPLE_S", "build_sample"]

SAMPLE_S: Final = 86_400.0
"""Seconds that pass in the sample: a day, so that mails are opened and a test is decided."""

TAIPEI: Final = timezone(timedelta(hours=8))
TAIPEI_CODE: Final = 21
ANY_DATE: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""The date of an immediate campaign; the platform only checks its form."""
SENDER: Final = {"fromName": "山嵐選物", "fromAddress": "service@example.com"}

SURNAMES: Final = (
    ("陳", "chen"), ("林", "lin"), ("黃", "huang"), ("張", "chang"), ("李", "lee"),
    ("王", "wang"), ("吳", "wu"), ("劉", "liu"), ("蔡", "tsai"), ("楊", "yang"),
)  # fmt: skip
NAMES: Final = (
    ("怡君", "yichun"), ("家豪", "chiahao"), ("淑芬", "shufen"), ("志明", "chihming"),
    ("雅婷", "yating"), ("冠宇", "kuanyu"), ("美玲", "meiling"), ("俊傑", "chunchieh"),
    ("詩涵", "shihhan"), ("承恩", "chengen"), ("佳穎", "chiaying"), ("宗翰", "tsunghan"),
)  # fmt: skip
LEVELS: Final = ("一般", "銀卡", "金卡", "黑卡")
SHOPS: Final = ("台北信義", "新北板橋", "桃園中壢", "台中勤美", "台南林百貨", "高雄駁二")
COLUMNS: Final = ("EMAIL", "NAME", "會員等級", "點數", "門市")

ENOUGH: Final = 10_000
"""Chosen: ten times the mails of the day."""

# Chosen: lists of three sizes, large enough that all kinds of events happen.
VIPS: Final = 80
MEMBERS: Final = 300  # VIPs included
SUBSCRIBERS: Final = 60  # every fifth member
TESTERS: Final = ("test1@example.com", "test2@example.com", "test3@example.com")

BAD_ROWS: Final = (
    ("", "沒有信箱", "一般", "10", "台北信義"),
    ("wang.example.com", "王小明", "銀卡", "120", "新北板橋"),
    ("lin.dup@example.com", "林重要", "金卡", "無", "台中勤美"),
    ("chen.short@example.com", "陳少欄", "一般"),
)
"""Rows that an import rejects, each for a different reason."""


async def build_sample(emulator: Emulator, *, api_key: str = "test-key") -> None:
    """Fill an account with lists, contacts, imports, campaigns, a report and a template.

    On an `EmulatorClock` a day passes, `SAMPLE_S`. On any other clock no time passes, so no mail is
    opened. Afterwards the switches are restored, and the balance too if it was too small for the
    day.

    Args:
        emulator: The emulator with the account, which should be new.
        api_key: A key that the emulator accepts.
    """
    clock = emulator.clock if isinstance(emulator.clock, EmulatorClock) else None
    with _quick(emulator, clock), _held(clock):
        wire: dict[str, Any] = {"transport": emulator.transport(), "trust_env": False}
        key = {"x-api-key": api_key}
        async with (
            httpx.AsyncClient(base_url=emulator.base_url, headers=key, **wire) as http,
            httpx.AsyncClient(**wire) as storage,
        ):
            await _Story(emulator, http, storage, clock).run()


@contextmanager
def _quick(emulator: Emulator, clock: EmulatorClock | None) -> Iterator[None]:
    """Set the switches and the balance that the story needs, without rate limits."""
    before = emulator.switches
    usual = Switches(
        requests_per_s=None,
        requests_per_day=None,
        vendor_limits=before.vendor_limits,
        later_endpoints=before.later_endpoints,
        unsubscribe_share=0.04,
        complain_share=0.01,
    )
    if clock is None:
        usual = attrs.evolve(usual, import_base_s=0.0, import_rows_per_s=1e12)
    balance = emulator.balance
    is_enough = balance >= ENOUGH
    emulator.switch(**attrs.asdict(usual, recurse=False))
    emulator.balance = balance if is_enough else ENOUGH
    try:
        yield
    finally:
        emulator.balance = emulator.balance if is_enough else balance
        emulator.switch(**attrs.asdict(before, recurse=False))


@contextmanager
def _held(clock: EmulatorClock | None) -> Iterator[None]:
    """Hold a clock, and run it again afterwards if it was running."""
    runs = clock is not None and not clock.is_held
    if clock is not None:
        clock.hold()
    try:
        yield
    finally:
        if clock is not None and runs:
            clock.run()


class _Story:
    """The day, hour by hour."""

    def __init__(
        self,
        emulator: Emulator,
        http: httpx.AsyncClient,
        storage: httpx.AsyncClient,
        clock: EmulatorClock | None,
    ) -> None:
        self._emulator = emulator
        self._http = http
        self._storage = storage
        self._clock = clock
        self._begin = emulator.clock.now()

    async def run(self) -> None:
        """Play the day; hours count from its beginning, and some steps advance the clock, too."""
        lists = await self._import_contacts()
        self._pass_until(hours=0.5)
        anniversary = await self._submit(_anniversary(lists))
        self._pass_until(hours=1)
        await self._submit(_subject_test(lists), is_test=True)
        await self._call_off(lists)
        self._pass_until(hours=6)
        await self._export(anniversary)
        self._pass_until(hours=22)
        await self._submit(_content_test(lists), is_test=True)
        self._pass_until(hours=23)
        await self._submit(_tomorrow(lists, self._emulator.clock.now()))
        await self._call("GET", "/v1/contacts/lists?size=50")
        self._pass_until(hours=SAMPLE_S / 3600)

    async def _import_contacts(self) -> dict[str, str]:
        names = ("VIP 會員", "全台門市會員", "電子報訂閱", "內部測試")
        lists = {name: await self._create_list(name) for name in names}
        people = list(_people(MEMBERS))
        await self._import_text(lists["VIP 會員"], people[:VIPS])
        self._pass_until(hours=0.1)
        await self._import_file(lists["全台門市會員"], [*people[VIPS:], *BAD_ROWS, people[-1]])
        await self._import_text(lists["電子報訂閱"], people[::5][:SUBSCRIBERS])
        testers = [(email, "測試", "一般", "0", SHOPS[0]) for email in TESTERS]
        await self._import_text(lists["內部測試"], testers)
        self._emulator.add_template("新品上市", _new_products("甲"))
        return lists

    async def _create_list(self, name: str) -> str:
        answer = await self._call("POST", "/v1/contacts/lists/insert", {"name": name})
        return str(answer["sn"])

    async def _import_text(self, list_sn: str, rows: Sequence[Sequence[str]]) -> None:
        await self._call("POST", f"/v1/contacts/imports/{list_sn}/text", {"contacts": _csv(rows)})

    async def _import_file(self, list_sn: str, rows: Sequence[Sequence[str]]) -> None:
        ticket = await self._call("POST", f"/v1/contacts/imports/{list_sn}/file", {})
        put = await self._storage.put(ticket["url"], content=_csv(rows).encode())
        put.raise_for_status()
        self._pass_until(hours=0.2)
        result = await self._call("GET", f"/v1/contacts/imports/result/{ticket['import_sn']}")
        if "errorDownloadLink" in result:
            (await self._storage.get(result["errorDownloadLink"])).raise_for_status()

    async def _submit(self, body: Mapping[str, Any], *, is_test: bool = False) -> str:
        kind = "testing" if is_test else "normal"
        content = body["content"]
        if not self._emulator.switches.vendor_limits:
            # The preheader is only a field of the vendor's notes.
            content = {name: text for name, text in content.items() if "preheader" not in name}
        sent = {**body, "content": content}
        return str((await self._call("POST", f"/v1/campaign/{kind}/submit", sent))["sn"])

    async def _call_off(self, lists: Mapping[str, str]) -> None:
        """Submit two campaigns that are never sent: one without readers, and one that is paused."""
        self._pass_until(hours=2)
        at = self._begin + timedelta(hours=3)
        await self._submit(_plain("系統測試信", [lists["內部測試"]], at=at))
        for email in TESTERS:
            self._emulator.exclude(email)
        if self._emulator.switches.later_endpoints:
            later = self._begin + timedelta(hours=4)
            sn = await self._submit(_plain("臨時公告（內容有誤）", [lists["VIP 會員"]], at=later))
            await self._call("PATCH", f"/v1/campaign/normal/{sn}")

    async def _export(self, campaign_sn: str) -> None:
        await self._call("POST", f"/v1/report/{campaign_sn}/export", {})
        self._pass_until(hours=6.1)
        for link in (await self._call("GET", f"/v1/report/{campaign_sn}/link"))["Reports"]:
            if link["reportType"] == "open":
                (await self._storage.get(link["link"])).raise_for_status()

    async def _call(self, method: str, path: str, body: object = None) -> Any:
        answer = await self._http.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def _pass_until(self, *, hours: float) -> None:
        """Advance the clock to so many hours after the beginning."""
        if self._clock is not None:
            left = self._begin + timedelta(hours=hours) - self._clock.now()
            self._clock.advance(max(0.0, left.total_seconds()))


def _people(count: int) -> Iterator[tuple[str, ...]]:
    """Yield invented people, the same ones each time."""
    choice = random.Random("sample")  # noqa: S311 - reproducible on purpose
    for number in range(1, count + 1):
        surname, family = choice.choice(SURNAMES)
        name, first = choice.choice(NAMES)
        [level] = choice.choices(LEVELS, weights=(6, 3, 2, 1))
        points = str(choice.randrange(0, 5_000, 10))
        email = f"{first}.{family}{number:03d}@example.com"
        yield email, surname + name, level, points, choice.choice(SHOPS)


def _csv(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as CSV; their cells need no quotes."""
    return "".join(",".join(row) + "\n" for row in (COLUMNS, *rows))


def _body(
    name: str,
    lists: Sequence[str],
    content: Mapping[str, Any],
    *,
    at: datetime | None = None,
    sender: Mapping[str, str] = SENDER,
) -> dict[str, Any]:
    """Return the body of a submit, immediate or scheduled."""
    instant = (at or ANY_DATE).astimezone(UTC)
    schedule = {
        "type": 0 if at is None else 1,
        "timezone": TAIPEI_CODE,
        "scheduleDate": f"{instant:%Y-%m-%dT%H:%M:%S}.000Z",
    }
    ga = {
        "enable": "true",
        "ecommerceEnable": "true",
        "utmCampaign": "shan-lan",
        "utmContent": "edm",
    }
    return {
        "form": {"name": name, "selectedLists": list(lists), "excludeLists": []},
        "config": {"schedule": schedule, "ga": ga},
        "content": {**sender, "footerLang": 1, **content},
    }


def _anniversary(lists: Mapping[str, str]) -> dict[str, Any]:
    html = mail(
        "週年慶搶先購，您的 ${點數} 點雙倍折抵",
        "${NAME} 您好，",
        "感謝您一路以來的支持。身為 <b>${會員等級}</b> 會員，今天起到週日，"
        "您可以在 ${門市}門市與官網搶先選購週年慶商品，點數折抵加倍。",
        "您的專屬折扣碼：<b>${未填}</b>",
        button="立即搶先購",
        preheader="只有會員看得到的三天，點數折抵加倍。",
    )
    content = {
        "subject": "${NAME}，週年慶搶先購只到週日",
        "preheader": "只有會員看得到的三天，點數折抵加倍。",
        "htmlContent": html,
    }
    return _body("週年慶搶先購", [lists["VIP 會員"], lists["全台門市會員"]], content)


def _subject_test(lists: Mapping[str, str]) -> dict[str, Any]:
    html = mail(
        "這個週末，來 ${門市}門市喝杯茶",
        "${NAME} 您好，",
        "週六下午兩點，茶師會在門市泡今年的高山春茶。憑這封信，您與一位朋友免費入席。",
        button="預約座位",
        preheader="兩人同行，免費入席。",
        color="#8a5a2b",
    )
    content = {
        "subjectA": "這週六，請您喝今年的春茶",
        "subjectB": "${NAME}，留了兩個位子給您",
        "preheaderA": "兩人同行，免費入席。",
        "preheaderB": "兩人同行，免費入席。",
        "htmlContent": html,
        "testingOn": 1,
        "testing": {"proportion": 30, "time": 4, "unit": 0},
    }
    return _body("春茶品飲會（主旨測試）", [lists["全台門市會員"]], content)


def _content_test(lists: Mapping[str, str]) -> dict[str, Any]:
    content = {
        "subject": "新品上市：手作陶杯",
        "preheader": "台灣職人手作，每只都不一樣。",
        "htmlContentA": _new_products("甲"),
        "htmlContentB": _new_products("乙"),
        "testingOn": 3,
        "testing": {"proportion": 40, "time": 6, "unit": 0},
    }
    return _body("新品上市（內容測試）", [lists["全台門市會員"]], content)


def _new_products(version: str) -> str:
    is_short = version == "甲"
    more = () if is_short else ("每只杯子都由鶯歌的職人親手拉坯，釉色在窯裡各自長成。",)
    return mail(
        "手作陶杯，今天上架" if is_short else "一只杯子，從鶯歌到您手上",
        "${NAME} 您好，",
        "等了三個月的手作陶杯終於上架，數量有限，售完為止。",
        *more,
        button="看看陶杯" if is_short else "讀職人的故事",
        preheader="台灣職人手作，每只都不一樣。",
        color="#36527a" if is_short else "#7a3b36",
    )


def _tomorrow(lists: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """Return a campaign for ten o'clock, Taipei time, on the day after the sample."""
    day = (now.astimezone(TAIPEI) + timedelta(days=1, hours=1)).date()
    at = datetime.combine(day, time_of_day(10), tzinfo=TAIPEI)
    return _plain("每週選物電子報", [lists["電子報訂閱"]], at=at)


def _plain(name: str, lists: Sequence[str], *, at: datetime) -> dict[str, Any]:
    html = mail(
        name, "${NAME} 您好，", "本週的選物已經整理好了。", button="打開看看", preheader="本週選物"
    )
    return _body(name, lists, {"subject": name, "htmlContent": html}, at=at)
