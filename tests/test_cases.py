"""Cases that one test goes through are named where they fail."""

from __future__ import annotations

import pytest

from tests.cases import case


def test_error_names_its_case() -> None:
    """Also where nothing was raised that should have been, which is no Exception."""
    with pytest.raises(AssertionError) as wrong, case("a", 1):
        raise AssertionError
    with pytest.raises(pytest.fail.Exception) as missing, case("b"), pytest.raises(KeyError):
        pass

    assert wrong.value.__notes__ == ["in the case 'a', 1"]
    assert missing.value.__notes__ == ["in the case 'b'"]
