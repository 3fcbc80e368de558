"""What a user's own tests need: a clock that they hold."""

from __future__ import annotations

from newsleopard_async.testing.clock import ManualClock

__all__ = ["ManualClock"]
