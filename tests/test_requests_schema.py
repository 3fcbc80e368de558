"""The validator of requests allows only the documented requests."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.openapi import openapi
from tests.requests_schema import RequestMismatch, RequestSchema

HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "x-api-key": "test-key",
}
HOST = "https://api.newsleopard.com"
SUBMIT = HOST + "/v1/campaign/normal/submit"


@pytest.fixture(scope="module")
def schema() -> RequestSchema:
    """The documented profile."""
    return RequestSchema()


def documented_bodies() -> Iterator[Any]:
    """Yield method, path and body of every request example of the published documentation."""
    for path, item in openapi()["paths"].items():
        for method, operation in item.items():
            if method == "parameters" or operation["x-source"] != "seed":
                continue
            content = operation.get("requestBody", {}).get("content", {})
            for name, example in content.get("application/json", {}).get("examples", {}).items():
                case = (method.upper(), path.replace("_sn}", "").replace("{", ""), example["value"])
                yield pytest.param(*case, id=f"{operation['operationId']}-{name}")


def campaign() -> Any:
    """Return the documented sample of a campaign, which a test can change."""
    operation = openapi()["paths"]["/v1/campaign/normal/submit"]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    return copy.deepcopy(examples["docs"]["value"])


def problems(schema: RequestSchema, *args: Any) -> tuple[str, ...]:
    """Return the problems that the validator finds."""
    with pytest.raises(RequestMismatch) as caught:
        schema.check(*args)
    return caught.value.problems


def test_documented_profile_knows_the_twelve_endpoints(schema: RequestSchema) -> None:
    """The vendor's later endpoints are not among them."""
    assert len(schema.operation_ids) == 12
    assert "getBalance" not in schema.operation_ids


@pytest.mark.parametrize(("method", "path", "body"), list(documented_bodies()))
def test_documented_example_passes_unless_marked(
    schema: RequestSchema, method: str, path: str, body: Any
) -> None:
    """Every printed sample is allowed, except the later fields and the misplaced content."""
    sent = json.dumps(body).encode()

    if "preheader" in str(body) or "content" in body.get("config", {}):
        assert problems(schema, method, HOST + path, HEADERS, sent)
    else:
        assert schema.check(method, HOST + path, HEADERS, sent)


def test_vendor_profile_takes_the_later_fields() -> None:
    """With the profile of 2026, its own sample is allowed."""
    operation = openapi()["paths"]["/v1/campaign/normal/submit"]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    sent = json.dumps(examples["vendor2026"]["value"]).encode()

    assert RequestSchema("vendor-2026").check("POST", SUBMIT, HEADERS, sent) == "submitCampaign"


def test_nested_content_is_refused_by_both_profiles() -> None:
    """The misplaced content of an A/B test (T95) must never be sent."""
    operation = openapi()["paths"]["/v1/campaign/testing/submit"]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    sent = json.dumps(examples["docsContentNested"]["value"]).encode()

    url = HOST + "/v1/campaign/testing/submit"
    assert problems(RequestSchema("vendor-2026"), "POST", url, HEADERS, sent)


def test_literal_path_wins_over_a_template(schema: RequestSchema) -> None:
    """``/imports/file`` is the ungrouped import, never a list named file."""
    assert schema.check("POST", HOST + "/v1/contacts/imports/file", HEADERS, b"{}") == (
        "createFileImport"
    )


def test_reserved_word_as_list_code_is_refused(schema: RequestSchema) -> None:
    """If a list code is the name of another route, the message contains it (T12)."""
    url = HOST + "/v1/contacts/imports/lists/file"

    assert "path parameter list_sn" in problems(schema, "POST", url, HEADERS, b"{}")[0]


def test_encoded_slash_in_a_code_is_refused(schema: RequestSchema) -> None:
    """A code is checked in the form that the server decodes."""
    url = HOST + "/v1/contacts/imports/result/a%2Fb"

    assert "import_sn" in problems(schema, "GET", url, HEADERS)[0]


@pytest.mark.parametrize("name", HEADERS)
def test_missing_header_is_refused(schema: RequestSchema, name: str) -> None:
    """Each of the three headers is required, on GET too."""
    headers = {key: value for key, value in HEADERS.items() if key != name}

    found = problems(schema, "GET", HOST + "/v1/contacts/lists", headers)

    assert found == (f"header {name.lower()}: given 0 times",)


