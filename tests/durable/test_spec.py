"""What is sent is checked when it is written, and survives the way into a database and back."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from pydantic import TypeAdapter

from newsleopard_async import InvalidRequest, ListSn, Mailing, Polling, SendAt, from_plain
from newsleopard_async.durable.contacts import ContactsOpener
from newsleopard_async.durable.spec import SendSpec, prepared, problems_of_time
from tests.constants import CAMPAIGN, MAILINGS, START
from tests.plainness import assert_exactly_plain

pytestmark = pytest.mark.anyio

URL = "s3://bucket/members.csv"
SHA = "0a" * 32
CSV = "EMAIL,NAME\nming@example.com,王小明\nmei@example.com,李小美\n"
HOUR = timedelta(hours=1)
CLEAN = attrs.evolve(
    CAMPAIGN,
    html='<html><head><meta charset="utf-8"></head><body><p>${NAME} 您好</p></body></html>',
)
"""A campaign of which the check has nothing to say."""

FULL: dict[str, Any] = {
    "account": "shop",
    "contacts": URL,
    "contacts_sha256": SHA.upper(),
    "skip": "file:///srv/left.csv",
    "skip_sha256": SHA,
    "list_name": "會員",
    "if_list_exists": "reuse",
    "max_rejected": 3,
    "polling": Polling(first_s=5),
    "encoding": "big5",
    "fix": ["trim", "leave-out-bad-rows"],
    "left_out_to": "/srv/left-out.csv",
    "columns": {"電子郵件": "EMAIL"},
    "part_bytes": 8_000_000,
    "wait": "sent",
    "hold": HOUR,
    "balance": None,
    "not_after": START,
}


def spec(**given: Any) -> SendSpec:
    """Make a spec with contacts."""
    return SendSpec(**{"campaign": CAMPAIGN, "contacts": URL, "list_name": "會員", **given})


def rules(**given: Any) -> list[tuple[str, str]]:
    """Return what a spec is refused with."""
    with pytest.raises(InvalidRequest) as caught:
        spec(**given)
    return [(each.field, each.rule) for each in caught.value.problems]


@pytest.mark.parametrize("mailing", MAILINGS, ids=lambda each: each.plain_kind)
def test_spec_survives_a_database(mailing: Mailing) -> None:
    """A worker reads the same spec that was stored, for each type of campaign."""
    given = SendSpec(mailing, **FULL)

    data = given.to_dict()
    read = from_plain(SendSpec, json.loads(json.dumps(data, allow_nan=False)))

    assert_exactly_plain(data)
    assert read == given
    assert read.digest() == given.digest()
    assert read.contacts_sha256 == SHA


def test_spec_is_the_body_of_a_request() -> None:
    """A web process that takes a spec needs no model of its own for it."""
    adapter, given = TypeAdapter(SendSpec), SendSpec(CAMPAIGN, **FULL)

    assert adapter.validate_json(adapter.dump_json(given)) == given
    assert "polling" in adapter.json_schema()["properties"]


def test_digest_tells_specs_apart() -> None:
    """The same spec in other types has the same digest, and any other field another one."""
    first = spec(polling=Polling(first_s=5), max_rejected=3)

    assert spec(polling=Polling(first_s=5.0), max_rejected=3.0).digest() == first.digest()
    assert attrs.evolve(first, account="other").digest() != first.digest()
    assert attrs.evolve(first, contacts_sha256=SHA).digest() != first.digest()


def test_any_number_of_rejected_rows_has_one_form() -> None:
    """JSON has no infinity, and no number of rows is above any that a file can have."""
    assert spec(max_rejected=float("inf")) == spec(max_rejected=None)


def test_arguments_are_those_of_the_pipeline() -> None:
    """Each option reaches `send_campaign` under its name, with what was opened in its place."""
    contacts, skip = b"EMAIL,NAME\n", ["a@example.com"]

    arguments = SendSpec(CAMPAIGN, **FULL).arguments(contacts, skip)

    kept = {"account", "contacts_sha256", "skip_sha256", "wait", "not_after"}
    assert arguments.keys() == {"campaign", *FULL} - kept | {"check", "strict", "list_sn"}
    assert arguments["contacts"] is contacts
    assert arguments["skip"] is skip
    assert arguments["fix"] == ("trim", "leave-out-bad-rows")


def test_spec_is_refused_with_all_of_its_problems() -> None:
    """So a user can correct all of them in one step."""
    found = rules(
        campaign="週年慶",
        account=" main",
        contacts_sha256="abc",
        list_name="",
        max_rejected=-1,
        polling=5,
        check=1,
        encoding="klingon",
        fix="mend",
        left_out_to="left.csv",
        part_bytes=0,
        wait="done",
        balance="ask",
        not_after=START.replace(tzinfo=None),
    )

    assert found == [
        ("campaign", "type"),
        ("check", "type"),
        ("max_rejected", "range"),
        ("account", "characters"),
        ("contacts_sha256", "sha256"),
        ("list_name", "required"),
        ("encoding", "choice"),
        ("left_out_to", "absolute"),
        ("part_bytes", "range"),
        ("fix", "choice"),
        ("wait", "choice"),
        ("balance", "choice"),
        ("polling", "type"),
        ("not_after", "aware"),
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"account": ""}, [("account", "required")]),
        ({"account": 3}, [("account", "type")]),
        ({"account": "a\u200bb"}, [("account", "characters")]),
        ({"account": "a" * 201}, [("account", "length")]),
        ({"contacts": None}, [("contacts", "required")]),
        ({"contacts": None, "list_name": None}, [("contacts", "required")]),
        ({"skip_sha256": SHA}, [("skip_sha256", "choice")]),
        ({"list_sn": ListSn("a")}, [("list_sn", "target")]),
        ({"encoding": 5}, [("encoding", "type")]),
        ({"left_out_to": Path("/srv/left.csv")}, [("left_out_to", "type")]),
        ({"fix": "leave-out-bad-rows"}, [("left_out_to", "required")]),
        ({"hold": HOUR, "campaign": attrs.evolve(CAMPAIGN, schedule=SendAt(START))}, None),
    ],
)
def test_what_is_wrong_by_itself_is_refused(
    given: dict[str, Any], expected: list[tuple[str, str]] | None
) -> None:
    """A spec that no worker could send is refused, even if it is due next month."""
    assert rules(**given) == (expected or [("hold", "schedule")])


def test_list_of_addresses_to_leave_out_needs_contacts() -> None:
    """The recipients of an existing list would still get the mail."""
    of_list = attrs.evolve(CAMPAIGN, lists=[ListSn("a")])

    assert SendSpec(of_list).contacts is None
    assert rules(campaign=of_list, contacts=None, list_name=None, skip=URL) == [("skip", "choice")]


@pytest.mark.parametrize(
    ("begins", "not_after", "scheduled", "expected"),
    [
        (None, None, None, []),
        (None, 1, 1, []),
        (None, 0, None, []),
        (None, -1, None, [("not_after", "late")]),
        (None, None, 0, [("schedule.when", "future")]),
        (2, 2, 3, []),
        (2, 1, None, [("not_after", "late")]),
        (2, None, 2, [("at", "schedule")]),
        (2, 1, 1, [("not_after", "late"), ("at", "schedule")]),
        (-2, 0, 1, []),
        (-2, -1, -1, [("not_after", "late"), ("schedule.when", "future")]),
    ],
)
def test_time_of_a_send(
    begins: int | None, not_after: int | None, scheduled: int | None, expected: list[Any]
) -> None:
    """A send begins before its end, and before the platform would refuse its schedule."""

    def hours(number: int | None) -> datetime | None:
        return None if number is None else START + number * HOUR

    when = hours(scheduled)
    campaign = CAMPAIGN if when is None else attrs.evolve(CAMPAIGN, schedule=SendAt(when))
    given = spec(campaign=campaign, not_after=hours(not_after))

    found = problems_of_time(given, hours(begins), START)

    assert [(each.field, each.rule) for each in found] == expected


@pytest.mark.parametrize(
    ("at", "rule"), [(START.replace(tzinfo=None), "aware"), ("tomorrow", "type"), (5, "type")]
)
def test_time_without_a_zone_is_refused(at: Any, rule: str) -> None:
    """A value that is not an instant is refused."""
    [found] = problems_of_time(spec(), at, START)

    assert (found.field, found.rule) == ("at", rule)


def digest_of(text: str) -> str:
    """Compute what sha256sum prints."""
    return hashlib.sha256(text.encode()).hexdigest()


async def test_hashes_are_filled_in(tmp_path: Path) -> None:
    """A caller need not compute the hashes; the file of left-out rows is not written yet."""
    members, left = tmp_path / "members.csv", tmp_path / "left.csv"
    members.write_text(CSV + "no-one,誰\n", "utf-8")
    left.write_text("mei@example.com\n", "utf-8")
    given = spec(
        contacts=str(members),
        skip=left.as_uri(),
        fix="leave-out-bad-rows",
        left_out_to="/on/another/host/left-out.csv",
    )

    found = await prepared(given, ContactsOpener(), now=START)

    hashes = {
        "contacts_sha256": digest_of(members.read_text("utf-8")),
        "skip_sha256": digest_of(left.read_text("utf-8")),
    }
    assert found == attrs.evolve(given, **hashes)  # type: ignore[arg-type]  # by their names
    assert sorted(each.name for each in tmp_path.iterdir()) == ["left.csv", "members.csv"]


async def test_nothing_is_read_if_the_hashes_are_given() -> None:
    """A process starts a send with contacts that it cannot open; the campaign is checked."""
    given = spec(contacts_sha256=SHA, skip=URL, skip_sha256=SHA)
    past = attrs.evolve(CAMPAIGN, schedule=SendAt(START))

    assert await prepared(given, ContactsOpener(is_fleet=True), now=START) == given
    with pytest.raises(InvalidRequest, match=r"^schedule\.when: .*[^;]$") as caught:
        await prepared(attrs.evolve(given, campaign=past), ContactsOpener(), now=START)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("content", "changes", "expected"),
    [
        (CSV, {}, []),
        (CSV + "no-one,誰\n", {}, [("contacts", "invalid-email")]),
        (CSV + "no-one,誰\n", {"max_rejected": 1}, []),
        (CSV + "no-one,誰\n", {"check": False}, []),
        (CSV + "MEI@example.com,李小美\n", {"strict": True}, [("contacts", "duplicate-email")]),
        ("", {}, [("contacts", "empty-file")]),
        (CSV, {"columns": {"email": "EMAIL", "x": "NAME"}}, [("contacts", "column-names")]),
        (CSV, {"part_bytes": 20}, [("part_bytes", "range")]),
        (CSV, {"campaign": {"subject": "${LEVEL}"}}, [("subject", "unknown-placeholder")]),
    ],
)
async def test_contacts_are_judged_before_they_are_kept(
    content: str, changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """All problems are reported at the start, and not at night next month."""
    late = SendAt(START) if expected else SendAt(START + HOUR)
    campaign = attrs.evolve(CLEAN, schedule=late, **changes.get("campaign", {}))
    opener = ContactsOpener(opener=lambda _: content.encode())
    given = spec(**{**changes, "campaign": campaign})

    found = []
    try:
        await prepared(given, opener, now=START)
    except InvalidRequest as error:
        found = [(each.field, each.rule) for each in error.problems]

    assert found == (expected and [*expected, ("schedule.when", "future")])


async def test_contacts_that_cannot_be_read_here_are_refused(tmp_path: Path) -> None:
    """A send is started where they can be read, or with their hash."""
    missing, left = tmp_path / "missing.csv", tmp_path / "left.csv"
    left.write_text("mei@example.com\n", "utf-8")

    with pytest.raises(InvalidRequest, match=r"No such file.* contacts_sha256=") as caught:
        await prepared(spec(contacts=str(missing)), ContactsOpener(), now=START)
    with pytest.raises(InvalidRequest) as changed:
        await prepared(
            spec(contacts=str(left), skip=str(left), skip_sha256=SHA), ContactsOpener(), now=START
        )

    assert [(each.field, each.rule) for each in caught.value.problems] == [("contacts", "readable")]
    assert [(each.field, each.rule) for each in changed.value.problems] == [("skip", "changed")]
