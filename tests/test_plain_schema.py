"""Models in pydantic and FastAPI: validated, written and described as plain data."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator
from functools import cache
from typing import Annotated, Any, cast, get_type_hints

import attrs
import fastapi
import httpx
import jsonschema
import pydantic
import pytest
from hypothesis import given, settings
from pydantic import Field, TypeAdapter, ValidationError
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from newsleopard_async import (
    Campaign,
    ContactList,
    InvalidRequest,
    ListSn,
    Mailing,
    NewsLeopard,
    SendNow,
    UploadTicket,
    from_plain,
)
from newsleopard_async.models import Schedule
from newsleopard_async.plain import Plain, PlainData
from tests.clients import connected
from tests.constants import AB_TESTS, CAMPAIGN, LIST_NAME
from tests.models.strategies import ab_tests, answers, campaigns
from tests.rehearsal.test_model import SHOWN
from tests.test_plain import Everything
from tests.workflows.test_plain_data import EXAMPLES

ALL = (*EXAMPLES, Everything(), SHOWN)
ID: Callable[[Plain], str] = lambda each: type(each).__name__  # noqa: E731 - an argument of each test
TICKET = next(each for each in EXAMPLES if isinstance(each, UploadTicket))
BAD_SENDER = CAMPAIGN.to_dict() | {"sender": {"name": "", "address": 5}}


class Job(pydantic.BaseModel):
    """A user's own model that contains our models."""

    campaign: Mailing
    schedule: Schedule = SendNow()
    lists: dict[str, list[ContactList]] = {}
    several: tuple[ContactList, ...] | None = None


def class_of(model: Plain) -> Hashable:
    """Return the class as hashable, which mypy does not find out."""
    return cast("Hashable", type(model))


@cache
def adapter_of(cls: Hashable) -> TypeAdapter[Any]:
    """Build pydantic's adapter of a class."""
    return TypeAdapter(cast("Any", cls))


@cache
def checker_of(cls: Hashable) -> jsonschema.Draft202012Validator:
    """Build a validator of a class's schema, which also checks formats."""
    schema = adapter_of(cls).json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


