"""Text from the wire, made fit to be shown; and the key, which nothing shows."""

from __future__ import annotations

import base64
import copy
import html
import inspect
import json
import pickle
import pprint
import string
import time
from collections.abc import Callable
from urllib.parse import quote

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from newsleopard_async.transport.redact import Secret, excerpt, redact
from tests.cases import case

KEY = "K3Y<SECRET>&0123/456+789"
"""With characters that HTML, URLs and JSON write in other ways."""
SECRET = Secret(KEY)
VISIBLE = "".join(sorted(set(string.printable) - set(string.whitespace)))
B64 = base64.b64encode(KEY.encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        "all is well",
        "未驗證寄件人地址",
        "欄位錯誤：content.subject 不可為空（必填），請修正。",
        "預計寄出封數: 15000, 剩餘可寄封數: 1000",
        "form.selectedLists[0]: size must be between 1 and 100",
        "can't be read; try again!",
        "failed at content.subject",
        "Code 40001 (HTTP 400), 100% full?",
        '{"message":"Forbidden"}',
        "<html> <body> 502 Bad Gateway nginx/1.25.3 </body>",
        "java.lang.NullPointerException",
        "utf-8 text/html /v1/contacts/lists",
        "",
    ],
)
def test_words_stay(text: str) -> None:
    """A message of the platform, of a gateway or of a proxy stays readable."""
    assert redact(text, SECRET) == text


ADDRESSES = [
    "john.private@example.com",
    "o'brien-private@example.com",
    "a=b-private@example.com",
    '"john private"@example.com',
    '\\"john private\\"@example.com',
    "<john.private@example.com>",
    "john.private@例子.台灣",
    "王private@example.com",
    "john.private @ example.com",
    "john.private (at) example.com",
    "john.private at example.com",
    "john.private AT example DOT com",
    "john.private[at]example[dot]com",
    "john.private%EF%BC%A0example.com",
    "=?utf-8?q?john=2Eprivate=40example.com?=",
    "john.private&#0064;example.com",
    "john.private%40example.com",
    "john.private%2540example.com",
    "john.private%u0040example.com",
    "john.private\\u0040example.com",
    "john.private\\\\u0040example.com",
    "john.private\\u{40}example.com",
    "john.private\\x40example.com",
    "john.private\\100example.com",
    "john.private&#64;example.com",
    "john.private&#x40;example.com",
    "john.private&commat;example.com",
    "john.private&amp;#64;example.com",
    "john.private=40example.com",
    "john.private+AEA-example.com",
    "john.private＠example.com",
    "john.private﹫example.com",
    "john.private\u200b@\u200bexample.com",
    "john.private\x00@example.com",
    base64.b64encode(b"john.private@example.com").decode().rstrip("="),
    b"john.private@example.com".hex(),
    '["john.private","@","example.com"]',
    '"john.private" + "@" + "example.com"',
    "[john.private]@[example.com]",
    "<john.private>@<example.com>",
    "<b>john.private</b>@example.com",
    "john.private<wbr>@<wbr>example.com",
    "john.private[@]example.com",
    "john.private {@} example.com",
    "john.private（at）example.com",
    "john.private_at_example.com",
    "john.private-at-example.com",
    "john.private 小老鼠 example.com",
    "john.privateⓐexample.com",
    "john.private\U000e0040example.com",
    "john.private\u3164@\u3164example.com",
    "john.private\\U00000040example.com",
    "john.private\\0100example.com",
]
URLS = [
    "https://s3.example.com/private?X-Amz-Signature=private",
    "https:\\/\\/s3.example.com\\/x?X-Amz-Signature=private",
    "https://s3.example.com/x%3FX-Amz-Signature=private",
    "https://s3.example.com/x?a=b&amp;X-Amz-Signature=private",
    "https://user:private@s3.example.com/x",
    "//s3.example.com/x?X-Amz-Signature=private",
    "s3.example.com/x/private",
    "/up/x?private",
    "/up/x#private",
    "X-Amz-Signature=private&X-Amz-Date=1",
    "X-Amz-Signature = private",
    "X-Amz-Signature: private",
    '{"X-Amz-Signature":"private"}',
    "<Signature>private</Signature>",
    "s3://bucket/private",
    "x-amz-signature private",
    "Authorization: Basic private",
    "Bearer private",
    "X-Amz-Signature%3Dprivate",
    "X-Amz-Signature&#61;private",
    "www.example.com/x/private",
    "\\\\server\\private",
    '["X-Amz-Signature","private"]',
    "{'name':'X-Amz-Signature','value':'private'}",
    "<Name>X-Amz-Signature</Name><Value>private</Value>",
    "X_Amz_Signature => private",
    "AWSAccessKeyId private",
    "data:text/plain;base64,private",
]


