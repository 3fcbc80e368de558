"""Search the platform's time zones, and show their present offsets from UTC."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfoNotFoundError

import attrs
from rich.table import Table

from newsleopard_async.cli.display.tables import headed_table
from newsleopard_async.cli.display.terminal import safe_text
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.models.timezones import Timezone

__all__ = ["ListedZone", "find_zones", "zones_table"]

_OFFSET: Final = re.compile(r"(?:UTC|GMT)?\s*([+-])([0-9]{1,2})(?::?([0-9]{2}))?", re.IGNORECASE)


@attrs.frozen
class ListedZone:
    """A zone of the platform, with its offset at one instant.

    Attributes:
        code: The platform's number; it is not an offset.
        name: The platform's name.
        zone: Its name in the IANA time zone database.
        utc_offset: Its offset, such as ``+08:00``; empty if this machine has no zone data.
    """

    code: int
    name: str
    zone: str
    utc_offset: str

    @classmethod
    def at(cls, zone: Timezone, now: datetime) -> ListedZone:
        """Return a zone with its offset at an instant."""
        try:
            offset = now.astimezone(zone.zone).isoformat()[-6:]
        except ZoneInfoNotFoundError:
            offset = ""
        return cls(zone.code, zone.name, zone.zone_name, offset)

    def to_dict(self) -> dict[str, Any]:
        """Return the zone as JSON-safe data."""
        return attrs.asdict(self)


def find_zones(search: str, now: datetime) -> list[ListedZone]:
    """Return the zones of a search, with their offsets at an instant.

    Args:
        search: A code such as ``21``, an offset such as ``+8``, or a part of a name; empty for all.
        now: The instant; aware.
    """
    zones = [ListedZone.at(each, now) for each in Timezone]
    search = search.strip()
    if search.isdecimal():
        return [each for each in zones if each.code == int(search)]
    if offset := _OFFSET.fullmatch(search):
        sign, hours, minutes = offset.groups(default="00")
        wanted = f"{sign}{int(hours):02}:{minutes}"
        return [each for each in zones if each.utc_offset == wanted]
    part = re.sub(r"[\s_]+", "_", search.casefold())
    return [each for each in zones if part in f"{each.name} {each.zone}".casefold()]


_WIDE_COLUMNS: Final = 60
"""Chosen: in fewer columns, names beside the zones would break the zones into pieces."""


def zones_table(zones: Sequence[ListedZone], *, width: int) -> Table:
    """Return a table with one row per zone; a narrow terminal gets no names."""
    is_wide = width >= _WIDE_COLUMNS
    table = headed_table()
    table.add_column(_("Code"), justify="right", no_wrap=True)
    if is_wide:
        table.add_column(_("Name"), no_wrap=True)
    table.add_column(_("Zone"), overflow="fold")
    table.add_column(_("UTC now"), no_wrap=True)
    for each in zones:
        names = [each.name, each.zone] if is_wide else [each.zone]
        table.add_row(str(each.code), *map(safe_text, names), each.utc_offset or "–")
    return table
