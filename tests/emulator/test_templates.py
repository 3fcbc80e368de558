"""Templates, which a test adds and the API shows (T132)."""

from __future__ import annotations

import pytest

from tests.emulator.api import Api, make

pytestmark = pytest.mark.asyncio


async def test_templates_are_listed_without_their_html() -> None:
    """The list has ids and names, the oldest first; a single template has its HTML, too (T132)."""
    emulator, _ = make(later_endpoints=True)
    made = [emulator.add_template(name, f"<p>{name}</p>") for name in ("週報", "週報")]
    async with Api(emulator) as api:
        listed = await api.get("/v1/templates")
        one = await api.get(f"/v1/templates/{made[1].id}")

    assert listed.json() == [{"id": each.id, "name": "週報"} for each in made]
    assert one.json() == {"id": made[1].id, "name": "週報", "html": "<p>週報</p>"}


async def test_ids_may_be_numbers() -> None:
    """With ``numeric_template_ids`` an id is a number, as with ``numeric_codes`` (T132)."""
    emulator, _ = make(later_endpoints=True, numeric_codes=True)
    emulator.add_template("a", "")
    emulator.switch(numeric_template_ids=True)
    emulator.add_template("b", "")
    async with Api(emulator) as api:
        numbers = [each["id"] for each in (await api.get("/v1/templates")).json()]
        found = (await api.get(f"/v1/templates/{numbers[1]}")).json()
        emulator.switch(numeric_template_ids=False)
        [long, text] = [each["id"] for each in (await api.get("/v1/templates")).json()]

    assert (numbers, found["name"]) == ([long, 102], "b")
    assert (isinstance(long, int), text) == (True, "102")


async def test_unknown_template_is_refused() -> None:
    """A template that is not there is a 400 with 40007 (T132)."""
    emulator, _ = make(later_endpoints=True)
    async with Api(emulator) as api:
        answer = await api.get("/v1/templates/unknown")
        none = await api.get("/v1/templates")

    assert (answer.status_code, answer.json(), none.json()) == (400, {"code": "40007"}, [])
