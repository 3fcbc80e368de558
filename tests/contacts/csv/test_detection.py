from __future__ import annotations

import codecs
import csv
import io
import tracemalloc
from collections.abc import Iterator

import pytest

from newsleopard_async.contacts.csv.detection import BLOCK_BYTES, ENCODINGS, EncodingDetector
from newsleopard_async.errors import InvalidRequest
from tests.contacts.checking import check, csv_of, detect, found

MIB = 1024 * 1024
TABLE = "EMAIL,NAME,城市\na@example.com,王小明,台北市\nb@example.com,陳怡君,高雄市\n"


def test_utf8_has_no_finding() -> None:
    """UTF-8 without a mark has no finding."""
    detected = detect([TABLE.encode()])

    assert (detected.encoding, detected.mark_bytes, detected.findings) == ("utf-8", 0, ())


def test_mark_of_utf8_is_noted_and_left_out() -> None:
    """Excel's "CSV UTF-8" writes one; two of them come from joined files."""
    for marks in (1, 2):
        checked = check(codecs.BOM_UTF8 * marks + TABLE.encode())

        assert checked.triples == [("note", "byte-order-mark", 1)]
        assert checked.clean == TABLE.encode()


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16_with_mark_is_read_and_noted(codec: str) -> None:
    """Excel's "Unicode Text" is such a file."""
    checked = check("\ufeff".encode(codec) + TABLE.encode(codec))

    assert checked.triples == [("note", "encoding", 1)]
    assert checked.report.encoding == codec
    assert checked.clean == TABLE.encode()


def test_cp950_is_detected_with_a_warning_that_names_it() -> None:
    """The report names the detected encoding and the argument for it."""
    checked = check(TABLE.encode("cp950"))

    warning = found(checked, "encoding")
    assert (warning.level, warning.line) == ("warning", 1)
    assert "encoding='cp950'" in warning.message
    assert checked.report.encoding == "cp950"
    assert checked.clean == TABLE.encode()


@pytest.mark.parametrize("said", ["CP950", "Big5-HKSCS", "ms950"])
def test_requested_encoding_is_a_note(said: str) -> None:
    """Any name that Python knows for one of the encodings is obeyed."""
    checked = check(TABLE.encode("big5"), encoding=said)

    assert checked.triples == [("note", "encoding", 1)]
    assert checked.report.encoding == codecs.lookup(said).name
    assert checked.clean == TABLE.encode()


@pytest.mark.parametrize("said", ["utf-8", "UTF8", "utf_8_sig"])
def test_requested_utf8_has_no_finding(said: str) -> None:
    """A requested encoding that would be detected has no finding."""
    assert check(TABLE.encode(), encoding=said).triples == []


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_requested_utf16_can_have_a_mark(codec: str) -> None:
    """The order of the bytes said, the mark is only confirmation."""
    for content in (TABLE.encode(codec), ("\ufeff" + TABLE).encode(codec)):
        checked = check(content, encoding=codec)

        assert checked.triples == [("note", "encoding", 1)]
        assert checked.clean == TABLE.encode()


def test_requested_utf16_is_read_by_its_mark() -> None:
    """The name without an order needs a mark."""
    assert check(TABLE.encode("utf-16"), encoding="utf-16").clean == TABLE.encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (codecs.BOM_UTF8 + TABLE.encode(), "utf-16"),
        (codecs.BOM_UTF8 + TABLE.encode(), "cp950"),
        (codecs.BOM_UTF16_LE + TABLE.encode("utf-16-le"), "utf-16-be"),
        (codecs.BOM_UTF16_LE + TABLE.encode("utf-16-le"), "utf-8"),
    ],
)
def test_mark_that_contradicts_is_an_error(content: bytes, said: str) -> None:
    """Neither the caller nor the mark is overruled."""
    detected = detect([content], said)

    assert detected.encoding is None
    assert "mark of UTF-" in detected.findings[0].message


@pytest.mark.parametrize(
    ("content", "said", "message"),
    [
        (TABLE.encode("utf-16-le"), None, "use encoding='utf-16-le'"),
        (TABLE.encode("utf-16-be"), None, "use encoding='utf-16-be'"),
        (TABLE.encode("utf-16-le"), "utf-16", "use encoding='utf-16-le'"),
        ("信箱，姓名".encode("utf-16-le"), "utf-16", "'utf-16-le' or encoding='utf-16-be'"),
        (TABLE.encode("utf-32"), None, "use encoding='utf-32'"),
        (codecs.BOM_UTF32_BE + TABLE.encode("utf-32-be"), None, "UTF-32"),
    ],
)
def test_wide_encoding_without_a_mark_must_be_named(
    content: bytes, said: str | None, message: str
) -> None:
    """It is recognised by its NULs, and not read on a suspicion."""
    detected = detect([content], said)

    [finding] = detected.findings
    assert (finding.level, finding.rule) == ("error", "encoding")
    assert message in finding.message


