"""``newsleopard profile`` writes the file of profiles, and never a key into it."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from newsleopard_async.cli.accounts.profile_editing import edited
from newsleopard_async.cli.accounts.profiles import chosen_profile, profiles_path
from newsleopard_async.cli.command_line import newsleopard

KEY = "sk-test-0123456789"

COMMENTED = """\
# Accounts of the shop.
default = "shop"

[profiles.shop]
# Ask Ming for it.
api_key_variable = "SHOP_KEY"  # in the vault
sender = "電子豹 <service@example.com>"

[profiles."crm.tw"]  # another team
rate_limits = "vendor-2026"
"""


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "APPDATA", "HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("NEWSLEOPARD_API_KEY", "NL_EDM_API_KEY", "NEWSLEOPARD_PROFILE", "SHOP_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "keyring", None)


def run(*arguments: str, typed: str | None = None) -> Result:
    """Run a command of the group."""
    return CliRunner().invoke(newsleopard, ["profile", *arguments], input=typed)


class FakeKeyring(ModuleType):
    """A keyring in memory; it can be without a backend, locked, or forgetful."""

    def __init__(self, state: str = "works") -> None:
        super().__init__("keyring")
        self.keys: dict[tuple[str, str], str] = {}
        self.state = state

        class KeyringError(Exception):
            pass

        class NoKeyringError(KeyringError):
            pass

        self.errors = SimpleNamespace(KeyringError=KeyringError, NoKeyringError=NoKeyringError)

    def _check(self) -> None:
        if self.state == "locked":
            raise self.errors.KeyringError(KEY)
        if self.state == "missing":
            raise self.errors.NoKeyringError(KEY)

    def get_password(self, service: str, name: str) -> str | None:
        """Return a stored key."""
        self._check()
        return self.keys.get((service, name))

    def set_password(self, service: str, name: str, key: str) -> None:
        """Store a key."""
        self._check()
        if self.state != "forgets":
            self.keys[service, name] = key

    def delete_password(self, service: str, name: str) -> None:
        """Remove a stored key."""
        del self.keys[service, name]


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> FakeKeyring:
    """Install a fake of the package keyring."""
    fake = FakeKeyring()
    monkeypatch.setitem(sys.modules, "keyring", fake)
    monkeypatch.setitem(sys.modules, "keyring.errors", fake.errors)
    return fake


def test_new_profile_is_written_for_its_user_alone() -> None:
    """The file has the settings that were given, and only its owner can read it."""
    result = run("set", "shop", "--sender", "電子豹 <service@example.com>", "--default")

    assert result.exit_code == 0, result.output
    assert tomllib.loads(profiles_path().read_text("utf-8")) == {
        "default": "shop",
        "profiles": {"shop": {"sender": "電子豹 <service@example.com>"}},
    }
    assert chosen_profile(None).sender == "電子豹 <service@example.com>"
    if os.name != "nt":
        assert profiles_path().stat().st_mode & 0o777 == 0o600
    assert "newsleopard profile key shop" in result.stdout


def test_change_keeps_comments_and_other_settings() -> None:
    """A change touches the lines of its settings, and nothing else."""
    new, has_comments = edited(
        COMMENTED, "shop", {"sender": None, "store": "redis://host"}, default="crm.tw"
    )

    assert has_comments
    assert new == COMMENTED.replace('default = "shop"', 'default = "crm.tw"').replace(
        'sender = "電子豹 <service@example.com>"\n', 'store = "redis://host"\n'
    )


@pytest.mark.parametrize(
    "content",
    [
        "",
        COMMENTED,
        'profiles.shop.sender = "a <a@example.com>"\n',
        'profiles = { shop = { sender = "a <a@example.com>" } }\n',
        '[profiles]\nshop = { sender = "a <a@example.com>" }\n',
        '[ profiles . "shop" ]\nsender = """a\n[profiles.shop] <a@example.com>"""\n',
        '[profiles.shop]\nsender = """\na <a@example.com>"""\nallow_http = true\n',
    ],
)
@pytest.mark.parametrize("settings", [{"sender": "x", "allow_http": True}, {"sender": None}, None])
def test_any_form_of_the_file_gets_the_change(
    content: str, settings: dict[str, Any] | None
) -> None:
    """In all forms of TOML, the new data is the old data with the change."""
    before = tomllib.loads(content)
    profiles = before.get("profiles", {})
    if settings is None and "shop" not in profiles:
        pytest.skip("only an existing profile is removed")
    expected = dict(profiles)
    expected.pop("shop", None)
    if settings is not None:
        merged = profiles.get("shop", {}) | settings
        expected["shop"] = {key: value for key, value in merged.items() if value is not None}

    new, _ = edited(content, "shop", settings, default=None)

    assert tomllib.loads(new).get("profiles", {}) == expected
    assert "default" not in tomllib.loads(new)


def test_lost_comments_are_reported() -> None:
    """If the file must be written anew, the user learns that its comments are gone."""
    path = profiles_path()
    path.parent.mkdir(parents=True)
    path.write_text('profiles.shop = { sender = "a <a@example.com>" } # of Ming\n', "utf-8")

    result = run("set", "shop", "--rate-limits", "vendor-2026")

    assert result.exit_code == 0
    assert "without its comments" in result.stderr


def test_each_wrong_setting_is_named_and_nothing_is_written() -> None:
    """All problems come together, before the file is touched."""
    result = run("set", "a b", "--sender", "shop", "--store", "mysql://host")

    assert result.exit_code == 1
    assert all(each in result.stderr for each in ("NAME", "--sender", "--store"))
    assert not profiles_path().exists()


@pytest.mark.parametrize("option", ["--base-url=http://host", "--quota=file:///x"])
def test_wrong_url_is_refused_before_it_is_written(option: str) -> None:
    """The library checks the URL as a client would."""
    assert run("set", "shop", option).exit_code == 2
    assert not profiles_path().exists()


def test_file_with_a_mistake_is_not_overwritten() -> None:
    """A file that cannot be read is left for its owner to correct."""
    path = profiles_path()
    path.parent.mkdir(parents=True)
    path.write_text("[profiles.shop", "utf-8")

    assert run("set", "crm").exit_code == 2
    assert path.read_text("utf-8") == "[profiles.shop"


def test_list_shows_where_each_key_is_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, keyring: FakeKeyring
) -> None:
    """A key or a password in a URL is never shown."""
    monkeypatch.setenv("SHOP_KEY", KEY)
    warned = run("set", "shop", "--api-key-variable=SHOP_KEY", "--store=redis://me:pass@host/0")
    run("set", "crm")

    shown = run("list")
    as_json = run("list", "--json")

    assert "history" in warned.stderr
    assert "$SHOP_KEY" in shown.stdout
    assert "missing (the keyring)" in shown.stdout
    shop, crm = json.loads(as_json.stdout)
    assert shop["key"] == {"source": "$SHOP_KEY", "is_set": True}
    assert not crm["key"]["is_set"]
    for output in (warned.output, shown.output, as_json.output):
        assert KEY not in output
        assert "pass@" not in output


def test_password_in_the_query_of_a_url_is_not_shown() -> None:
    """Drivers of databases also read it there."""
    url = "postgresql://me@host/db?password=s3cret"
    saved = run("set", "shop", f"--store={url}")

    shown, as_json = run("list"), run("list", "--json")

    assert "postgresql://me@host/db" in shown.stdout
    assert "s3cret" not in saved.output + shown.output + as_json.output


def test_empty_list_says_how_to_begin() -> None:
    """Without a profile, the command names the one that creates it."""
    assert "newsleopard profile set NAME" in run("list").stdout


@pytest.mark.parametrize(("name", "stored_as"), [(("shop",), "shop"), ((), "default")])
def test_key_goes_from_the_input_into_the_keyring(
    keyring: FakeKeyring, name: tuple[str, ...], stored_as: str
) -> None:
    """The key is read from the input, and is not shown."""
    run("set", "shop")

    result = run("key", *name, typed=f"  {KEY}\n")

    assert result.exit_code == 0, result.output
    assert keyring.keys == {("newsleopard-async", stored_as): KEY}
    assert KEY not in result.output
    assert chosen_profile(name[0] if name else None).api_key() == KEY


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("locked", "refused"),
        ("missing", "no keyring"),
        ("forgets", "stores nothing"),
    ],
)
def test_unusable_keyring_names_the_way_out(keyring: FakeKeyring, state: str, text: str) -> None:
    """Without a keyring that works, the message names the variable instead."""
    run("set", "shop")
    keyring.state = state

    result = run("key", "shop", typed=f"{KEY}\n")

    assert result.exit_code == 2
    assert text in result.stderr
    assert "--api-key-variable" in result.stderr
    assert KEY not in result.output


def test_missing_package_is_named_before_the_key_is_asked_for() -> None:
    """A user does not type a key that cannot be stored."""
    run("set", "shop")

    result = run("key", "shop", typed=f"{KEY}\n")

    assert result.exit_code == 2
    assert "pip install keyring" in result.stderr


@pytest.mark.parametrize("typed", ["\n", "王小明\n"])
def test_text_that_cannot_be_a_key_is_not_stored(keyring: FakeKeyring, typed: str) -> None:
    """An empty key, or one that a header cannot contain, is refused."""
    assert run("key", typed=typed).exit_code == 2
    assert keyring.keys == {}


def test_key_of_a_variable_is_not_put_into_the_keyring(keyring: FakeKeyring) -> None:
    """The profile would not use it, so the command says so."""
    run("set", "shop", "--api-key-variable=SHOP_KEY")

    result = run("key", "shop", typed=KEY)

    assert result.exit_code == 2
    assert "SHOP_KEY" in result.stderr
    assert keyring.keys == {}


def test_removed_profile_takes_its_key_along(keyring: FakeKeyring) -> None:
    """After a confirmation, the profile, its key and the default are gone."""
    run("set", "shop", "--default")
    run("key", "shop", typed=KEY)

    assert run("remove", "shop", typed="n\n").exit_code == 2
    assert keyring.keys != {}
    result = run("remove", "shop", "--yes")

    assert result.exit_code == 0, result.output
    assert keyring.keys == {}
    assert profiles_path().read_text("utf-8") == ""
    assert run("remove", "shop", "--yes").exit_code == 2
