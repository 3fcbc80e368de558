from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, get_args

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsleopard_async.errors import InvalidRequest
from newsleopard_async.models import (
    ABTest,
    Campaign,
    CheckReport,
    ContactList,
    FooterLanguage,
    ImportResult,
    ImportSn,
    ImportStatus,
    ListSn,
    Mailing,
    Polling,
    RateLimits,
    RetryPolicy,
    Schedule,
    SendAt,
    Sender,
    SendNow,
    Timeouts,
    Timezone,
)
from newsleopard_async.plain import Plain, from_plain, redact_url, to_plain
from tests.models.examples import CAMPAIGN
from tests.models.strategies import ab_tests, answers, campaigns, instants

WHEN = datetime(2027, 1, 5, 2, 0, 0, 90_000, tzinfo=UTC)
CODE = ListSn("a")
STRANGE = ImportStatus("STRANGE")


class Colour(enum.Enum):
    """An enum whose values are text."""

    RED = "red"


class Level(enum.StrEnum):
    """An enum that is text."""

    HIGH = "high"


@attrs.frozen(kw_only=True)
class Everything(Plain):
    """Every kind of value that a model, an outcome or an event may hold."""

    text: str = "豹"
    number: float = 1.5
    whole: int = 3
    flag: bool = True
    maybe: int | None = None
    either: int | str | None = "x"
    path: Path = Path("reports")
    when: datetime = WHEN
    wait: timedelta = timedelta(seconds=90)
    code: ListSn = CODE
    status: ImportStatus = STRANGE
    colour: Colour = Colour.RED
    level: Level = Level.HIGH
    zone: Timezone = Timezone.TAIPEI
    footer: FooterLanguage = FooterLanguage.ENGLISH
    schedule: Schedule = attrs.field(factory=SendNow)
    no_schedule: SendNow | SendAt | None = None
    senders: tuple[Sender, ...] = (Sender("豹", "a@example.com"),)
    pair: tuple[int, float] = (1, 2.0)
    price: Decimal = attrs.field(default=Decimal("9.90"))
    counts: Mapping[str, int] = attrs.field(factory=lambda: {"a": 1})
    anything: Any = None


def round_trip(cls: Any, value: object) -> Any:
    """Write a value as JSON text and read it back."""
    return from_plain(cls, json.loads(json.dumps(to_plain(value))))


def test_every_kind_of_value_becomes_json() -> None:
    """The form of each is fixed, because checkpoints are read by later versions of the library."""
    assert Everything().to_dict() == {
        "text": "豹",
        "number": 1.5,
        "whole": 3,
        "flag": True,
        "maybe": None,
        "either": "x",
        "path": "reports",
        "when": "2027-01-05T02:00:00.090000Z",
        "wait": 90,
        "code": "a",
        "status": "STRANGE",
        "colour": "red",
        "level": "high",
        "zone": "TAIPEI",
        "footer": 0,
        "schedule": {"kind": "now"},
        "no_schedule": None,
        "senders": [{"name": "豹", "address": "a@example.com"}],
        "pair": [1, 2.0],
        "price": "9.90",
        "counts": {"a": 1},
        "anything": None,
    }


def test_every_kind_of_value_is_read_back() -> None:
    """A written value is read back with its types."""
    found = round_trip(Everything, Everything())

    assert found == Everything()
    assert type(found.status) is ImportStatus
    assert type(found.footer) is FooterLanguage
    assert type(to_plain(Everything())["footer"]) is int


@settings(deadline=None, max_examples=50)
@given(campaigns())
def test_campaign_survives(campaign: Campaign) -> None:
    """A campaign is read back unchanged, even if the type is a union."""
    assert round_trip(Campaign, campaign) == campaign
    assert round_trip(Mailing, campaign) == campaign


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@given(ab_tests())
def test_ab_test_survives(ab_test: ABTest) -> None:
    """The data contains which of the three kinds it is."""
    assert round_trip(ABTest, ab_test) == ab_test
    assert round_trip(type(ab_test), ab_test) == ab_test


