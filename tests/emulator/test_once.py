"""Campaigns without lists, to the contacts of an uploaded file (T122, T123)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.platform.blobs import BlobWriter
from tests.constants import START
from tests.emulator.api import AB_ONCE_BODY, ONCE_BODY, Api, changed, make, rows, scheduled

pytestmark = pytest.mark.asyncio

QUIET = {"later_endpoints": True, "bounce_share": 0.0, "open_share": 0.0}
FILE = "EMAIL,NAME,CITY\na@b.cc,小華,台北\nc@d.ee,小明,高雄\n"


async def reserved(api: Api, body: Mapping[str, Any] = ONCE_BODY) -> str:
    """Ask for a campaign and return where its recipients go."""
    return str((await api.reserve(body)).json()["url"])


def states(emulator: Emulator) -> list[str]:
    """Name the state of each campaign at the clock's present."""
    return [item.state(emulator.clock.now()) for item in emulator.campaigns]


async def test_upload_is_sent_to_and_its_contacts_are_stored_nowhere() -> None:
    """The send begins when the file was read; no contact, column or list remains (T122)."""
    emulator, clock = make(**QUIET)
    body = changed(ONCE_BODY, {"content.htmlContent": "${NAME}|${CITY}|${SIZE}|${NOWHERE}"})
    async with Api(emulator) as api:
        await api.import_text("EMAIL,NAME,SIZE\nx@y.zz,老王,L\na@b.cc,舊名,M\n")
        clock.advance(60)
        url = await reserved(api, body)
        answer = await api.put(url, FILE.encode())
        unread = states(emulator)
        clock.advance(60)
        sent = (await api.get("/v1/report/campaigns")).json()

    assert (answer.status_code, unread, states(emulator)) == (200, ["PREPARE"], ["COMPLETE"])
    assert [(mail.to, mail.html) for mail in emulator.outbox] == [
        ("a@b.cc", "小華|台北||${NOWHERE}"),
        ("c@d.ee", "小明|高雄||${NOWHERE}"),
    ]
    assert [item["sn"] for item in sent] == [emulator.campaigns[0].sn]
    assert {email: each.name for email, each in emulator.contacts.items()} == {
        "x@y.zz": "老王",
        "a@b.cc": "舊名",
    }
    assert emulator.lists == ()
    assert (emulator.mailings, emulator.balance) == (1, 999_998)
    assert emulator.campaigns[0].unknown_placeholders == ("NOWHERE",)


async def test_rows_are_judged_as_those_of_an_import() -> None:
    """Bad rows are left out, of several rows of an address the last one counts (T122)."""
    emulator, clock = make(**QUIET)
    file = FILE + "no-address,無,無\nshort@b.cc,短\nA@B.cc ,小華二,台南\n"
    async with Api(emulator) as api:
        await api.put(await reserved(api), file.encode())
        clock.advance(60)

    assert {mail.to: mail.name for mail in emulator.outbox} == {
        "a@b.cc": "小華二",
        "c@d.ee": "小明",
    }


