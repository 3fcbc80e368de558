"""The page without a browser: its content, its language, and its escaping."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TypeAlias

import attrs
import httpx
import pytest

from newsleopard_async.emulator import Emulator, EmulatorClock
from newsleopard_async.emulator.sandbox.bodies import FaultBody, ScriptBody, SnapshotBody
from newsleopard_async.emulator.sandbox.page import formats
from newsleopard_async.emulator.sandbox.page.labels import SECTIONS
from newsleopard_async.emulator.sandbox.sandbox_app import build_sandbox
from tests.emulator.api import ONCE_BODY, Api, rows
from tests.emulator.page.account import KEY, LONG_NAME, fill, make

pytestmark = pytest.mark.anyio

Filled: TypeAlias = tuple[httpx.AsyncClient, dict[str, str]]
"""The page of an account, and the codes of its objects."""

UI = "/_emulator/ui/"


def opened(emulator: Emulator, **headers: str) -> httpx.AsyncClient:
    """Open the page of an emulator, in process."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=build_sandbox(emulator)),
        base_url="http://127.0.0.1:8025",
        headers=headers,
    )


@pytest.fixture
async def filled() -> Filled:
    """The page of an account with one example of everything."""
    emulator = make()
    codes = await fill(emulator)
    return opened(emulator), codes


class _Inline(HTMLParser):
    """Collects what a strict Content-Security-Policy would refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._is_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        self.found += [f"{tag} {name}" for name in names if name.startswith("on")]
        if tag == "style" or "style" in names or (tag == "script" and "src" not in names):
            self.found.append(tag)
        for name, value in attrs:
            if name in {"src", "href", "action"} and not (value or "").startswith(("/", "#")):
                self.found.append(f"{tag} {name}={value}")


@pytest.mark.parametrize("path", [path for _, path, _ in SECTIONS])
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_every_part_is_shown_empty(path: str, language: str) -> None:
    """All sections of an empty account, in both languages, without inline scripts and styles."""
    async with opened(make()) as page:
        answer = await page.get(path, params={"lang": language})

    assert answer.status_code == 200
    inline = _Inline()
    inline.feed(answer.text)
    assert inline.found == []
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


async def test_empty_account_says_what_to_do_first() -> None:
    """The example code has the base URL and an accepted key."""
    emulator = make()
    async with opened(emulator) as page:
        html = (await page.get("/")).text

    assert f'NewsLeopard("{KEY}", base_url="{emulator.base_url}")' in html


async def test_key_is_not_named_if_any_is_accepted() -> None:
    """The page states that any key is accepted."""
    async with opened(Emulator(api_keys=None)) as page:
        html = (await page.get("/")).text

    assert "any key; a request without a key is refused" in html


@pytest.mark.parametrize(
    ("accepted", "lang"),
    [
        ("zh-TW,zh;q=0.9,en;q=0.8", "zh-Hant-TW"),
        ("zh-Hant", "zh-Hant-TW"),
        ("zh", "zh-Hant-TW"),
        ("en-US,en;q=0.9,zh-TW;q=0.8", "en"),
        ("de,zh;q=0.5,en;q=0.3", "zh-Hant-TW"),
        ("zh;q=0,en;q=0.1", "en"),
        ("fr", "en"),
        ("zh;q=nonsense", "en"),
        ("", "en"),
    ],
)
async def test_language_is_the_browser_s(accepted: str, lang: str) -> None:
    """The supported language with the largest weight; else English."""
    async with opened(make(), **{"accept-language": accepted}) as page:
        html = (await page.get("/")).text

    assert f'<html lang="{lang}">' in html


async def test_chosen_language_is_kept() -> None:
    """The choice in the footer has priority over the browser's language."""
    async with opened(make(), **{"accept-language": "zh-TW"}) as page:
        await page.get("/", params={"lang": "en"})
        html = (await page.get(UI + "mails")).text

    assert '<html lang="en">' in html
    assert "<title>Mails · NewsLeopard emulator</title>" in html


