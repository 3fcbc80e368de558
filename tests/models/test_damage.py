"""What conversions leave in a text is recognised, and what people write is not."""

from __future__ import annotations

import pytest

from newsleopard_async.models import damage


@pytest.mark.parametrize(
    ("damaged", "original"),
    [
        pytest.param("王小明".encode().decode("latin-1"), "王小明", id="UTF-8 as Latin-1"),
        pytest.param("陳大文".encode().decode("cp1252"), "陳大文", id="UTF-8 as CP1252"),
        pytest.param("José".encode().decode("cp1252"), "José", id="one letter"),
        pytest.param("Иван".encode().decode("cp1252"), "Иван", id="Cyrillic"),
        pytest.param("Lledó".encode().decode("cp1252"), "Lledó", id="a last letter"),
        pytest.param("Więcek".encode().decode("cp1252"), "Więcek", id="Polish"),
        pytest.param("Şafak".encode().decode("cp1252"), "Şafak", id="Turkish"),
        pytest.param("嗨😀".encode().decode("cp1252"), "嗨😀", id="an emoji"),
        pytest.param(
            "王小明".encode().decode("latin-1").encode().decode("latin-1"), "王小明", id="twice"
        ),
        pytest.param("王小明".encode("cp950").decode("latin-1"), "王小明", id="Big5 as Latin-1"),
        pytest.param("宮平".encode().decode("cp950"), "宮平", id="UTF-8 as Big5"),
        pytest.param("王小明".encode().decode("mac_roman"), "王小明", id="Excel for Mac"),
        pytest.param("José".encode().decode("mac_roman"), "José", id="a letter on a Mac"),
        pytest.param("林志玲".encode().decode("cp437"), "林志玲", id="a console"),
        pytest.param("Müller".encode().decode("cp850"), "Müller", id="a console in Europe"),
        pytest.param("嗨😀".encode().decode("mac_roman"), "嗨😀", id="an emoji on a Mac"),
    ],
)
def test_wrong_decoding_is_undone(damaged: str, original: str) -> None:
    """A text that was decoded in the wrong encoding gets its original back."""
    assert damage.original_of(damaged) == original
    assert damage.MISREAD.search(damaged)


@pytest.mark.parametrize(
    "text",
    [
        "王小明", "José", "Ångström", "Müller", "Łódź", "NESCAFÉ®", "CAFÉ™", "20°C 30°C", "瑭嫘",
        "ÀÉ", "«特價»", "«café»", "“allé”…", "IRMÃ”",
        "CAFÉ’s", "d’État", "„Äpfel“", "l’Écume", "√2 ≈ 1.4", "Σωκράτης", "Þórður", "Õnne", "李├王",
        "Úštěk", "É\xa0vendre", "¿Qué?", "½¼", "ÅÄÖ", "", "🎉",
    ],
)  # fmt: skip
def test_what_people_write_was_not_misread(text: str) -> None:
    """Accents, marks and emoji of people's own pass."""
    assert damage.original_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "王\ufffd明",
        "王?明",
        "陳??文",
        "錫\ue000",
        "\uf8f0小",
        "嚙踝蕭",
        "\U000f0000明",
        "王\x1a",
        "王\xbf明",
    ],
)
def test_lost_characters_are_found(text: str) -> None:
    """What a conversion could not write is recognised."""
    assert damage.LOST.search(text)


@pytest.mark.parametrize("text", ["真的嗎?", "游錫堃", "Who?", "?", "a?b", "¿Qué?"])
def test_question_marks_of_sentences_are_no_lost_characters(text: str) -> None:
    """Only a question mark between Han characters stands for one."""
    assert damage.LOST.search(text) is None


def test_references_are_those_that_html_has() -> None:
    """An ampersand and a semicolon make no character reference."""
    found = [damage.has_reference(text) for text in ("&#22531;", "&#x5803;", "R&amp;D", "錫&#2253")]
    others = [damage.has_reference(text) for text in ("A & B; C", "AT&T;", "&copy", "a&b", "&#1")]
    assert (all(found), any(others)) == (True, False)


@pytest.mark.parametrize(
    "text", ["\u200b", "\u200b\u2060", "\u3164", "\u2800", "\u00ad", " ", "", "\x07"]
)
def test_invisible_text_is_unseen(text: str) -> None:
    """Blanks and characters that take no ink show nothing."""
    assert damage.is_unseen(text)


@pytest.mark.parametrize("text", ["👨\u200d👩", "❤\ufe0f", "a\u200b"])
def test_text_with_invisible_characters_in_it_is_seen(text: str) -> None:
    """Invisible characters hide nothing else."""
    assert not damage.is_unseen(text)


def test_invisible_characters_are_taken_out() -> None:
    """What is left is what a reader sees."""
    assert damage.without_invisible("\ufeff特\u200b價") == "特價"


@pytest.mark.parametrize(
    "text", ["👨\u200d👩", "❤\ufe0f", "❤\ufe0f\u200d🔥", "1\ufe0f\u20e3", "©\ufe0f"]
)
def test_joiner_of_emoji_hides_nothing(text: str) -> None:
    """A character that joins emoji or chooses their style is visible by its effect."""
    assert damage.HIDDEN.search(text) is None


@pytest.mark.parametrize("text", ["a\ufe0f", "a\ufe0f\u200d", "王\u200d明", "👨\u200b", "\u200d"])
def test_joiner_elsewhere_is_hidden(text: str) -> None:
    """Next to a letter, the character is invisible."""
    assert damage.HIDDEN.search(text)
