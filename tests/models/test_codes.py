from __future__ import annotations

import pytest

from newsleopard_async.errors import InvalidRequest
from newsleopard_async.models.codes import check_code, check_list_code


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("", "required"),
        (".", "code"),
        ("..", "code"),
        ("a/b", "code"),
        ("../x", "code"),
        ("a\\b", "code"),
        ("a?b", "code"),
        ("a#b", "code"),
        ("a b", "code"),
        ("a\u3000b", "code"),
        ("a\n", "code"),
        ("a\x00", "code"),
        ("a\x85", "code"),
        ("a\u202e", "code"),
        ("a" * 201, "code"),
        ("\ud800", "encoding"),
        (None, "type"),
        (5, "type"),
        (b"a", "type"),
    ],
)
def test_code_that_would_change_a_path_is_refused(code: object, rule: str) -> None:
    """A code that is no single segment of a path never reaches a URL; the field is named."""
    with pytest.raises(InvalidRequest) as caught:
        check_code("campaign_sn", code)

    assert [(p.field, p.rule) for p in caught.value.problems] == [("campaign_sn", rule)]


@pytest.mark.parametrize("code", ["40280a3c6a0cb8c5016a10142a230002", "群組代碼", "a.b", "file"])
def test_opaque_code_passes(code: str) -> None:
    """Any other text is the platform's own business."""
    check_code("campaign_sn", code)


@pytest.mark.parametrize("code", ["file", "text", "result", "lists"])
def test_word_of_a_path_is_no_code_of_a_list(code: str) -> None:
    """A list's code stands where the platform's paths have words of their own."""
    with pytest.raises(InvalidRequest) as caught:
        check_list_code("list_sn", code)

    assert caught.value.problems[0].rule == "reserved"


def test_code_of_a_list_passes() -> None:
    """What merely contains such a word is a code."""
    check_list_code("list_sn", "files")