async def test_mails_are_searched_filtered_and_paged(filled: Filled) -> None:
    """Links and a form do this without JavaScript."""
    page, codes = filled
    all_of_them = (await page.get(UI + "mails")).text
    found = (await page.get(UI + "mails", params={"q": "member07"})).text
    bounced = (await page.get(UI + "mails", params={"event": "bounce"})).text
    nothing = (await page.get(UI + "mails", params={"q": "absent at all"})).text
    variant = (
        await page.get(UI + "mails", params={"campaign": codes["test"], "variant": "B"})
    ).text

    assert all_of_them.count('class="row mail-row"') == 50
    assert set(re.findall(r"member\d+@", found)) == {"member07@"}
    assert bounced.count(">bounced</span>") == bounced.count('class="row mail-row"') > 0
    assert "No mail matches." in nothing
    assert 'title="Variant of the A/B test">B<' in variant
    assert 'title="Variant of the A/B test">A<' not in variant

    more = re.search(r'rel="next" href="([^"]+)"', all_of_them)
    assert more is not None
    rest = (await page.get(more[1].replace("&amp;", "&"))).text
    assert not set(re.findall(r'mails/([\w-]+)"', rest)) & set(
        re.findall(r'mails/([\w-]+)"', all_of_them)
    )


async def test_mail_leads_to_its_neighbours(filled: Filled) -> None:
    """The neighbours are those in the search; the newest mail has no newer one."""
    page, codes = filled
    query = f"?q=member1&campaign={codes['sent']}"
    found = (await page.get(UI + "mails" + query)).text
    ids = re.findall(r'href="/_emulator/ui/mails/([\w-]+)\?', found)

    walked = [ids[0]]
    while True:
        html = (await page.get(UI + f"mails/{walked[-1]}{query}")).text
        older = re.search(r'rel="next" href="/_emulator/ui/mails/([\w-]+)\?', html)
        if older is None:
            break
        walked.append(older[1])

    assert walked == ids
    assert 'rel="prev"' in html


async def test_mail_is_framed_and_not_inlined(filled: Filled) -> None:
    """The HTML of a mail is only in sandboxed frames, and its source is text."""
    page, codes = filled
    name = f"{codes['sent']}-0-4"
    html = (await page.get(UI + f"mails/{name}")).text
    source = (await page.get(UI + f"mails/{name}", params={"show": "source"})).text

    frames = re.findall(r"<iframe[^>]*>", html)
    assert len(frames) == 2
    assert all("<iframe sandbox src=" in each for each in frames)
    assert "立即選購" not in html
    assert "&lt;a href=&#34;https://shop.example.com/sale&#34;" in source
    assert "<mark>${優惠碼}</mark>" in source


async def test_both_variants_are_side_by_side(filled: Filled) -> None:
    """The page shows the variant that this recipient did not get, too."""
    page, codes = filled
    html = (await page.get(UI + f"mails/{codes['test']}-0-3")).text

    assert html.count("this one was sent") == 1
    assert set(re.findall(r"/html\?variant=(\w)", html)) == {"A", "B"}


async def test_campaign_shows_what_is_planned(filled: Filled) -> None:
    """A scheduled campaign has a button that moves the clock to its time."""
    page, codes = filled
    html = (await page.get(UI + f"campaigns/{codes['planned']}")).text

    assert "PREPARE_TO_SENT" in html
    assert "planned" in html
    assert 'data-call="POST /_emulator/clock/advance"' in html
    assert '{"until": "2026-01-09T04:01:00+00:00"}' in html


async def test_import_shows_its_rejected_rows_with_reasons(filled: Filled) -> None:
    """The reason is the platform's token, with words next to it."""
    page, codes = filled
    html = (await page.get(UI + f"imports/{codes['import']}")).text

    assert "not-an-address" in html
    assert "INVALID_EMAIL" in html
    assert "not an address" in html


async def test_request_shows_body_fault_and_status(filled: Filled) -> None:
    """The body is indented JSON, and the key is not stored."""
    page, _ = filled
    faulty = (await page.get(UI + "requests", params={"fault": "1"})).text
    submits = (await page.get(UI + "requests", params={"operation": "submit_campaign"})).text
    found = re.search(r'href="(/_emulator/ui/requests/[\w-]+)"', submits)
    assert found is not None
    html = (await page.get(found[1])).text

    assert faulty.count("<tr id=") == 1
    assert ">503</span>" in faulty
    assert "{\n  &#34;form&#34;: {\n" in html
    assert KEY not in html


async def test_every_page_has_the_clock() -> None:
    """The time is that of Taipei, with UTC in the title; buttons appear only if it can move."""
    held, given = make(), Emulator(clock=_OtherClock())
    async with opened(held) as page:
        html = (await page.get(UI + "lists")).text
    async with opened(given) as page:
        without = (await page.get(UI + "controls")).text

    assert 'title="2026-01-05 02:00:00 UTC">2026-01-05 10:00:00</time>' in html
    assert "POST /_emulator/clock/run" in html
    assert "/_emulator/clock/" not in without
    assert "cannot be moved from here" in without


