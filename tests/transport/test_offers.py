"""What an account does not have: how it is known, and what is made of it (T18)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from newsleopard_async import (
    APIError,
    AuthenticationError,
    AutomationEvent,
    CampaignSn,
    ContactFilter,
    ListSn,
    NewsLeopard,
    NewsLeopardError,
    NotOffered,
    OutcomeUnknown,
    Recipient,
    RetryPolicy,
)
from newsleopard_async.testing import ManualClock
from tests.constants import CAMPAIGN, KEY
from tests.transport.scripted import UNLIMITED, Scripted, Step, answer, json_answer

pytestmark = pytest.mark.anyio

FORBIDDEN = json_answer(403, {"message": "Forbidden"})
SIGNED = answer(403, b'{"message":"Forbidden"}', {"x-amzn-errortype": "ForbiddenException"})
NO_ROUTE = json_answer(403, {"message": "Missing Authentication Token"})
LISTS = json_answer(200, [])
BALANCE = json_answer(200, {"email": 7, "sms": 0})
REFUSED = json_answer(400, {"code": 40007, "message": "活動不存在"})

Call = Callable[[NewsLeopard], Awaitable[Any]]


async def get_balance(nl: NewsLeopard) -> Any:
    """A read without a code of the caller's."""
    return await nl.account.get_balance()


async def get_status(nl: NewsLeopard) -> Any:
    """A read of what the caller names."""
    return await nl.campaigns.get_status(CampaignSn("c0de"))


async def pause(nl: NewsLeopard) -> Any:
    """A stop of what the caller names."""
    return await nl.campaigns.pause(CampaignSn("c0de"))


async def delete(nl: NewsLeopard) -> Any:
    """A stop whose code is in the body."""
    return await nl.campaigns.delete([CampaignSn("c0de")])


async def send_event(nl: NewsLeopard) -> Any:
    """What must not be repeated."""
    return await nl.automation.send_event(
        "w", AutomationEvent.TRIGGER, [Recipient("小美", "may@example.com")]
    )


async def remove(nl: NewsLeopard) -> Any:
    """What must not be repeated, of what the caller names."""
    where = ContactFilter("DOMAIN", "LIKE", "example")
    return await nl.contacts.remove_contacts(ListSn("11st"), where, confirm="remove")


def make_client(*steps: Step) -> tuple[NewsLeopard, Scripted]:
    """Build a client of a scripted server."""
    transport = Scripted(*steps)
    client = NewsLeopard(
        KEY,
        http_transport=transport,
        base_url="https://api.example.com",
        rate_limits=UNLIMITED,
        retry=RetryPolicy(max_attempts=2),
        clock=ManualClock(),
    )
    return client, transport


async def error_of(call: Call, *steps: Step) -> NewsLeopardError:
    """Return the error of the only call of a client."""
    client, _ = make_client(*steps)
    with pytest.raises(NewsLeopardError) as caught:
        await call(client)
    return caught.value


@pytest.mark.parametrize("call", [get_balance, delete, send_event])
@pytest.mark.parametrize("step", [answer(404), answer(404, b"<html>"), answer(405), NO_ROUTE])
async def test_unknown_route_is_not_offered(call: Call, step: Step) -> None:
    """404 and 405 without a code, and the gateway's own text, mean that there is no such thing."""
    error = await error_of(call, step)

    assert type(error) is NotOffered
    assert error.status in (403, 404, 405)


@pytest.mark.parametrize("call", [get_status, pause, remove])
@pytest.mark.parametrize("step", [answer(405), NO_ROUTE])
async def test_method_or_route_that_is_unknown_is_not_about_the_code(
    call: Call, step: Step
) -> None:
    """Only a 404 may be about a code of the caller's."""
    assert type(await error_of(call, step)) is NotOffered


async def test_message_says_what_to_do_without() -> None:
    """There are alternatives for stopping a campaign and some others, but not for the rest."""
    without = str(await error_of(get_balance, answer(404)))
    instead = str(await error_of(delete, answer(404)))

    assert without == (
        "this account or platform has no such endpoint (GET /v1/balance); do without it"
    )
    assert instead.endswith("(DELETE /v1/campaign/normal); stop it in the console (活動列表)")
    for call, way_out in (
        (lambda nl: nl.reports.get_metrics([CampaignSn("c0de")]), "export the report"),
        (lambda nl: nl.campaigns.submit_once(CAMPAIGN), "send_campaign"),
    ):
        assert way_out in str(await error_of(call, answer(404)))


@pytest.mark.parametrize("call", [get_status, pause])
async def test_404_for_the_callers_code_names_both_causes(call: Call) -> None:
    """It stays a refusal, is not remembered, and says what to do with a campaign that must stop."""
    client, transport = make_client(answer(404, b"Not Found"))

    for _ in range(2):
        with pytest.raises(APIError, match="either the campaign is unknown") as caught:
            await call(client)
        assert type(caught.value) is APIError

    assert "no such endpoint" in str(caught.value)
    assert ("console" in str(caught.value)) is (call is pause)
    assert len(transport.sent) == 2


