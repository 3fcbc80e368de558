"""What the answers of a probe say about the emulator's assumptions, as values of its switches.

Each function looks at one point of docs/platform.md, and returns the value of a switch; or
`UNKNOWN` if the answers do not show it; or `NO_SWITCH` if they have a form that no value gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final

import attrs

from newsleopard_async.cli.probing.answer_shapes import date_form_of, shown_field
from newsleopard_async.cli.probing.questions import (
    CAMPAIGN_CODES,
    LISTS_SIZE,
    ProbeReply,
    is_missing,
    rows_in,
)
from newsleopard_async.transport.redact import Secret, echoes

__all__ = ["POINTS", "Deduction", "NoValue", "OpenPoint", "deductions_of"]

Replies = Mapping[str, ProbeReply]


class NoValue(Enum):
    """Why a switch has no value."""

    UNKNOWN = "unknown"
    NO_SWITCH = "no-switch"


UNKNOWN: Final = NoValue.UNKNOWN
NO_SWITCH: Final = NoValue.NO_SWITCH


@attrs.frozen
class OpenPoint:
    """A point that the documentation leaves open.

    Attributes:
        trap: Its number in docs/platform.md.
        switch: The switch of the emulator.
        deduce: Returns the value of the switch that answers alike.
    """

    trap: str
    switch: str
    deduce: Callable[[Replies], Any]


@attrs.frozen
class Deduction:
    """What the answers say about a point.

    Attributes:
        point: The point.
        value: The value of its switch, or why there is none.
        is_default: Whether it is the emulator's own value.
    """

    point: OpenPoint
    value: Any
    is_default: bool

    @property
    def is_known(self) -> bool:
        """Whether a value of the switch answers alike."""
        return not isinstance(self.value, NoValue)


def deductions_of(
    replies: Replies, defaults: Mapping[str, Any], secret: Secret | None
) -> Iterator[Deduction]:
    """Yield what the answers say about each point.

    Args:
        replies: The answers, by the names of their questions.
        defaults: The emulator's values.
        secret: The key, which a server can echo as a value or as the name of a field.
    """
    for point in POINTS:
        value = point.deduce(replies)
        if isinstance(value, str) and echoes(value, secret):
            value = NO_SWITCH
        yield Deduction(point, value, value == defaults[point.switch])


def _codes(reply: ProbeReply) -> list[object]:
    found = (
        next((row[name] for name in CAMPAIGN_CODES if name in row), None) for row in _of(reply)
    )
    return [code for code in found if code is not None]


def _of(reply: ProbeReply | None) -> Sequence[Mapping[str, Any]]:
    """Return the rows of a successful answer that have a code or another field."""
    if reply is None or not reply.is_success:
        return ()
    return [row for row in rows_in(reply.data) if len(row) > 1]


def _first_page(replies: Replies) -> Any:
    zero, one = replies["lists"], replies["second_lists"]
    if _codes(zero):
        return 1 if _codes(zero) == _codes(one) else 0
    return 1 if _codes(one) else UNKNOWN


def _page_before_first(replies: Replies) -> Any:
    if _first_page(replies) != 1:
        return UNKNOWN
    zero = replies["lists"]
    if _codes(zero):
        return "first"
    if zero.is_success:
        return "empty"
    return "refused" if zero.code == "40001" else NO_SWITCH


def _most_lists_on_page(replies: Replies) -> Any:
    zero, one = _codes(replies["lists"]), _codes(replies["second_lists"])
    if _first_page(replies) == 0 and one and len(zero) < LISTS_SIZE:
        return len(zero)
    return UNKNOWN


def _lists(replies: Replies) -> Sequence[Mapping[str, Any]]:
    return _of(replies["lists"]) or _of(replies["second_lists"])


def _page_of_lists(replies: Replies) -> Any:
    zero = replies["lists"]
    return zero.data if zero.is_success else replies["second_lists"].data


def _lists_as_array(replies: Replies) -> Any:
    data = _page_of_lists(replies)
    return isinstance(data, list) if isinstance(data, dict | list) else UNKNOWN


def _lists_wrapper(replies: Replies) -> Any:
    data = _page_of_lists(replies)
    if not isinstance(data, dict):
        return UNKNOWN
    names = [name for name, value in data.items() if isinstance(value, list)]
    if names == ["Lists"] and len(data) == 1:
        return None
    is_plain = len(names) == 1 and shown_field(names[0], None)
    return names[0] if is_plain else NO_SWITCH


def _numeric_codes(replies: Replies) -> Any:
    codes = [*map(_is_number, (*_codes(replies["lists"]), *_codes(replies["campaigns"])))]
    return _only(codes)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _only(values: Iterable[Any]) -> Any:
    """Return the value that all have."""
    found = list(dict.fromkeys(values))
    if not found:
        return UNKNOWN
    return found[0] if len(found) == 1 else NO_SWITCH


_DATES: Final = ("createDate", "updateDate", "sentBeginDate", "sentStartAt", "sentEndDate")
"""The dates that every list and every sent campaign has."""


def _date_form(replies: Replies) -> Any:
    rows = (*_lists(replies), *_of(replies["campaigns"]))
    forms = [date_form_of(row[name]) for row in rows for name in _DATES if name in row]
    if forms and not any(forms):
        return "null"
    form = _only(filter(None, forms))
    return NO_SWITCH if form == "other" else form


def _count_form(replies: Replies) -> Any:
    rows = [row for row in _lists(replies) if {"subscribedCnt", "excludeCnt"} <= row.keys()]
    kinds = {f"{_kind(row['subscribedCnt'])}, {_kind(row['excludeCnt'])}" for row in rows}
    if not kinds:
        return UNKNOWN
    # A small number has no comma in any form.
    plain = {each.replace("grouped", "text") for each in kinds}
    if plain == {"text, text"}:
        return "text" if kinds == plain else "grouped"
    forms = {
        "text, number": "documented",
        "number, number": "number",
        "blank, blank": "blank",
    }
    return _only(forms.get(each, NO_SWITCH) for each in kinds)


def _kind(value: object) -> str:
    if _is_number(value):
        return "number"
    if not isinstance(value, str):
        return "other"
    if not value.strip():
        return "blank"
    return "grouped" if "," in value else "text" if value.strip().isdecimal() else "other"


def _unknown_import(replies: Replies) -> Any:
    return _refusal_of(replies["unknown_import"], ("400", "404"))


def _refusal_of(reply: ProbeReply, statuses: Sequence[str]) -> Any:
    if reply.code == "40007" and reply.status == 400:
        return "40007"
    if reply.is_empty and str(reply.status) in statuses:
        return str(reply.status)
    return NO_SWITCH


def _processing_shows_counts(replies: Replies) -> Any:
    reply = replies.get("import")
    if reply is None or not isinstance(reply.data, dict):
        return UNKNOWN
    if reply.data.get("status") != "PROCESSING":
        return UNKNOWN
    return reply.data.get("completedDate") is not None


def _refusals(replies: Replies) -> list[Mapping[str, Any]]:
    """Return the bodies of refusals with a code, except 40012, whose code is always a number."""
    return [each.data for each in replies.values() if each.code not in (None, "40012")]


def _code_field(replies: Replies) -> Any:
    return _only("code" if "code" in body else "errorCode" for body in _refusals(replies))


def _codes_as_integers(replies: Replies) -> Any:
    return _only(
        isinstance(body.get("code", body.get("errorCode")), int) for body in _refusals(replies)
    )


def _invalid_fields_as_text(replies: Replies) -> Any:
    fields = [each["invalidFields"] for each in _refusals(replies) if "invalidFields" in each]
    if any(not isinstance(each, dict | str) for each in fields):
        return NO_SWITCH
    return _only(isinstance(each, str) for each in fields)


def _campaigns_shape(replies: Replies) -> Any:
    reply = replies["campaigns"]
    if not reply.is_success or not _of(reply):
        return UNKNOWN
    if isinstance(reply.data, list):
        return "array"
    return "wrapper" if any(isinstance(each, list) for each in reply.data.values()) else "object"


def _sent_begin_field(replies: Replies) -> Any:
    names = ("sentBeginDate", "sentStartAt")
    found = {name for row in _of(replies["campaigns"]) for name in names if name in row}
    if not found:
        return NO_SWITCH if _of(replies["campaigns"]) else UNKNOWN
    return found.pop() if len(found) == 1 else NO_SWITCH


def _links_rows(replies: Replies) -> list[Mapping[str, Any]]:
    reply = replies.get("links")
    if reply is None or not reply.is_success or reply.data is None:
        return []
    return [row for row in rows_in(reply.data) if isinstance(row.get("link"), str)]


def _links_before_report(replies: Replies) -> Any:
    reply = replies.get("links")
    if reply is None or _links_rows(replies):
        return UNKNOWN
    if reply.code == "40303":
        return "refused"
    if not reply.is_success:
        return str(reply.status) if reply.is_empty and reply.status in (400, 404) else NO_SWITCH
    return "null" if reply.data is None else "empty"


def _reports_as_array(replies: Replies) -> Any:
    reply = replies.get("links")
    if reply is None or not reply.is_success or not isinstance(reply.data, dict | list):
        return UNKNOWN
    return isinstance(reply.data, list)


def _links_shape(replies: Replies) -> Any:
    if _reports_as_array(replies) is not False:
        return UNKNOWN
    data = replies["links"].data
    if any(isinstance(each, list) for each in data.values()):
        return "documented" if set(data) == {"Reports"} else NO_SWITCH
    if set(data) == {"link"}:
        return "text"
    return "object" if "link" in data else UNKNOWN


def _odd_links(replies: Replies) -> Any:
    return _only(row["link"].startswith(":") for row in _links_rows(replies) if row["link"])


_LATER: Final = ("balance", "templates", "status", "metrics", "unknown_status")


def _later_endpoints(replies: Replies) -> Any:
    found = [not is_missing(replies[name]) for name in _LATER if name in replies]
    # A 404 of an unknown campaign says nothing.
    return True if any(found[:2]) else _only(found)


def _later(replies: Replies, name: str) -> ProbeReply | None:
    return replies.get(name) if _later_endpoints(replies) is True else None


def _numeric_template_ids(replies: Replies) -> Any:
    reply = _later(replies, "templates")
    return _only(_is_number(row["id"]) for row in _of(reply) if "id" in row)


def _status_form(replies: Replies) -> Any:
    rows = _of(_later(replies, "status"))
    values = [row[name] for row in rows for name in ("sendTimeType", "type") if name in row]
    kinds = {
        "numbers" if _is_number(each) else "text" if str(each).isalpha() or "_" in str(each) else ""
        for each in values
    }
    return NO_SWITCH if "" in kinds else _only(kinds)


def _metrics_shape(replies: Replies) -> Any:
    reply = _later(replies, "metrics")
    if reply is None or not _of(reply):
        return UNKNOWN
    return "array" if isinstance(reply.data, list) else "wrapper"


def _unknown_campaign(replies: Replies) -> Any:
    reply = _later(replies, "unknown_status")
    return UNKNOWN if reply is None else _refusal_of(reply, ("404",))


POINTS: Final = (
    OpenPoint("T58", "first_page", _first_page),
    OpenPoint("T58", "page_before_first", _page_before_first),
    OpenPoint("T59", "most_lists_on_page", _most_lists_on_page),
    OpenPoint("T54", "lists_as_array", _lists_as_array),
    OpenPoint("T54", "lists_wrapper", _lists_wrapper),
    OpenPoint("T16", "numeric_codes", _numeric_codes),
    OpenPoint("T55", "count_form", _count_form),
    OpenPoint("T108", "date_form", _date_form),
    OpenPoint("T88", "code_field", _code_field),
    OpenPoint("T88", "codes_as_integers", _codes_as_integers),
    OpenPoint("T89", "invalid_fields_as_text", _invalid_fields_as_text),
    OpenPoint("T50", "unknown_import", _unknown_import),
    OpenPoint("T45", "processing_shows_counts", _processing_shows_counts),
    OpenPoint("T101", "campaigns_shape", _campaigns_shape),
    OpenPoint("T109", "sent_begin_field", _sent_begin_field),
    OpenPoint("T117", "links_before_report", _links_before_report),
    OpenPoint("T114", "reports_as_array", _reports_as_array),
    OpenPoint("T114", "links_shape", _links_shape),
    OpenPoint("T115", "odd_links", _odd_links),
    OpenPoint("T18", "later_endpoints", _later_endpoints),
    OpenPoint("T132", "numeric_template_ids", _numeric_template_ids),
    OpenPoint("T125", "status_form", _status_form),
    OpenPoint("T131", "metrics_shape", _metrics_shape),
    OpenPoint("T124", "unknown_campaign", _unknown_campaign),
)
"""The points that reading alone can decide, in the order of the questions."""