class _OtherClock(EmulatorClock):
    """A clock that the page treats as another type."""

    def __new__(cls) -> EmulatorClock:  # type: ignore[misc]
        """Return an object with the same methods and another type."""
        clock = EmulatorClock()

        class Plain:
            now, monotonic, sleep = clock.now, clock.monotonic, clock.sleep

        return Plain()  # type: ignore[return-value]


async def test_controls_show_what_is_set() -> None:
    """Waiting faults, scripts, snapshots and changed switches."""
    emulator = make()
    async with opened(emulator) as page:
        emulator.hang("submit_campaign", seconds=90, times=2)
        emulator.script_campaign("OVER_LIMIT")
        emulator.snapshot("before the sale")
        emulator.switch(first_page=1, verified_senders=("a@example.com", "@example.org"))
        controls = (await page.get(UI + "controls")).text
        changed = (await page.get(UI + "switches", params={"changed": "1"})).text

    assert "hang 1.5 min" in re.sub(r"\s+", " ", controls)
    assert "OVER_LIMIT" in controls
    assert "/_emulator/snapshots/before%20the%20sale/restore" in controls
    assert set(re.findall(r'id="switch-(\w+)"', changed)) == {"first_page", "verified_senders"}
    assert "changed; it was 0" in changed
    assert 'value="a@example.com, @example.org"' in changed


async def test_clock_is_moved_to_the_next_event() -> None:
    """After the move, the next event is another one."""
    emulator = make()
    await fill(emulator)
    until = {"until": "2026-01-09T04:01:00+00:00"}
    async with opened(emulator) as page:
        before = (await page.get(UI + "controls")).text
        assert (await page.post("/_emulator/clock/advance", json=until)).is_success
        after = (await page.get(UI + "controls")).text

    assert "in 1 day)" in before
    assert json.dumps(until) in before
    assert json.dumps(until) not in after


async def test_day_that_is_used_up_is_given_back_by_a_button() -> None:
    """Clearing the faults and scripts does not restore the daily quota."""
    emulator = make()
    async with opened(emulator) as page:
        emulator.exhaust_day(resets_in_s=90)
        controls = (await page.get(UI + "controls")).text

    scripts = controls.partition('id="scripts-waiting"')[2].partition("</div>")[0]
    assert "Restore the daily quota" in scripts
    assert "Clear the faults and scripts" not in scripts


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("faults", FaultBody, "times"),
        ("faults", FaultBody, "status"),
        ("scripts", ScriptBody, "times"),
        ("snapshots", SnapshotBody, "name"),
    ],
)
async def test_limits_of_a_form_are_those_of_its_body(path: str, body: type, name: str) -> None:
    """The limits of a field are those of the body."""
    limits = attrs.fields_dict(body)[name].metadata["limits"]
    async with opened(make()) as page:
        controls = (await page.get(UI + "controls")).text

    forms = re.findall(rf'data-call="POST /_emulator/{path}".*?</form>', controls, re.DOTALL)
    [field] = re.findall(rf'<input [^>]*name="{name}"[^>]*>', "".join(forms))
    for ours, theirs in (("min", "minimum"), ("max", "maximum"), ("maxlength", "maxLength")):
        assert (f' {ours}="{limits.get(theirs)}"' in field) is (theirs in limits)


async def test_switches_are_searched_in_the_reader_s_language() -> None:
    """The search also finds words of the description in 中文."""
    async with opened(make(), **{"accept-language": "zh-TW"}) as page:
        html = (await page.get(UI + "switches", params={"q": "退信"})).text

    assert re.findall(r'id="switch-(\w+)"', html) == ["bounce_share"]


@pytest.mark.parametrize(
    "path",
    [
        *("mails/none-0-0", "campaigns/none", "lists/none", "contacts/none@example.com"),
        *("imports/none", "requests/none", "mails?after=none", "contacts?after=x", "nothing"),
    ],
)
async def test_missing_object_is_a_404_page(path: str) -> None:
    """The page has the status 404 and the escaped code."""
    async with opened(make()) as page:
        answer = await page.get(UI + path.replace("none", "<b>"))

    assert answer.status_code == 404
    assert "<b>" not in answer.text
    assert "Not found" in answer.text