async def test_404_of_an_endpoint_that_has_answered_is_about_the_code() -> None:
    """A refusal with a code shows that the endpoint is there."""
    client, _ = make_client(REFUSED, answer(404))
    with pytest.raises(APIError, match="40007"):
        await get_status(client)

    with pytest.raises(APIError, match=r"404: the campaign is unknown or not yours$"):
        await get_status(client)


async def test_404_to_a_removal_that_must_not_be_repeated_is_unknown() -> None:
    """A page of something in between looks the same."""
    assert type(await error_of(remove, answer(404))) is OutcomeUnknown


@pytest.mark.parametrize("call", [get_balance, get_status, pause, send_event])
async def test_forbidden_to_a_good_key_is_not_offered(call: Call) -> None:
    """The gateway says the same to a wrong key; that a documented call was accepted decides."""
    client, transport = make_client(LISTS, SIGNED)
    await client.contacts.list_lists()

    with pytest.raises(NotOffered):
        await call(client)

    assert len(transport.sent) == 2


@pytest.mark.parametrize("call", [get_balance, send_event])
@pytest.mark.parametrize(
    ("found", "error"),
    [
        (LISTS, NotOffered),
        (FORBIDDEN, AuthenticationError),
        (httpx.ConnectError("x"), AuthenticationError),
    ],
)
async def test_first_forbidden_is_decided_by_one_cheap_request(
    call: Call, found: Step, error: type[APIError]
) -> None:
    """Before anything was accepted the key is tried with a list; if that fails, it is the key."""
    client, transport = make_client(SIGNED, found)

    with pytest.raises(APIError) as caught:
        await call(client)

    assert type(caught.value) is error
    assert transport.sent[1].url == "https://api.example.com/v1/contacts/lists?page=0&size=1"


@pytest.mark.parametrize("step", [FORBIDDEN, answer(403)])
async def test_forbidden_that_the_gateway_did_not_sign_is_the_key_of_an_event(step: Step) -> None:
    """For a request that must not be repeated, the text proves nothing; no key check is sent."""
    client, transport = make_client(LISTS, step)
    await client.contacts.list_lists()

    with pytest.raises((AuthenticationError, OutcomeUnknown)):
        await send_event(client)

    assert len(transport.sent) == 2


@pytest.mark.parametrize("call", [get_balance, delete, send_event])
async def test_absent_endpoint_is_remembered(call: Call) -> None:
    """The next call sends nothing, also through a client with other options."""
    client, transport = make_client(answer(404))
    derived = client.with_options(retry=RetryPolicy(max_attempts=1))
    with pytest.raises(NotOffered):
        await call(derived)

    for each in (client, derived, client.with_options()):
        with pytest.raises(NotOffered):
            await call(each)
    with pytest.raises(APIError, match="either"):
        await get_status(client)

    assert len(transport.sent) == 2


@pytest.mark.parametrize("step", [answer(404), FORBIDDEN])
async def test_endpoint_that_has_answered_is_asked_again(step: Step) -> None:
    """A page of something in between does not hide it for good; a lost key is the key."""
    client, transport = make_client(BALANCE, step, BALANCE)
    await get_balance(client)

    with pytest.raises((NotOffered, AuthenticationError)):
        await get_balance(client)

    assert (await get_balance(client)).mails == 7
    assert len(transport.sent) == 3


async def test_event_that_is_not_found_after_others_were_taken_is_unknown() -> None:
    """The endpoint exists, so the 404 is from a proxy or firewall."""
    client, _ = make_client(
        json_answer(200, {"success": ["may@example.com"], "failure": {}}), answer(404)
    )
    await send_event(client)

    with pytest.raises(OutcomeUnknown):
        await send_event(client)


async def test_stop_without_an_endpoint_after_a_loss_is_unknown() -> None:
    """The lost attempt may have stopped it, and nothing is remembered."""
    client, transport = make_client(answer(502), answer(404))

    for sent in (2, 3):
        with pytest.raises((OutcomeUnknown, NotOffered)) as caught:
            await delete(client)
        assert type(caught.value) is (OutcomeUnknown if sent == 2 else NotOffered)
        assert len(transport.sent) == sent


@pytest.mark.parametrize("step", [answer(404), answer(405), NO_ROUTE, FORBIDDEN])
async def test_documented_endpoints_are_always_offered(step: Step) -> None:
    """What the published documentation has is read as before."""
    client, transport = make_client(step)

    for _ in range(2):
        with pytest.raises(NewsLeopardError) as caught:
            await client.contacts.list_lists()
        assert not isinstance(caught.value, NotOffered)

    assert len(transport.sent) == 2
