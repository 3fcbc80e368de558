"""The platform's 88 time zones (config.schedule.timezone).

The codes and names are the platform's. The IANA zones are this project's mapping, because the
documentation has no regions or offsets. They are used for display and for the choice of a code. The
time of sending is always sent in UTC, so an outdated zone rule cannot change it.

A code is not an offset: 8 is SYDNEY. Source: T71 to T73.
"""

from __future__ import annotations

from enum import Enum, unique
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from newsleopard_async.errors import InvalidRequest
from newsleopard_async.models.validation import problems_of_type, raise_problems

__all__ = ["Timezone"]


@unique
class Timezone(Enum):
    """A time zone that the platform lists.

    Attributes:
        code: The platform's number, 0 to 87.
        zone_name: Its name in the IANA time zone database.
    """

    KIRITIMATI = 0, "Pacific/Kiritimati"
    CHATHAM = 1, "Pacific/Chatham"
    AUCKLAND = 2, "Pacific/Auckland"
    ENDERBURY = 3, "Pacific/Kanton"
    TONGATAPU = 4, "Pacific/Tongatapu"
    KAMCHATKA = 5, "Asia/Kamchatka"
    FIJI = 6, "Pacific/Fiji"
    LORD_HOWE = 7, "Australia/Lord_Howe"
    SYDNEY = 8, "Australia/Sydney"
    GUADALCANAL = 9, "Pacific/Guadalcanal"
    NORFOLK = 10, "Pacific/Norfolk"
    ADELAIDE = 11, "Australia/Adelaide"
    BRISBANE = 12, "Australia/Brisbane"
    DARWIN = 13, "Australia/Darwin"
    SEOUL = 14, "Asia/Seoul"
    TOKYO = 15, "Asia/Tokyo"
    HONG_KONG = 16, "Asia/Hong_Kong"
    KUALA_LUMPUR = 17, "Asia/Kuala_Lumpur"
    MANILA = 18, "Asia/Manila"
    SHANGHAI = 19, "Asia/Shanghai"
    SINGAPORE = 20, "Asia/Singapore"
    TAIPEI = 21, "Asia/Taipei"
    PERTH = 22, "Australia/Perth"
    BANGKOK = 23, "Asia/Bangkok"
    HO_CHI_MINH = 24, "Asia/Ho_Chi_Minh"
    JAKARTA = 25, "Asia/Jakarta"
    RANGOON = 26, "Asia/Yangon"
    DHAKA = 27, "Asia/Dhaka"
    KATHMANDU = 28, "Asia/Kathmandu"
    COLOMBO = 29, "Asia/Colombo"
    KOLKATA = 30, "Asia/Kolkata"
    KARACHI = 31, "Asia/Karachi"
    TASHKENT = 32, "Asia/Tashkent"
    YEKATERINBURG = 33, "Asia/Yekaterinburg"
    KABUL = 34, "Asia/Kabul"
    TEHRAN = 35, "Asia/Tehran"
    DUBAI = 36, "Asia/Dubai"
    TBILISI = 37, "Asia/Tbilisi"
    NAIROBI = 38, "Africa/Nairobi"
    BAGHDAD = 39, "Asia/Baghdad"
    JERUSALEM = 40, "Asia/Jerusalem"
    KUWAIT = 41, "Asia/Kuwait"
    RIYADH = 42, "Asia/Riyadh"
    ATHENS = 43, "Europe/Athens"
    BUCHAREST = 44, "Europe/Bucharest"
    HELSINKI = 45, "Europe/Helsinki"
    ISTANBUL = 46, "Europe/Istanbul"
    MINSK = 47, "Europe/Minsk"
    MOSCOW = 48, "Europe/Moscow"
    CAIRO = 49, "Africa/Cairo"
    JOHANNESBURG = 50, "Africa/Johannesburg"
    AMSTERDAM = 51, "Europe/Amsterdam"
    BERLIN = 52, "Europe/Berlin"
    BRUSSELS = 53, "Europe/Brussels"
    PARIS = 54, "Europe/Paris"
    PRAGUE = 55, "Europe/Prague"
    ROME = 56, "Europe/Rome"
    ALGIERS = 57, "Africa/Algiers"
    DUBLIN = 58, "Europe/Dublin"
    LISBON = 59, "Europe/Lisbon"
    LONDON = 60, "Europe/London"
    GMT = 61, "Etc/GMT"
    CAPE_VERDE = 62, "Atlantic/Cape_Verde"
    SOUTH_GEORGIA = 63, "Atlantic/South_Georgia"
    ST_JOHNS = 64, "America/St_Johns"
    BUENOS_AIRES = 65, "America/Argentina/Buenos_Aires"
    HALIFAX = 66, "America/Halifax"
    SANTIAGO = 67, "America/Santiago"
    SAO_PAULO = 68, "America/Sao_Paulo"
    BERMUDA = 69, "Atlantic/Bermuda"
    CARACAS = 70, "America/Caracas"
    INDIANAPOLIS = 71, "America/Indiana/Indianapolis"
    NEW_YORK = 72, "America/New_York"
    PUERTO_RICO = 73, "America/Puerto_Rico"
    BOGOTA = 74, "America/Bogota"
    CHICAGO = 75, "America/Chicago"
    LIMA = 76, "America/Lima"
    PANAMA = 77, "America/Panama"
    DENVER = 78, "America/Denver"
    EL_SALVADOR = 79, "America/El_Salvador"
    MEXICO_CITY = 80, "America/Mexico_City"
    LOS_ANGELES = 81, "America/Los_Angeles"
    PHOENIX = 82, "America/Phoenix"
    TIJUANA = 83, "America/Tijuana"
    ANCHORAGE = 84, "America/Anchorage"
    HONOLULU = 85, "Pacific/Honolulu"
    NIUE = 86, "Pacific/Niue"
    PAGO_PAGO = 87, "Pacific/Pago_Pago"

    def __init__(self, code: int, zone_name: str) -> None:
        self.code = code
        self.zone_name = zone_name

    @property
    def zone(self) -> ZoneInfo:
        """The rules of the zone, loaded on first use."""
        try:
            return ZoneInfo(self.zone_name)
        except ZoneInfoNotFoundError:
            if self is not Timezone.ENDERBURY:
                raise
            return ZoneInfo("Pacific/Enderbury")

    @classmethod
    def of(cls, name: str) -> Timezone:
        """Find a zone by its IANA name (``Asia/Taipei``) or the platform's (``TAIPEI``).

        Raises:
            InvalidRequest: the platform lists no zone with this name; numbers are refused.
        """
        wanted = 'a name such as "Asia/Taipei", not an offset'
        raise_problems(problems_of_type("timezone", name, str, wanted))
        found = cls.listed(name) or cls.__members__.get(name.upper())
        if found is None:
            raise InvalidRequest.of(
                "timezone",
                "listed",
                f"{name!r} is not one of the platform's zones; leave it out to use TAIPEI's code",
            )
        return found

    @classmethod
    def listed(cls, zone_name: str) -> Timezone | None:
        """Return the zone with a current or former IANA name, or None if it is not listed."""
        return _by_zone_name().get(_FORMER_NAMES.get(zone_name, zone_name))


_FORMER_NAMES: Final = {
    "America/Buenos_Aires": "America/Argentina/Buenos_Aires",
    "America/Indianapolis": "America/Indiana/Indianapolis",
    "Asia/Calcutta": "Asia/Kolkata",
    "Asia/Istanbul": "Europe/Istanbul",
    "Asia/Katmandu": "Asia/Kathmandu",
    "Asia/Rangoon": "Asia/Yangon",
    "Asia/Saigon": "Asia/Ho_Chi_Minh",
    "GMT": "Etc/GMT",
    "Pacific/Enderbury": "Pacific/Kanton",
}


@cache
def _by_zone_name() -> dict[str, Timezone]:
    return {timezone.zone_name: timezone for timezone in Timezone}
