from __future__ import annotations

import pytest

from newsleopard_async.contacts.csv.batch import Column
from newsleopard_async.contacts.rules import trimming
from tests.cases import case
from tests.contacts.checking import check, csv_of, found


def said_of(cell: str, column: str = "NAME") -> list[str]:
    """Return the rules of the warnings of one cell, between two that nothing is wrong with."""
    names = [cell if column == "NAME" else "甲", "王小明", "Amy Lin"]
    others = [cell if column != "NAME" else "x", "y", "z"]
    rows = [
        f'{letter}@example.com,"{name}","{other}"'
        for letter, name, other in zip("abc", names, others, strict=True)
    ]
    report = check(csv_of(*rows, header=f"EMAIL,NAME,{'X' if column == 'NAME' else column}")).report
    assert {each.places for each in report} <= {(2,)}
    assert {each.column for each in report} <= {column}
    return [each.rule for each in report]


def latin(text: str, codec: str = "utf-8") -> str:
    """Read a text in the wrong encoding."""
    return text.encode(codec).decode("latin-1")


IN_EVERY_COLUMN = [
    ("王\ufffd明", "lost-character"),
    ("王?明", "lost-character"),
    ("陳??文", "lost-character"),
    ("台?市大?區", "lost-character"),
    ("???", "lost-character"),
    ("游錫\ue000", "lost-character"),
    ("\uf8f0小明", "lost-character"),
    ("嚙踝蕭", "lost-character"),
    ("\U000f0000小明", "lost-character"),
    ("王\x1a明", "lost-character"),
    ("王\xbf明", "lost-character"),
    ("锟斤拷", "lost-character"),
    (latin("王小明"), "double-decoding"),
    (latin("王小明", "cp950"), "double-decoding"),
    (latin(latin("王小明")), "double-decoding"),
    ("José".encode().decode("cp1252"), "double-decoding"),
    ("陳大文".encode().decode("cp1252"), "double-decoding"),
    ("宮平".encode().decode("cp950"), "double-decoding"),
    ("王小明".encode().decode("mac_roman"), "double-decoding"),
    ("Müller".encode().decode("cp437"), "double-decoding"),
    ("游錫&#22531;", "character-reference"),
    ("O&#39;Neil", "character-reference"),
    ("R&amp;D", "character-reference"),
    ("&#x5803;", "character-reference"),
    ("游錫&#225", "character-reference"),
    ("#N/A", "spreadsheet-error"),
    (" #REF! ", "spreadsheet-error"),
    ("#NAME?", "spreadsheet-error"),
    ("#DIV/0!", "spreadsheet-error"),
    ("#SPILL!", "spreadsheet-error"),
    ("########", "spreadsheet-error"),
    ("Err:502", "spreadsheet-error"),
    ("#WERT!", "spreadsheet-error"),
    ("#¿NOMBRE?", "spreadsheet-error"),
    ("NULL", "null-word"),
    ("null", "null-word"),
    ("(null)", "null-word"),
    ("NaN", "null-word"),
    ("\\N", "null-word"),
    ("<NA>", "null-word"),
    ("undefined", "null-word"),
    ("[object Object]", "null-word"),
    ("<None>", "null-word"),
    ("(not set)", "null-word"),
    ("undefinedundefined", "null-word"),
    ("'0912345678", "text-apostrophe"),
    ("'+886912345678", "text-apostrophe"),
    (" '0912345678", "text-apostrophe"),
    ("'=1+1", "text-apostrophe"),
    ("'@x", "text-apostrophe"),
    ("'2026-01-05", "text-apostrophe"),
    ("'(02)2345-6789", "text-apostrophe"),
    ("'王小明", "text-apostrophe"),
    ("</p><table>", "markup"),
    ("<b>王小明</b>", "markup"),
    ("A&B <Team>", "markup"),
    ("<!-- x -->", "markup"),
    ("${EMAIL}", "placeholder-in-value"),
    ("{{name}}", "placeholder-in-value"),
    ("*|FNAME|*", "placeholder-in-value"),
    ("%FIRSTNAME%", "placeholder-in-value"),
    ("＄｛NAME｝", "placeholder-in-value"),
    ("{!Contact.Name}", "placeholder-in-value"),
    ("$[FNAME]$", "placeholder-in-value"),
    ("<%= name %>", "placeholder-in-value"),
    ("[[firstname]]", "placeholder-in-value"),
    ("=1+1", "formula"),
]


