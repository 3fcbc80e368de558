"""From an outcome to a model, or to the error that says what to do."""

from __future__ import annotations

import contextlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsleopard_async.errors import (
    APIError,
    AuthenticationError,
    CampaignNotReportable,
    ConfigurationError,
    ConnectionFailed,
    FieldError,
    InsufficientBalance,
    NewsLeopardError,
    OutcomeUnknown,
    RateLimited,
    ServerError,
    UnexpectedResponse,
)
from newsleopard_async.models.error_codes import ERROR_TEXTS
from newsleopard_async.transport import interpreter
from newsleopard_async.transport.interpreter import OutcomeInterpreter
from newsleopard_async.transport.outcome import Answer, NotSent, Outcome, ReplyLost
from newsleopard_async.transport.redact import Secret
from newsleopard_async.transport.repeating import Kind
from newsleopard_async.transport.request import Request
from newsleopard_async.transport.wire import answers
from tests.cases import case
from tests.constants import KEY
from tests.transport.scripted import EXPORT, IMPORT, LIST, READ, SUBMIT

T = TypeVar("T")
NOW: Final = datetime(2026, 1, 5, 2, tzinfo=UTC)
DOCUMENT = Path(__file__).parents[2] / "docs" / "errors.md"
REPEATABLE = pytest.mark.parametrize("request_", [READ, IMPORT], ids=str)
AT_MOST_ONCE = pytest.mark.parametrize("request_", [LIST, EXPORT, SUBMIT], ids=str)
ALL = pytest.mark.parametrize("request_", [READ, IMPORT, LIST, EXPORT, SUBMIT], ids=str)


def read(request: Request[T], outcome: Outcome) -> T:
    """Return the model that an outcome means, or raise the error."""
    return (
        OutcomeInterpreter(Secret(KEY), cap_s=3.0, host="api.example.com")
        .result(request, outcome, NOW)
        .get()
    )


def error_for(request: Request[Any], outcome: Outcome) -> NewsLeopardError:
    """Return the error that an outcome means."""
    with pytest.raises(NewsLeopardError) as caught:
        read(request, outcome)
    return caught.value


def refusal(request: Request[Any], status: int, **content: Any) -> Any:
    """Return the error that a JSON body means."""
    return error_for(request, Answer(status, json.dumps(content).encode()))


def published_classes() -> dict[int, str]:
    """Read the codes and classes off the page about errors."""
    rows = re.findall(
        r"^\| (4\d{4}) \|.*\| `(\w+)` \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE
    )
    return {int(code): name for code, name in rows}


@pytest.mark.source_tree
def test_every_code_is_raised_as_published() -> None:
    """The page about errors and the code name the same class for each code."""
    raised = {code: type(refusal(READ, 400, code=str(code))).__name__ for code in ERROR_TEXTS}

    assert raised == published_classes()


@pytest.mark.parametrize("code", sorted(ERROR_TEXTS))
@pytest.mark.parametrize("request_", [READ, SUBMIT], ids=str)
def test_code_arrives_with_both_texts(request_: Request[Any], code: int) -> None:
    """A refusal says its code, the platform's text and ours in English and 中文."""
    error = refusal(request_, 400, code=code, message="the platform's words")

    assert isinstance(error, APIError)
    assert (error.status, error.code, error.message) == (400, code, "the platform's words")
    for part in (str(code), ERROR_TEXTS[code].english, ERROR_TEXTS[code].chinese, error.message):
        assert part in str(error)


@pytest.mark.parametrize("code", sorted(ERROR_TEXTS))
def test_code_without_a_text_brings_ours(code: int) -> None:
    """Where the platform says nothing, the message is the table's."""
    error = refusal(READ, 400, code=code)

    assert error.message == str(ERROR_TEXTS[code])


def test_unknown_code_is_a_refusal_like_any_other() -> None:
    """The list of codes is not closed."""
    error = refusal(SUBMIT, 400, code=49999)

    assert type(error) is APIError
    assert error.code == 49999
    assert "not documented" in str(error)


def test_fields_arrive_with_their_rules() -> None:
    """Paths map to rules (40001)."""
    error = refusal(SUBMIT, 400, code=40001, invalidFields={"form.name": ["required", "size"]})

    assert isinstance(error, FieldError)
    assert error.invalid_fields == {"form.name": ("required", "size")}


