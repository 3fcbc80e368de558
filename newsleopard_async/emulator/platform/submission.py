"""The body of a submit, read and checked field by field (T67 to T87, T94 to T100)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import attrs

from newsleopard_async.emulator.platform.csvimport import is_email
from newsleopard_async.emulator.platform.fields import FieldCheck, Refused
from newsleopard_async.emulator.platform.notation import parse_instant
from newsleopard_async.emulator.switches import Switches

__all__ = ["CampaignBody", "Variant", "check_schedule", "check_senders", "read_campaign"]

# Source of the three: the vendor's notes (T81).
MAX_SUBJECT_CHARS: Final = 150
MAX_FROM_NAME_CHARS: Final = 50  # T81
MAX_PREHEADER_CHARS: Final = 60  # T81

MAX_WAIT_UNITS: Final = 1_000_000
"""Chosen: a million days still end at a date that Python can represent."""

TESTED_FIELDS: Final[Mapping[int, tuple[str, ...]]] = {
    1: ("subject",),
    2: ("fromName", "fromAddress"),
    3: ("htmlContent",),
}
"""The fields that each ``testingOn`` has twice, with A and B at the end."""

_TEXTS: Final = ("subject", "fromName", "fromAddress", "htmlContent")
_VARIANT_FIELDS: Final = ("subject", "from_name", "from_address", "html")
_MAX_CHARS: Final = {"subject": MAX_SUBJECT_CHARS, "fromName": MAX_FROM_NAME_CHARS}


@attrs.frozen(kw_only=True)
class Variant:
    """Sender and content of one half of the mails; a campaign without test has one variant."""

    subject: str
    from_name: str
    from_address: str
    html: str
    preheader: str = ""


@attrs.frozen(kw_only=True)
class CampaignBody:
    """The checked body of a submit.

    Attributes:
        name: ``form.name``.
        selected: Lists to send to.
        excluded: Lists to leave out.
        schedule_text: ``scheduleDate``, unchanged; None if it is missing, and optional.
        is_scheduled: Whether ``schedule.type`` is 1.
        timezone: The zone's code, which has no effect (T71).
        has_ecommerce: Whether Google Analytics follows a shop's orders.
        footer_language: 0 English, 1 Chinese.
        variants: One variant, or A and B.
        testing_on: 1, 2, 3, or None without test.
        proportion: Percent of all mails that are test mails.
        wait: The time from the test to the other mails.
        content_position: The position of ``content`` in the body (T95).
    """

    name: str
    selected: tuple[str, ...]
    excluded: tuple[str, ...]
    schedule_text: str | None
    is_scheduled: bool
    timezone: int | None
    has_ecommerce: bool
    footer_language: int
    variants: tuple[Variant, ...]
    testing_on: int | None = None
    proportion: float = 0.0
    wait: timedelta = timedelta(0)
    content_position: Literal["top", "nested"] = "top"


CLI_CONTACTS: Final = "contactsFileContent"
"""The field in which the vendor's command line sends the contacts of ``once`` (T122).

