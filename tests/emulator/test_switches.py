"""The forms that a switch gives to answers, over the raw wire."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from newsleopard_async.emulator import Emulator, Switches
from tests.emulator.api import BODY, Api, HandClock, changed, make, rows

pytestmark = pytest.mark.asyncio

LISTS: Final = "/v1/contacts/lists"
HOUR: Final = 3_600


async def _names(api: Api, query: str = "") -> list[str]:
    answer = await api.get(f"{LISTS}?{query}")
    return [item["name"] for item in answer.json()["Lists"]]


async def _sent(api: Api) -> str:
    """Send a campaign to a list of two and return its code."""
    answer = await api.submit(BODY, await api.filled_list(2))
    clock = api.emulator.clock
    assert isinstance(clock, HandClock)
    clock.advance(60)
    return str(answer.json()["sn"])


@pytest.mark.parametrize("value", ["text", "4", True])
async def test_word_that_a_switch_does_not_know_is_refused(value: object) -> None:
    """A switch that takes one of a few words names itself and the words."""
    emulator, _ = make()

    with pytest.raises(ValueError, match="code_field: must be one of code, errorCode"):
        emulator.switch(code_field=value)


@pytest.mark.parametrize(
    ("before", "page_0"), [("first", ["c", "b"]), ("empty", []), ("refused", None)]
)
async def test_pages_may_count_from_one(before: str, page_0: list[str] | None) -> None:
    """With ``first_page=1`` the first page is 1, and a switch says what page 0 is (T58)."""
    emulator, _ = make(first_page=1, page_before_first=before)
    async with Api(emulator) as api:
        for name in "abc":
            await api.create_list(name)
        pages = [await _names(api, f"size=2&page={page}") for page in (1, 2, 3)]
        default = await _names(api, "size=2")
        answer = await api.get(f"{LISTS}?size=2&page=0")

    assert pages == [["c", "b"], ["a"], []]
    assert default == ["c", "b"]
    if page_0 is None:
        assert answer.status_code == 400
        assert answer.json() == {"code": "40001", "invalidFields": {"page": ["InvalidNumber"]}}
    else:
        assert [item["name"] for item in answer.json()["Lists"]] == page_0


async def test_new_list_may_appear_late() -> None:
    """With ``list_delay_s`` a list takes imports before it is among the lists (T53)."""
    emulator, clock = make(list_delay_s=30)
    async with Api(emulator) as api:
        sn = await api.create_list("late")
        await api.import_text(rows(1), sn)
        clock.advance(29)
        before = await _names(api)
        clock.advance(1)
        after = await _names(api)

    assert (before, after) == ([], ["late"])
    assert len(emulator.lists[0].members) == 1


async def test_webhook_has_the_result_of_an_import_that_is_not_known_yet() -> None:
    """The webhook's body is that of the GET, in every form, even if the GET comes later (T120)."""
    emulator, clock = make(
        import_unknown_s=HOUR, date_form="millis", count_form="text", numeric_codes=True
    )
    async with Api(emulator) as api:
        hook = {"webhookUrl": "https://elsewhere.example/hook"}
        job = (await api.post("/v1/contacts/imports/file", hook)).json()
        await api.put(job["url"], rows(1))
        clock.advance(60)
        (delivery,) = await emulator.deliver_webhooks()
        clock.advance(HOUR)
        result = await api.result(job["import_sn"])

    assert json.loads(delivery.body) == result
    assert (result["status"], result["insertCnt"]) == ("COMPLETE", "1")


async def test_code_of_a_refusal_may_have_another_name() -> None:
    """``code_field`` is the name of the code in every refusal (T88)."""
    emulator, _ = make(code_field="errorCode", codes_as_integers=True)
    async with Api(emulator) as api:
        answers = [
            await api.post("/v1/contacts/lists/insert", {"name": ""}),
            await api.get("/v1/report/unknown/link"),
        ]

    assert [answer.json()["errorCode"] for answer in answers] == [40001, 40303]
    assert not any("code" in answer.json() for answer in answers)