def test_fields_as_text_are_the_message() -> None:
    """The platform also sends text where fields are documented."""
    error = refusal(SUBMIT, 400, code=40001, message="欄位錯誤", invalidFields="name is empty")

    assert isinstance(error, FieldError)
    assert error.invalid_fields == {}
    assert error.message == "欄位錯誤: name is empty"


def test_fields_show_no_address() -> None:
    """What was in a field may be a person's."""
    error = refusal(SUBMIT, 400, code=40001, invalidFields={"a@b.example": [f"{KEY} c@d.example"]})

    assert error.invalid_fields == {"•••": ("••• •••",)}


@pytest.mark.parametrize("code", [40012, 40017])
def test_balance_arrives_with_its_counts(code: int) -> None:
    """How many mails were wanted, and how many are left."""
    error = refusal(SUBMIT, 400, code=code, recipients="1200", remaining=50)

    assert isinstance(error, InsufficientBalance)
    assert (error.recipients, error.remaining) == (1200, 50)


def test_balance_without_counts_is_unknown() -> None:
    """What the server leaves out is not zero."""
    error = refusal(SUBMIT, 400, code=40012)

    assert (error.recipients, error.remaining) == (None, None)


@ALL
def test_forbidden_is_the_key(request_: Request[Any]) -> None:
    """Two bodies share status 403; the one without a code means the key (T03)."""
    error = refusal(request_, 403, message="Forbidden")

    assert isinstance(error, AuthenticationError)
    assert "NEWSLEOPARD_API_KEY" in str(error)


@REPEATABLE
def test_forbidden_without_content_is_the_key_to_a_read(request_: Request[Any]) -> None:
    """A gateway can send no content. A read has no effect, so the guess does no harm."""
    assert isinstance(error_for(request_, Answer(403)), AuthenticationError)


FOREIGN = [
    Answer(401),
    Answer(401, b'{"message":"Forbidden"}'),
    Answer(401, b'{"message":"Unauthorized"}', error_type="UnauthorizedException"),
    Answer(403, b"<html>Request blocked</html>"),
    Answer(403, b'{"message":"forbidden"}'),
    Answer(403, b'{"message":"Missing Authentication Token"}'),
    Answer(403, b'{"message":"Forbidden","request":"1"}'),
    Answer(403, b'{"code":403,"message":"Forbidden"}'),
]


@pytest.mark.parametrize("answer", FOREIGN, ids=repr)
@REPEATABLE
def test_other_refusal_of_access_is_unexpected(request_: Request[Any], answer: Answer) -> None:
    """A proxy, a firewall or a captive portal says nothing about the key."""
    error = error_for(request_, answer)

    assert isinstance(error, UnexpectedResponse)
    assert error.status == answer.status
    assert "before it reached the API" in str(error)
    assert str(error).endswith(f"the answer was: {error.excerpt or 'empty'}")
    assert "NEWSLEOPARD_API_KEY" not in str(error)


@REPEATABLE
def test_other_4xx_without_a_code_stays_a_refusal(request_: Request[Any]) -> None:
    """An unknown import is a 400 without content (T50)."""
    assert type(error_for(request_, Answer(400))) is APIError


def test_forbidden_with_a_code_is_the_campaign() -> None:
    """The other body of status 403 (T04)."""
    error = refusal(EXPORT, 403, code="40303", message="bad operation with invalid user state")

    assert isinstance(error, CampaignNotReportable)


@ALL
def test_throttled_request_says_when_to_come_back(request_: Request[Any]) -> None:
    """A refusal at the gateway is definite for any request."""
    error = refusal(request_, 429, message="Limit Exceeded")

    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 3.0


@ALL
def test_request_that_was_not_sent_may_be_called_again(request_: Request[Any]) -> None:
    """No byte reached the server, for any request; the error has the reason and the host."""
    error = error_for(request_, NotSent("ConnectError", "dns"))

    assert isinstance(error, ConnectionFailed)
    assert (error.reason, error.host) == ("dns", "api.example.com")
    assert "was not sent: ConnectError (api.example.com: its name cannot be resolved)" in str(error)