@pytest.mark.parametrize("column", ["NAME", "備註"])
def test_damaged_cell_is_a_warning_of_its_column(column: str) -> None:
    """The finding has the line, in any column."""
    for cell, rule in IN_EVERY_COLUMN:
        with case(cell):
            assert said_of(cell, column) == [rule]


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        ("None", "null-word"),
        ("N/A", "null-word"),
        ("NA", "null-word"),
        ("None None", "null-word"),
        ("John undefined", "null-word"),
        ("null 王", "null-word"),
        ("None 王", "null-word"),
        ("{}", "null-word"),
        ("[]", "null-word"),
        ("游錫?", "lost-character"),
        ("王?", "lost-character"),
        ("?小明", "lost-character"),
        ("M?ller", "lost-character"),
        ("M\xbfller", "lost-character"),
        ("Jos? García", "lost-character"),
        ("司馬?", "lost-character"),
        ("王 ?", "lost-character"),
        ("王？明", "lost-character"),
        ("游錫□", "lost-character"),
        ("〓小明", "lost-character"),
        ("?", "lost-character"),
        ("恭喜中獎 http://spam.example/x", "link-in-name"),
        ("www.spam.example", "link-in-name"),
        ("WWW.SPAM.EXAMPLE", "link-in-name"),
        ("領獎 bit.ly/3xYz", "link-in-name"),
        ("https://spam.example/a?b=1", "link-in-name"),
        ("\u200b", "empty-name"),
        ("\u200b\u2060", "empty-name"),
        ("\u3164", "empty-name"),
        ("\u2800", "empty-name"),
        ("\u00ad \u3000", "empty-name"),
        ("\t", "empty-name"),
        ("\u2003", "empty-name"),
        ("\x07", "empty-name"),
        ("", "empty-name"),
    ],
)
def test_name_that_no_one_has_is_a_warning(cell: str, rule: str) -> None:
    """In another column it is possibly intended."""
    assert said_of(cell) == [rule]
    assert said_of(cell, "備註") == []


NAMES = [
    "王小明", "游錫堃", "歐陽娜娜", "Nan Wang", "Nan", "Na", "Nil", "Null", "Jennifer Null",
    "Nonette", "Ñandú", "José", "Ångström", "Müller", "Łódź", "Đặng Thị Ánh", "Zoë Çelik",
    "İpek Şahin", "ÉMILE", "João Gonçalves", "Ærøskøbing", "O'Neil", "'Abd al-Malik",
    "'t Hooft", "D’Arcy", "o'neil", "真的嗎?", "Who?", "是誰?", "真的嗎?太好了", "A & B; C",
    "AT&T", "A & B", "<3", "1 < 2", "王.小明", "J. R. R. Tolkien", "St.John", "Smith, Jr.",
    "Acme Co.,Ltd./Taipei", "王/李", "Amazon.com", "#1 fan", "#王小明", "王小明♪",
    "👨\u200d👩\u200d👧", "❤\ufe0f", "อนงค์", "Ивáн", "محمد", "דוד", "さくら", "김나", "100%",
    "50%*2", "5* hotel", "$100", "US$5", "{A}", "[VIP] 王", "王(小明)", "嚙齒", "鍵錤", "-",
    "-王-", "100%SALE%", "[VIP]", "=^_^=", "=)", "@@", "--無--", "真的嗎？好", "是誰？",
    "Who? Me", "¿Quién?", "Chef d’État", "Σωκράτης", "#SALE!",
    "J_B", "Café Olé", "café»", "“allé”…", "«café»",
]  # fmt: skip


def test_real_names_have_no_finding() -> None:
    """Accents, apostrophes, emoji, words of other languages that look like a program's."""
    for name in NAMES:
        with case(name):
            assert said_of(name) == []


