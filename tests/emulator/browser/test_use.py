"""The page in use: buttons, live updates, keys, and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from newsleopard_async.emulator import Emulator, EmulatorClock
from newsleopard_async.emulator.server import running
from tests.emulator.api import BODY, changed
from tests.emulator.page.account import KEY, make

expect = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: pip install --group browser"
).expect
pytestmark = pytest.mark.slow
UI = "/_emulator/ui/"
Account = tuple[Emulator, dict[str, str]]


def submit(url: str, list_sn: str, name: str) -> httpx.Response:
    """Submit a campaign over HTTP, as another process would."""
    body = changed(BODY, {"form.name": name, "form.selectedLists": [list_sn]})
    return httpx.post(
        f"{url}/v1/campaign/normal/submit", json=body, headers={"x-api-key": KEY}, trust_env=False
    )


def test_fault_of_a_button_reaches_a_client(page: Any, url: str, account: Account) -> None:
    """The answer to a submit is lost, and the page shows the fault."""
    page.goto(UI + "controls")
    page.get_by_label("Kind of fault").select_option("lose_reply")
    page.get_by_role("button", name="Set the fault").click()
    expect(page.locator("#faults-waiting")).to_contain_text("lose_reply")

    with pytest.raises(httpx.RemoteProtocolError):
        submit(url, account[1]["list"], "lost")

    expect(page.locator("#faults-waiting")).to_contain_text("No fault is waiting.")
    page.goto(UI + "requests?fault=1")
    expect(page.locator("#requests")).to_contain_text("lose_reply")


def test_form_shows_what_a_fault_needs(page: Any) -> None:
    """A delay has seconds, an answer has a status, and only a throttle has any operation."""
    page.goto(UI + "controls")
    kinds, seconds = page.get_by_label("Kind of fault"), page.locator("input[name=seconds]")
    delay, status = seconds.last, page.get_by_label("Status", exact=True)
    expect(delay).to_be_hidden()

    kinds.select_option("delay")
    expect(delay).to_be_visible()
    expect(status).to_be_hidden()

    kinds.select_option("throttle")
    page.locator("select[name=operation]").select_option("any operation")
    page.get_by_role("button", name="Set the fault").click()
    expect(page.locator("#faults-waiting")).to_contain_text("any operation")
    page.get_by_role("button", name="Clear the faults and scripts").first.click()
    expect(page.locator("#faults-waiting")).to_contain_text("No fault is waiting.")


def test_clock_is_moved_and_run_by_buttons(page: Any, account: Account) -> None:
    """The buttons are in the header, and the time on the page advances while the clock runs."""
    clock = account[0].clock
    assert isinstance(clock, EmulatorClock)
    page.goto(UI + "lists")
    before = clock.now()

    page.get_by_role("button", name="+1 h").click()
    expect(page.locator("#answer")).to_have_text("Done.")
    assert (clock.now() - before).total_seconds() == 3_600

    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("button", name="Hold")).to_be_visible()
    shown = page.locator("#clock time")
    expect(shown).not_to_have_text(shown.inner_text())
    page.get_by_role("button", name="Hold").click()
    expect(page.locator("#clock")).to_contain_text("held")
    assert clock.is_held


def test_reader_is_made_to_bounce(page: Any, account: Account) -> None:
    """The mail shows the bounce, the contact is excluded, and the button is disabled."""
    emulator, codes = account
    page.goto(UI + f"mails?campaign={codes['sent']}&q=member12@")
    page.locator("a.mail-row").click()
    page.wait_for_url("**/ui/mails/*")  # buttons work when the whole page is parsed
    page.get_by_role("button", name="Bounce").click()

    expect(page.locator("#events")).to_contain_text("bounced")
    expect(page.get_by_role("button", name="Bounce")).to_be_disabled()
    assert "member12@example.com" in emulator.excluded


def test_switch_is_set_and_set_back(page: Any, account: Account) -> None:
    """A changed switch is marked."""
    emulator = account[0]
    page.goto(UI + "switches?q=first_page")
    page.get_by_label("first_page").fill("1")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.locator("#switch-first_page")).to_contain_text("changed; it was 0")
    assert emulator.switches.first_page == 1

    page.get_by_role("button", name="Restore the start value").click()
    expect(page.locator("#switch-first_page")).not_to_contain_text("changed")
    assert emulator.switches.first_page == 0


def test_refusal_is_shown(page: Any) -> None:
    """The API's message is shown, also to screen readers, until the next action."""
    page.goto(UI + "switches?q=limit_status")
    page.get_by_label("limit_status").fill("9999")
    page.get_by_role("button", name="Set", exact=True).click()

    expect(page.locator("#answer.is-error")).to_contain_text("limit_status")


def test_reset_asks_first(browser: Any) -> None:
    """Nothing happens if the user cancels."""
    emulator = make()
    emulator.add_segment("VIP會員名單")
    with running(emulator) as url:
        page = browser.new_context(base_url=url, locale="en-US").new_page()
        page.goto(UI + "controls")
        page.once("dialog", lambda dialog: dialog.dismiss())
        page.get_by_role("button", name="Reset the emulator").click()
        assert len(emulator.lists) == 1

        page.once("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Reset the emulator").click()
        expect(page.locator("#answer")).to_have_text("Done.")
        assert len(emulator.lists) == 0
        page.context.close()