@ALL
def test_set_up_that_keeps_from_sending_is_named(request_: Request[Any]) -> None:
    """Calling again cannot help, so it is not a failure of the connection."""
    error = error_for(request_, NotSent("ConnectError", "tls", "trust the certificate"))

    assert isinstance(error, ConfigurationError)
    assert "was not sent: trust the certificate" in str(error)


@REPEATABLE
def test_lost_reply_to_a_repeatable_request_is_no_drama(request_: Request[Any]) -> None:
    """Calling again changes nothing."""
    error = error_for(request_, ReplyLost("ReadTimeout", "timeout"))

    assert isinstance(error, ConnectionFailed)
    assert (error.reason, error.host) == ("timeout", "api.example.com")


UNCLEAR: list[Outcome] = [
    ReplyLost("ReadTimeout"),
    *[Answer(status) for status in (100, 101, 199, 300, 301, 302, 303, 307, 308, 399)],
    *[Answer(status) for status in (408, 500, 501, 502, 503, 504, 599)],
    Answer(500, b'{"code":"40012","message":"x"}'),
    Answer(408, b'{"code":"40012","message":"x"}'),
    *[
        Answer(status, body)
        for status in (400, 401, 403, 404, 405, 409, 413, 421, 425, 431, 451, 460, 499)
        for body in (
            b"",
            b"<html>Request blocked by WAF</html>",
            b'{"error":"blocked"}',
            b'{"message":"blocked by policy"}',
            b'{"message":"Forbidden","request":"1"}',
            b'{"message":null}',
            b'{"code":403,"message":"blocked"}',
            b'{"code":"BLOCKED"}',
            b'["code"]',
            b'"code"',
        )
    ],
    Answer(403, b'{"message":"blocked","x":1}', error_type="ForbiddenException"),
    *[Answer(status, b'{"message":"Limit Exceeded"}') for status in (302, 307, 399)],
]
CLEAR = [
    Answer(400, b'{"code":"40013"}'),
    Answer(400, b'{"code":40013,"message":"x"}'),
    Answer(400, b'{"errorCode":40013}'),
    Answer(499, b'{"code":49999}'),
    Answer(403, b'{"message":"Forbidden"}'),
    Answer(403, b'{"message":"Missing Authentication Token"}', error_type="NotFound"),
]
UNREADABLE = [
    Answer(status, body)
    for status in (200, 201, 204)
    for body in (
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"sn":null}',
        b'{"sn":""}',
        b'{"sn":7.5}',
        b'{"sn":0}',
        b'{"sn":true}',
        b'{"sn":"x","data":{"sn":"y"}}',
        b'{"sn":"x","campaignSn":7,"listSn":"y"}',
        b'{"sn":"x"',
        b"<html>",
        b"\xff\xfe\xfa",
        b"[" * 100_000,
        b'{"message":"Limit Exceeded","x":"y"}',
        b'{"message":"Limit Exceeded"}',
        b"too many requests",
    )
]


@AT_MOST_ONCE
def test_unclear_outcome_is_unknown(request_: Request[Any]) -> None:
    """It may or may not have taken effect, and the error says which request."""
    for outcome in UNCLEAR:
        with case(outcome):
            error = error_for(request_, outcome)

            assert isinstance(error, OutcomeUnknown)
            assert error.request == f"POST {request_.path}"
            assert "do not repeat it" in str(error)


@pytest.mark.parametrize("answer", CLEAR, ids=repr)
@ALL
def test_refusal_in_the_platforms_own_form_is_clear(request_: Request[Any], answer: Answer) -> None:
    """A code, the answer to a wrong key, or a message that the gateway has signed."""
    error = error_for(request_, answer)

    assert isinstance(error, APIError | UnexpectedResponse)
    assert isinstance(error, APIError) or request_.kind.repeatable


@AT_MOST_ONCE
def test_unknown_outcome_has_what_was_answered(request_: Request[Any]) -> None:
    """The status and the beginning of the body, without the key, show who has answered."""
    error = error_for(request_, Answer(403, f"<html> {KEY} blocked".encode()))

    assert isinstance(error, OutcomeUnknown)
    assert (error.status, error.excerpt) == (403, "<html> ••• blocked")
    assert "the answer was HTTP 403 (<html> ••• blocked); do not repeat it" in str(error)


