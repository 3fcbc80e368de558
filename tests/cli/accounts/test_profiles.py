"""A profile gives a command its account: the key, the URL, the limits, and nothing of another."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from newsleopard_async import ConfigurationError
from newsleopard_async.cli import session
from newsleopard_async.cli.accounts.profiles import Profile, chosen_profile, profiles_path
from newsleopard_async.cli.command_line import newsleopard
from newsleopard_async.cli.completion_values import complete_profile
from newsleopard_async.cli.session import Session
from newsleopard_async.models import RateLimits
from newsleopard_async.stores import SqlStore

FILE = """
default = "shop"

[profiles.shop]
api_key_variable = "SHOP_KEY"
base_url = "http://127.0.0.1:9"
store = "sqlite:///runs.db"
rate_limits = "vendor-2026"

[profiles.crm]

[profiles.lab]
api_key_variable = "SHOP_KEY"
base_url = "http://lab.example"
allow_http = true
quota = "redis://lab.example"
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "APPDATA", "HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("NEWSLEOPARD_PROFILE", "SHOP_KEY", "NL_EDM_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NEWSLEOPARD_API_KEY", "key-of-another-account")
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.chdir(tmp_path)
    write(FILE)


def write(text: str) -> None:
    """Write the file of profiles."""
    profiles_path().parent.mkdir(parents=True, exist_ok=True)
    profiles_path().write_text(text, "utf-8")


def install_keyring(monkeypatch: pytest.MonkeyPatch, keys: dict[str, str]) -> None:
    """Install a keyring with keys by the names of profiles."""
    keyring, errors = ModuleType("keyring"), SimpleNamespace(KeyringError=KeyError)
    vars(keyring).update(errors=errors, get_password=lambda _, name: keys.get(name))
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)


@pytest.mark.parametrize(("name", "text"), [("shop", "SHOP_KEY, which is not set"), ("crm", "key")])
def test_profile_without_its_key_takes_no_other_key(name: str, text: str) -> None:
    """A campaign must not go out from the account of another key that happens to be set."""
    with pytest.raises(ConfigurationError, match=f"the profile {name} .*{text}"):
        chosen_profile(name).api_key()


def test_keyring_has_the_key_of_its_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a profile, the variable comes first, and then the key without a name."""
    install_keyring(monkeypatch, {"crm": "key-of-crm", "default": "key-of-default"})

    assert chosen_profile("crm").api_key() == "key-of-crm"
    assert Profile().api_key() is None  # the client reads the variable
    monkeypatch.delenv("NEWSLEOPARD_API_KEY")
    assert Profile().api_key() == "key-of-default"


def test_profile_is_named_by_option_then_by_variable_then_by_the_file() -> None:
    """A name that does not exist is an error, and never the default."""

    def used(*options: str, variable: str | None = None) -> str:
        env = {"NEWSLEOPARD_PROFILE": variable, "SHOP_KEY": None}
        return CliRunner().invoke(newsleopard, ["lists", *options], env=env).stderr

    assert "the profile shop reads" in used()
    assert "the profile crm has" in used(variable="crm")
    assert "the profile shop reads" in used("--profile", "shop", variable="crm")
    assert "has no profile 'none'" in used(variable="none")


@pytest.mark.asyncio
async def test_client_has_the_settings_of_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key, the URL, the store and the limits."""
    monkeypatch.setenv("SHOP_KEY", "key-of-shop")

    async with Session().client() as nl:
        assert nl._api.key.reveal() == "key-of-shop"
        assert nl._api.base_url == "http://127.0.0.1:9"
        assert isinstance(nl.store, SqlStore)
        assert nl.usage.limit == RateLimits.vendor_2026().windows[-1][0]


def test_profile_allows_plain_http_and_shares_the_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the first, the client refuses the URL; without the second, hosts exceed the limit."""
    monkeypatch.setenv("SHOP_KEY", "key-of-lab")
    given: dict[str, object] = {}
    monkeypatch.setattr(session, "NewsLeopard", lambda _key, **settings: given.update(settings))

    Session(profile_name="lab").client()

    assert (given["allow_http"], given["quota"]) == (True, "redis://lab.example")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("profiles", "is not TOML in UTF-8"),
        ("keys = 1", "has the unknown name keys"),
        ('[profiles.a]\napi_key = "x"', "unknown name api_key.*A key is never in this file"),
        ("[profiles.a]\nsender = 1", r"sender of \[profiles.a\] must be a text in quotes"),
        ('[profiles.a]\nallow_http = "yes"', "allow_http of .* must be true or false"),
        ('[profiles.a]\nrate_limits = "none"', "must be one of documented, vendor-2026"),
        ("profiles = 3", "profiles must be a table; write each setting below"),
        ("[profiles]\nshop = 3", r"profiles\.shop must be a table; write each setting below"),
        ('default = ["x"]', 'default must be the name of a profile in quotes: default = "shop"'),
    ],
)
def test_mistake_in_the_file_is_named(text: str, reason: str) -> None:
    """Guessing would be another account."""
    write(text)

    with pytest.raises(ConfigurationError, match=reason):
        chosen_profile(None)
    assert complete_profile(click.Context(newsleopard), click.Argument(["x"]), "") == []
