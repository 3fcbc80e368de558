"""Switches of the emulator, given as text."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from click.testing import CliRunner

from newsleopard_async.cli.command_line import newsleopard
from newsleopard_async.cli.emulating.switch_values import read_switches
from newsleopard_async.emulator import Switches


def _as_text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).lower() if value is None else str(value)


@pytest.mark.parametrize("field", attrs.fields(Switches), ids=lambda field: field.name)
def test_every_switch_can_be_set_from_text(field: attrs.Attribute[Any]) -> None:
    """The default of each switch can be written, and is parsed as the same value."""
    found = read_switches([f"{field.name}={_as_text(field.default)}"])

    assert found == {field.name: field.default}
    assert type(found[field.name]) is type(field.default)


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("strict=No", False),
        ("strict=true", True),
        ("first_page= 1", 1),
        ("most_lists_on_page=50", 50),
        ("export_every_s=NONE", None),
        ("export_every_s=1.5", 1.5),
        ("lists_wrapper=groups", "groups"),
        ("date_form=millis", "millis"),
        ("predefined_columns=", ()),
        ("verified_senders=a@example.com, @example.org", ("a@example.com", "@example.org")),
        ("invalid_content_marker=a=b", "a=b"),
    ],
)
def test_switch_is_read_as_its_type(pair: str, value: object) -> None:
    """Flags, numbers, words, names and none are parsed as the type of the switch."""
    assert read_switches([pair]) == {pair.partition("=")[0]: value}


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["first_page"], "'first_page' has no value; write it as first_page=1"),
        (["first_pag=1"], "'first_pag' is not a switch; did you mean first_page?"),
        (["colour=red"], "'colour' is not a switch; the documentation"),
        (["strict=yes", "strict=no"], "strict is set twice"),
        (["strict=maybe"], "strict must be yes or no, not 'maybe'"),
        (["webhook_copies=yes"], "webhook_copies must be a whole number from 0, not 'yes'"),
        (["first_page=-1"], "first_page must be a whole number from 0, not '-1'"),
        (["first_page=٣"], "first_page must be a whole number from 0, not '٣'"),
        (
            ["most_lists_on_page=x"],
            "most_lists_on_page must be a whole number from 0, or none",
        ),
        (["list_delay_s=nan"], "list_delay_s must be a number from 0, not 'nan'"),
        (["list_delay_s=inf"], "list_delay_s must be a number from 0, not 'inf'"),
        (["mails_per_s=0"], "mails_per_s: 0.0 is not above 0"),
        (["open_share=2"], "open_share: 2.0 is not a share from 0 to 1"),
        (["code_field=kod"], "code_field must be one of code, errorCode, not 'kod'"),
    ],
)
def test_wrong_switch_is_refused_with_what_to_write(pairs: list[str], message: str) -> None:
    """The command names the switch, what is wrong and what to write instead."""
    options = [part for pair in pairs for part in ("--set", pair)]

    result = CliRunner().invoke(newsleopard, ["emulator", *options])

    assert result.exit_code == 2
    assert f"Invalid value for '--set' / '--switch': {message}" in result.output
