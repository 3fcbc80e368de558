from __future__ import annotations

import pytest

from newsleopard_async.checks.check import check_campaign
from newsleopard_async.checks.page import parse_page
from tests.checks.examples import COLUMNS, NOW, campaign, rules_of

THREE_MB = 3_000_000
FIVE_MB = 5_000_000
UNCLOSED = ["<!--", "<![x[", "</", "<?", "<a ", "<a x='", "<a b='\"", "<script>"]
DENSE = [
    *("<a x='>", "<b>x</b>", "<img>", "<a href=x>", "<a href='http://['>", "<p style='url(a)'>"),
    *(
        "${",
        "${<",
        "${A}",
        "{{",
        "{{a}}",
        "[[",
        "*|",
        "%a",
        "%%",
        "＄｛",
        "%24{",
        "url(",
        "&",
        "&#1",
        "&#36;",
        "$<b>",
        "${<b>",
        "${a<b>",
        "%24%7b",
        "{{<b>",
        "$ ",
        "{NAME",
        "％NAME",
    ),
    *("<!x>", "<!--x-->", "<style>{{</style>", "<a href='#x'>", "\n", "<script></script>"),
    *("<!--[if mso]><a href=x>{{<![endif]-->", "<img srcset='a,,,,b ,,,,'>", "&zwnj;"),
    *("<p style='display:none'>", "<p style='display: none'>x</p>", "a href='http://a:b:'>"),
    "<title>",
]


@pytest.mark.matrix
@pytest.mark.timeout(30)
@pytest.mark.parametrize("piece", UNCLOSED)
def test_time_grows_with_the_length_where_nothing_is_closed(piece: str) -> None:
    """Looking for the end anew from every opening would take minutes here, and not a second."""
    text = "x" + piece * (THREE_MB // len(piece))

    assert "unclosed-html" in [rule for _, rule, _, _ in rules_of(campaign(html=text))]


@pytest.mark.matrix
@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", DENSE)
def test_time_grows_with_the_length_where_all_is_full_of_marks(piece: str) -> None:
    """A page can contain any fault tens of thousands of times."""
    text = "x" + piece * (FIVE_MB // 25 // len(piece))

    report = check_campaign(campaign(html=text), columns=COLUMNS, now=NOW)

    assert len(report.findings) < 40


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_mail_of_five_megabytes_is_read() -> None:
    """As much as the platform takes is checked in seconds."""
    row = (
        '<tr><td style="width:50%"><a href="https://www.example.com/a">文字 ${NAME}</a></td></tr>\n'
    )

    rules = rules_of(campaign(html=row * (FIVE_MB // len(row.encode()))), columns=COLUMNS)

    assert [rule for _, rule, _, _ in rules] == ["html-fragment", "clipped", "missing-charset"]


@pytest.mark.parametrize(
    "section", ["<![foo[ x ]]>", "<![ endif ]>", "<![]>", "<![CDATA[ x ]]>", "<![if x]>"]
)
def test_marked_section_of_any_kind_is_skipped(section: str) -> None:
    """What follows is read all the same."""
    page = parse_page("html", f"{section}\n<b>x</b>")

    assert [(tag.name, tag.line) for tag in page.tags] == [("b", 2)]


@pytest.mark.parametrize("text", ["&#{};", "<p title='&#{};'>", "<p title=&#{}>", "a &#{}"])
def test_endless_character_reference_is_read(text: str) -> None:
    """Python refuses to make a number of thousands of digits."""
    text = text.replace("{}", "1" * 5_000)

    assert parse_page("html", text).size_bytes == len(text)


def test_first_of_two_attributes_counts() -> None:
    """A browser uses the first attribute, and ignores later ones."""
    [tag] = parse_page("html", "<p ID=a id=b hidden>").tags

    assert tag.attributes == {"id": "a", "hidden": ""}


def test_invisible_text_does_not_count_as_text() -> None:
    """Text is what the recipient reads, with its references resolved."""
    page = parse_page(
        "html", "<title>a</title><style>b</style><script>c</script><!--d-->\ne&amp;f<br> <p>g < h"
    )

    assert "".join(piece.text for piece in page.texts).split() == ["e&fg", "<", "h"]
    assert [piece.text for piece in page.styles] == ["b"]


def test_what_a_frame_or_a_form_holds_is_no_markup() -> None:
    """A frame's content is for programs without frames, and a field shows its content as text."""
    page = parse_page("html", "<iframe><b>x</b></iframe><xmp><i></xmp><textarea><u>y</textarea>")

    assert [tag.name for tag in page.tags] == ["iframe", "xmp", "textarea"]
    assert [piece.text for piece in page.texts] == ["<i>", "<u>y"]


def test_faulty_tag_is_hidden_like_a_comment() -> None:
    """Outlook does not read it as a conditional comment, although it is similar."""
    page = parse_page("html", "<![if {{a}}]>b<? {{c}}\n?><!{{d}}></ {{e}}>")

    assert page.source == "<!>b<\n><!></>"
    assert page.conditionals == []


def test_content_of_a_comment_for_outlook_is_read_by_itself() -> None:
    """An open tag in a comment hides neither the next comment nor the mail."""
    page = parse_page(
        "html",
        "<!--[if mso]><p a='><![endif]-->\n<!--[if mso]><b c=d>e&amp;f\n<i>g<style>h</style>"
        "<![endif]-->i<!--[if !mso]><!--><u><!--<![endif]-->",
    )

    assert [tag.name for tag in page.tags] == ["u"]
    assert [(tag.name, tag.line) for tag in page.outlook.attributed] == [("b", 2)]
    assert {("e&f\n", 2), ("g", 3)} < {(each.text, each.line) for each in page.outlook.texts}
    assert [(piece.text, piece.line) for piece in page.outlook.styles] == [("h", 3)]
    assert page.unclosed_at is None


def test_source_keeps_the_lines_of_what_is_left_out() -> None:
    """A placeholder is searched for in visible text, and reported with its line."""
    page = parse_page(
        "html", "1<!--\n2-->\n3<script>\n4\r\n5</script>6<!--[if mso]>\n7<![endif]-->8<!---->9"
    )

    assert page.source == (
        "1<!--\n-->\n3<script>\n\n</script>6<!--[if mso]>\n7<![endif]-->8<!---->9"
    )


def test_element_that_is_never_closed_is_found_at_its_tag() -> None:
    """A tag over several lines has begun in the first of them."""
    assert parse_page("html", "\n<style\ntype=x\n>\np {}").unclosed_at == 2


def test_style_inside_an_unclosed_title_does_not_end_it() -> None:
    """The outermost of what is open hides the rest."""
    page = parse_page("html", "\n<title><style>x</style>\ny")

    assert page.unclosed_at == 2
    assert page.texts == []