def test_plain_data_without_a_preheader_has_no_such_field() -> None:
    """A checkpoint of a version without the field has the hash of such data, and must match."""
    without = Campaign(**CAMPAIGN)
    given = attrs.evolve(without, preheader="預覽")

    assert "preheader" not in without.to_dict()
    assert given.to_dict() == without.to_dict() | {"preheader": "預覽"}
    assert round_trip(Mailing, without) == without
    assert from_plain(Mailing, without.to_dict() | {"preheader": None}) == without
    with pytest.raises(InvalidRequest, match=r"^preheader: must be text$"):
        from_plain(Mailing, without.to_dict() | {"preheader": 5})


@settings(deadline=None, max_examples=50)
@given(answers)
def test_answer_survives(model: Plain) -> None:
    """The server's text is stored, except the query of a presigned URL."""
    assert round_trip(type(model), model) == model


@pytest.mark.parametrize(
    "options",
    [RateLimits.documented(), RateLimits.vendor_2026(), RetryPolicy(), Polling(), Timeouts()],
)
def test_options_survive(options: object) -> None:
    """Options of a caller can be stored with a checkpoint."""
    assert round_trip(type(options), options) == options


@settings(max_examples=50)
@given(instants, st.timedeltas(timedelta(0), timedelta(days=9999)))
def test_times_survive(when: datetime, wait: timedelta) -> None:
    """To the microsecond."""
    assert round_trip(datetime, when) == when
    assert round_trip(timedelta, wait) == wait


def test_time_of_another_zone_is_written_in_utc() -> None:
    """One form for all zones."""
    local = WHEN.astimezone(timezone(timedelta(hours=8)))

    assert to_plain(local) == "2027-01-05T02:00:00.090000Z"


def test_naive_time_is_not_written() -> None:
    """It would name another instant on the next machine."""
    with pytest.raises(ValueError, match="naive"):
        to_plain(WHEN.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"text": 5}, "text"),
        ({"number": "1.5"}, "number"),
        ({"number": True}, "number"),
        ({"whole": 1.5}, "whole"),
        ({"whole": True}, "whole"),
        ({"flag": 1}, "flag"),
        ({"maybe": "1"}, "maybe"),
        ({"when": "2027-01-05T02:00:00"}, "when"),
        ({"when": "soon"}, "when"),
        ({"when": 5}, "when"),
        ({"wait": "90"}, "wait"),
        ({"code": 5}, "code"),
        ({"status": None}, "status"),
        ({"colour": "blue"}, "colour"),
        ({"level": "low"}, "level"),
        ({"zone": 21}, "zone"),
        ({"zone": "Asia/Taipei"}, "zone"),
        ({"footer": True}, "footer"),
        ({"footer": 2}, "footer"),
        ({"footer": []}, "footer"),
        ({"schedule": None}, "schedule"),
        ({"schedule": {"kind": "never"}}, "schedule"),
        ({"schedule": {}}, "schedule"),
        ({"schedule": {"kind": "at"}}, "schedule.when"),
        ({"senders": "ab"}, "senders"),
        ({"senders": [{"name": "x", "address": 5}]}, "senders[0].address"),
        ({"senders": [{"name": "x", "address": "y"}]}, "senders[0].address"),
        ({"price": "a lot"}, "price"),
        ({"price": 9.9}, "price"),
        ({"counts": {"a": "1"}}, "counts['a']"),
        ({"extra": 1}, "data"),
    ],
)
def test_value_that_does_not_fit_is_refused(change: dict[str, Any], field: str) -> None:
    """Reading is strict, and names the place; no value is converted silently."""
    with pytest.raises(InvalidRequest) as caught:
        from_plain(Everything, {**Everything().to_dict(), **change})

    assert field in {problem.field for problem in caught.value.problems}