async def test_excluded_contacts_and_members_of_excluded_lists_get_nothing() -> None:
    """The account's exclusions hold, and so does excludeLists (T122)."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        left_out = await api.filled_list(2)
        emulator.exclude("c@d.ee")
        url = await reserved(api, changed(ONCE_BODY, {"form.excludeLists": [left_out]}))
        await api.put(url, (rows(3) + "a@b.cc,小華\nc@d.ee,小明\n").encode())
        clock.advance(60)

    assert [mail.to for mail in emulator.outbox] == ["u2@example.com", "a@b.cc"]


async def test_readers_who_unsubscribe_are_excluded_from_the_account() -> None:
    """An unsubscription counts for later imports, though the contact was not kept (T122)."""
    readers = {"open_share": 1.0, "unsubscribe_share": 1.0, "complain_share": 0.0}
    emulator, clock = make(**QUIET | readers, open_delay_s=0.0)
    async with Api(emulator) as api:
        await api.put(await reserved(api), FILE.encode())
        clock.advance(60)
        list_sn = await api.create_list()
        await api.import_text(FILE, list_sn)
        clock.advance(60)
        [row] = (await api.get("/v1/contacts/lists")).json()["Lists"]

    assert emulator.excluded == {"a@b.cc", "c@d.ee"}
    assert (row["subscribedCnt"], row["excludeCnt"]) == ("0", 2)


async def test_early_upload_waits_for_the_schedule() -> None:
    """Mails are charged when the file was read, and go out at scheduleDate (T123)."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        await api.put(await reserved(api, scheduled(600, ONCE_BODY)), FILE.encode())
        clock.advance(599)
        before = states(emulator), emulator.balance, len(emulator.outbox)
        clock.advance(10)

    assert before == (["PREPARE_TO_SENT"], 999_998, 0)
    assert (states(emulator), len(emulator.outbox)) == (["COMPLETE"], 2)
    assert emulator.campaigns[0].sent_begin == START + timedelta(seconds=600)


async def test_late_upload_is_sent_at_once() -> None:
    """An upload after scheduleDate is sent when it was read (T123)."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        url = await reserved(api, scheduled(600, ONCE_BODY))
        clock.advance(800)
        late = states(emulator)
        await api.put(url, FILE.encode())
        clock.advance(60)

    assert (late, states(emulator), len(emulator.outbox)) == (["PREPARE"], ["COMPLETE"], 2)


@pytest.mark.parametrize(
    "file",
    ["", "EMAIL,NAME\n", "NAME,EMAIL\n小華,a@b.cc\n", "EMAIL,NAME\nnobody,無\n", rows(40)],
    ids=["empty", "header only", "broken header", "bad rows only", "too large"],
)
async def test_upload_without_a_recipient_ends_the_campaign(file: str) -> None:
    """EMPTY_RECIPIENT is the state after a file without contacts, or an unreadable one (T122)."""
    emulator, clock = make(**QUIET, file_max_bytes=500)
    async with Api(emulator) as api:
        answer = await api.put(await reserved(api), file.encode())
        clock.advance(60)

    assert (answer.status_code, states(emulator)) == (200, ["EMPTY_RECIPIENT"])
    assert (emulator.mailings, emulator.balance) == (0, 1_000_000)


async def test_balance_that_does_not_cover_the_upload_ends_the_campaign() -> None:
    """The upload cannot be answered with 40012; the state is OVER_LIMIT (T66, T122)."""
    emulator, clock = make(**QUIET)
    emulator.balance = 1
    async with Api(emulator) as api:
        await api.put(await reserved(api), FILE.encode())
        clock.advance(60)

    assert (states(emulator), emulator.balance, emulator.mailings) == (["OVER_LIMIT"], 1, 0)


async def test_campaign_without_lists_comes_to_a_scripted_state() -> None:
    """``script_campaign`` applies to it as to other campaigns, when it is due (T66)."""
    emulator, clock = make(**QUIET)
    emulator.script_campaign("UNAUTHENTICATED_SENDER")
    async with Api(emulator) as api:
        url = await reserved(api)
        before = states(emulator)
        await api.put(url, FILE.encode())
        clock.advance(60)

    assert (before, states(emulator)) == (["PREPARE"], ["UNAUTHENTICATED_SENDER"])
    assert (len(emulator.outbox), emulator.balance) == (0, 1_000_000)


@pytest.mark.parametrize(
    ("word", "status", "mailings"),
    [("sends_again", 200, 2), ("ignored", 200, 1), ("refused", 403, 1)],
)
@pytest.mark.parametrize("pause_s", [0, 60])
async def test_second_upload_is_a_switch(
    word: str, status: int, mailings: int, pause_s: int
) -> None:
    """By default a second PUT is a second mailing, before and after the first went out (T123)."""
    emulator, clock = make(**QUIET, second_once_upload=word)
    async with Api(emulator) as api:
        url = await reserved(api)
        await api.put(url, FILE.encode())
        clock.advance(pause_s)
        answer = await api.put(url, rows(3).encode())
        clock.advance(60)

    mails = 2 if mailings == 1 else 5
    assert (answer.status_code, b"<Code>AccessDenied" in answer.content) == (status, status == 403)
    assert (emulator.submitted, emulator.mailings, len(emulator.outbox)) == (1, mailings, mails)
    assert (states(emulator), emulator.balance) == (["COMPLETE"], 1_000_000 - mails)
    assert emulator.campaigns[0].count("delivery", clock.now()) == mails


async def test_ab_test_without_lists_is_sent_again_by_a_second_upload() -> None:
    """Test and rest of each upload go out, and A and B come from the upload's contacts (T123)."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        url = await reserved(api, AB_ONCE_BODY)
        await api.put(url, rows(40).encode())
        clock.advance(60)
        during = states(emulator)
        clock.advance(60)
        await api.put(url, rows(20, prefix="v").encode())
        clock.advance(7_200)

    sizes = [len(wave.recipients) for wave in emulator.campaigns[0].waves]
    assert during == ["TESTING"]
    assert (emulator.mailings, sizes) == (2, [2, 2, 1, 1, 36, 18])
    assert (states(emulator), emulator.balance) == (["COMPLETE"], 1_000_000 - 60)


