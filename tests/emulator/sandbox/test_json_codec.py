"""Bodies are decoded strictly, views are encoded completely, and the client decodes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Literal

import attrs
import pytest
from jsonschema import Draft202012Validator

from newsleopard_async.emulator.sandbox import views
from newsleopard_async.emulator.sandbox.json_codec import (
    BadInput,
    decode_answer,
    decode_object,
    decode_query,
    encode,
    limited_field,
    parse_json,
    schema_of,
)
from newsleopard_async.emulator.sandbox.views import ClockView, SwitchView

AT = datetime(2026, 1, 5, 2, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Body:
    """A body of each type of field.

    Attributes:
        name: What it is
            called.
        times: How often.
    """

    name: str = limited_field(minLength=1, maxLength=5, pattern="^[a-z]+$")
    times: int = limited_field(1, minimum=1, maximum=10)
    seconds: float | None = limited_field(None, minimum=0)
    is_on: bool = False
    at: datetime | None = None
    kind: Literal["one", "other"] = "one"
    many: tuple[str, ...] | None = None
    either: float | str | None = None


def problems(data: Any) -> dict[str, str]:
    """Return the problems by field."""
    with pytest.raises(BadInput) as caught:
        decode_object(Body, data)
    return {each.field: each.message for each in caught.value.problems}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("name", 3, "must be text"),
        ("name", "", "must have from 1 to 5 characters"),
        ("name", "UP", "must match ^[a-z]+$"),
        ("name", "\ud800", "must be valid Unicode text, without halves of surrogate pairs"),
        ("times", "3", "must be a whole number"),
        ("times", True, "must be a whole number"),
        ("times", 3.0, "must be a whole number"),
        ("times", 0, "must be from 1 to 10"),
        ("times", 10**4000, "must be from 1 to 10"),
        ("seconds", "1", "must be a number"),
        ("seconds", True, "must be a number"),
        ("seconds", float("inf"), "must be a number"),
        ("seconds", 10**4000, "must be a number"),
        ("is_on", 1, "must be true or false"),
        ("is_on", "true", "must be true or false"),
        ("at", "2026-01-05T02:00:00", "must be a time with its zone, such as 2026-01-05T02:00:00Z"),
        ("at", 0, "must be a time with its zone, such as 2026-01-05T02:00:00Z"),
        ("kind", "othre", "must be one of one, other; did you mean other?"),
        ("kind", [], "must be one of one, other"),
        ("many", "abc", "must be an array"),
        ("many", [1], "must be text"),
        ("either", [], "must be a number, or text"),
        ("tims", 1, "is unknown; did you mean times?"),
    ],
)
def test_wrong_value_is_refused(name: str, value: Any, message: str) -> None:
    """No value is converted, and each problem has its way out."""
    assert problems({"name": "a", name: value}) == {name: message}


def test_all_problems_are_reported_together() -> None:
    """A missing field, a wrong one and an unknown one are three problems."""
    assert problems({"times": "3", "zzz": 1}).keys() == {"name", "times", "zzz"}


@pytest.mark.parametrize("data", [None, [], "x", 3])
def test_body_that_is_not_an_object_is_refused(data: Any) -> None:
    """The problem has no field."""
    assert problems(data) == {"": "the body must be a JSON object"}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b'{"a": NaN}', b"[" * 100_000, b"9" * 5_000, b"\xef\xbb\xbf{}"]
)
def test_bytes_that_are_not_json_are_refused(body: bytes) -> None:
    """Depth, size and encoding cause no other error."""
    with pytest.raises(BadInput, match="must be JSON"):
        parse_json(body)


def test_correct_body_is_decoded() -> None:
    """An integer is also a number, and arrays become tuples."""
    data = {"name": "a", "seconds": 1, "at": "2026-01-05T10:00:00+08:00", "many": ["x"]}

    assert decode_object(Body, data) == Body(name="a", seconds=1.0, at=AT, many=("x",))


def test_query_is_decoded_strictly() -> None:
    """Flags and numbers have their form in JSON; a name can occur one time."""
    pairs = [("name", "a"), ("times", "3"), ("is_on", "true")]

    assert decode_query(Body, pairs) == Body(name="a", times=3, is_on=True)
    for wrong in ([("times", "+3")], [("is_on", "1")], [("name", "b")], [("times", "")]):
        with pytest.raises(BadInput):
            decode_query(Body, [*pairs[:1], *wrong])


def test_view_is_encoded_and_decoded() -> None:
    """A time is in UTC, and unknown fields of a newer server are ignored."""
    clock = ClockView(now=AT, is_held=True, speed=1.0, is_movable=True)

    written = json.loads(encode(clock))

    assert written["now"] == "2026-01-05T02:00:00Z"
    assert decode_answer(ClockView, {**written, "newer": 1}) == clock
    with pytest.raises(ValueError, match="ClockView"):
        decode_answer(ClockView, {"now": "x"})


@pytest.mark.parametrize("value", [True, 3, 0.5, "word", ("a", "b"), None])
def test_value_of_a_switch_keeps_its_type(value: Any) -> None:
    """A flag does not become a number, and a tuple does not become a list."""
    switch = SwitchView(
        name="n", value=value, default=value, kind="word", words=(), may_be_none=True, says=""
    )

    back = decode_answer(SwitchView, json.loads(encode(switch)))

    assert back == switch
    assert type(back.value) is type(value)


def test_half_a_surrogate_pair_is_escaped() -> None:
    """A mail can contain one, and the answer is still JSON in UTF-8."""
    row = views.Moment(what="\ud800", at=AT, is_past=True)

    assert json.loads(encode(row))["what"] == "\ud800"


def test_schema_is_derived_from_the_class() -> None:
    """The schema has limits, words and descriptions; a field with a default is not required."""
    found: dict[str, Any] = {}

    reference = schema_of(Body, found, is_input=True)
    schema = found["Body"]

    assert reference == {"$ref": "#/components/schemas/Body"}
    assert schema["required"] == ["name"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["name"]["description"] == "What it is called."
    assert schema["properties"]["times"]["maximum"] == 10
    assert schema["properties"]["kind"]["enum"] == ["one", "other"]


@pytest.mark.parametrize("name", views.__all__)
def test_schema_of_each_view_is_valid_and_described(name: str) -> None:
    """The docstrings describe all attributes of all views."""
    found: dict[str, Any] = {}
    schema_of(getattr(views, name), found)

    for schema in found.values():
        Draft202012Validator.check_schema(schema)
        assert schema["description"]
        assert all(each["description"] for each in schema["properties"].values())