def test_bad_bytes_are_named_with_their_line() -> None:
    """The first bytes that are not UTF-8, and those that are not CP950."""
    content = TABLE.encode() + b"c@example.com,\xff\xfe,x\r\n"

    [finding] = detect([content]).findings

    assert (finding.level, finding.rule, finding.line) == ("error", "encoding", 4)
    assert "line 4 has the bytes ff, which are not UTF-8" in finding.message
    assert "line 1 has the bytes e5, which are not CP950 (Big5)" in finding.message


def test_bad_bytes_are_found_deep_in_the_file() -> None:
    """The whole file is decoded, even after a beginning in ASCII, and lines are counted."""
    row = "a@example.com,王小明\r\n".encode()
    content = b"EMAIL,NAME\r\n" + row * 100_000 + b"b@example.com,\xe4\xbd\n"

    for piece_bytes in (len(content), 100_003):
        pieces = [content[at : at + piece_bytes] for at in range(0, len(content), piece_bytes)]
        [finding] = detect(pieces).findings

        assert finding.line == 100_002
        assert "e4 bd" in finding.message


def test_character_cut_off_at_the_end_is_an_error() -> None:
    """An incomplete character is an error."""
    [finding] = detect(["EMAIL,NAME\na@example.com,王".encode()[:-1]]).findings

    assert (finding.rule, finding.line) == ("encoding", 2)


def test_character_cut_off_at_the_end_of_a_block_is_found_there() -> None:
    """What follows is plain ASCII, which is not decoded unless a character is open."""
    first = b"EMAIL,NAME\n".ljust(BLOCK_BYTES - 2, b"x") + "王".encode()[:2]

    [finding] = detect([first + b"\na@example.com,x\n" * 100_000]).findings

    assert (finding.rule, finding.line) == ("encoding", 2)


@pytest.mark.parametrize("said", ["utf-8", "big5"])
def test_requested_encoding_is_used_strictly(said: str) -> None:
    """Where it does not fit, no other is tried."""
    content = TABLE.encode("big5" if said == "utf-8" else "utf-8")

    [finding] = detect([content], said).findings

    assert (finding.level, finding.rule) == ("error", "encoding")
    assert "remove encoding=" in finding.message


def test_bad_utf16_is_an_error_with_its_line() -> None:
    """An odd number of bytes, or half a surrogate pair."""
    mark = codecs.BOM_UTF16_LE
    for bad in (b"\x00", b"\x00\xd8a\x00"):
        [finding] = detect([mark + TABLE.encode("utf-16-le") + bad]).findings

        assert (finding.rule, finding.line) == ("encoding", 4)


@pytest.mark.parametrize(
    "said",
    [
        *("idna", "punycode", "rot13", "base64", "hex", "zip", "bz2", "uu", "undefined"),
        *("unicode_escape", "raw_unicode_escape"),
        *("no such", "", "a\0b", "信", 7, "x" * 100_000),
    ],
)
def test_other_encoding_is_refused_by_the_name_of_the_argument(said: object) -> None:
    """A name that is not a text encoding is refused before a byte is read."""
    with pytest.raises(InvalidRequest) as caught:
        EncodingDetector(said)  # type: ignore[arg-type]  # the point

    [problem] = caught.value.problems
    assert problem.field == "encoding"
    assert all(name in problem.message for name in ENCODINGS)
    assert len(problem.message) < 300


SAID = {
    "gb18030": "堃,表\\㐂",
    "gbk": "張三",
    "shift_jis": "ソ能表十予",
    "cp932": "①髙",
    "euc_jp": "日本",
    "euc_kr": "홍길동",
    "cp949": "똠방",
    "iso2022_jp": "日本語",
    "iso2022_kr": "홍길동",
    "hz": "张三",
    "utf-7": "王小明",
    "utf-32": "王𠮷",
    "utf-32-be": "王𠮷",
    "latin-1": "Größe",
    "cp1252": "“Élodie”",
    "cp1251": "Иван",
    "cp1256": "محمد",
    "cp037": "MING",
    "mac_roman": "Größe",
}


@pytest.mark.parametrize("size_bytes", [1, 5, BLOCK_BYTES])
@pytest.mark.parametrize("said", SAID)
def test_any_requested_encoding_is_read(said: str, size_bytes: int) -> None:
    """For all characters, all sizes of blocks and all shift sequences."""
    rows = f'a@example.com,"{SAID[said]}"\nb@example.com,"{SAID[said]}, x"\n' * 20
    content = f"EMAIL,NAME\n{rows}".encode(said)

    checked = check(content, encoding=said, piece_bytes=size_bytes, block_bytes=max(size_bytes, 3))

    assert checked.clean.decode() == f"EMAIL,NAME\n{unquoted(rows)}"
    note = next(each for each in checked.report if each.rule == "encoding")
    assert (note.level, "as requested" in note.message) == ("note", True)
    assert codecs.lookup(checked.report.encoding or "").name.startswith(codecs.lookup(said).name)


