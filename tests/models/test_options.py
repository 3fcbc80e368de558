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


def test_presets_are_the_two_documents() -> None:
    """10/s and 10,000 a day as published, 2/s and 300,000 a day in the vendor's notes."""
    assert RateLimits.documented().windows == ((10, 1.0), (10_000, 86_400.0))
    assert RateLimits.vendor_2026().windows == ((2, 1.0), (300_000, 86_400.0))
    assert RateLimits.vendor_2026().export_every_s == 10.0
