from __future__ import annotations

import pytest

from tests.cases import case
from tests.contacts.checking import check

SECRET = "hush"
ROWS = (
    "hush1@hush.example,hush name,hush1,0hush",
    "hush1@hush.example,,5,hush",
    " HUSH1@hush.example ,=hush(),hush,2026-01-05",
    "hush@hush@hush,-hush,6,hush",
    ",hush,7,hush",
    "hush",
    "hush,hush,hush,hush,hush,hush",
    'hush2@hush.example,"hush\nhush",8,hush',
    "hush3@hush.example,hush\0,9,hush",
    'hush4@hush.example,hush"hush,10,0912',
    '"hush5@hush.example,hush,11,912345678',
    "hush..6@hush,hush,12,hush",
)
HEADERS = (
    "EMAIL,NAME,點數,手機",
    "EMAIL;NAME;點數;手機",
    "hush7@hush.example,hush,1,2",
    "hush,Hush,hush,",
    "hush",
    "EMIAL,hush,hush",
    '"hush,NAME',
    "hu\0sh,NAME",
    "|".join(["hush"] * 5),
    ",".join(["hush"] * 2000),
)
FIXES = ((), ("trim", "drop-duplicates", "leave-out-bad-rows"))


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("fix", FIXES)
@pytest.mark.parametrize("codec", ["utf-8", "cp950", "utf-16-le", "utf-16"])
def test_no_message_shows_a_contact(codec: str, fix: tuple[str, ...], deep: bool) -> None:
    """No message, name of a column or other attribute contains one."""
    for header in HEADERS:
        with case(header):
            content = "\n".join([header, *ROWS, "王"]).encode(codec)

            report = check(content, fix=fix, deep=deep).report

            assert report.findings
            assert SECRET not in repr(report.findings).casefold()
            assert SECRET not in str(report.to_dict()["findings"]).casefold()


@pytest.mark.parametrize("bad", [b"\xffhush", b"\xe4hush", b"\xe4\xbdhush", b"\xf0\x9fhush"])
def test_bytes_that_are_shown_contain_no_contact(bad: bytes) -> None:
    """Only those that cannot be decoded."""
    [finding] = check("EMAIL,NAME\n王".encode() + bad + b"\n").report

    assert finding.rule == "encoding"
    assert b"h".hex() not in finding.message
