"""Mails are found by their content and events, with the newest first, in pages."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from newsleopard_async.emulator.sandbox import mails
from newsleopard_async.emulator.sandbox.eml import encode_eml, headers_of
from newsleopard_async.emulator.sandbox.mails import mail_view
from newsleopard_async.emulator.sandbox.slices import in_slices
from newsleopard_async.emulator.sandbox.views import MailRow, MailView
from tests.emulator.api import BODY
from tests.emulator.sandbox.world import World, filled

pytestmark = pytest.mark.anyio

Wanted = Callable[[MailRow], bool]
FILTERS: list[tuple[dict[str, Any], Wanted]] = [
    ({}, lambda mail: True),
    ({"to": "U1"}, lambda mail: "u1" in mail.to),
    ({"text": "會員7"}, lambda mail: "會員7" in mail.name),
    ({"text": "ONLY here"}, lambda mail: mail.campaign_name == "second"),
    ({"text": "信件主旨b"}, lambda mail: mail.variant == "B"),
    ({"text": "in none"}, lambda mail: False),
    ({"event": "open"}, lambda mail: "open" in mail.events),
    ({"event": "bounce", "text": "u"}, lambda mail: "bounce" in mail.events),
    ({"variant": "A"}, lambda mail: mail.variant == "A"),
]


async def every_page(world: World, **wanted: Any) -> list[MailRow]:
    """Search mails to the last page."""
    found = await world.mails(**wanted)
    mails = [*found.mails]
    while found.next is not None:
        found = await world.mails(**wanted, after=found.next)
        mails += found.mails
    return mails


@pytest.mark.parametrize(("wanted", "is_wanted"), FILTERS, ids=[str(each[0]) for each in FILTERS])
@pytest.mark.parametrize("is_oldest_first", [False, True])
async def test_pages_contain_each_matching_mail_one_time(
    wanted: dict[str, Any], is_wanted: Wanted, is_oldest_first: bool
) -> None:
    """In both orders, no mail is missing or occurs twice."""
    world = await filled()
    every = (await world.mails(limit=500)).mails

    found = await every_page(world, **wanted, limit=7, is_oldest_first=is_oldest_first)

    expected = [mail for mail in every if is_wanted(mail)]
    assert found == (expected[::-1] if is_oldest_first else expected)


async def test_newest_mail_comes_first() -> None:
    """The mails of campaigns that are sent at the same time are mixed."""
    world = await filled()

    found = await world.mails(limit=500)

    times = [mail.sent_at for mail in found.mails]
    assert times == sorted(times, reverse=True)
    assert found.total == len(found.mails) == len(world.api.emulator.outbox)
    assert {mail.campaign_name for mail in found.mails[-10:]} == {"first", "second"}


async def test_campaign_filter_keeps_to_one_campaign() -> None:
    """The campaign is selected by its code."""
    world = await filled()

    found = await world.mails(campaign_sn=world.campaigns[0], limit=500)

    assert {mail.campaign_sn for mail in found.mails} == {world.campaigns[0]}
    assert len(found.mails) == 40


async def test_mail_that_is_not_sent_is_not_found() -> None:
    """The emulator's clock decides whether a mail is sent."""
    world = await filled()
    submitted = await world.api.submit(BODY, world.list_sn)
    world.clock.advance(5)

    found = await world.mails(campaign_sn=submitted.json()["sn"])

    assert 0 < len(found.mails) < 40


async def test_long_search_continues_where_it_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A page can be empty and still have a next page, so that each request ends soon."""
    monkeypatch.setattr(mails, "MOST_TESTED", 10)
    world = await filled()
    every = (await world.mails(limit=10)).mails

    nothing = await world.mails(text="in none")

    assert (nothing.mails, nothing.next) == ((), every[-1].id)
    assert len(await every_page(world, text="only here")) == 40


async def test_events_agree_with_the_counts() -> None:
    """The events of the rows agree with the counts of the reports."""
    world = await filled()
    now = await world.now()

    mails = await every_page(world, campaign_sn=world.campaigns[2], limit=10)

    campaign = world.account.campaigns.all[world.campaigns[2]]
    for kind in ("delivery", "open", "click", "bounce"):
        assert sum(kind in mail.events for mail in mails) == campaign.count(kind, now)


async def view(world: World, name: str) -> MailView:
    """Return the view of one mail."""
    return await in_slices(world.account, mail_view(world.account, name, await world.now()))


async def test_mail_of_a_test_shows_both_variants() -> None:
    """The view also contains the variant of the other recipients."""
    world = await filled()
    row = (await world.mails(variant="B", limit=1)).mails[0]

    seen = await view(world, row.id)

    assert [(each.variant, each.is_sent, each.subject) for each in seen.looks] == [
        ("A", False, "信件主旨A"),
        ("B", True, "信件主旨B"),
    ]
    assert (seen.subject, seen.variant, seen.headers["Subject"]) == ("信件主旨B", "B", "信件主旨B")


async def test_mail_names_its_placeholders_without_a_value() -> None:
    """They are unchanged in the mail."""
    world = await filled()
    row = (await world.mails(campaign_sn=world.campaigns[1], limit=1)).mails[0]

    seen = await view(world, row.id)

    assert seen.unfilled == ("P",)
    assert seen.text == "Only here, ${P}\n"


@pytest.mark.parametrize(
    "name", ["", "x", "x-0-0", "{sn}", "{sn}-0", "{sn}-9-0", "{sn}-0-99", "{sn}-0-²"]
)
async def test_unknown_mail_is_a_lookup_error(name: str) -> None:
    """The message contains the id."""
    world = await filled()

    with pytest.raises(LookupError, match="does not exist"):
        await view(world, name.format(sn=world.campaigns[0]))
    with pytest.raises(LookupError, match="does not exist"):
        await world.mails(after=name.format(sn=world.campaigns[0]))


async def test_mail_can_be_saved_as_a_file() -> None:
    """The file has Chinese headers, text and HTML, which mail programs can read."""
    world = await filled()
    row = (await world.mails(campaign_sn=world.campaigns[0], to="u7@", limit=1)).mails[0]

    saved = email.message_from_bytes(
        encode_eml(await view(world, row.id)), policy=email.policy.default
    )

    assert saved["To"] == "會員7 <u7@example.com>"
    assert saved["Subject"] == "會員7,您好"
    assert [part.get_content_type() for part in saved.iter_parts()] == ["text/plain", "text/html"]


async def test_header_with_line_breaks_is_one_line() -> None:
    """A subject or a name cannot add another header."""
    world = await filled()
    row = (await world.mails(limit=1)).mails[0]

    headers = headers_of(attrs.evolve(row, subject="a\r\nBcc: x@y.example", name="b\x00\nc"))

    assert headers["Subject"] == "a Bcc: x@y.example"
    assert headers["To"] == f"b c <{row.to}>"