@pytest.mark.parametrize(
    ("form", "created", "began", "ended"),
    [
        ("documented", "05T02:00:00Z", "05T02:01:00.000Z", "05T02:01:02.00Z"),
        ("offset", "05T02:00:00+00:00", "05T02:01:00.000+00:00", "05T02:01:02.00+00:00"),
        ("compact_offset", "05T02:00:00+0000", "05T02:01:00.000+0000", "05T02:01:02.00+0000"),
        ("no_zone", "05T02:00:00", "05T02:01:00.000", "05T02:01:02.00"),
        ("blank", "05 02:00:00Z", "05 02:01:00.000Z", "05 02:01:02.00Z"),
        ("seconds", 1_767_578_400, 1_767_578_460, 1_767_578_462),
        ("millis", 1_767_578_400_000, 1_767_578_460_000, 1_767_578_462_000),
        ("empty", "", "", ""),
        ("null", None, None, None),
    ],
)
async def test_every_date_has_the_form_that_the_switch_says(
    form: str, created: object, began: object, ended: object
) -> None:
    """``date_form`` is the form of the dates in all answers (T108)."""

    def full(value: object) -> object:
        return f"2026-01-{value}" if isinstance(value, str) and value else value

    emulator, clock = make(date_form=form)
    async with Api(emulator) as api:
        sn = await _sent(api)
        await api.post(f"/v1/report/{sn}/export", {})
        clock.advance(60)
        group = (await api.get(LISTS)).json()["Lists"][0]
        result = await api.result(emulator.imports[0].sn)
        (campaign,) = (await api.get("/v1/report/campaigns")).json()
        link = (await api.get(f"/v1/report/{sn}/link")).json()["Reports"][0]

    assert (group["createDate"], result["createDate"]) == (full(created), full(created))
    assert (campaign["sentBeginDate"], campaign["sentEndDate"]) == (full(began), full(ended))
    assert type(link["createdDate"]) is type(campaign["sentBeginDate"])
    assert type(result["completedDate"]) is type(group["updateDate"]) is type(full(created))


@pytest.mark.parametrize("form", ["documented", "millis", "empty"])
async def test_date_that_is_not_known_is_null_in_every_form(form: str) -> None:
    """While an import runs it has no ``completedDate`` (T45)."""
    emulator, _ = make(date_form=form)
    async with Api(emulator) as api:
        result = await api.result(await api.import_text(rows(1)))

    assert result["completedDate"] is None


async def test_numeric_codes_are_numbers_in_answers_and_digits_in_paths() -> None:
    """``numeric_codes`` holds for lists, campaigns and imports; paths take the digits (T16)."""
    emulator, clock = make(numeric_codes=True)
    async with Api(emulator) as api:
        list_sn = await api.create_list()
        import_sn = await api.import_text(rows(2), list_sn)
        job = (await api.post(f"/v1/contacts/imports/{list_sn}/file", {})).json()
        clock.advance(60)
        submitted = (await api.submit(BODY, list_sn)).json()
        by_number = changed(BODY, {"form.selectedLists": [int(list_sn)]})
        again = await api.post("/v1/campaign/normal/submit", by_number)
        clock.advance(60)
        group = (await api.get(LISTS)).json()["Lists"][0]
        result = await api.result(import_sn)
        campaigns = (await api.get("/v1/report/campaigns")).json()
        export = await api.post(f"/v1/report/{submitted['sn']}/export", {})

    codes = [group["sn"], result["import_sn"], job["import_sn"], submitted["sn"]]
    assert {type(code) for code in codes} == {int}
    assert {len(str(code)) for code in codes} == {15}
    assert (str(group["sn"]), str(result["import_sn"])) == (list_sn, import_sn)
    assert submitted["sn"] in [item["sn"] for item in campaigns]
    assert (again.status_code, export.status_code) == (200, 200)


async def test_codes_issued_before_the_switch_stay_as_they_are() -> None:
    """``numeric_codes`` changes the codes that are issued from then on; a number is text's twin."""
    emulator, _ = make()
    async with Api(emulator) as api:
        before = await api.create_list()
        emulator.switch(numeric_codes=True)
        codes = [item["sn"] for item in (await api.get(LISTS)).json()["Lists"]]
        emulator.switch(numeric_codes=False)
        answer = await api.post(
            "/v1/campaign/normal/submit", changed(BODY, {"form.selectedLists": [1]})
        )

    assert codes == [before]
    assert answer.json()["invalidFields"] == {"form.selectedLists": ["InvalidType"]}


@pytest.mark.parametrize(
    ("switches", "subscribed", "inserted"),
    [
        ({}, "1200", 1200),
        ({"counts_as_numbers": True}, 1200, 1200),
        ({"count_form": "number"}, 1200, 1200),
        ({"count_form": "text"}, "1200", "1200"),
        ({"count_form": "text", "counts_as_numbers": True}, "1200", "1200"),
        ({"count_form": "grouped"}, "1,200", "1,200"),
        ({"count_form": "blank"}, "", ""),
    ],
)
async def test_every_count_has_the_form_that_the_switch_says(
    switches: dict[str, Any], subscribed: object, inserted: object
) -> None:
    """``count_form`` is the form of the counts in all answers, refusals too (T55, T90)."""
    emulator, clock = make(**switches)
    async with Api(emulator) as api:
        list_sn = await api.create_list()
        import_sn = await api.import_text(rows(1200), list_sn)
        clock.advance(60)
        group = (await api.get(LISTS)).json()["Lists"][0]
        result = await api.result(import_sn)
        emulator.balance = 0
        refusal = (await api.submit(BODY, list_sn)).json()

    assert (group["subscribedCnt"], result["insertCnt"]) == (subscribed, inserted)
    assert refusal["recipients"] == inserted
    others = (group["excludeCnt"], result["errCnt"], result["duplicateCnt"], refusal["remaining"])
    assert {type(value) for value in others} == {type(inserted)}