def test_page_is_live_and_keeps_the_user_s_input(page: Any, url: str, account: Account) -> None:
    """A new campaign appears; focus, half-typed search and scroll position do not change."""
    page.goto(UI + "campaigns")
    expect(page.locator("#connection")).to_have_text("live")
    first = page.locator("a.campaign-row").first
    first.focus()

    submit(url, account[1]["list"], "Just now")

    expect(page.get_by_text("Just now")).to_be_visible()
    assert page.evaluate("document.activeElement.className") == "row campaign-row"
    assert "Just now" not in page.evaluate("document.activeElement.textContent")

    page.goto(UI + "mails")
    expect(page.locator("#connection")).to_have_text("live")
    page.locator("#search").type("half-ty")
    page.evaluate("window.scrollTo(0, 400); window.before = document.body")
    account[0].clock.advance(600)  # type: ignore[attr-defined]  # an EmulatorClock
    submit(url, account[1]["list"], "And now")
    account[0].clock.advance(600)  # type: ignore[attr-defined]

    expect(page.locator("#sections a[aria-current]")).not_to_contain_text("178")
    expect(page.locator("a.mail-row").first).to_contain_text("您好")
    page.locator("#search").type("ped")
    assert page.locator("#search").input_value() == "half-typed"
    assert page.evaluate("document.activeElement.id") == "search"
    assert page.evaluate("window.before === document.body")


def test_open_details_stay_open(page: Any, account: Account) -> None:
    """A live update does not close the list of exclusions."""
    page.goto(UI + "controls")
    page.locator("summary").click()
    account[0].exclude("member30@example.com")

    expect(page.locator("#excluded")).to_contain_text("member30@example.com")
    assert page.locator("#excluded details").get_attribute("open") is not None


def test_lost_connection_is_shown_and_restored(browser: Any) -> None:
    """After a restart of the emulator, the page is live again."""
    emulator = make()
    with running(emulator) as url:
        page = browser.new_context(base_url=url, locale="en-US").new_page()
        page.goto(UI + "lists")
        expect(page.locator("#connection")).to_have_text("live")
    expect(page.locator("#connection")).to_have_text("disconnected", timeout=15_000)
    page.get_by_role("button", name="+1 h").click()
    expect(page.locator("#answer")).to_contain_text("does not answer")

    emulator.add_segment("again")
    with running(emulator, port=int(url.rpartition(":")[2])):
        expect(page.locator("#connection")).to_have_text("live", timeout=15_000)
        expect(page.locator("#lists")).to_contain_text("again")
        page.context.close()


def test_keys_move_and_search(page: Any, account: Account) -> None:
    """Keys j and k move between rows and mails, / searches, ? helps; not in a text field."""
    page.goto(UI + f"mails?campaign={account[1]['sent']}")
    rows = page.locator("a.mail-row")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(rows.first).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("jk?/")
    assert page.locator("#search").input_value() == "jk?/"

    rows.first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Older")).to_be_visible()
    page.wait_for_load_state()  # keys work when the whole page is parsed
    address = page.url
    page.keyboard.press("ArrowRight")
    page.wait_for_url(lambda found: found != address)
    page.keyboard.press("k")
    page.wait_for_url(address)

    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_be_visible()


@pytest.fixture
def plain(browser: Any, url: str) -> Iterator[Any]:
    """A page without JavaScript."""
    context = browser.new_context(base_url=url, locale="en-US", java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_everything_is_read_without_javascript(plain: Any, account: Account) -> None:
    """Search, filters, pages and tabs are links and forms; no button needs JavaScript."""
    plain.goto(UI + "mails")
    # If Playwright disables JavaScript, it does not render <noscript>.
    assert "need JavaScript" in plain.locator("noscript").text_content()
    plain.get_by_role("link", name="More").click()
    expect(plain.get_by_role("link", name="Back to the first")).to_be_visible()
    plain.locator("#search").fill("member07@")
    plain.get_by_label("Campaign").select_option(account[1]["sent"])
    plain.get_by_role("button", name="Search").click()
    expect(plain.locator("a.mail-row")).to_have_count(1)
    plain.locator("a.mail-row").click()
    plain.get_by_role("link", name="Text", exact=True).click()
    expect(plain.locator("pre")).to_contain_text("會員07 您好")
    plain.get_by_role("link", name="中文").click()
    expect(plain.locator("html")).to_have_attribute("lang", "zh-Hant-TW")
    plain.goto(UI + "controls")
    assert plain.locator("button:visible").count() == 0


def test_mail_is_downloaded(page: Any, account: Account) -> None:
    """The download is a file that mail programs open."""
    page.goto(UI + f"mails/{account[1]['sent']}-0-4")
    with page.expect_download() as started:
        page.get_by_role("link", name=re.compile("eml")).click()

    assert started.value.suggested_filename.endswith(".eml")