def test_all_problems_of_the_data_are_reported() -> None:
    """Missing fields, unknown fields and refusals of a constructor are reported together."""
    data = {"sender": {"name": "", "address": "x"}, "lists": ["file"], "secret": 1, "name": 5}

    with pytest.raises(InvalidRequest) as caught:
        from_plain(Campaign, data)

    found = {(problem.field, problem.message) for problem in caught.value.problems}
    assert ("subject", "is missing; add the key") in found
    assert ("name", "must be text") in found
    assert ("data", "has unknown keys: secret; remove them") in found
    assert {"sender.name", "sender.address"} <= {field for field, _ in found}


def test_constructor_refuses_well_formed_but_wrong_values() -> None:
    """The problems of a model have the messages of its constructor."""
    data = {**Campaign(**CAMPAIGN).to_dict(), "name": "", "lists": ["file"]}

    with pytest.raises(InvalidRequest) as caught:
        from_plain(Campaign, data)

    found = [(problem.field, problem.rule) for problem in caught.value.problems]
    assert found == [("name", "required"), ("lists", "reserved")]


@pytest.mark.parametrize("data", [None, [], "text", 5])
def test_value_that_is_not_an_object_is_refused(data: object) -> None:
    """A model is an object, and so is each member of a union."""
    for cls in (Campaign, Mailing):
        with pytest.raises(InvalidRequest, match="must be an object"):
            from_plain(cls, data)


def test_another_kind_is_refused() -> None:
    """A campaign is not read as a test, and a test is not read as a campaign."""
    with pytest.raises(InvalidRequest, match="kind"):
        from_plain(SendNow, {"kind": "at"})


def test_kind_may_be_left_out_where_there_are_fields() -> None:
    """An empty object does not mean "send now", because it can be a mistake."""
    named = Campaign(**CAMPAIGN).to_dict()
    del named["kind"]

    assert from_plain(Campaign, named) == Campaign(**CAMPAIGN)
    with pytest.raises(InvalidRequest, match="kind"):
        from_plain(SendNow, {})


def test_error_keeps_nothing_of_the_data() -> None:
    """No cause is chained that could show a secret."""
    with pytest.raises(InvalidRequest) as caught:
        from_plain(Sender, {"name": ["secret"], "address": {"secret": 1}})

    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (None, None),
        ("https://a.example/p", "https://a.example/p"),
        ("https://a.example/p?sig=1", "https://a.example/p?…"),
        ("https://a.example/p#sig=1", "https://a.example/p?…"),
        ("https://u:p@a.example/p?x=1@2", "https://a.example/p?…"),
        ("no url", "no url"),
    ],
)
def test_secret_parts_of_a_url_are_cut_off(url: str | None, shown: str | None) -> None:
    """User, query and fragment are hidden; the place stays to be recognised."""
    assert redact_url(url) == shown


def test_kind_is_written_with_a_class_that_has_one() -> None:
    """A class without a kind has no such key."""

    @attrs.frozen
    class Tagged(Plain):
        plain_kind: ClassVar[str] = "tagged"

        value: int

    assert Tagged(1).to_dict() == {"kind": "tagged", "value": 1}
    assert "kind" not in ContactList(sn=ListSn("a")).to_dict()


def test_model_is_a_mapping_for_dict_alone() -> None:
    """``dict(model)`` is its plain data, and a model is neither a sequence nor iterable."""
    sender: Any = Sender("豹", "a@example.com")

    assert dict(sender) == {**sender} == sender.to_dict()
    assert not isinstance(sender, Iterable)
    with pytest.raises(TypeError, match="not iterable"):
        list(sender)
    assert list(CheckReport()) == []


def test_kinds_are_fixed() -> None:
    """Stored data names them, so that they cannot be renamed."""
    kinds = [cls.plain_kind for cls in (Campaign, *get_args(ABTest), SendNow, SendAt)]

    assert kinds == ["campaign", "subject_test", "sender_test", "content_test", "now", "at"]


def test_sequence_of_models_becomes_plain() -> None:
    """The result of an endpoint can be dumped without a conversion."""
    models = (ImportResult(import_sn=ImportSn("i"), status=ImportStatus.COMPLETE), SendNow())

    assert [item.get("kind") for item in to_plain(models)] == [None, "now"]