async def test_links_may_come_as_one_object_or_one_url() -> None:
    """``links_shape`` shows the first file only; a bare array has them all (T114)."""
    emulator, clock = make(links_shape="object", bounce_share=0.5)
    async with Api(emulator) as api:
        sn = await _sent(api)
        path = f"/v1/report/{sn}/link"
        before = {"object": (await api.get(path)).json()}
        await api.post(f"/v1/report/{sn}/export", {})
        clock.advance(60)
        one = (await api.get(path)).json()
        emulator.switch(reports_as_array=True)
        array = (await api.get(path)).json()
        emulator.switch(reports_as_array=False, links_shape="text")
        text = (await api.get(path)).json()
        emulator.exclude("other@example.com")
        other = (await api.submit(BODY, emulator.lists[0].sn)).json()["sn"]
        before["text"] = (await api.get(f"/v1/report/{other}/link")).json()
        content = (await api.fetch(text["link"])).text

    assert before == {"object": {}, "text": {"link": ""}}
    assert (one["reportType"], one) == ("delivery", array[0])
    assert (list(text), content[:5]) == (["link"], "EMAIL")


async def test_file_above_the_limit_ends_in_error() -> None:
    """``file_max_bytes`` is about uploaded files; a text import has its own limit (T28, T30)."""
    emulator, clock = make(file_max_bytes=len(rows(1).encode()))
    async with Api(emulator) as api:
        found = []
        for count in (1, 2):
            job = (await api.post("/v1/contacts/imports/file", {})).json()
            await api.put(job["url"], rows(count))
            found.append(job["import_sn"])
        found.append(await api.import_text(rows(2)))
        clock.advance(60)
        statuses = [(await api.result(sn))["status"] for sn in found]

    assert statuses == ["COMPLETE", "ERROR", "COMPLETE"]


async def test_ids_of_templates_may_be_numbers() -> None:
    """With ``numeric_template_ids`` an id is a number, as with ``numeric_codes`` (T132)."""
    emulator, _ = make(later_endpoints=True, numeric_codes=True)
    emulator.add_template("a", "")
    emulator.switch(numeric_template_ids=True)
    emulator.add_template("b", "")
    async with Api(emulator) as api:
        numbers = [each["id"] for each in (await api.get("/v1/templates")).json()]
        found = (await api.get(f"/v1/templates/{numbers[1]}")).json()
        emulator.switch(numeric_template_ids=False)
        [long, text] = [each["id"] for each in (await api.get("/v1/templates")).json()]

    assert (numbers, found["name"]) == ([long, 102], "b")
    assert (isinstance(long, int), text) == (True, "102")


async def test_words_of_a_switch_are_checked_at_the_start() -> None:
    """A word that does not exist is refused before an emulator is made."""
    with pytest.raises(ValueError, match="date_form: must be one of documented, offset"):
        Switches(date_form="unix")  # type: ignore[arg-type]  # the word is wrong on purpose


@pytest.mark.parametrize(
    "wrong",
    [
        {"mails_per_s": 0},
        {"import_rows_per_s": -1.0},
        {"default_page_size": 0},
        {"most_lists_on_page": 0},
        {"report_encoding": "klingon"},
        {"open_share": 2.0},
        {"open_share_b": -0.1},
    ],
)
async def test_values_that_would_fail_later_are_refused(wrong: dict[str, Any]) -> None:
    """A rate or a page size is above 0, a share up to 1; then nothing is changed."""
    emulator, _ = make()
    [name] = wrong

    with pytest.raises(ValueError, match=name):
        emulator.switch(**wrong)

    assert getattr(emulator.switches, name) == getattr(Switches(), name)


async def test_vendor_profile_answers_as_the_notes_say() -> None:
    """``vendor-2026`` follows the notes on the twelve endpoints, in addition to the limits."""
    clock = HandClock()
    emulator = Emulator(profile="vendor-2026", clock=clock)
    emulator.switch(requests_per_s=None)
    body = changed(
        BODY,
        {
            "config.schedule": {"type": 0},
            "config.ga.enable": True,
            "config.ga.ecommerceEnable": False,
            "content.preheader": "本月優惠",
        },
    )
    async with Api(emulator) as api:
        submitted = await api.submit(body, await api.filled_list(2))
        clock.advance(60)
        group = (await api.get(LISTS)).json()["Lists"][0]
        (campaign,) = (await api.get("/v1/report/campaigns")).json()
        export = await api.post(f"/v1/report/{campaign['sn']}/export", {})
        import_sn = await api.import_text("EMAIL,NAME,Phone\na@example.com,a,1\n")
        clock.advance(60)
        reserved = await api.result(import_sn)

    assert submitted.status_code == 200
    assert group["subscribedCnt"] == 2
    assert sorted(campaign) == ["name", "sentEndDate", "sentStartAt", "sn"]
    assert list(export.json()) == ["export_sn"]
    assert reserved["status"] == "ERROR"
    assert emulator.switches.file_max_bytes == 10_000_000
    assert emulator.switches.predefined_columns is None
