from __future__ import annotations

from typing import Any

import pytest

from newsleopard_async.models import Polling, RateLimits, RetryPolicy, Timeouts
from tests.models.examples import problems_of

NAN = float("nan")


@pytest.mark.parametrize(
    ("options", "arguments", "expected"),
    [
        (Timeouts, {"read_s": 0}, [("read_s", "positive")]),
        (
            Timeouts,
            {"read_s": -1, "write_s": NAN},
            [("read_s", "positive"), ("write_s", "positive")],
        ),
        (Timeouts, {"submit_s": float("inf")}, [("submit_s", "positive")]),
        (RetryPolicy, {"max_attempts": 0}, [("max_attempts", "positive")]),
        (Polling, {"deadline_s": 0}, [("deadline_s", "positive")]),
        (Polling, {"jitter": 1}, [("jitter", "share")]),
        (Polling, {"jitter": -0.1}, [("jitter", "share")]),
        (RateLimits, {"windows": [(1, 0.1)]}, []),
        (RateLimits, {"windows": [(0, 1.0)]}, [("windows", "positive")]),
        (RateLimits, {"windows": [(1, 0.0), (1, NAN)]}, [("windows", "positive")] * 2),
    ],
)
def test_option_that_would_never_end_is_refused(
    options: Any, arguments: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """Every wait is finite and every limit lets something through."""
    assert problems_of(options, **arguments) == expected