@pytest.mark.parametrize("around", ["{}", "row {} was rejected", '{{"message":"{}"}}', "({}),x"])
def test_addresses_and_urls_are_hidden(around: str) -> None:
    """In any notation in which a server echoes them."""
    for text in ADDRESSES + URLS:
        with case(text):
            said = redact(around.format(text), SECRET).casefold()

            assert "private" not in said
            assert text not in said


PHONES = [
    *("0912345678", "0912-345-678", "0912 345 678", "0912.345.678", "(02) 2345-6789"),
    *("0912_345_678", "0912 - 345 - 678", "0912/345/678", "tel:0912345678"),
    *("+886 912 345 678", "０９１２－３４５－６７８", "0912–345–678", "&#48;912345678"),
    *("0912<br>345<br/>678", "0912-----345-----678", "壹貳參肆伍陸柒捌", "㊈㊀㊁㊂㊃㊄㊅㊆"),
]


@pytest.mark.parametrize("phone", PHONES)
def test_phone_numbers_are_hidden(phone: str) -> None:
    """Seven digits, however they are grouped, and the words beside them stay."""
    said = redact(f"電話 {phone} rejected", Secret("k3yTh4tNobodyMaySee"))

    assert said.startswith("電話 ")
    assert said.endswith(" rejected")
    assert phone not in said
    assert not set("2345678") & set(said)


ECHOES = [
    *(KEY, KEY.lower(), KEY.upper(), html.escape(KEY), html.escape(html.escape(KEY))),
    *(quote(KEY, safe=""), quote(quote(KEY, safe=""), safe=""), json.dumps(KEY)),
    "".join(f"\\u{ord(character):04x}" for character in KEY),
    "".join(f"&#{ord(character)};" for character in KEY),
    "\u200b".join(KEY),
    "".join(chr(ord(character) + 0xFEE0) for character in KEY),
    base64.b32encode(KEY.encode()).decode(),
    *(B64, B64.rstrip("="), base64.urlsafe_b64encode(KEY.encode()).decode(), KEY.encode().hex()),
    *(base64.b64encode(f"{'x' * offset}{KEY}".encode()).decode() for offset in (1, 2)),
    *(f"{KEY[:9]}****", f"****{KEY[-9:]}", f"x-api-key={KEY}", f"a{KEY}b", f"'{KEY}'"),
    *(" ".join(KEY), ".".join(KEY), "\u3164".join(KEY), json.dumps(list(KEY))),
    json.dumps([KEY[at : at + 4] for at in range(0, len(KEY), 4)]),
    "".join(f"<i>{character}</i>" for character in KEY),
    KEY.encode().hex(" "),
]


@pytest.mark.parametrize("around", ["{}", "the key {} is bad", '{{"message":"{}"}}'])
def test_echo_of_the_key_is_hidden(around: str) -> None:
    """However it is written, in part too."""
    for echo in ECHOES:
        with case(echo):
            said = redact(around.format(echo), SECRET).casefold()

            letters = "".join(filter(str.isalnum, KEY))
            assert letters[:6].casefold() not in "".join(filter(str.isalnum, said))
            for form in (KEY, B64, KEY.encode().hex(), html.escape(KEY)):
                folded = form.casefold()
                assert not any(folded[at : at + 4] in said for at in range(len(folded) - 4))


@given(
    secret=st.text(VISIBLE, min_size=8),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
)
def test_echoed_key_of_any_form_is_hidden(secret: str, before: str, after: str) -> None:
    """A server may echo the key as it is, or as JSON writes it."""
    said = excerpt(json.dumps({"message": before + secret + after}).encode(), Secret(secret))

    assert json.dumps(secret)[1:-1] not in said
    assert secret not in said