async def test_odd_states_are_shown() -> None:
    """Not uploaded, stuck, deleted, without lists, dropped, refused: each has a page."""
    emulator = make()
    codes = await fill(emulator)
    emulator.switch(later_endpoints=True)
    async with opened(emulator) as page, Api(emulator, key=KEY) as api:
        waiting = (await api.post("/v1/contacts/imports/file", {})).json()["import_sn"]
        emulator.stick_import()
        stuck = await api.import_text(rows(1), codes["list"])
        once = (await api.reserve(ONCE_BODY)).json()
        await api.delete("/v1/campaign/normal", {"campaignSns": [codes["planned"]]})
        hook = {"webhookUrl": "http://far.example/hook"}
        await api.post(f"/v1/report/{codes['sent']}/export", hook)
        for path, body in (("clock/advance", {"seconds": 60}), ("webhooks/deliver", {})):
            assert (await page.post(f"/_emulator/{path}", json=body)).is_success
        emulator.drop_request("list_lists")
        with pytest.raises(httpx.ReadError):
            await api.get("/v1/contacts/lists")
        paths = ["/", *(UI + name for name in ("campaigns", "imports", "requests", "webhooks"))]
        paths += [UI + f"imports/{sn}" for sn in (waiting, stuck)]
        paths += [UI + f"campaigns/{sn}" for sn in (codes["planned"], once["sn"])]
        answers = {path: await page.get(path, params={"lang": "zh"}) for path in paths}
        shown = {path.removeprefix(UI): answer.text for path, answer in answers.items()}

    assert {answer.status_code for answer in answers.values()} == {200}
    assert "尚未" in shown[f"imports/{waiting}"]
    assert "卡住" in shown[f"imports/{stuck}"]
    assert "無；使用上傳的檔案" in shown[f"campaigns/{once['sn']}"]
    assert "連線中斷" in shown["requests"]
    assert "主機未獲允許" in shown["webhooks"]
    assert "http://far.example/hook" in shown["webhooks"]


async def test_names_cannot_inject() -> None:
    """A name that is HTML appears as text on all pages."""
    evil = "<img src=x onerror=alert(1)>'\"{{7*7}}"
    emulator = make()
    codes = await fill(emulator)
    async with (
        opened(emulator) as page,
        httpx.AsyncClient(
            base_url=emulator.base_url, headers={"x-api-key": KEY}, transport=emulator.transport()
        ) as api,
    ):
        await api.post("/v1/contacts/lists/insert", json={"name": evil[:28]})
        await page.post(
            "/_emulator/snapshots", json={"name": "a'b"}, headers={"accept": "application/json"}
        )
        pages = [
            (await page.get(path)).text
            for path in ("/", UI + "lists", UI + "requests", UI + "controls")
        ]

    assert LONG_NAME[:30] in pages[1]
    assert codes["list"] in pages[1]
    assert all("<img" not in html for html in pages)
    assert "49" not in re.sub(r"\d{3,}", "", pages[1])


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        *((0, ("0", "s")), (59.5, ("59.5", "s")), (60, ("1", "min")), (5_400, ("1.5", "h"))),
        *((86_400, ("1", "day")), (864_000_000, ("10,000", "days"))),
    ],
)
async def test_duration_has_its_largest_unit(seconds: float, said: tuple[str, str]) -> None:
    """A decimal of zero is left out."""
    assert formats.duration(seconds) == said


@pytest.mark.parametrize(
    ("text", "pretty"),
    [
        ('{"a":[1]}', '{\n  "a": [\n    1\n  ]\n}'),
        ('{"a":', '{"a":'),
        ("12", "12"),
        ("EMAIL,NAME", "EMAIL,NAME"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
async def test_only_json_is_indented(text: str, pretty: str) -> None:
    """Any other text does not change."""
    assert formats.pretty(text) == pretty


async def test_only_unfilled_placeholders_are_marked() -> None:
    """The whole text is escaped."""
    assert formats.marked("<i>${A} ${B} $C", {"A"}) == "&lt;i&gt;<mark>${A}</mark> ${B} $C"


async def test_keys_of_the_emulator_are_not_shown() -> None:
    """A key can be real, and a screenshot of the page would show it."""
    async with opened(Emulator(api_keys=("a-live-key",))) as page:
        html = (await page.get("/")).text

    assert "a-live-key" not in html
    assert "they are not shown" in html


async def test_status_of_many_digits_is_ignored() -> None:
    """Python does not parse a number with so many digits."""
    async with opened(make()) as page:
        answer = await page.get(f"{UI}requests?status={'9' * 5_000}")

    assert answer.status_code == 200