@pytest.mark.parametrize("is_deleted", [False, True], ids=["paused", "deleted"])
@pytest.mark.parametrize("uploads", [0, 1])
async def test_stopped_campaign_is_never_sent(uploads: int, is_deleted: bool) -> None:
    """After a pause or a deletion an upload is refused, and one that came before is void (T123)."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        made = (await api.reserve(scheduled(600, ONCE_BODY))).json()
        for _ in range(uploads):
            await api.put(made["url"], FILE.encode())
            clock.advance(60)
        reserved_mails = 1_000_000 - emulator.balance
        if is_deleted:
            body = {"campaignSnList": [made["sn"]]}
            await api.request("DELETE", "/v1/campaign/normal", json=body)
        else:
            await api.request("PATCH", f"/v1/campaign/normal/{made['sn']}")
        answer = await api.put(made["url"], FILE.encode())
        clock.advance(7_200)

    assert (answer.status_code, b"<Code>AccessDenied" in answer.content) == (403, True)
    assert reserved_mails == 2 * uploads
    assert (emulator.mailings, len(emulator.outbox), emulator.balance) == (0, 0, 1_000_000)


async def test_campaign_that_is_stopped_while_its_file_is_read_is_never_sent() -> None:
    """A pause between the upload and its first mail holds (T123)."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        made = (await api.reserve(ONCE_BODY)).json()
        await api.put(made["url"], FILE.encode())
        paused = await api.request("PATCH", f"/v1/campaign/normal/{made['sn']}")
        clock.advance(60)

    assert (paused.status_code, states(emulator), emulator.mailings) == (204, ["STOP"], 0)


