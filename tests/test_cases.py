"""A failed case of a test with many cases is named."""

from __future__ import annotations

import pytest

from tests.cases import case


def test_error_names_its_case() -> None:
    """This includes a missing error, which pytest does not raise as an Exception."""
    with pytest.raises(AssertionError) as wrong, case("a", 1):
        raise AssertionError
    with pytest.raises(pytest.fail.Exception) as missing, case("b"), pytest.raises(KeyError):
        pass

    assert wrong.value.__notes__ == ["in the case 'a', 1"]
    assert missing.value.__notes__ == ["in the case 'b'"]