Also a server that is not strict refuses it, because ignoring it would lose all contacts.
"""


def read_campaign(
    content: bytes, *, is_test: bool, is_once: bool = False, on: Switches
) -> CampaignBody:
    """Read the body of a submit, or of a campaign without lists.

    Raises:
        Refused: 40001 with all wrong fields.
    """
    check = FieldCheck(on)
    body = check.body(content)
    fields: dict[str, Any] = {}
    mail, position = _locate_content(check, body, may_nest=is_test and not is_once)
    check.refuse_unknown(body, "", {"form", "config", "content"})
    _read_form(check, body, fields, is_once=is_once)
    _read_config(check, body, fields, nested=position == "nested")
    _read_content(check, mail, fields, is_test=is_test, position=position)
    check.finish()
    return CampaignBody(content_position=position, **fields)


def _locate_content(
    check: FieldCheck, body: Mapping[str, Any], *, may_nest: bool
) -> tuple[dict[str, Any] | None, Literal["top", "nested"]]:
    """Return ``content``: from the top level, or of a content test from ``config`` (T95)."""
    config = body.get("config")
    nested = config.get("content") if isinstance(config, dict) else None
    if nested is None or not may_nest:
        return check.mapping(body, "", "content"), "top"
    is_alone = "content" not in body if check.on.strict else body.get("content") is None
    if not is_alone or check.on.refuse_nested_content or not isinstance(nested, dict):
        check.refuse(
            "content", "NotNull" if body.get("content") is None else "InvalidTestingOnFields"
        )
        return None, "nested"
    if check.on.strict and nested.get("testingOn") != 3:
        check.refuse("content", "NotNull")
    return nested, "nested"


def _read_form(
    check: FieldCheck, body: Mapping[str, Any], fields: dict[str, Any], *, is_once: bool
) -> None:
    form = check.mapping(body, "", "form")
    if form is None:
        return
    names = {"name", "excludeLists"} if is_once else {"name", "selectedLists", "excludeLists"}
    check.refuse_unknown(form, "form", names)
    fields["name"] = check.text(form, "form", "name")
    fields["selected"] = fields["excluded"] = ()
    if not is_once:
        fields["selected"] = check.codes(form, "form", "selectedLists")
    elif CLI_CONTACTS in form:
        check.refuse(f"form.{CLI_CONTACTS}", "UnknownField")
    if not is_once or "excludeLists" in form:
        fields["excluded"] = check.codes(form, "form", "excludeLists", may_be_empty=True)


def _read_config(
    check: FieldCheck, body: Mapping[str, Any], fields: dict[str, Any], *, nested: bool
) -> None:
    config = check.mapping(body, "", "config")
    if config is None:
        return
    check.refuse_unknown(
        config, "config", {"schedule", "ga", "content"} if nested else {"schedule", "ga"}
    )
    schedule = check.mapping(config, "config", "schedule")
    if schedule is not None:
        _read_schedule(check, schedule, fields)
    ga = check.mapping(config, "config", "ga")
    if ga is not None:
        _read_ga(check, ga, fields)


def _read_schedule(check: FieldCheck, schedule: Mapping[str, Any], fields: dict[str, Any]) -> None:
    path = "config.schedule"
    check.refuse_unknown(schedule, path, {"type", "timezone", "scheduleDate"})
    kind = check.code(schedule, path, "type", low=0, high=1)
    may_miss = kind == 0 and (check.on.schedule_may_be_short or not check.on.strict)
    fields["is_scheduled"] = kind == 1
    fields["timezone"] = fields["schedule_text"] = None
    if "timezone" in schedule or not may_miss:
        fields["timezone"] = check.code(schedule, path, "timezone", low=0, high=87)
    if "scheduleDate" in schedule or not may_miss:
        fields["schedule_text"] = check.text(schedule, path, "scheduleDate")


def _read_ga(check: FieldCheck, ga: Mapping[str, Any], fields: dict[str, Any]) -> None:
    path = "config.ga"
    check.refuse_unknown(ga, path, {"enable", "ecommerceEnable", "utmCampaign", "utmContent"})
    enabled = _read_flag(check, ga, "enable")
    fields["has_ecommerce"] = _read_flag(check, ga, "ecommerceEnable") and enabled
    for name in ("utmCampaign", "utmContent"):
        check.text(ga, path, name, optional=not enabled)


def _read_flag(check: FieldCheck, ga: Mapping[str, Any], name: str) -> bool:
    """Read a flag that is text, or a boolean if the switch allows it (T76)."""
    value = ga.get(name)
    if value is None:
        check.refuse(f"config.ga.{name}", "NotNull")
    elif isinstance(value, bool):
        if check.on.ga_strings_only:
            check.refuse(f"config.ga.{name}", "InvalidType")
        return value
    elif value not in ("true", "false"):
        check.refuse(f"config.ga.{name}", "InvalidType")
    return value == "true"


def _read_content(
    check: FieldCheck,
    mail: dict[str, Any] | None,
    fields: dict[str, Any],
    *,
    is_test: bool,
    position: str,
) -> None:
    if mail is None:
        return
    path = "config.content" if position == "nested" else "content"
    testing_on = check.code(mail, path, "testingOn", low=1, high=3) if is_test else None
    if is_test and testing_on is None:
        check.refuse(path, "InvalidTestingOnFields")
        return
    fields["testing_on"] = testing_on
    fields["footer_language"] = check.code(mail, path, "footerLang", low=0, high=1)
    fields["variants"] = _read_variants(check, mail, path, testing_on)
    _refuse_other_fields(check, mail, path, testing_on)
    if is_test:
        _read_testing(check, mail, path, fields)


def _read_variants(
    check: FieldCheck, mail: Mapping[str, Any], path: str, testing_on: int | None
) -> tuple[Variant, ...]:
    tested = TESTED_FIELDS.get(testing_on or 0, ())
    letters = ("A", "B") if testing_on else ("",)
    variants = []
    for letter in letters:
        values = [
            _read_text(check, mail, path, name + letter if name in tested else name)
            for name in _TEXTS
        ]
        preheader = _read_preheader(check, mail, path, testing_on, letter)
        variants.append(
            Variant(**dict(zip(_VARIANT_FIELDS, values, strict=True)), preheader=preheader)
        )
    return tuple(variants)


def _read_text(check: FieldCheck, mail: Mapping[str, Any], path: str, name: str) -> str:
    """Read a text of the content; a missing field of a variant also refuses its parent."""
    limit = _MAX_CHARS.get(name.rstrip("AB"))
    if name[-1] in "AB" and mail.get(name) in (None, ""):
        check.refuse(f"{path}.{name}", "InvalidTestingOnFields")
        check.refuse(path, "InvalidTestingOnFields")
        return ""
    return check.text(mail, path, name, max_chars=limit)


def _read_preheader(
    check: FieldCheck, mail: Mapping[str, Any], path: str, testing_on: int | None, letter: str
) -> str:
    if not check.on.vendor_limits:
        return ""
    name = f"preheader{letter}" if testing_on == 1 else "preheader"
    return check.text(mail, path, name, optional=True, max_chars=MAX_PREHEADER_CHARS)


def _refuse_other_fields(
    check: FieldCheck, mail: Mapping[str, Any], path: str, testing_on: int | None
) -> None:
    """Refuse the fields of other kinds of tests, and unknown fields (T82, T96)."""
    names = _content_names(testing_on, with_preheader=check.on.vendor_limits)
    others = set[str]()
    for kind in (None, *TESTED_FIELDS):
        others |= _content_names(kind, with_preheader=False)
    mixed = [name for name in mail if name in others and name not in names]
    if testing_on is not None and check.on.strict:
        for name in mixed:
            check.refuse(f"{path}.{name}", "InvalidTestingOnFields")
            check.refuse(path, "InvalidTestingOnFields")
    check.refuse_unknown(mail, path, names | set(mixed) if testing_on is not None else names)


def _content_names(testing_on: int | None, *, with_preheader: bool) -> set[str]:
    tested = TESTED_FIELDS.get(testing_on or 0, ())
    names = {"footerLang", *(name for name in _TEXTS if name not in tested)}
    names.update(name + letter for name in tested for letter in "AB")
    if testing_on is not None:
        names.update(("testingOn", "testing"))
    if with_preheader:
        names.update(("preheaderA", "preheaderB") if testing_on == 1 else ("preheader",))
    return names


def _read_testing(
    check: FieldCheck, mail: Mapping[str, Any], path: str, fields: dict[str, Any]
) -> None:
    testing = check.mapping(mail, path, "testing")
    if testing is None:
        return
    path = f"{path}.testing"
    check.refuse_unknown(testing, path, {"proportion", "time", "unit"})
    fields["proportion"] = check.number(testing, path, "proportion", low=0, high=100)
    count = check.number(testing, path, "time", low=0, high=MAX_WAIT_UNITS)
    unit = check.code(testing, path, "unit", low=0, high=1)
    if count is not None:
        fields["wait"] = timedelta(days=count) if unit == 1 else timedelta(hours=count)


def check_schedule(body: CampaignBody, now: datetime) -> datetime:
    """Return when the sending begins.

    Raises:
        Refused: 40020 for a time in another form (T74), 40019 for a time in the past (T75).
    """
    if body.schedule_text is None:
        return now
    instant = parse_instant(body.schedule_text)
    if instant is None:
        raise Refused(40020)
    if not body.is_scheduled:
        return now
    if instant <= now:
        raise Refused(40019)
    return instant


def check_senders(variants: Iterable[Variant], on: Switches) -> None:
    """Raise ``Refused`` for a sender that is malformed, of a denied domain, or unverified (T80)."""
    for address in dict.fromkeys(variant.from_address for variant in variants):
        if not is_email(address):
            raise Refused(40003)
        domain = address.rpartition("@")[2].lower()
        if domain in on.denied_domains:
            raise Refused(40004)
        if not _is_verified(address.lower(), on):
            raise Refused(40011)


def _is_verified(address: str, on: Switches) -> bool:
    if on.verified_senders is None:
        return not address.startswith("unverified@")
    verified = {sender.lower() for sender in on.verified_senders}
    return address in verified or "@" + address.rpartition("@")[2] in verified
