"""Contacts are kept by a URL that every worker can open, and that grants no access."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from newsleopard_async import InvalidRequest
from newsleopard_async.durable.contacts_url import local_path_of
from newsleopard_async.durable.spec import SendSpec
from tests.constants import CAMPAIGN


def problem_of(url: Any) -> str:
    """Return the rule that a URL breaks; the message must not contain the URL."""
    with pytest.raises(InvalidRequest) as caught:
        SendSpec(CAMPAIGN, contacts=url, list_name="會員")
    [problem] = caught.value.problems
    assert problem.field == "contacts"
    for hidden in ("ming@", "s3cret", "members"):
        assert hidden not in problem.message
    return problem.rule


@pytest.mark.parametrize(
    "url",
    [
        "/srv/members.csv",
        "C:\\srv\\members.csv",
        "\\\\server\\share\\members.csv",
        "file:///srv/members.csv",
        "s3://bucket/a@b/members.csv",
        "https://files.example.com/members.csv?version=3&sort_key=1",
        "sql:members",
    ],
)
def test_place_that_every_worker_can_open_is_taken(url: str) -> None:
    """A URL of any scheme, or a path that needs no working folder."""
    assert SendSpec(CAMPAIGN, contacts=url, list_name="會員").contacts == url


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        (Path("/srv/members.csv"), "type"),
        (b"EMAIL,NAME\nming@example.com,\n", "type"),
        ([{"EMAIL": "ming@example.com"}], "type"),
        ("EMAIL,NAME\nming@example.com,\n", "content"),
        ("ming@example.com", "absolute"),
        ("members.csv", "absolute"),
        ("~/members.csv", "absolute"),
        ("file:members.csv", "absolute"),
        ("file://other/members.csv", "absolute"),
        ("file:///srv/members.csv?version=1", "absolute"),
        ("", "required"),
        ("/srv/members\0.csv", "one-line"),
        (f"/srv/{'m' * 2_000}", "length"),
        ("https://[::1/members.csv", "url"),
    ],
)
def test_place_that_no_other_process_can_open_is_refused(url: Any, rule: str) -> None:
    """Contacts themselves are refused too: they never go into the database."""
    assert problem_of(url) == rule


@pytest.mark.parametrize(
    "url",
    [
        "https://user:s3cret@files.example.com/members.csv",
        "https://s3cret@files.example.com/members.csv",
        "https:user:s3cret@files.example.com/members.csv",
        "https://a.example.com/members.csv?X-Amz-Algorithm=x&X-Amz-Signature=s3cret",
        "https://a.example.com/members.csv?AWSAccessKeyId=s3cret&Expires=1",
        "https://a.example.com/members.csv?X-Goog-Credential=s3cret",
        "https://a.example.com/members.csv?sv=2022&sig=s3cret",
        "https://a.example.com/members.csv?a=1;access_token=s3cret",
        "https://a.example.com/members.csv?%73ig=s3cret",
        "https://a.example.com/members.csv?api-key=s3cret",
        "https://a.example.com/members.csv#token=s3cret",
    ],
)
def test_url_that_grants_access_is_refused(url: str) -> None:
    """The database would store a secret; the function that opens the URL adds it."""
    assert problem_of(url) == "secret"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/srv/a b.csv", "/srv/a b.csv"),
        ("file:///srv/a%20b.csv", "/srv/a b.csv"),
        ("file:/srv/a.csv", "/srv/a.csv"),
        ("FILE://localhost/srv/a.csv", "/srv/a.csv"),
        ("file://other/srv/a.csv", None),
        ("s3://bucket/a.csv", None),
    ],
)
def test_file_of_this_host(url: str, path: str | None) -> None:
    """A file URL is the path in it, unless it names another host."""
    assert local_path_of(url) == path