REMARKS = [
    *(name for name in NAMES if name != "Null"),
    "None",
    "N/A",
    "可以?謝謝",
    "這樣好嗎?謝謝您",
    "要不要?都好",
    "需要發票?是",
    "已付款?未付",
    "□自取 □宅配",
    "你好?我要",
    "None of them",
    "https://x.example/a?b=c&amp;d=e",
    "https://x.example/?q=王",
    "'95",
    "See www.example.com",
    "a / b",
    "a_b=c",
    "x?y",
]


def test_usual_text_has_no_finding() -> None:
    """A column of remarks or links contains sentences and URLs."""
    for cell in REMARKS:
        with case(cell):
            assert said_of(cell, "備註") == []


def test_several_batches_have_one_finding() -> None:
    """Its count is all of them, its places the first."""
    rows = [f"user{index}@example.com,#N/A" for index in range(30)]

    warning = found(check(csv_of(*rows), block_bytes=64), "spreadsheet-error")

    assert (warning.count, warning.places) == (30, tuple(range(2, 22)))
    assert "has 30 cells in NAME (lines 2, 3, 4, 5, 6 and 25 more)" in warning.message


def test_address_is_checked_only_for_formulas() -> None:
    """Any other problem makes it an invalid address."""
    checked = check(csv_of("null@example.com,甲", "&amp@example.com,乙", "#@example.com,丙"))

    assert checked.triples == []


@pytest.mark.parametrize("cell", ["+1(" * 200_000 + "!", "'" + "1" * 600_000 + "x", "<" * 600_000])
def test_hostile_cell_takes_no_time(cell: str) -> None:
    """No pattern matches a cell again and again."""
    check(csv_of(f'a@example.com,"{cell}"', f'b@example.com,甲"{cell}"'))


@pytest.mark.parametrize(
    ("cell", "bare"),
    [
        ("\ufeffa@example.com", "a@example.com"),
        (" \u200b a@example.com\u200e\u3000", "a@example.com"),
        ("\u202aa@example.com\u202c", "a@example.com"),
        ("'a@example.com", "a@example.com"),
        ("' a@example.com", "a@example.com"),
        ("''a@example.com", "a@example.com"),
        ("\u200b'a@example.com", "a@example.com"),
        ("o'neil@example.com", "o'neil@example.com"),
        ("'none", "'none"),
        ("a\u200b@example.com", "a\u200b@example.com"),
    ],
)
def test_address_is_trimmed_of_surrounding_characters(cell: str, bare: str) -> None:
    """Blanks, invisible characters, and the apostrophe of a spreadsheet."""
    assert trimming.trim_address(cell) == bare


@pytest.mark.parametrize(
    ("cell", "trimmed"),
    [
        ("\u200b王小明\ufeff", "王小明"),
        ("'0912345678", "0912345678"),
        ("'+886912345678", "+886912345678"),
        ("'=1+1", "'=1+1"),
        ("'Abd al-Malik", "'Abd al-Malik"),
        ("❤\ufe0f", "❤\ufe0f"),
        ("王\u200b明", "王\u200b明"),
        ("x\n", "x"),
    ],
)
def test_trimming_removes_characters_around_a_cell(cell: str, trimmed: str) -> None:
    """The mark of a formula, the variation of an emoji and all text inside stay."""
    assert list(trimming.trim_values(Column.of(["x", cell, "y "]))) == ["x", trimmed, "y"]
    assert list(trimming.trim_values(Column.of([cell, "x"]))) == [trimmed, "x"]


@pytest.mark.parametrize(
    ("name", "rule"),
    [("=1+1|cmd", "formula"), ("'0912345678", "text-apostrophe"), ("#N/A", "spreadsheet-error")],
)
def test_name_below_an_empty_one_is_also_checked(name: str, rule: str) -> None:
    """A name that is empty hides nothing of the name after it."""
    checked = check(csv_of("a@example.com,", f"b@example.com,{name}"))

    assert found(checked, rule).line == 3