@AT_MOST_ONCE
def test_unknown_outcome_without_an_answer_has_none(request_: Request[Any]) -> None:
    """Without an answer, the error has no excerpt."""
    error = error_for(request_, ReplyLost("ReadTimeout"))

    assert isinstance(error, OutcomeUnknown)
    assert (error.status, error.excerpt) == (None, "")


def test_unknown_outcome_says_what_is_wrong_with_a_success() -> None:
    """The code can be there in an unknown shape; the error has the excerpt and the path."""
    error = error_for(SUBMIT, Answer(201, b'{"sn":"x","data":{"sn":"y"}}'))

    assert isinstance(error, OutcomeUnknown)
    assert ", and $ has different values in $.sn and $.data.sn;" in str(error)
    assert error.status == 201
    assert "data" in error.excerpt


def test_unknown_outcome_says_what_to_look_for() -> None:
    """Who reads the log must know which campaign it is."""
    error = error_for(attrs.evolve(SUBMIT, look_for="for the campaign 'x'"), ReplyLost("ReadError"))

    assert "look for the campaign 'x' first" in str(error)


@pytest.mark.parametrize("request_", [LIST, SUBMIT], ids=str)
def test_success_without_its_code_is_unknown(request_: Request[Any]) -> None:
    """Without the code, the created object is unknown."""
    for outcome in UNREADABLE:
        with case(outcome):
            assert isinstance(error_for(request_, outcome), OutcomeUnknown)


def test_export_ignores_the_body_of_a_success() -> None:
    """Any 2xx means that the export began (T110)."""
    for outcome in UNREADABLE:
        with case(outcome):
            read(EXPORT, outcome)


def test_answer_that_says_more_than_the_throttle_is_read() -> None:
    """A code beside the throttle's text means that the campaign was taken."""
    body = b'{"message":"Limit Exceeded","sn":"x"}'

    assert read(SUBMIT, Answer(200, body)) == "x"


@pytest.mark.parametrize("status", [100, 199, 300, 301, 302, 304, 307, 308, 399])
@REPEATABLE
def test_redirect_of_a_repeatable_request_is_unexpected(
    request_: Request[Any], status: int
) -> None:
    """No redirect is followed."""
    error = error_for(request_, Answer(status, b"moved"))

    assert isinstance(error, UnexpectedResponse)
    assert (error.status, error.excerpt) == (status, "moved")


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"Lists":{}}', b"[" * 100_000])
def test_undocumented_success_is_unexpected(body: bytes) -> None:
    """Fails loudly, with an excerpt."""
    error = error_for(READ, Answer(200, body))

    assert isinstance(error, UnexpectedResponse)
    assert error.status == 200
    assert len(error.excerpt) <= 161


def test_name_of_a_field_that_is_the_key_is_not_noted() -> None:
    """What could not be read goes to the log, by names of fields that the server chose."""
    secret = "k" * 32
    lists = [{"sn": "c1", "createDate": "yesterday"}]
    reading = OutcomeInterpreter(Secret(secret), cap_s=3.0, host="api.example.com")

    result = reading.result(READ, Answer(200, json.dumps({secret: lists}).encode()), NOW)

    assert "createDate is not a time" in result.unread
    assert secret not in result.unread


def test_content_of_white_space_alone_is_none() -> None:
    """It is read as null, which can mean that there is no content yet (T117)."""
    links: Request[Any] = Request(
        name="get_links", method="GET", path="/x", kind=Kind.READ, decode=answers.decode_links
    )

    assert read(links, Answer(200, b" \r\n")) == ()


