"""Campaigns from a file and from options."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from newsleopard_async import Campaign, ContentTest, InvalidRequest, SendAt, SenderTest, SubjectTest
from newsleopard_async.cli.sending.campaign_file import build_campaign
from newsleopard_async.models import FooterLanguage

COMMON = """
name = "週年慶"
html_file = "mail.html"
footer = "english"
lists = "list-1"
schedule = 2027-01-05T10:00:00+08:00
"""
OF_TEST = 'proportion = 20\nwait = "4h"\n'


def built(folder: Path, text: str, *, name: str = "mail.toml", **options: Any) -> Any:
    """Build a campaign from the text of a file."""
    (folder / name).write_text(text, "utf-8")
    (folder / "mail.html").write_text("<!DOCTYPE html><p>${NAME}</p>", "utf-8")
    return build_campaign(folder / name, options)


def refusal(*arguments: Any, **options: Any) -> str:
    """Return the message of the error."""
    with pytest.raises(InvalidRequest) as refused:
        built(*arguments, **options)
    return str(refused.value)


def test_friendly_fields_make_a_campaign(tmp_path: Path) -> None:
    """A file of the body beside the campaign file, a sender as text, a time of TOML."""
    campaign = built(tmp_path, COMMON + 'subject = "s"\nsender = "電子豹 <service@example.com>"')

    assert isinstance(campaign, Campaign)
    assert campaign.html == "<!DOCTYPE html><p>${NAME}</p>"
    assert (campaign.sender.name, campaign.sender.address) == ("電子豹", "service@example.com")
    assert isinstance(campaign.schedule, SendAt)
    assert campaign.schedule.when.isoformat() == "2027-01-05T02:00:00+00:00"
    assert campaign.footer is FooterLanguage.ENGLISH
    assert campaign.lists == ("list-1",)


def test_plain_form_is_read_as_it_was_written(tmp_path: Path) -> None:
    """`Campaign.to_dict()` as JSON is a campaign file."""
    campaign = built(tmp_path, COMMON + 'subject = "s"\nsender = "A <a@example.com>"')

    text = json.dumps(campaign.to_dict())

    assert built(tmp_path, text, name="mail.json") == campaign


@pytest.mark.parametrize(
    ("fields", "cls"),
    [
        ('subject_a = "a"\nsubject_b = "b"\nsender = "A <a@example.com>"', SubjectTest),
        (
            'sender_a = "A <a@example.com>"\nsender_b = "B <a@example.com>"\nsubject = "s"',
            SenderTest,
        ),
    ],
)
def test_kind_of_a_test_is_recognised(tmp_path: Path, fields: str, cls: type) -> None:
    """By the field that it has twice."""
    test: Any = built(tmp_path, COMMON + OF_TEST + fields)

    assert test.wait == timedelta(hours=4)
    assert type(test) is cls


def test_bodies_of_a_test_are_files(tmp_path: Path) -> None:
    """Each of both."""
    (tmp_path / "b.html").write_text("<p>B</p>")
    text = COMMON.replace("html_file", "html_a_file") + OF_TEST
    text += 'html_b_file = "b.html"\nsubject = "s"\nsender = "A <a@example.com>"'

    test = built(tmp_path, text)

    assert isinstance(test, ContentTest)
    assert test.html_b == "<p>B</p>"


def test_options_replace_fields(tmp_path: Path) -> None:
    """Also the file of the body."""
    campaign = built(
        tmp_path,
        COMMON + 'subject = "s"',
        subject="new",
        html="<p>new</p>",
        sender="A <a@example.com>",
        name="mail.toml",
    )

    assert (campaign.subject, campaign.html) == ("new", "<p>new</p>")


def test_profile_gives_the_sender_if_nothing_else_does(tmp_path: Path) -> None:
    """A sender of the campaign is kept."""
    (tmp_path / "m.json").write_text(json.dumps({"name": "n", "subject": "s", "html": "h"}))

    default = build_campaign(tmp_path / "m.json", {}, sender="A <a@example.com>")
    other = build_campaign(
        tmp_path / "m.json", {"sender": "B <b@example.com>"}, sender="A <a@example.com>"
    )

    assert isinstance(default, Campaign)
    assert isinstance(other, Campaign)
    assert (default.sender.name, other.sender.name) == ("A", "B")


def test_all_faults_of_a_file_are_reported_at_once(tmp_path: Path) -> None:
    """A person corrects the file once."""
    message = refusal(
        tmp_path,
        'name = "n"\nsubjct = "s"\nsender = "a@example.com"\nhtml_file = "no.html"\n'
        'schedule = 2027-01-05T10:00:00\nfooter = "french"',
    )

    for reason in (
        "subjct: is not a field of a campaign; did you mean subject?",
        "subject: is missing; add it to the campaign file, or give --subject",
        "sender: 'a@example.com' is not a sender; write it as 電子豹 <service@example.com>",
        "no.html cannot be read",
        "schedule: '2027-01-05 10:00:00' has no time zone",
        "footer: must be chinese or english",
    ):
        assert reason in message
    assert "html: is missing" not in message


@pytest.mark.parametrize(
    ("text", "name", "reason"),
    [
        ("name = ", "mail.toml", "is not TOML: "),
        ("[1]", "mail.json", "must be an object"),
        ("{", "mail.json", "is not JSON: "),
        ('kind = "letter"', "mail.toml", "kind: must be one of campaign, subject_test"),
        ("kind = ['campaign']", "mail.toml", "kind: must be one of campaign, subject_test"),
        ('{"lists": [], "lists": []}', "mail.json", "is not JSON: lists is there twice"),
        ('html = "x"\nhtml_file = "mail.html"', "mail.toml", "cannot be combined with html"),
        ("html_file = 3", "mail.toml", "html_file: must be the name of a file"),
        ('wait = "4"\nsubject_a = "a"', "mail.toml", "'4' is not a duration"),
    ],
)
def test_file_that_is_not_a_campaign_is_refused(
    tmp_path: Path, text: str, name: str, reason: str
) -> None:
    """With what is wrong."""
    assert reason in refusal(tmp_path, text, name=name)


def test_file_that_is_missing_or_not_utf_8_is_refused(tmp_path: Path) -> None:
    """The message names the file."""
    (tmp_path / "big5.toml").write_bytes("name = '週年慶'".encode("cp950"))

    for name, reason in (("none.toml", "cannot be read"), ("big5.toml", "save it as UTF-8")):
        with pytest.raises(InvalidRequest, match=reason):
            build_campaign(tmp_path / name, {})


def test_option_that_a_test_does_not_have_is_refused(tmp_path: Path) -> None:
    """A test of the subject has two of them."""
    text = COMMON + OF_TEST + 'subject_a = "a"\nsubject_b = "b"\nsender = "A <a@example.com>"'

    assert "has subject_a and subject_b" in refusal(tmp_path, text, subject="s")


def test_missing_fields_name_their_options() -> None:
    """Without a file, all fields come from options."""
    with pytest.raises(InvalidRequest) as refused:
        build_campaign(None, {"name": "n"})

    assert "subject: is missing; give --subject, or a campaign file" in str(refused.value)