def test_header_given_twice_is_refused(schema: RequestSchema) -> None:
    """A repeated header is a mistake, even with the same value."""
    headers = [*HEADERS.items(), ("ACCEPT", "application/json")]

    found = problems(schema, "GET", HOST + "/v1/contacts/lists", headers)

    assert found == ("header accept: given 2 times",)


@pytest.mark.parametrize(
    ("name", "value"),
    [("Accept", "*/*"), ("Content-Type", "text/plain"), ("x-api-key", "a key")],
)
def test_wrong_header_is_refused(schema: RequestSchema, name: str, value: str) -> None:
    """The media types are JSON's, the key is visible ASCII."""
    headers = HEADERS | {name: value}

    found = problems(schema, "GET", HOST + "/v1/contacts/lists", headers)

    assert found[0].startswith(f"header {name.lower()}")


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("page=-1", "query parameter page"),
        ("size=0", "query parameter size"),
        ("page=", "query parameter page"),
        ("limit=5", "query parameter limit: not documented"),
        ("page=1&page=2", "query parameter page: given twice"),
    ],
)
def test_wrong_query_is_refused(schema: RequestSchema, query: str, problem: str) -> None:
    """A parameter is documented, well-formed and not repeated."""
    found = problems(schema, "GET", f"{HOST}/v1/contacts/lists?{query}", HEADERS)

    assert found[0].startswith(problem)


def test_documented_query_passes(schema: RequestSchema) -> None:
    """Dates as the documentation prints them are allowed."""
    query = "startDate=2019-04-01T08%3A38%3A32.00Z&endDate=2019-04-05T05:30:30.00Z"
    url = f"{HOST}/v1/report/campaigns?{query}"

    assert schema.check("GET", url, HEADERS) == "listSentCampaigns"


def test_body_on_get_is_refused(schema: RequestSchema) -> None:
    """An operation without a request body gets none."""
    found = problems(schema, "GET", HOST + "/v1/contacts/lists", HEADERS, b"{}")

    assert found == ("body: the operation takes none",)


def test_body_that_is_no_json_is_refused(schema: RequestSchema) -> None:
    """A form or an empty body is not JSON."""
    assert problems(schema, "POST", SUBMIT, HEADERS, b"a=b") == ("body: no JSON",)


def test_unknown_member_is_refused(schema: RequestSchema) -> None:
    """Request bodies allow no unknown field, at every depth, and the message names the place."""
    body = campaign()
    body["config"]["schedule"]["when"] = "now"

    found = problems(schema, "POST", SUBMIT, HEADERS, json.dumps(body).encode())

    assert found[0].startswith("body.config.schedule: ")
    assert "'when' was unexpected" in found[0]


def test_boolean_ga_flag_is_refused(schema: RequestSchema) -> None:
    """Flags are text in the published documentation (T76)."""
    body = campaign()
    body["config"]["ga"]["enable"] = True

    found = problems(schema, "POST", SUBMIT, HEADERS, json.dumps(body).encode())

    assert found[0].startswith("body.config.ga.enable: ")


def test_all_problems_are_reported_together(schema: RequestSchema) -> None:
    """One message names all problems."""
    body = campaign()
    del body["form"]["excludeLists"]
    body["content"]["footerLang"] = 7

    found = problems(schema, "POST", SUBMIT, {}, json.dumps(body).encode())

    assert len(found) == 5


def test_text_import_over_the_limit_is_refused(schema: RequestSchema) -> None:
    """The limit of 10 MB is counted on the encoded body (T28)."""
    sent = json.dumps({"contacts": "EMAIL,NAME\n" + "電" * 2_000_000}).encode()

    found = problems(schema, "POST", HOST + "/v1/contacts/imports/text", HEADERS, sent)

    assert found[0].startswith("body: 12000")


def test_unknown_path_is_refused(schema: RequestSchema) -> None:
    """A path without a matching template is not an operation."""
    url = HOST + "/v1/contacts/imports//file"

    assert problems(schema, "POST", url, HEADERS, b"{}") == ("no such operation",)