async def test_status_and_figures_are_those_of_any_campaign() -> None:
    """The date of a change is when the file was read; figures count its mails (T124, T130)."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        made = (await api.reserve(scheduled(600, ONCE_BODY))).json()
        await api.put(made["url"], FILE.encode())
        clock.advance(300)
        status = (await api.get(f"/v1/campaign/normal/{made['sn']}")).json()
        clock.advance(600)
        [figures] = (
            await api.post("/v1/report/campaigns/metrics", {"campaignSns": [made["sn"]]})
        ).json()

    assert (status["status"], status["updateDate"]) == ("PREPARE_TO_SENT", "2026-01-05T02:00:08Z")
    assert (figures["recipientCnt"], figures["delivered"]) == (2, 2)


@pytest.mark.parametrize(
    ("body", "changes", "code"),
    [
        (ONCE_BODY, {"form.selectedLists": []}, "40001"),
        (ONCE_BODY, {"form.contactsFileContent": "EMAIL,NAME\n"}, "40001"),
        (ONCE_BODY, {"form.name": ""}, "40001"),
        (ONCE_BODY, {"form.excludeLists": ["unknown"]}, "40007"),
        (ONCE_BODY, {"config.schedule.type": 1}, "40019"),
        (ONCE_BODY, {"content.fromAddress": "unverified@example.com"}, "40011"),
        (AB_ONCE_BODY, {"content.testingOn": 2}, "40001"),
        (AB_ONCE_BODY, {"config.content": AB_ONCE_BODY["content"], "content": ...}, "40001"),
    ],
)
async def test_request_for_an_upload_is_judged_as_a_submit(
    body: Mapping[str, Any], changes: Mapping[str, Any], code: str
) -> None:
    """All problems except those of recipients are refused, including lists (T122)."""
    emulator, _ = make(**QUIET)
    async with Api(emulator) as api:
        answer = await api.reserve(changed(body, changes))

    assert (answer.status_code, answer.json()["code"], emulator.submitted) == (400, code, 0)


async def test_contacts_in_the_request_are_refused_by_a_lenient_server_too() -> None:
    """To ignore them would leave a campaign that waits for ever; lists are ignored (T122)."""
    emulator, _ = make(**QUIET, strict=False)
    async with Api(emulator) as api:
        refused = await api.reserve(changed(ONCE_BODY, {"form.contactsFileContent": FILE}))
        taken = await api.reserve(changed(ONCE_BODY, {"form.selectedLists": ["any"]}))

    assert (refused.status_code, taken.status_code) == (400, 200)


async def test_url_expires_and_unknown_campaigns_have_none() -> None:
    """The URL is good as long as that of an import, and for its campaign alone (T22, T122)."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        url = await reserved(api)
        list_sn = await api.filled_list(1)
        await api.submit(changed(ONCE_BODY, {"form.excludeLists": []}), list_sn)
        other = emulator._account.storage.upload_url(
            f"once/{emulator.campaigns[-1].sn}.csv", now=clock.now(), lifetime_s=60
        )
        unknown = await api.put(other, FILE.encode())
        clock.advance(900)
        late = await api.put(url, FILE.encode())

    assert (unknown.status_code, late.status_code) == (404, 403)
    assert "Request has expired" in late.text
    assert emulator.count("upload_once") == 2


async def test_lost_reply_of_an_upload_hides_a_mailing() -> None:
    """``upload_once`` is a separate operation, with faults after the file has arrived (T123)."""
    emulator, clock = make(**QUIET)
    emulator.fail("upload_once", 503, processed=True)
    async with Api(emulator) as api:
        answer = await api.put(await reserved(api), FILE.encode())
        clock.advance(60)

    assert (answer.status_code, emulator.mailings, emulator.count("upload_once")) == (503, 1, 1)


async def test_upload_is_read_even_if_its_sender_went_away() -> None:
    """A look at what is so does not wait for the request that reads the file (T123)."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        sn = (await api.reserve(ONCE_BODY)).json()["sn"]
        once = emulator._account.once
        campaign = once.check_upload(f"once/{sn}.csv")
        once.upload(campaign, BlobWriter.of(FILE.encode()), clock.now())
        reading = once.reading(clock.now)
        next(reading)
        assert list(once.reading(clock.now)) == []
        reading.close()
        clock.advance(60)
        assert states(emulator) == ["SENDING"]
        clock.advance(60)

    assert len(emulator.outbox) == 2


async def test_codes_may_be_numbers() -> None:
    """The code of such a campaign is written as any other (T16)."""
    emulator, clock = make(**QUIET, numeric_codes=True)
    async with Api(emulator) as api:
        made = (await api.reserve(ONCE_BODY)).json()
        await api.put(made["url"], FILE.encode())
        clock.advance(60)

    assert isinstance(made["sn"], int)
    assert emulator.mailings == 1