def errors_of(cls: Any, data: Any) -> list[tuple[tuple[str | int, ...], str]]:
    """Return the place and the message of each error."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(cls).validate_python(data)
    return [(error["loc"], error["msg"]) for error in caught.value.errors()]


def agrees(model: Plain) -> None:
    """Fail unless pydantic writes, reads and describes a model as its plain data."""
    adapter = adapter_of(class_of(model))
    data = model.to_dict()

    assert adapter.dump_python(model) == data
    assert json.loads(adapter.dump_json(model)) == data
    assert adapter.validate_python(model) is model
    assert adapter.validate_json(adapter.dump_json(model)) == from_plain(type(model), data)
    checker_of(class_of(model)).validate(data)


@pytest.mark.parametrize("model", ALL, ids=ID)
def test_pydantic_agrees_with_plain_data(model: Plain) -> None:
    """Input, output and the schema have the form of ``to_dict()``."""
    adapter = adapter_of(class_of(model))

    agrees(model)
    assert dict(model) == model.to_dict()
    assert adapter.json_schema() == adapter.json_schema(mode="serialization")


@pytest.mark.parametrize("annotation", [Any, object, dict[str, Any], list])
def test_model_is_written_where_the_type_says_nothing(annotation: Any) -> None:
    """A field or a return type ``Any`` writes the result of ``to_dict()``, with cut URLs."""
    adapter = TypeAdapter(annotation)
    value = {"a": [TICKET]} if annotation is not list else [{"a": TICKET}]
    expected = json.loads(json.dumps(value, default=Plain.to_dict))

    assert adapter.dump_python(value) == expected
    assert json.loads(adapter.dump_json(value)) == expected


@settings(deadline=None, max_examples=30)
@given(campaigns() | ab_tests() | answers)
def test_pydantic_agrees_for_any_values_of_the_model(model: Plain) -> None:
    """The same is true for any text, number and time."""
    agrees(model)


def damaged(model: Plain) -> Iterator[dict[str, Any]]:
    """Yield the data of a model with one fault each."""
    data, cls = model.to_dict(), cast("Any", type(model))
    required = [field.name for field in attrs.fields(cls) if field.default is attrs.NOTHING]
    yield data | {"no_such_key": 1}
    for name in required:
        yield {key: value for key, value in data.items() if key != name}
    types = get_type_hints(cls)
    for field in attrs.fields(cls):
        if types[field.name] not in (Any, PlainData):
            yield data | {field.name: [[{"no": object}]]}


@pytest.mark.parametrize("model", ALL, ids=ID)
def test_wrong_data_is_refused_by_reading_and_by_schema(model: Plain) -> None:
    """The model and the schema refuse a missing or unknown key and a value of another type."""
    adapter = adapter_of(class_of(model))
    checker = checker_of(class_of(model))

    for data in damaged(model):
        with pytest.raises(InvalidRequest):
            from_plain(type(model), data)
        with pytest.raises(ValidationError):
            adapter.validate_python(data)
        assert not checker.is_valid(data), data


def test_each_problem_is_an_error_at_its_place() -> None:
    """The message is ours and shows no data; `input` is the value at the place."""
    data = BAD_SENDER | {"schedule": {"kind": "at", "timezone": "TAIPEI"}, "extra": 1}

    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Campaign).validate_python(data)

    found = {error["loc"]: (error["type"], error["input"]) for error in caught.value.errors()}
    assert found == {
        (): ("plain", data),
        ("schedule", "when"): ("plain", data["schedule"]),
        ("sender", "address"): ("plain", 5),
    }
    assert caught.value.error_count() == 3


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"senders": [{"name": "x", "address": "y"}]}, ("senders", 0, "address")),
        ({"counts": {"a.b]'": "1"}}, ("counts", "a.b]'")),
        ({"when": "soon"}, ("when",)),
    ],
)
def test_place_is_taken_apart(change: dict[str, Any], place: tuple[str | int, ...]) -> None:
    """Numbers are indexes of arrays, and keys can contain any text."""
    [(location, _)] = errors_of(Everything, Everything().to_dict() | change)

    assert location == place


def test_refusal_of_a_constructor_is_at_its_field() -> None:
    """A problem of the whole model is named as in ``InvalidRequest``."""
    both = {"lists": ["a"], "exclude_lists": ["a"]}

    [(place, message)] = errors_of(Campaign, CAMPAIGN.to_dict() | both)

    assert place == ("exclude_lists",)
    assert message.endswith("remove each from one of the two")


@pytest.mark.parametrize("mailing", [CAMPAIGN, *AB_TESTS], ids=ID)
def test_union_is_read_by_its_kind(mailing: Mailing) -> None:
    """It works inside a user's model, in Python and in JSON, with and without a discriminator."""
    told = TypeAdapter[Any](Annotated[Mailing, Field(discriminator="kind")])
    job = Job(campaign=mailing, several=(ContactList(sn=ListSn("a")),))

    assert Job.model_validate_json(job.model_dump_json()) == job
    assert Job.model_validate(job.model_dump()) == job
    assert job.model_dump()["campaign"] == mailing.to_dict()
    assert told.validate_python(mailing) is mailing
    assert told.validate_python(told.dump_python(mailing)) == mailing
    checker_of(cast("Hashable", Job)).validate(job.model_dump(mode="json"))


def test_discriminator_shows_the_errors_of_one_kind() -> None:
    """Without it, pydantic reports the errors of all four classes."""
    told = Annotated[Mailing, Field(discriminator="kind")]

    assert [place for place, _ in errors_of(told, BAD_SENDER)] == [
        ("campaign", "sender", "address")
    ]
    assert len(errors_of(Mailing, BAD_SENDER)) == 4


def test_empty_object_is_no_schedule() -> None:
    """Otherwise an empty form that was sent by mistake would send a campaign immediately."""
    assert errors_of(Schedule, {})


