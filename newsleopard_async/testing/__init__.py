"""What a user's own tests need: a clock that they hold, and fixtures of pytest (``plugin``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from newsleopard_async.lazy import names_from

if TYPE_CHECKING:
    from newsleopard_async.testing.clock import ManualClock
    from newsleopard_async.testing.served import NewsLeopardServer

__all__ = ["ManualClock", "NewsLeopardServer"]

_MODULES = {
    "testing.clock": ("ManualClock",),
    "testing.served": ("NewsLeopardServer",),
}

if not TYPE_CHECKING:
    # Pytest loads the plugin, and with it this package, in every run of everybody who has it.
    __getattr__, __dir__ = names_from(__name__, _MODULES)