@pytest.mark.parametrize("fill_bytes", range(1_255, 1_285))
def test_key_at_the_cut_is_not_half_shown(fill_bytes: int) -> None:
    """The inspected part of a body can end in the middle of the key."""
    body = b"a " * (fill_bytes // 2) + b"k3yTh4tNobodyMaySee" + b" end" * 400

    assert "k3y" not in excerpt(body, Secret("k3yTh4tNobodyMaySee"))


def test_masked_key_is_hidden() -> None:
    """Who masked it may have left more of it than is good."""
    assert redact("bad key k3yTh4***ySee", Secret("k3yTh4tNobodyMaySee")) == "bad key •••"


def test_key_of_few_characters_is_hidden() -> None:
    """It has no pieces; it counts as a whole."""
    assert redact("the key k3y is bad", Secret("k3y")) == "the key ••• is bad"


def test_host_of_a_url_is_shown() -> None:
    """The host shows which server answered; path and query can grant access."""
    said = redact("see https://s3.example/a/b.csv?X-Amz-Signature=1&b=2.", SECRET)

    assert said == "see https://s3.example/•••"


def test_text_without_an_end_of_notations_is_withheld() -> None:
    """No real message is encoded so often, and its content is unknown."""
    assert "withheld" in redact("%25" * 5 + "25" * 20 + "40", SECRET)


def test_steering_characters_are_not_shown() -> None:
    """One line, and nothing that moves a cursor or turns the direction of writing."""
    said = redact("one\r\ntwo\x00three\x1b[31m \u202ered\u2066 \u0130x \ud800 \\u{999999}", SECRET)

    assert said.startswith("one two three [31m red")
    assert said.isprintable()


def test_long_text_is_cut() -> None:
    """A message has less than a page, and a word as long as a page is hidden."""
    assert redact("many words " * 100, SECRET) == ("many words " * 100)[:500] + "…"
    assert redact("x" * 501, SECRET) == "•••"


def test_excerpt_is_short_and_on_one_line() -> None:
    """An excerpt fits a log line."""
    said = excerpt(b"<html>\n  <body>\n" + b"gateway " * 1_000, SECRET)

    assert said.startswith("<html> <body> gateway")
    assert len(said) == 161


@given(st.binary(max_size=2_000))
def test_excerpt_of_garbage_is_printable(body: bytes) -> None:
    """No text can move the cursor of a terminal."""
    said = excerpt(body, Secret("k3y"))

    assert not any(character < " " or "\x7f" <= character <= "\x9f" for character in said)
    assert len(said) <= 161


PIECES = ["x", "@", "a@", "https:", "https://x?", "1", "1 ", '"', "&amp;", "%25", "\\u0025", "a."]


@pytest.mark.parametrize("piece", [*PIECES, " at ", "(at) ", "signature:", "•", "x1", "\\"])
def test_redacting_takes_time_in_proportion(piece: str) -> None:
    """A text without white space does not hold up the event loop."""
    text = piece * (100_000 // len(piece))
    began_s = time.process_time()

    redact(text, SECRET)

    assert time.process_time() - began_s < 0.5


WALKERS: dict[str, Callable[[Secret], str]] = {
    "repr": repr,
    "str": str,
    "format": "{}".format,
    "container": lambda secret: repr([secret, {secret: secret}]),
    "pprint": pprint.pformat,
    "rich": pretty_repr,
    "members": lambda secret: repr(inspect.getmembers(secret)),
    "attrs": lambda secret: repr(attrs.asdict(_Holder(secret))),
    "json": lambda secret: json.dumps(_Holder(secret), default=lambda o: attrs.asdict(o)["secret"]),
}


@attrs.frozen
class _Holder:
    secret: Secret


@pytest.mark.parametrize("name", WALKERS)
def test_no_repr_shows_a_secret(name: str) -> None:
    """Neither a repr nor a walk through fields, slots and properties shows it."""
    try:
        said = WALKERS[name](SECRET)
    except (TypeError, ValueError):
        return
    assert KEY not in said


def test_secret_is_copied_and_not_pickled() -> None:
    """A copy of its owner works; a pickle would contain the text."""
    assert copy.copy(SECRET).reveal() == copy.deepcopy([SECRET])[0].reveal() == KEY
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(SECRET)
