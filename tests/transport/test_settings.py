"""The base URL and the key of the API."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsleopard_async.errors import ConfigurationError
from newsleopard_async.transport.redact import Secret
from newsleopard_async.transport.settings import read_base_url, read_key
from tests.constants import KEY


def test_given_key_is_trimmed() -> None:
    """A key that was copied brings a line break along (T01)."""
    assert read_key(Secret(f"  {KEY}\r\n")).reveal() == KEY


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"NEWSLEOPARD_API_KEY": "first", "NL_EDM_API_KEY": "second"}, "first"),
        ({"NL_EDM_API_KEY": " second\n"}, "second"),
        ({"NEWSLEOPARD_API_KEY": "", "NL_EDM_API_KEY": "second"}, "second"),
        ({"NEWSLEOPARD_API_KEY": "  ", "NL_EDM_API_KEY": "second"}, "second"),
    ],
)
def test_key_comes_from_the_environment(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own variable goes before the vendor's."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert read_key(None).reveal() == expected


def test_given_key_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the program says is what counts."""
    monkeypatch.setenv("NEWSLEOPARD_API_KEY", "other")

    assert read_key(Secret(KEY)).reveal() == KEY


@pytest.mark.parametrize("given_", [None, Secret(""), Secret(" \n")])
def test_missing_key_is_refused(given_: Secret | None) -> None:
    """The message says where to put one."""
    with pytest.raises(ConfigurationError, match="NEWSLEOPARD_API_KEY"):
        read_key(given_)


def test_empty_key_does_not_fall_back_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that passes an empty key intended to pass one."""
    monkeypatch.setenv("NEWSLEOPARD_API_KEY", "other")

    with pytest.raises(ConfigurationError):
        read_key(Secret(""))


@pytest.mark.parametrize("bad", ["密鑰", "a\x00b", "a\nb", "a b", "caf\xe9", "a\x7f", "“k3y”"])
def test_key_that_no_header_can_carry_is_refused(bad: str) -> None:
    """It is named as the key, and not shown."""
    with pytest.raises(ConfigurationError, match="API key") as caught:
        read_key(Secret(f"{KEY}{bad}"))

    assert KEY not in repr(caught.value)
    assert caught.value.__context__ is None


@given(st.text(min_size=1, max_size=30))
def test_every_key_is_carried_or_refused(text: str) -> None:
    """No key gets through that breaks a request later."""
    try:
        key = read_key(Secret(text))
    except ConfigurationError:
        return
    assert key.reveal() == text.strip()
    assert all(33 <= ord(character) <= 126 for character in key.reveal())


def test_base_url_is_the_platform_unless_said() -> None:
    """The default is the real thing."""
    assert read_base_url(None, allow_http=False) == "https://api.newsleopard.com"


def test_base_url_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line break at its end is a mistake."""
    monkeypatch.setenv("NEWSLEOPARD_BASE_URL", "https://api.example.com/\n")

    assert read_base_url(None, allow_http=False) == "https://api.example.com"


def test_given_base_url_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the program says is what counts."""
    monkeypatch.setenv("NEWSLEOPARD_BASE_URL", "https://other.example")

    assert read_base_url("https://api.example.com", allow_http=False) == "https://api.example.com"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.example.com///", "https://api.example.com"),
        ("https://api.example.com:8443/edm/", "https://api.example.com:8443/edm"),
        ("http://localhost:8025", "http://localhost:8025"),
        ("http://127.0.0.1:8025", "http://127.0.0.1:8025"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:8025/", "http://[::1]:8025"),
        ("HTTPS://api.example.com", "HTTPS://api.example.com"),
    ],
)
def test_good_base_url_is_taken(url: str, expected: str) -> None:
    """Https anywhere, http to this very machine."""
    assert read_base_url(url, allow_http=False) == expected


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("api.example.com", "must begin with https"),
        ("ftp://api.example.com", "must begin with https"),
        ("https://", "name a host"),
        ("  ", "must begin with https"),
        ("https://api.example.com:port", "cannot be read"),
        ("https://api.example.com:99999", "cannot be read"),
        ("https://[::1", "cannot be read"),
        ("https://api.example\x00.com", "cannot be read"),
        ("https://user:pa55@api.example.com", "no user"),
        ("https://:pa55@api.example.com", "no user"),
        ("https://@api.example.com", "no user"),
        ("https://api.example.com?key=pa55", "no user, query"),
        ("https://api.example.com?", "no user, query"),
        ("https://api.example.com#", "query or fragment"),
        ("http://api.example.com", "allow_http"),
        ("http://127.0.0.1.example.com", "allow_http"),
        ("http://localhost.example.com", "allow_http"),
        ("http://0.0.0.0", "allow_http"),
    ],
)
def test_bad_base_url_is_refused(url: str, reason: str) -> None:
    """It decides where the key goes."""
    with pytest.raises(ConfigurationError, match=reason) as caught:
        read_base_url(url, allow_http=False)

    assert "pa55" not in str(caught.value)
    assert caught.value.__context__ is None


def test_plain_http_elsewhere_has_to_be_asked_for() -> None:
    """A test server in a private network, say."""
    assert read_base_url("http://10.0.0.1", allow_http=True) == "http://10.0.0.1"


@pytest.mark.parametrize("word", ["1", " 1 "])
def test_environment_may_allow_plain_http(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    """A program in a container reaches an emulator in another without a change of its code."""
    monkeypatch.setenv("NEWSLEOPARD_ALLOW_HTTP", word)

    assert read_base_url("http://emulator:8025", allow_http=False) == "http://emulator:8025"


@pytest.mark.parametrize("word", ["", "0"])
def test_plain_http_is_refused_unless_it_is_allowed(
    monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    """The message names both ways to allow it."""
    monkeypatch.setenv("NEWSLEOPARD_ALLOW_HTTP", word)

    with pytest.raises(ConfigurationError, match="allow_http=True or set NEWSLEOPARD_ALLOW_HTTP=1"):
        read_base_url("http://emulator:8025", allow_http=False)


def test_unknown_word_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a user who sets "yes" would get https without a reason."""
    monkeypatch.setenv("NEWSLEOPARD_ALLOW_HTTP", "yes")

    with pytest.raises(ConfigurationError, match="NEWSLEOPARD_ALLOW_HTTP is 'yes'"):
        read_base_url("http://emulator:8025", allow_http=False)
