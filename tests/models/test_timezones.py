from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from newsleopard_async.errors import InvalidRequest
from newsleopard_async.models import Timezone, timezones
from tests.cases import case
from tests.openapi import openapi


@pytest.mark.slow
def test_table_is_the_documented_one() -> None:
    """Codes, names and zones are those of the platform's table."""
    schemas = openapi()["components"]["schemas"]
    documented = [
        (row["code"], row["name"], row["iana"]) for row in schemas["TimezoneCode"]["x-timezones"]
    ]

    ours = [(zone.code, zone.name, zone.zone_name) for zone in Timezone]

    assert len(ours) == 88
    assert ours == documented


def test_taipei_is_21() -> None:
    """The code is a place in a table and no offset."""
    assert Timezone.TAIPEI.code == 21
    assert Timezone.TAIPEI.zone == ZoneInfo("Asia/Taipei")


def test_every_zone_has_rules() -> None:
    """Each zone is known to this machine's time zone database."""
    for timezone in Timezone:
        with case(timezone):
            assert timezone.zone.key in {timezone.zone_name, "Pacific/Enderbury"}


def test_old_database_knows_kanton_by_its_old_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Pacific/Kanton is unknown, the zone's former name is taken."""

    def old_database(key: str) -> str:
        if key != "Pacific/Enderbury":
            raise ZoneInfoNotFoundError(key)
        return key

    monkeypatch.setattr(timezones, "ZoneInfo", old_database)

    assert str(Timezone.ENDERBURY.zone) == "Pacific/Enderbury"
    with pytest.raises(ZoneInfoNotFoundError):
        _ = Timezone.TAIPEI.zone


@pytest.mark.parametrize(
    ("name", "timezone"),
    [
        ("Asia/Taipei", Timezone.TAIPEI),
        ("TAIPEI", Timezone.TAIPEI),
        ("taipei", Timezone.TAIPEI),
        ("Asia/Saigon", Timezone.HO_CHI_MINH),
        ("GMT", Timezone.GMT),
        ("Pacific/Enderbury", Timezone.ENDERBURY),
    ],
)
def test_zone_is_found_by_name(name: str, timezone: Timezone) -> None:
    """IANA names, their former spellings and the platform's names lead to a zone."""
    assert Timezone.of(name) is timezone


@pytest.mark.parametrize(
    ("name", "rule"),
    [("Asia/Kuching", "listed"), ("+08:00", "listed"), ("8", "listed"), (8, "type")],
)
def test_offset_or_unlisted_zone_is_refused(name: str, rule: str) -> None:
    """An offset is not a zone: the platform's 8 is Sydney."""
    with pytest.raises(InvalidRequest) as caught:
        Timezone.of(name)

    assert [(p.field, p.rule) for p in caught.value.problems] == [("timezone", rule)]