def test_answer_too_large_to_parse_is_unexpected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsing it would hold the event loop; its size is the reason."""
    content = b"[]"
    monkeypatch.setattr(interpreter, "_LARGEST_MODEL_BYTES", len(content))
    assert read(READ, Answer(200, content)) == ()

    error = error_for(READ, Answer(200, content + b" "))

    assert isinstance(error, UnexpectedResponse)
    assert "it has 3 bytes" in str(error)


def test_reason_of_an_undocumented_answer_says_where() -> None:
    """The message points at the field."""
    assert "$.Lists neither is nor contains an array of objects with sn" in str(
        error_for(READ, Answer(200, b'{"Lists":[{}]}'))
    )


@pytest.mark.parametrize("status", [408, 500, 503])
@REPEATABLE
def test_server_error_keeps_its_text(request_: Request[Any], status: int) -> None:
    """After the retries, the server's fault is named so."""
    error = refusal(request_, status, message="out of order")

    assert isinstance(error, ServerError)
    assert (error.status, error.message) == (status, "out of order")


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (404, b"", "list_lists was answered with HTTP 404: check the code"),
        (413, b"", "list_lists was answered with HTTP 413"),
        (404, b"not here", "list_lists was answered with HTTP 404: not here"),
        (400, b'{"message":"nope"}', "list_lists was answered with HTTP 400: nope"),
    ],
)
def test_refusal_without_a_code_says_what_it_can(status: int, body: bytes, expected: str) -> None:
    """The text, else the body, else our hint, if the code may be at fault (T13)."""
    request = attrs.evolve(READ, hint="check the code")

    assert str(error_for(request, Answer(status, body))) == expected


def test_refusal_without_anything_says_its_status() -> None:
    """Without a hint, the status must do."""
    assert str(error_for(READ, Answer(404))) == "list_lists was answered with HTTP 404"


@pytest.mark.parametrize("status", [200, 302, 400, 403, 500])
@pytest.mark.parametrize(
    "body",
    [
        f'{{"message":"bad key {KEY} of boss@example.com"}}',
        f"<p>{KEY} https://s3.example/x?X-Amz-Signature={KEY}&a=b boss@example.com",
        f'{{"code":"40001","message":"{KEY}","invalidFields":{{"x":["{KEY}"]}}}}',
    ],
)
@pytest.mark.parametrize("request_", [READ, IMPORT, LIST, SUBMIT], ids=str)
def test_echoed_secrets_are_in_no_error(request_: Request[Any], status: int, body: str) -> None:
    """A server may echo the key, a URL or an address."""
    error = error_for(request_, Answer(status, body.encode()))

    shown = f"{error} {error!r} {error.args} {vars(error)}"
    assert KEY not in shown
    assert "boss@" not in shown
    assert "Amz" not in shown


def test_message_of_a_refusal_is_short() -> None:
    """A page of HTML in a message is cut."""
    error = refusal(READ, 400, message="x" * 100_000)

    assert len(error.message) < 600
    assert len(str(error)) < 700


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
BODIES = st.binary(max_size=200) | st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("code", "message", "invalidFields", "sn", "Lists", "recipients", "remaining"), JSON
    ),
).map(lambda content: json.dumps(content).encode())


@pytest.mark.slow
@given(
    request_=st.sampled_from([READ, IMPORT, LIST, EXPORT, SUBMIT]),
    status=st.integers(100, 599),
    body=BODIES,
)
def test_no_body_crashes_the_reading(request_: Request[Any], status: int, body: bytes) -> None:
    """Garbage is an error of ours or a model, and nothing else."""
    with contextlib.suppress(NewsLeopardError):
        read(request_, Answer(status, body))


@pytest.mark.slow
@given(request_=st.sampled_from([LIST, EXPORT, SUBMIT]), status=st.integers(100, 599), body=BODIES)
def test_definite_is_only_a_4xx_or_a_readable_2xx(
    request_: Request[Any], status: int, body: bytes
) -> None:
    """After any other outcome, the effect is unknown."""
    try:
        read(request_, Answer(status, body))
    except NewsLeopardError as error:
        heard: type[object] = type(error)
    else:
        heard = object

    if 200 <= status < 300:
        assert heard in {object, OutcomeUnknown}
    elif 400 <= status < 500 and status != 408:
        assert heard is not object
        assert not issubclass(heard, (ServerError, UnexpectedResponse))
    else:
        assert heard in {OutcomeUnknown, RateLimited}


def test_reading_does_not_show_the_key() -> None:
    """Not even in its repr."""
    assert KEY not in repr(OutcomeInterpreter(Secret(KEY), cap_s=3.0, host="api.example.com"))


def test_error_has_no_cause_and_no_context() -> None:
    """What went wrong in parsing shows the body, so it goes no further."""
    error = error_for(READ, Answer(200, b"<html>"))

    assert error.__cause__ is None
    assert error.__context__ is None
