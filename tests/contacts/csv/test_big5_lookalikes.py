from __future__ import annotations

import pytest

from newsleopard_async.contacts.csv.detection import BLOCK_BYTES
from tests.contacts.checking import check, detect

TABLE = "EMAIL,NAME,城市\na@example.com,王小明,台北市\nb@example.com,陳怡君,高雄市\n"


@pytest.mark.parametrize("said", ["big5", "Big5", "big5_tw"])
def test_requested_big5_is_read_as_cp950(said: str) -> None:
    """CP950 has all of it and a few characters more, which Excel writes."""
    table = TABLE + "c@example.com,碁恒裏粧嫺銹墻,€\n"

    checked = check(table.encode("cp950"), encoding=said)

    assert checked.triples == [("note", "encoding", 1)]
    assert checked.report.encoding == "cp950"
    assert checked.clean == table.encode()


OF_ETEN = "花の屋"


@pytest.mark.parametrize("said", ["big5", "cp950"])
def test_character_that_python_misreads_is_refused(said: str) -> None:
    """Python decodes these bytes as another kana than all other systems."""
    content = TABLE.encode("cp950") + f"c@example.com,{OF_ETEN},x\n".encode("big5hkscs")

    [finding] = detect([content], said).findings

    assert (finding.level, finding.rule, finding.line) == ("error", "encoding", 4)
    assert "line 4 has the bytes c7 55, which are not CP950 (Big5)" in finding.message
    assert "use encoding='big5hkscs'" in finding.message
    assert check(content, encoding="big5hkscs").clean.decode().endswith(f"{OF_ETEN},x\n")


@pytest.mark.parametrize("lead", range(0xC6, 0xC9))
def test_no_character_of_the_extension_is_accepted(lead: int) -> None:
    """All of C6A1 to C8FE, whether Python reads it or not; those of Big5-HKSCS with a remedy."""
    for trail in range(0xA1, 0xFF):
        pair = bytes((lead, trail))
        [finding] = detect([b"EMAIL,NAME\n\xa4\xa4" + pair + b"\n"]).findings

        assert (finding.level, finding.line) == ("error", 2)
        is_known = bool(pair.decode("big5hkscs", "ignore"))
        assert ("use encoding='big5hkscs'" in finding.message) == is_known
        assert (f"bytes {pair.hex(' ')}, which are not CP950" in finding.message) or not is_known


def test_bytes_of_the_extension_inside_of_others_are_ignored() -> None:
    """Second bytes are never read as first bytes; the common characters end at C67E."""
    content = b"EMAIL,NAME\na@example.com,\xa4\xc7\xa4\xc8\xc6\x7e\xb3\x5c\n"

    assert detect([content]).encoding == "cp950"


def test_character_of_the_extension_is_found_across_blocks() -> None:
    """Its two bytes may stand in two of them."""
    for shift in range(3):
        first = TABLE.encode("cp950").ljust(BLOCK_BYTES - shift, b"x")

        [finding] = detect([first + "の".encode("big5hkscs") + b"\n"], "cp950").findings

        assert finding.line == 4
        assert "bytes c7 55" in finding.message


def test_first_bad_bytes_are_named_where_others_follow() -> None:
    """A misread character before bytes that are of no encoding at all."""
    content = "EMAIL,NAME\na@example.com,の\n".encode("big5hkscs") + b"\xff\xff\n"

    [finding] = detect([content], "cp950").findings

    assert finding.line == 2
    assert "bytes c7 55" in finding.message


@pytest.mark.parametrize("said", [None, "cp950"])
@pytest.mark.parametrize("last", ["强", "热"])
def test_other_encoding_is_not_read_as_the_extension(said: str | None, last: str) -> None:
    """GB2312 has hanzi there; Big5-HKSCS would read them without a complaint."""
    content = f"EMAIL,NAME\na@example.com,王伟李娜张敏刘洋陈静杨勇赵磊黄丽{last}\n".encode("gbk")

    [finding] = detect([content], said).findings

    assert finding.rule == "encoding"
    assert "big5hkscs" not in finding.message


LOOKALIKES = {
    "gbk": ("王伟 李娜 张敏 刘洋 陈静 杨勇 赵磊 黄丽", "GB2312 and EUC-KR"),
    "euc-kr": ("김민수 이서연 박지수 최유진 정민준 강미나", "GB2312 and EUC-KR"),
    "latin-1": ("Renée Amélie Björn", "Latin-1"),
}


@pytest.mark.parametrize("codec", LOOKALIKES)
def test_encoding_that_looks_like_big5_must_be_named(codec: str) -> None:
    """Strict decoding succeeds, but every name would become another."""
    names, lookalike = LOOKALIKES[codec]
    content = "".join(["EMAIL,NAME\n", *(f"a@example.com,{each}\n" for each in names.split())])

    detected = detect([content.encode(codec)])

    [finding] = detected.findings
    assert (detected.encoding, finding.level, finding.rule) == (None, "error", "encoding")
    assert finding.line == 2
    assert f"but {lookalike} as well; use encoding='cp950' if it is Big5" in finding.message
    assert detect([content.encode(codec)], "cp950").encoding == "cp950"


@pytest.mark.parametrize(
    "names",
    ["王" * 15, "王" * 15 + "許", "許功蓋", "許", "Mr許功", "T恤", "Mr許 Mr王", "VIP,許"],
)
def test_big5_that_no_other_encoding_is_stays_a_warning(names: str) -> None:
    """Too few characters to tell, or one that only Big5 has."""
    content = f"EMAIL,NAME\na@example.com,{names}\n".encode("cp950")

    detected = detect([content])

    assert detected.encoding == "cp950"
    assert [each.level for each in detected.findings] == ["warning"]


@pytest.mark.parametrize("shift", range(4))
def test_lookalikes_are_found_across_blocks(shift: int) -> None:
    """Neighbours and second bytes may stand in the next block."""
    first = "許功".encode("cp950")
    content = b"EMAIL,NAME\nMr\xb3\x5c".ljust(BLOCK_BYTES - shift, b"x") + first + b"\n"

    assert detect([content]).encoding == "cp950"
    assert detect([content[:-3] + b"\n"]).encoding is None