def test_presigned_url_is_cut() -> None:
    """The output of pydantic is logged and stored, like plain data."""
    assert "Signature" not in TypeAdapter(UploadTicket).dump_json(TICKET).decode()


def test_value_of_another_class_goes_to_another_member() -> None:
    """In a union with other types, the matching type writes the value; else pydantic warns."""
    mixed = TypeAdapter[Any](SendNow | int)

    assert mixed.dump_python(5) == 5
    with pytest.warns(UserWarning, match="SendNow"):
        TypeAdapter(SendNow).dump_python(5)  # type: ignore[arg-type]  # what is tested


def test_schema_has_the_texts_of_the_docstrings() -> None:
    """The descriptions in the schema contain meanings and units."""
    [test] = [each for each in AB_TESTS if "html_a" in each.to_dict()]
    schema = TypeAdapter(type(test)).json_schema()

    assert schema["description"].startswith("An A/B test of the")
    fields = schema["properties"]
    assert fields["proportion"]["description"].startswith("Percentage of the")
    assert fields["wait"]["description"].endswith("whole hours. In seconds.")
    assert fields["footer"]["description"].endswith("0 is ENGLISH, 1 is CHINESE.")
    assert fields["footer"]["default"] == 1
    assert fields["schedule"]["discriminator"]["propertyName"] == "kind"
    assert fields["sender"]["$ref"] == "#/$defs/Sender"


def test_class_that_says_nothing_has_a_schema() -> None:
    """Docstrings can be missing, for example with ``python -OO``."""

    @attrs.frozen
    class Silent(Plain):
        x: int

    Silent.__doc__ = None

    assert "description" not in TypeAdapter(Silent).json_schema()


def application(nl: NewsLeopard) -> fastapi.FastAPI:
    """Build a typical app of a user."""
    app = fastapi.FastAPI()

    @app.post("/campaigns")
    async def send(campaign: Annotated[Campaign, fastapi.Body()]) -> Campaign:
        return campaign

    @app.post("/jobs")
    async def start(job: Job) -> Job:
        return job

    @app.get("/lists")
    async def show() -> tuple[ContactList, ...]:
        return await nl.contacts.list_lists()

    @app.get("/unnamed")
    async def show_without_type():  # type: ignore[no-untyped-def]  # noqa: ANN202 - as many are written
        return {"lists": await nl.contacts.list_lists(), "ticket": TICKET}

    return app


@pytest.mark.anyio
async def test_fastapi_takes_and_gives_models() -> None:
    """Bodies, responses, refusals and the OpenAPI description work with real requests."""
    async with (
        connected() as bench,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(application(bench.nl)), base_url="http://app"
        ) as client,
    ):
        sn = await bench.nl.contacts.create_list(LIST_NAME)
        sent = await client.post("/campaigns", json=CAMPAIGN.to_dict())
        refused = await client.post("/campaigns", json=BAD_SENDER)
        job = await client.post("/jobs", json={"campaign": CAMPAIGN.to_dict()})
        shown = await client.get("/lists")
        unnamed = await client.get("/unnamed")
        described = (await client.get("/openapi.json")).json()

    assert sent.json() == CAMPAIGN.to_dict()
    assert refused.status_code == 422
    [error] = refused.json()["detail"]
    assert (error["loc"], error["msg"]) == (["body", "sender", "address"], "must be text")
    assert job.json()["campaign"] == CAMPAIGN.to_dict()
    assert [(each["sn"], each["name"]) for each in shown.json()] == [(sn, LIST_NAME)]
    assert unnamed.json() == {"lists": shown.json(), "ticket": TICKET.to_dict()}
    OPENAPI_31_VALIDATOR.validate(described)
    components = described["components"]["schemas"]
    assert {"Campaign", "ContactList", "Sender", "SendAt", "SubjectTest"} <= components.keys()
    # Some versions of pydantic have two schemas for the user's model, because of its defaults.
    assert not [name for name in components if "-" in name and not name.startswith("Job-")]
    body = described["paths"]["/campaigns"]["post"]["requestBody"]["content"]
    assert body["application/json"]["schema"]["$ref"] == "#/components/schemas/Campaign"