def unquoted(rows: str) -> str:
    """Write rows as they go out, with no more quotes than it takes."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(csv.reader(io.StringIO(rows, newline="")))
    return text.getvalue()


BAD = {
    "gb18030": b"\xff",
    "shift_jis": b"\x85\x20",
    "euc_kr": b"\xff",
    "cp1252": b"\x81",
    "iso2022_jp": b"\x1b$B\xff\xff\x1b(B",
    "hz": b"~{\xff\xff~}",
    "utf-7": b"+2AA-",
    "ascii": b"\xe4",
}


@pytest.mark.parametrize("size_bytes", [1, 4, 7, BLOCK_BYTES])
@pytest.mark.parametrize("said", BAD)
def test_first_bad_bytes_of_a_requested_encoding_are_named(said: str, size_bytes: int) -> None:
    """This includes encodings with shift sequences."""
    name = "a" if said == "ascii" else SAID[said][:1]
    good = "EMAIL,NAME\n" + f"a@example.com,{name}\n" * 9
    content = good.encode(said) + b"b@example.com," + BAD[said] + b"\nx,y\n"

    checked = check(content, encoding=said, piece_bytes=size_bytes, block_bytes=max(size_bytes, 3))

    [finding] = checked.report.findings
    assert (finding.level, finding.rule, finding.line) == ("error", "encoding", 11)
    assert checked.clean == b""


def test_utf32_needs_a_mark_or_the_order_of_its_bytes() -> None:
    """As UTF-16 does."""
    [finding] = detect([TABLE.encode("utf-32-le")], "utf-32").findings

    assert "use encoding='utf-32-le' or encoding='utf-32-be'" in finding.message
    assert detect([TABLE.encode("utf-32-le")], "utf-32-le").encoding == "utf-32-le"


@pytest.mark.parametrize("content", [b"", b" ", b"\n\r\n\t ", codecs.BOM_UTF8, codecs.BOM_UTF16_LE])
def test_nothing_but_blanks_is_an_empty_file(content: bytes) -> None:
    """A byte order mark is not content."""
    detected = detect([content])

    assert detected.encoding is None
    assert [each.rule for each in detected.findings] == ["empty-file"]


def test_no_piece_at_all_is_an_empty_file() -> None:
    """A source may yield nothing."""
    assert [each.rule for each in detect([]).findings] == ["empty-file"]


@pytest.mark.parametrize(
    "content",
    [
        bytes(range(256)) * 40,
        b"\0" * 100,
        b"\x00\x01\x02\x03" * 100,
        csv_of("a@example.com,x") + bytes(range(256)) * 4,
        b"text" * 70_000 + b"\n" + bytes(range(256)) * 4000,
    ],
)
def test_binary_data_is_not_text(content: bytes) -> None:
    """Whether it can be decoded or not."""
    detected = detect([content])

    assert [each.rule for each in detected.findings] == ["not-text"]


def test_stray_control_characters_do_not_make_it_binary() -> None:
    """A few of them are a problem of rows, which the rules of rows report."""
    assert detect([csv_of("a@example.com,\0\0\x01\x02")]).encoding == "utf-8"


@pytest.mark.parametrize(
    ("line", "rule"), [(b"x" * 1000, "not-text"), (b"a," * 500, "column-count")]
)
def test_line_of_two_gigabytes_is_refused_early(line: bytes, rule: str) -> None:
    """After a mebibyte without an end nothing more is read; memory stays small."""
    asked = 0

    def pieces() -> Iterator[bytes]:
        nonlocal asked
        yield b"EMAIL,NAME\n"
        for _ in range(2_000_000):
            asked += 1
            yield line

    tracemalloc.start()
    detected = detect(pieces())
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert asked < 2 * MIB / 1000
    assert peak_bytes < 2 * MIB
    [finding] = detected.findings
    assert (finding.level, finding.rule, finding.line) == ("error", rule, 2)


def test_header_of_ten_million_columns_is_refused_early() -> None:
    """The size is enough, so the columns are not counted."""
    asked = 0

    def pieces() -> Iterator[bytes]:
        nonlocal asked
        yield b"EMAIL,NAME"
        for column in range(0, 10_000_000, 1_000):
            asked += 1
            yield b"".join(b",column%d" % (column + more) for more in range(1_000))

    [finding] = detect(pieces()).findings

    assert asked < 200
    assert (finding.level, finding.rule, finding.line) == ("error", "column-count", 1)
    assert "1,000 columns" in finding.message


def test_piece_of_many_megabytes_is_checked_in_blocks() -> None:
    """A line without an end is also found in one piece, and only if it is too long."""
    lines = b"x" * (MIB - 10) + b"\n"

    assert detect([lines * 3]).encoding == "utf-8"
    assert detect([lines * 3 + b"x" * (2 * MIB)]).findings[0].line == 4


def test_nothing_is_read_after_enough_is_known() -> None:
    """A driver that feeds on changes nothing."""
    detector = EncodingDetector()
    assert not detector.feed(b"x" * (2 * MIB))
    assert not detector.feed(b"\n" * MIB)

    assert [each.rule for each in detector.finish().findings] == ["not-text"]


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_lines_are_counted_across_blocks(end: str) -> None:
    """CRLF can be split between two blocks."""
    block = 256 * 1024
    for shift in range(4):
        first = "x" * (block - shift) + end
        content = first.encode() + b"\xff"

        [finding] = detect([content]).findings

        assert finding.line == 2
